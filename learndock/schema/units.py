"""Units of measurement, and what turns numbers of one into numbers of another."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Signs that people write and the registry does not read.
_SPELLINGS = (("°C", "degC"), ("°F", "degF"), ("°", "degree"), ("²", "2"), ("³", "3"), ("μ", "µ"), ("%", "percent"))
# A product of named units with small powers, and nothing else: the registry would also work out 9**9**9.
_FACTOR = r"[a-zA-Zµ_]{1,30}(?:(?:\^|\*\*)?-?[1-4])?"
_PRODUCT = re.compile(rf"{_FACTOR}(?:\s*(?:[*/·]|\s)\s*{_FACTOR}){{0,5}}")
_POWER = re.compile(r"(?<=[a-zA-Zµ])(?:\^|\*\*)?(-?[1-4])(?![a-zA-Z])")


@dataclass(frozen=True)
class Unit:
    """A known unit, by the registry's own name for it."""

    name: str


@dataclass(frozen=True)
class Conversion:
    """x to factor x + offset.

    Attributes
    ----------
    factor, offset
        Finite; the factor is not 0.
    """

    factor: float = 1.0
    offset: float = 0.0

    def __call__(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Converted values."""
        return values * self.factor + self.offset

    @property
    def changes_nothing(self) -> bool:
        """Whether it is the identity."""
        return self.factor == 1.0 and self.offset == 0.0


AS_IT_IS = Conversion()


def unit_of(text: str) -> Unit | None:
    """The unit that is named, such as ``degC``, ``µg/m³`` or ``km/h``; None where it is none that is known."""
    for written, read in _SPELLINGS:
        text = text.replace(written, read)
    text = text.strip()
    if not _PRODUCT.fullmatch(text):
        return None
    try:
        found = _registry().parse_units(_POWER.sub(r"**\1", text.replace("·", "*")))
    except Exception:  # whatever a stranger's text makes the parser raise, it names no unit
        return None
    return None if found.dimensionless and text != "percent" else Unit(str(found))


def conversion(source: Unit | None, target: Unit | None) -> Conversion | None:
    """From one unit to another; nothing is converted where one is unknown. None where they measure different things."""
    if source is None or target is None or source == target:
        return AS_IT_IS
    registry = _registry()
    try:
        zero, one = (float(registry.Quantity(n, source.name).to(target.name).magnitude) for n in (0.0, 1.0))
    except Exception:  # as above: incompatible, or not to be converted at all
        return None
    return Conversion(one - zero, zero)


@cache
def _registry() -> Any:  # noqa: ANN401  # the library's types are generic in what a magnitude is
    import pint  # here: it takes a third of a second, and many tables name no unit

    return pint.UnitRegistry()
