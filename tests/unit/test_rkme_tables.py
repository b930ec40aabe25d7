"""Tables in the owner's files."""

from __future__ import annotations

from pathlib import Path
import pickle

import numpy as np
import pytest

from learndock.errors import InvalidInput
from learndock.learnware import FeatureSpace
from learndock.rkme.tables import read_rows

ROWS = [[1.0, 2.5], [-3.0, 4e3]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "table.csv"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("1,2.5\n-3,4e3\n", None),
        ("1;2.5\n-3;4e3", None),
        ("1\t2.5\r\n-3\t4e3\r\n", None),
        ("\ufeffage,height\n1,2.5\n-3,4e3\n", ["age", "height"]),
        ('"age, in years", height \n"1",2.5\n\n-3,4e3\n', ["age, in years", "height"]),
        ('"two\nlines",height\n1,2.5\n-3,4e3\n', ["two\nlines", "height"]),
        ("1,height\n1,2.5\n-3,4e3\n", ["1", "height"]),
    ],
)
def test_comma_separated_values(path: Path, text: str, names: list[str] | None) -> None:
    path.write_text(text, encoding="utf-8", newline="")
    rows, space = read_rows(path)
    assert rows.tolist() == ROWS
    assert space == (None if names is None else FeatureSpace(2, dict(enumerate(names))))


def test_a_single_column(path: Path) -> None:
    path.write_text("age\n1\n2\n")
    rows, space = read_rows(path)
    assert rows.tolist() == [[1.0], [2.0]]
    assert space == FeatureSpace(1, {0: "age"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("age,height\n1,2\n3,tall\n", "Column 'height' in line 3 of table.csv is no number"),
        ("age,height\n1,2\n3,\n", "Column 'height' in line 3 of table.csv is empty"),
        ("1,2\n3,tall\n", "Column 2 in line 2 of table.csv is no number"),
        ("1,2\n3\n", "Line 2 of table.csv has 1 columns, not 2"),
        ("a,b,c\n1,2\n", "Line 2 of table.csv has 2 columns, not 3|names 3 columns of 2"),
        ("1,2\n1_0,2\n", "does not hold a table of numbers"),
        ("age,height\n", "holds no rows"),
        ("", "holds no rows"),
        ("\n\n", "holds no rows"),
    ],
)
def test_faults_are_named_without_their_content(path: Path, text: str, message: str) -> None:
    path.write_text(text)
    with pytest.raises(InvalidInput, match=message) as caught:
        read_rows(path)
    assert caught.value.field == "path"
    assert "tall" not in str(caught.value)


def test_arrays(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array(ROWS))
    np.savez(tmp_path / "x.npz", X=np.array(ROWS), y=[0, 1])
    for name in ("x.npy", "x.npz"):
        rows, space = read_rows(str(tmp_path / name))
        assert rows.tolist() == ROWS
        assert space is None


class Trap:
    """Would touch a file if it were unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self._path,)


@pytest.mark.parametrize("name", ["x.npy", "x.npz"])
def test_nothing_is_unpickled(tmp_path: Path, name: str) -> None:
    touched = tmp_path / "touched"
    if name == "x.npy":
        np.save(tmp_path / name, np.array([Trap(touched)]))
    else:
        np.savez(tmp_path / name, X=np.array([Trap(touched)]))
    with pytest.raises(InvalidInput):
        read_rows(tmp_path / name)
    (tmp_path / name).write_bytes(pickle.dumps(Trap(touched)))
    with pytest.raises(InvalidInput):
        read_rows(tmp_path / name)
    assert not touched.exists()


@pytest.mark.parametrize(
    "name", ["missing.csv", "missing.npy", "table.xlsx", "empty.npy", "empty.npz", "other.npz", "x.csv"]
)
def test_files_that_are_no_tables(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty.npy").touch()
    (tmp_path / "empty.npz").touch()
    np.savez(tmp_path / "other.npz", rows=np.array(ROWS))
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe1,2\n")
    with pytest.raises(InvalidInput) as caught:
        read_rows(tmp_path / name)
    assert caught.value.field == "path"
