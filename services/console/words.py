"""Words in the visitor's language, one catalogue per language."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
import tomllib

LANGUAGES: Mapping[str, str] = {"en": "English", "zh": "中文"}
"""Languages by their codes, in their own words; the first is the one for everybody else."""

_FOLDER = Path(__file__).parent / "catalogues"


@dataclass(frozen=True)
class Words:
    """The catalogue of one language.

    Attributes
    ----------
    language
        Its code.
    texts
        Sentences by key, such as "find.title"; names in braces are filled in.
    """

    language: str
    texts: Mapping[str, str]

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key; a number `count` chooses between the forms `key.one` and `key.other`."""
        if "count" in values and key not in self.texts:
            key = f"{key}.{'one' if values['count'] == 1 and self.language == 'en' else 'other'}"
        return self.texts[key].format(**values) if values else self.texts[key]

    def name(self, kind: str, word: str) -> str:
        """A word of the dock's own, such as a state or a tag; itself where it is the same in every language."""
        return self.texts.get(f"{kind}.{word.replace(' ', '_')}", word)


@cache
def catalogue(language: str) -> Words:
    """The words of a language."""
    document = tomllib.loads((_FOLDER / f"{language}.toml").read_text(encoding="utf-8"))
    return Words(language, dict(_flat("", document)))


def preferred(accept_language: str) -> str:
    """The best of our languages for a browser's Accept-Language."""
    for code in _by_quality(accept_language):
        if code in LANGUAGES:
            return code
    return next(iter(LANGUAGES))


def _by_quality(accept_language: str) -> Iterable[str]:
    ranked = []
    for position, part in enumerate(accept_language.split(",")[:20]):
        tag, _, quality = part.strip().partition(";q=")
        try:
            ranked.append((-float(quality or 1), position, tag.partition("-")[0].lower()))
        except ValueError:
            continue
    return (code for _, _, code in sorted(ranked))


def _flat(prefix: str, table: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(f"{prefix}{key}.", value)
        else:
            yield f"{prefix}{key}", str(value)
