"""A column as its owner describes it and as its values show it."""

from __future__ import annotations

from dataclasses import dataclass
import re

import numpy as np
from numpy.typing import NDArray

from learndock.learnware import FeatureSpace
from learndock.schema.units import Unit, unit_of

# What stands before a colon is a name when it is one short word.
_NAMED = re.compile(r"^\s*([^\s:]{1,40})\s*:\s*(\S.*)$", re.DOTALL)
_IN_BRACKETS = re.compile(r"^(.*\S)\s*[\[(]([^\[\]()]{1,40})[\])]\s*$", re.DOTALL)
# What the encoding of tables writes behind truth values; it says nothing of what they mean.
_TRUTH_VALUE = " (0 or 1)"
_LEVELS = np.linspace(0.02, 0.98, 25)


@dataclass(frozen=True)
class Meaning:
    """What a description says.

    Attributes
    ----------
    name
        Short name; empty where there is none.
    text
        What the column holds, in words; the name where nothing else is said.
    unit
        Its unit; None where none is named that is known.
    """

    name: str
    text: str
    unit: Unit | None

    @classmethod
    def of(cls, description: str) -> Meaning:
        """Read ``NAME: words [unit]``, of which only the words must be there; the unit may be in round brackets."""
        name, text, unit = "", " ".join(description.split()), None
        text = text.removesuffix(_TRUTH_VALUE)
        if named := _NAMED.match(text):
            name, text = named.groups()
        if bracketed := _IN_BRACKETS.match(text):
            unit = unit_of(bracketed[2])
            text = bracketed[1] if unit else text
        return cls(name, text, unit)


@dataclass(frozen=True, eq=False)
class Values:
    """What values a column takes, as the atoms of a specification show them.

    Attributes
    ----------
    quantiles
        At 25 levels from 2 to 98 %, float64 [25].
    """

    quantiles: NDArray[np.float64]

    @classmethod
    def of(cls, values: NDArray[np.float64], weights: NDArray[np.float64]) -> Values:
        """Of weighted values [K]."""
        order = np.argsort(values)
        reached = np.cumsum(weights[order]) - weights[order] / 2.0
        return cls(np.interp(_LEVELS, reached, values[order]))

    def likeness(self, other: Values) -> float:
        """exp(-W1 / s), W1 the earth mover's distance, s the geometric mean of the spreads: 1 for equals."""
        distance = float(np.abs(self.quantiles - other.quantiles).mean())
        spread = float(np.sqrt(self.quantiles.std() * other.quantiles.std()))
        if spread == 0.0:
            return float(distance == 0.0)
        return float(np.exp(-distance / spread))


@dataclass(frozen=True, eq=False)
class Column:
    """A column of a table.

    Attributes
    ----------
    meaning
        What it holds; None where nothing is said of it.
    values
        Its values, in its own unit.
    """

    meaning: Meaning | None
    values: Values


def columns_of(space: FeatureSpace, atoms: NDArray[np.floating], weights: NDArray[np.float64]) -> tuple[Column, ...]:
    """The columns of a table, in their order, of what is said of them and of weighted atoms [K, d]."""
    values = np.asarray(atoms, dtype=np.float64)
    return tuple(
        Column(
            Meaning.of(space.descriptions[position]) if space.descriptions.get(position, "").strip() else None,
            Values.of(values[:, position], weights),
        )
        for position in range(values.shape[1])
    )
