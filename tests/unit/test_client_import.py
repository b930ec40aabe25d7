"""`import learndock` is quick, and the client needs neither numerics nor servers."""

from pathlib import Path
import subprocess
import sys

import numpy as np
import pytest

import learndock
from learndock.client import specifying
from learndock.rkme.specification import Specification

HEAVY = {"torch", "faiss", "sklearn", "scipy", "sqlalchemy", "pydantic", "docker", "quadprog", "alembic"}


def modules_after(code: str) -> set[str]:
    program = f"{code}\nimport sys\nprint(*sys.modules)"
    answer = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return set(answer.stdout.split())


def test_importing_the_package_loads_nothing() -> None:
    assert modules_after("import learndock") & {"numpy", "grpc", "google", *HEAVY} == set()


@pytest.mark.parametrize("code", ["import learndock; learndock.Dock; learndock.specify", "import learndock.cli.main"])
def test_client_and_command_load_nothing_heavy(code: str) -> None:
    loaded = modules_after(code)
    assert loaded & HEAVY == set()
    assert not any(name.startswith(("services", "learndock.serving")) for name in loaded)


def test_reading_the_specification_of_a_table_loads_nothing_heavy(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    specifying.save(Specification(atoms=np.ones((2, 3)), weights=np.full(2, 0.5)), path)
    code = f"from learndock.client import specifying; specifying.load_task({str(path)!r})"
    assert modules_after(code) & HEAVY == set()


def test_names_are_told_and_others_refused() -> None:
    assert set(learndock.__all__) <= set(dir(learndock))
    with pytest.raises(AttributeError, match="no attribute 'dock'"):
        learndock.dock  # noqa: B018
