"""Units that people write, and what turns one into another."""

from __future__ import annotations

import numpy as np
import pytest

from learndock.schema.units import AS_IT_IS, conversion, unit_of


@pytest.mark.parametrize("text", ["degC", "°C", "µg/m³", "ug/m3", "μg/m^3", "hPa", "km/h", "m s-1", "%"])
def test_what_people_write_is_read(text: str) -> None:
    assert unit_of(text) is not None


@pytest.mark.parametrize(
    "text", ["", "dollars an ounce", "0 or 1", "log", "__import__('os')", "9**9**9", "dimensionless"]
)
def test_what_is_no_unit_is_none(text: str) -> None:
    assert unit_of(text) is None


@pytest.mark.parametrize(
    ("source", "target", "value", "expected"),
    [
        ("degC", "degF", 100.0, 212.0),
        ("km/h", "m/s", 36.0, 10.0),
        ("mg/m3", "µg/m³", 1.5, 1500.0),
        ("hPa", "kPa", 1013.0, 101.3),
    ],
)
def test_numbers_come_to_the_other_unit(source: str, target: str, value: float, expected: float) -> None:
    converted = conversion(unit_of(source), unit_of(target))
    assert converted is not None
    np.testing.assert_allclose(converted(np.array([value])), [expected], rtol=1e-9)


def test_different_things_are_not_converted_and_the_unknown_stays() -> None:
    assert conversion(unit_of("degC"), unit_of("hPa")) is None
    assert conversion(None, unit_of("hPa")) == AS_IT_IS
    assert conversion(unit_of("hPa"), unit_of("hectopascal")) == AS_IT_IS
