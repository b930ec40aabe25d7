"""A market of many schemas: whether users who call everything otherwise find their kind of learnware first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

from benchmarks.hetero.words import DIABETES, WINE, breast_cancer
from benchmarks.reuse.experiment import Owner, User, meaning
from learndock.learnware import FeatureSpace
from learndock.rkme.fit import BuildOptions, build_specification

_OWNERS, _USERS = 20, 5
Words = Mapping[str, tuple[str, str]]


class _Constant:
    """A model that is never asked: here only finding counts."""

    def predict(self, X: object) -> np.ndarray:
        return np.zeros(len(X))  # type: ignore[arg-type]


def tables() -> Iterator[tuple[str, list[Owner], list[User]]]:
    """Three small tables that scikit-learn brings, each as many owners and users of random halves of its rows."""
    for name, load, words in (
        ("diabetes", load_diabetes, DIABETES),
        ("wine", load_wine, WINE),
        ("breast cancer", load_breast_cancer, None),
    ):
        data = load(scaled=False) if load is load_diabetes else load()
        columns = list(data.feature_names)
        table = words or {column: breast_cancer(column) for column in columns}
        yield name, *_market(name, np.asarray(data.data, dtype=np.float64), columns, table)


def _market(name: str, rows: np.ndarray, columns: Sequence[str], words: Words) -> tuple[list[Owner], list[User]]:
    generator = np.random.default_rng(0)
    owners = [
        _owner(f"{name} {number}", _half(rows, generator), [words[column][0] for column in columns])
        for number in range(_OWNERS)
    ]
    users = []
    for number in range(_USERS):
        order = generator.permutation(len(columns))
        named = [words[columns[i]][1] for i in order]
        users.append(_user(f"{name} {number}", _half(rows, generator)[:, order], named))
    return owners, users


def _half(rows: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    return rows[generator.permutation(len(rows))[: len(rows) // 2]]


def _owner(name: str, rows: np.ndarray, words: list[str]) -> Owner:
    specification = build_specification(rows, options=BuildOptions(allow_few_rows=True), input=_space(words))
    return Owner(name, _Constant(), specification, meaning(name, "Table", 0, words))


def _user(name: str, rows: np.ndarray, words: list[str]) -> User:
    task = build_specification(rows, options=BuildOptions(allow_few_rows=True), input=_space(words))
    none = np.empty(0)
    return User(name, rows, none, rows[:0], none, task)


def _space(words: Sequence[str]) -> FeatureSpace:
    return FeatureSpace(len(words), dict(enumerate(words)))
