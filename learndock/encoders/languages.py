"""A guess at the languages of texts, from scripts and the commonest words; silent where it is unsure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
import re

# Words that are frequent in one language and rare, or not words, in the others of this list.
_COMMON_WORDS: Mapping[str, frozenset[str]] = {
    language: frozenset(words.split())
    for language, words in {
        "de": "der die das und ist nicht ein eine ich sie mit auch auf für dem den von zu wird sich",
        "en": "the and of to is that it for was with this are have you from not be they which his",
        "es": "el los las que y del una por con para es está pero como más fue su muy hay lo",
        "fr": "le les des et est une dans pour qui que pas sur avec ce il elle du au nous vous",
        "it": "il che di della per una sono con non gli più anche nel alla è questo ma dei delle come",
        "nl": "het een van en dat niet zijn met voor aan ook maar bij wordt naar deze hij wij er op",
        "pt": "o os uma não com para mais por foi ao das dos são mas você muito também em um como",
    }.items()
}
_SCRIPTS: Mapping[str, re.Pattern[str]] = {
    "ar": re.compile(r"[\u0621-\u064a]"),
    "el": re.compile(r"[\u0370-\u03ff]"),
    "he": re.compile(r"[\u05d0-\u05ea]"),
    "hi": re.compile(r"[\u0900-\u097f]"),
    "ja": re.compile(r"[\u3040-\u30ff]"),
    "ko": re.compile(r"[\uac00-\ud7a3]"),
    "ru": re.compile(r"[\u0430-\u044f\u0451]"),
    "th": re.compile(r"[\u0e00-\u0e7f]"),
    "zh": re.compile(r"[\u4e00-\u9fff]"),
}
_WORD = re.compile(r"[^\W\d_]+")
_LETTER = re.compile(r"[^\W\d_]")

# Texts, and letters of each, that are looked at.
_MOST_TEXTS = 1000
_MOST_LETTERS = 2000
# Of a text's words this share, and at least two, must be common words of a language, half as many again as of the next.
_WORD_SHARE = 0.1
_LEAST_WORDS = 2
_LEAD = 1.5
# A script decides where it holds this share of the letters; Japanese mixes kana with Chinese characters.
_SCRIPT_SHARE = 0.5
_KANA_SHARE = 0.1
# A language counts if this share of the texts that could be told are in it.
_LANGUAGE_SHARE = 0.1


def languages_of(texts: Sequence[str]) -> tuple[str, ...]:
    """Languages of texts by how often they occur, ISO 639-1; empty where it cannot be told.

    Knows German, English, Spanish, French, Italian, Dutch and Portuguese by their commonest words, and Arabic, Greek,
    Hebrew, Hindi, Japanese, Korean, Russian, Thai and Chinese by their scripts (so that other languages in Arabic or
    Cyrillic letters are taken for those two). Looks at 1,000 texts spread evenly. At least half of them must be told,
    and a language counts if a tenth of them are in it.
    """
    step = -(-len(texts) // _MOST_TEXTS)
    looked_at = texts[:: max(1, step)]
    told = Counter(found for found in map(_language_of, looked_at) if found)
    if 2 * told.total() < len(looked_at):
        return ()
    return tuple(language for language, count in told.most_common() if count >= _LANGUAGE_SHARE * told.total())


def _language_of(text: str) -> str:
    """Language of one text, or nothing."""
    start = text[:_MOST_LETTERS].lower()
    return _by_script(start) or _by_words(_WORD.findall(start))


def _by_script(text: str) -> str:
    letters = len(_LETTER.findall(text))
    shares = {language: len(script.findall(text)) / max(1, letters) for language, script in _SCRIPTS.items()}
    if shares["ja"] >= _KANA_SHARE and shares["ja"] + shares["zh"] >= _SCRIPT_SHARE:
        return "ja"
    language = max(shares, key=shares.__getitem__)
    return language if shares[language] >= _SCRIPT_SHARE else ""


def _by_words(words: Sequence[str]) -> str:
    counts = {language: sum(word in common for word in words) for language, common in _COMMON_WORDS.items()}
    (best, most), (_, second) = Counter(counts).most_common(2)
    sure = most >= max(_LEAST_WORDS, _WORD_SHARE * len(words)) and most >= _LEAD * second
    return best if sure else ""
