"""List filters in the syntax of AIP-160, compiled to SQL with bound parameters.

Grammar, after https://google.aip.dev/160 (OR binds tighter than AND; two terms side by side are joined by AND)::

    filter      = sequence {"AND" sequence}
    sequence    = factor {factor}
    factor      = term {"OR" term}
    term        = ["NOT" | "-"] (comparison | "(" filter ")")
    comparison  = field ("=" | "!=" | "<" | "<=" | ">" | ">=" | ":") value
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
import operator
import re
from typing import Any

from sqlalchemy import ColumnElement, and_, not_, or_
from sqlalchemy.orm import InstrumentedAttribute

from learndock.errors import InvalidInput, Reason
from learndock.learnware import FormatClass, VersionState, Visibility
from services.storage.models import LearnwareRow, VersionRow
from services.storage.texts import find_text

MAX_FILTER = 2_000
MAX_DEPTH = 20

Condition = ColumnElement[bool]

FIELDS: Mapping[str, InstrumentedAttribute[Any]] = {
    "id": LearnwareRow.learnware_id,
    "name": LearnwareRow.name,
    "text": LearnwareRow.words,
    "owner": LearnwareRow.owner_id,
    "data": LearnwareRow.data,
    "task": LearnwareRow.task,
    "library": LearnwareRow.library,
    "license": LearnwareRow.license,
    "sha256": VersionRow.sha256,
    "state": VersionRow.state,
    "format_class": VersionRow.format_class,
    "visibility": LearnwareRow.visibility,
    "create_time": LearnwareRow.create_time,
}
_WORDS: Mapping[str, tuple[str, ...]] = {
    "state": tuple(VersionState),
    "format_class": tuple(FormatClass),
    "visibility": tuple(Visibility),
}
_TEXTS = ("name", "text")
_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<operator>!=|<=|>=|[=<>:])
      | (?P<bracket>[()])
      | (?P<minus>-(?=[\w(]))
      | "(?P<double>(?:[^"\\]|\\.)*)"
      | '(?P<single>(?:[^'\\]|\\.)*)'
      | (?P<word>[^\s()=<>:!"']+(?::\d[^\s()=<>!"']*)?)
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Token:
    """A piece of a filter.

    Attributes
    ----------
    kind
        `operator`, `bracket`, `minus`, `text` (quoted) or `word`.
    text
        What it says.
    """

    kind: str
    text: str

    def is_word(self, word: str) -> bool:
        """Whether it is this keyword, unquoted."""
        return self.kind == "word" and self.text == word


def compile_filter(text: str, dialect: str) -> tuple[Condition, ...]:
    """The conditions of a filter on learnwares joined with their current version; none for an empty filter.

    Parameters
    ----------
    text
        The filter.
    dialect
        ``sqlite``, where parts of texts are looked up in the table `learnware_texts`, or ``postgresql``.

    Raises
    ------
    InvalidInput
        FILTER_INVALID: the filter does not parse, or names an unknown field.
    """
    if len(text) > MAX_FILTER or "\0" in text:
        raise _invalid(f"A filter has at most {MAX_FILTER} characters, none of them NUL.")
    tokens = _tokens(text)
    if not tokens:
        return ()
    parser = _Parser(tokens, dialect)
    condition = parser.conjunction()
    parser.expect_end()
    return (condition,)


def _tokens(text: str) -> list[Token]:
    tokens = []
    at, text = 0, text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _invalid(f"The filter cannot be read from {text[at : at + 20]!r} on.")
        kind = match.lastgroup or ""
        quoted = kind in ("double", "single")
        value = re.sub(r"\\(.)", r"\1", match[kind]) if quoted else match[kind]
        tokens.append(Token("text" if quoted else kind, value))
        at = match.end()
    return tokens


class _Parser:
    """Recursive descent over the tokens."""

    def __init__(self, tokens: list[Token], dialect: str) -> None:
        self._tokens = tokens
        self._dialect = dialect
        self._at = 0
        self._depth = 0

    def conjunction(self) -> Condition:
        parts = [self._sequence()]
        while self._take_word("AND"):
            parts.append(self._sequence())
        return and_(*parts)

    def expect_end(self) -> None:
        if self._at < len(self._tokens):
            raise _invalid(f"The filter does not go on with {self._tokens[self._at].text!r}.")

    def _sequence(self) -> Condition:
        parts = [self._factor()]
        while (token := self._peek()) and not token.is_word("AND") and token != Token("bracket", ")"):
            parts.append(self._factor())
        return and_(*parts)

    def _factor(self) -> Condition:
        parts = [self._term()]
        while self._take_word("OR"):
            parts.append(self._term())
        return or_(*parts)

    def _term(self) -> Condition:
        token = self._next("a comparison")
        if token.is_word("NOT") or token.kind == "minus":
            return not_(self._simple(self._next("a comparison")))
        return self._simple(token)

    def _simple(self, token: Token) -> Condition:
        if token != Token("bracket", "("):
            return self._comparison(token)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _invalid(f"A filter is nested at most {MAX_DEPTH} deep.")
        condition = self.conjunction()
        if self._next("a closing parenthesis") != Token("bracket", ")"):
            raise _invalid("A parenthesis is not closed.")
        self._depth -= 1
        return condition

    def _comparison(self, field: Token) -> Condition:
        if field.kind != "word" or field.text not in FIELDS:
            raise _invalid(f"{field.text!r} is not a field; there are {', '.join(FIELDS)}.")
        comparator = self._next("a comparison")
        value = self._next("a value")
        if comparator.kind != "operator" or value.kind not in ("word", "text"):
            raise _invalid(f"{field.text} must be compared with a value.")
        if comparator.text == ":" and field.text in _TEXTS:
            return find_text(field.text, value.text, self._dialect)
        return _compare(field.text, comparator.text, value.text)

    def _peek(self) -> Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _next(self, expected: str) -> Token:
        token = self._peek()
        if token is None:
            raise _invalid(f"The filter ends where {expected} should follow.")
        self._at += 1
        return token

    def _take_word(self, word: str) -> bool:
        token = self._peek()
        if token is None or not token.is_word(word):
            return False
        self._at += 1
        return True


def _compare(field: str, comparator: str, text: str) -> Condition:
    column = FIELDS[field]
    if field == "create_time":
        return _compare_time(column, comparator, text)
    if field == "text":
        raise _invalid('text is searched, as in text:"wine quality".')
    if comparator == ":":
        return column.icontains(text, autoescape=True)
    if field in _WORDS:
        text = text.upper()
        if text not in _WORDS[field]:
            raise _invalid(f"{field} is one of {', '.join(_WORDS[field])}, not {text!r}.")
    condition: Condition = _OPERATORS[comparator](column, text)
    return condition


def _compare_time(column: InstrumentedAttribute[Any], comparator: str, text: str) -> Condition:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise _invalid(f"{text!r} is not a time such as 2026-01-31T12:00:00Z.") from None
    if comparator == ":":
        raise _invalid("create_time can be compared, not searched.")
    condition: Condition = _OPERATORS[comparator](column, time if time.tzinfo else time.replace(tzinfo=UTC))
    return condition


def _invalid(message: str) -> InvalidInput:
    return InvalidInput(Reason.FILTER_INVALID, message, field="filter")
