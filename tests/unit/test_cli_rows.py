"""Files that the reuse command reads and writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
import typer

from learndock.cli.rows import WRITTEN, check_writable, read_inputs, write_predictions

ROWS = np.arange(6.0).reshape(3, 2)


@pytest.mark.parametrize("suffix", WRITTEN)
@pytest.mark.parametrize("outputs", [ROWS, ROWS[:, 0]], ids=["probabilities", "numbers"])
def test_predictions_come_back_as_they_were(tmp_path: Path, suffix: str, outputs: np.ndarray) -> None:
    path = tmp_path / f"y{suffix}"
    check_writable(path)
    write_predictions(path, outputs)
    back = np.asarray(read_inputs(path))
    assert back.reshape(outputs.shape).tolist() == outputs.tolist()


def test_parquet_columns_are_named_by_their_number(tmp_path: Path) -> None:
    write_predictions(tmp_path / "y.parquet", ROWS)
    assert pyarrow.parquet.read_table(tmp_path / "y.parquet").column_names == ["0", "1"]


def test_texts_are_read_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "posts.txt").write_text("one text\n\nanother\n")
    assert read_inputs(tmp_path / "posts.txt") == ["one text", "another"]


def test_other_kinds_are_refused_before_anything_is_predicted() -> None:
    with pytest.raises(typer.BadParameter, match=r"y\.xlsx is none of \.npy"):
        check_writable(Path("y.xlsx"))
