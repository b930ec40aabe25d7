"""Both catalogues say everything that the pages ask for, and nothing else."""

from pathlib import Path
import re
import string

import pytest

from learndock.learnware import VOCABULARY, VersionState, Visibility
from services.console import sign_in
from services.console.listing import ORDERS
from services.console.words import LANGUAGES, catalogue, preferred

FOLDER = Path(sign_in.__file__).parent
WORDS = {code: catalogue(code) for code in LANGUAGES}
# Families whose last part is computed: a state, a tag, a filter's name.
FAMILIES = (
    "action.make_", "admin.", "advice.", "audit.", "check.", "done.", "error.", "field.", "filter.", "form.", "format.",
    "format_help.", "modality.", "nav.", "order.", "reuse.file_", "role.", "rule.", "scatter.", "state.", "strategy.",
    "quota.", "scope.", "theme.", "validation_state.", "verdict.", "visibility.", "word.",
)  # fmt: skip


def sources() -> str:
    pages = [*FOLDER.glob("templates/*.html"), *FOLDER.glob("*.py")]
    return "\n".join(page.read_text() for page in pages)


def asked() -> set[str]:
    """Keys that stand in the sources; those that end in a dot or a line are completed while the page is made."""
    found = set(re.findall(r'\bt\(\s*["\']([a-z_]+\.[A-Za-z_0-9]*)["\']', sources()))
    return {key for key in found if not key.endswith((".", "_"))}


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_the_catalogues_have_the_same_keys() -> None:
    assert WORDS["en"].texts.keys() == WORDS["zh"].texts.keys()


def test_a_text_has_the_same_blanks_in_both() -> None:
    english, chinese = WORDS["en"].texts, WORDS["zh"].texts
    assert [key for key, text in english.items() if not text.strip() or not chinese[key].strip()] == []
    assert [key for key, text in english.items() if placeholders(text) != placeholders(chinese[key])] == []


def test_every_text_that_a_page_asks_for_is_there() -> None:
    keys = WORDS["en"].texts.keys()
    assert [key for key in asked() if key not in keys and f"{key}.other" not in keys] == []


def test_no_text_is_left_over() -> None:
    used = asked()
    plain = (key.removesuffix(".one").removesuffix(".other") for key in WORDS["en"].texts)
    assert [key for key in plain if key not in used and not key.startswith(FAMILIES)] == []


def test_every_word_of_the_dock_has_its_chinese() -> None:
    words = [word for key, values in VOCABULARY.items() if key not in ("Library", "License") for word in values]
    kinds = [("word", word) for word in words] + [("state", s) for s in VersionState]
    kinds += [("visibility", v) for v in Visibility] + [("order", order) for order in ORDERS]
    missing = [f"{kind}.{word}" for kind, word in kinds if f"{kind}.{word.replace(' ', '_')}" not in WORDS["zh"].texts]
    assert missing == []


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("fr-FR, en;q=0.5, zh;q=0.7", "zh"),
        ("de;q=x, ,;;, zh", "zh"),
        ("tlh", "en"),
    ],
)
def test_the_browser_says_which_language(header: str, language: str) -> None:
    assert preferred(header) == language


def test_numbers_choose_the_form() -> None:
    assert WORDS["en"]("find.found", count=1) == "1 learnware"
    assert WORDS["en"]("find.found", count=2) == "2 learnwares"
    assert WORDS["zh"]("find.found", count=1) == "1 个学件"
