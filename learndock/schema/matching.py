"""Finding which column of a task is which column of a learnware."""

from __future__ import annotations

import re

import numpy as np
from scipy.optimize import linear_sum_assignment

from learndock.schema.assignment import Assignment, Match
from learndock.schema.column import Column, Values
from learndock.schema.schema import Schema
from learndock.schema.units import AS_IT_IS, Conversion, Unit, conversion

# Less than this, and two columns are not taken for one; docs/decisions/0080-columns-by-meaning.md has the figures.
LEAST_CONFIDENCE = 0.30
# How much of the confidence the values decide; the rest is the words'.
_SHARE_OF_VALUES = 0.3
# Words that name different numbers, such as "price 3" and "price 4", are seldom one thing.
_OTHER_NUMBERS = 0.5
_NUMBER = re.compile(r"\d+")
_SPELLED = {"one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8"}
_SPELLED |= {"nine": "9", "ten": "10", "first": "1", "second": "2", "third": "3", "fourth": "4", "fifth": "5"}
_WORD = re.compile(r"[a-z0-9]+")


def assign(task: Schema, learnware: Schema) -> Assignment:
    """The assignment of greatest total confidence, without matches below `LEAST_CONFIDENCE`.

    A pair's confidence is the cosine of the meanings times how alike the values are, these having the smaller say;
    less where the words name different numbers, and 0 where units do not go together. O(d^3) for d columns.

    Source: Kuhn, The Hungarian method for the assignment problem, Naval Research Logistics Quarterly 2 (1955).
    """
    conversions = _conversions(task, learnware)
    confidences = np.array(
        [
            [_confidence(task, i, learnware, j, conversions[i][j]) for j in range(len(learnware.columns))]
            for i in range(len(task.columns))
        ]
    )
    rows, columns = linear_sum_assignment(-np.where(confidences >= LEAST_CONFIDENCE, confidences, 0.0))
    matches = [
        Match(int(i), int(j), float(confidences[i, j]), conversions[i][j] or AS_IT_IS)
        for i, j in zip(rows, columns, strict=True)
        if confidences[i, j] >= LEAST_CONFIDENCE
    ]
    matches.sort(key=lambda match: match.learnware_column)
    return Assignment(tuple(matches), len(task.columns), len(learnware.columns))


def _conversions(task: Schema, learnware: Schema) -> list[list[Conversion | None]]:
    def unit(column: Column) -> Unit | None:
        return column.meaning.unit if column.meaning else None

    return [[conversion(unit(own), unit(other)) for other in learnware.columns] for own in task.columns]


def _confidence(task: Schema, i: int, learnware: Schema, j: int, converted: Conversion | None) -> float:
    own, other = task.columns[i], learnware.columns[j]
    if converted is None or own.meaning is None or other.meaning is None:
        return 0.0
    if equal_words(own.meaning.text, other.meaning.text):
        return 1.0
    words = likeness_of_words(own.meaning.text, other.meaning.text, float(task.vectors[i] @ learnware.vectors[j]))
    alike = Values(converted(own.values.quantiles)).likeness(other.values)
    return words * (1.0 - _SHARE_OF_VALUES + _SHARE_OF_VALUES * alike)


def equal_words(one: str, other: str) -> bool:
    """Whether two descriptions are of the same words."""
    return _words(one) == _words(other)


def likeness_of_words(one: str, other: str, cosine: float) -> float:
    """How much two descriptions say the same, 0 to 1, from the cosine of their vectors."""
    if equal_words(one, other):
        return 1.0
    return max(0.0, cosine) * (1.0 if _numbers(one) == _numbers(other) else _OTHER_NUMBERS)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _numbers(text: str) -> set[str]:
    spelled = {_SPELLED[word] for word in _words(text) if word in _SPELLED}
    return spelled | set(_NUMBER.findall(text))
