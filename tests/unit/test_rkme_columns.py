"""Mixed tables as numbers: what becomes of each kind of column, and what is refused by name."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from learndock.errors import InvalidInput, Reason
from learndock.rkme.columns import TableSchema
from learndock.rkme.fit import build_specification
from learndock.rkme.rows import Rows
from learndock.rkme.tables import read_rows

SCHEMA = TableSchema(
    vocabulary={"wind": ("N", "S", "W")}, dates=("day",), missing=("wind", "rain"), units={"rain": "mm"}
)
NAMES = (
    "rain [mm]",
    "rain is missing (0 or 1)",
    "wind = N (0 or 1)",
    "wind = S (0 or 1)",
    "wind = W (0 or 1)",
    "wind is missing (0 or 1)",
    "day (date, days since 1970)",
    "wet",
)
ENCODED = [
    [1.0, 0, 1, 0, 0, 0, 0.5, 1],
    [2.0, 1, 0, 0, 1, 0, 1.0, 0],
    [3.0, 0, 0, 0, 0, 1, 2.0, 1],
]


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "rain": [1.0, None, 3.0],
            "wind": ["N", "W", None],
            "day": ["1970-01-01T12:00", "1970-01-02", "1970-01-03"],
            "wet": [True, False, True],
        }
    )


def test_a_data_frame() -> None:
    rows = Rows.of(frame(), SCHEMA)
    assert rows.columns == NAMES
    assert rows.values.tolist() == ENCODED


def test_an_arrow_table() -> None:
    rows = Rows.of(pa.Table.from_pandas(frame()), SCHEMA)
    assert rows.columns == NAMES
    assert rows.values.tolist() == ENCODED


def test_files(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pandas(frame()), tmp_path / "t.parquet")
    csv = frame().astype({"wet": int})
    csv.to_csv(tmp_path / "t.csv", index=False)
    for name in ("t.parquet", "t.csv"):
        values, space = read_rows(tmp_path / name, SCHEMA)
        assert values.tolist() == ENCODED
        assert space is not None
        assert tuple(space.descriptions.values()) == NAMES


def test_types_that_declare_themselves() -> None:
    moments = [datetime(1970, 1, 2, tzinfo=UTC), datetime(1970, 1, 3, tzinfo=UTC)]
    data = pd.DataFrame(
        {
            "kind": pd.Categorical(["b", "a"], categories=["a", "b", "c"]),
            "at": pd.to_datetime(moments),
            "count": pd.array([3, 4], dtype="Int64"),
        }
    )
    for table in (data, pa.Table.from_pandas(data)):
        rows = Rows.of(table)
        assert rows.values.tolist() == [[0, 1, 0, 1, 3], [1, 0, 0, 2, 4]]
        assert rows.columns[0] == "kind = a (0 or 1)"


@pytest.mark.parametrize(
    ("data", "schema", "message", "reason"),
    [
        ({"x": ["secret", "b"]}, TableSchema(), "'x' holds text; declare", Reason.FIELD_INVALID),
        ({"x": ["secret", "b"]}, TableSchema(vocabulary={"x": ["b"]}), "row 0 that its vocab", Reason.FIELD_INVALID),
        ({"x": ["secret", "b"]}, TableSchema(dates=["x"]), "no ISO 8601 date", Reason.FIELD_INVALID),
        ({"x": [1.0, None], "y": ["a", "a"]}, TableSchema(vocabulary={"y": ["a"]}), "'x' has a gap in row 1",
         Reason.NOT_FINITE),
        ({"x": [None, None]}, TableSchema(missing=["x"]), "'x' holds no value", Reason.NOT_FINITE),
        ({"x": [1.0, np.nan]}, TableSchema(), "'x' holds NaN or infinity", Reason.NOT_FINITE),
        ({"x": [1.0, np.inf]}, TableSchema(missing=["x"]), "'x' holds NaN or infinity", Reason.NOT_FINITE),
        ({"x": [1.0, 2.0]}, TableSchema(dates=["z"]), "There is no column 'z'", Reason.FIELD_INVALID),
        ({"x": [1 + 2j, 1.0]}, TableSchema(units={"x": "m"}), "'x' holds text", Reason.FIELD_INVALID),
        ({}, TableSchema(), "no columns|1 to 16384", Reason.SHAPE_MISMATCH),
    ],
)  # fmt: skip
def test_what_is_refused(data: dict[str, list[object]], schema: TableSchema, message: str, reason: Reason) -> None:
    with pytest.raises(InvalidInput, match=message) as caught:
        Rows.of(pd.DataFrame(data), schema)
    assert caught.value.reason is reason
    assert "secret" not in str(caught.value)


def test_a_schema_needs_names() -> None:
    with pytest.raises(InvalidInput, match="names"):
        Rows.of(np.zeros((3, 2)), TableSchema(dates=["x"]))


def test_the_description_travels_with_the_specification() -> None:
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"x": rng.normal(size=200), "kind": pd.Categorical(rng.choice(["a", "b"], 200))})
    built = build_specification(data, schema=TableSchema(units={"x": "m"}))
    assert built.input is not None
    assert list(built.input.descriptions.values()) == ["x [m]", "kind = a (0 or 1)", "kind = b (0 or 1)"]
