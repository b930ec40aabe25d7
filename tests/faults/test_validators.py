"""Validators that are frozen, woken late and killed: each validation ends, once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
import os
from pathlib import Path
import sqlite3
import time

import numpy as np
import pytest
from sqlalchemy import select

from learndock.examination.report import ValidationState
from learndock.sandbox.cgroup import PARENT, ROOT
from learndock.serving.sql import Database
from learndock.v1 import types_pb2
from services.validator.models import ValidationRow
from tests.support.models import ATOMS, GOOD_PREDICT, model_package
from tests.support.validation import PATIENCE, Dock, storing
from tests.support.validator_process import ValidatorProcess

# More of them by a setting: a few show that it works, hundreds that no moment was forgotten.
KILLS = int(os.environ.get("LEARNDOCK_TEST_KILLS", "4"))
SLOW = f"import time\nif len(X) == {ATOMS}: time.sleep(2)\n{GOOD_PREDICT}"


@pytest.fixture
def dock(tmp_path: Path) -> Iterator[Dock]:
    with storing(tmp_path, tmp_path / "environments") as made:
        yield made


def database_of(dock: Dock) -> Path:
    return dock.folder / "validator" / "validator.db"


def rows(dock: Dock) -> list[ValidationRow]:
    path = database_of(dock)
    if not path.exists():
        return []
    database = Database(f"sqlite:///{path}")
    try:
        with database.read() as session:
            return list(session.scalars(select(ValidationRow)))
    finally:
        database.close()


def wait_for(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)


def phase(dock: Dock) -> str:
    return next((row.phase for row in rows(dock)), "")


def has_ended(dock: Dock) -> bool:
    found = rows(dock)
    return bool(found) and all(ValidationState(row.state).ended for row in found)


def freeze_between_writes(validator: ValidatorProcess, dock: Dock) -> None:
    """Freeze it where it does not hold the one writer's place of SQLite, which nobody could then take from it."""
    writer = sqlite3.connect(database_of(dock), timeout=0.2, isolation_level=None)
    try:
        while True:
            validator.freeze()
            try:
                writer.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                validator.wake()
                time.sleep(0.02)
            else:
                writer.execute("ROLLBACK")
                return
    finally:
        writer.close()


def test_a_frozen_validator_that_wakes_late_changes_nothing(dock: Dock, tmp_path: Path) -> None:
    learnware_id = dock.submit(model_package(tmp_path, predict=SLOW))
    settings = dock.settings(lease_seconds=1.5)
    frozen = ValidatorProcess(settings)
    other = None
    try:
        wait_for(lambda: phase(dock) == "predicts_atoms")
        freeze_between_writes(frozen, dock)
        other = ValidatorProcess(settings)
        wait_for(lambda: has_ended(dock))
        (ended,) = rows(dock)
        before = dock.version(learnware_id)
        frozen.wake()
        work = dock.folder / "validator" / "work"
        wait_for(lambda: list(work.iterdir()) == [])  # it noticed, and let go of its sandbox
        time.sleep(2.5)  # longer than the rest of its validation would take
        (late,) = rows(dock)
        assert (ended.state, ended.attempts) == (ValidationState.VERIFIED.value, 2)
        assert (late.revision, late.fence, late.holder) == (ended.revision, ended.fence, ended.holder)
        assert dock.version(learnware_id) == before
        assert before.state == types_pb2.VERSION_STATE_VERIFIED
    finally:
        frozen.kill()
        if other is not None:
            other.kill()


def test_whenever_a_validator_is_killed_the_validation_ends_once(dock: Dock, tmp_path: Path) -> None:
    generator = np.random.default_rng(5)
    learnware_id = dock.submit(model_package(tmp_path, predict=SLOW))
    settings = dock.settings(lease_seconds=30.0, max_faults=KILLS + 1)
    owners = []
    for _ in range(KILLS):
        validator = ValidatorProcess(settings)
        owners.append(validator.pid)
        time.sleep(generator.uniform(0.0, 1.5))
        validator.kill()
    last = ValidatorProcess(settings)
    try:
        wait_for(lambda: has_ended(dock))
        (ended,) = rows(dock)
        assert ended.state == ValidationState.VERIFIED.value, ended.reason
        assert ended.attempts <= KILLS + 1
        assert dock.version(learnware_id).state == types_pb2.VERSION_STATE_VERIFIED
        wait_for(lambda: left_over(dock, owners) == [])
    finally:
        last.kill()


def left_over(dock: Dock, owners: list[int]) -> list[str]:
    folders = [str(path) for kind in ("packages", "work") for path in (dock.folder / "validator" / kind).iterdir()]
    groups = [str(path) for path in ROOT.glob(f"**/{PARENT}/*") if any(f"~{pid}~" in path.name for pid in owners)]
    return folders + groups
