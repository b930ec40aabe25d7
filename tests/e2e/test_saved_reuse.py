"""Reuse of reuse: what one user made of several learnwares is submitted, validated, found and used by another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from learndock.account import Role
from learndock.client.dock import Dock
from learndock.client.values import SearchAdvice, Strategy
from learndock.reuse.labels import Labelled
from learndock.rkme.fit import build_specification
from tests.support.dock import RunningDock, running_dock
from tests.support.learnwares import Digits, digits_package

OWNERS: tuple[Sequence[int], ...] = ((0, 1, 2, 3, 4), (5, 6, 7, 8, 9))
ALL = Digits.of(range(10), half=1)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDock]:
    with running_dock(tmp_path_factory.mktemp("saved")) as dock:
        yield dock


@pytest.fixture(scope="module")
def owner(running: RunningDock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dock]:
    """Whoever submitted the members."""
    with Dock(running.address, running.admin_token) as dock:
        for labels in OWNERS:
            entered = dock.submit(digits_package(tmp_path_factory.mktemp("packages"), labels))
            assert dock.wait_until_validated(entered.learnware_id).passed
            dock.wait_until_searchable(entered.learnware_id)
        yield dock


def user_of(running: RunningDock, owner: Dock, name: str) -> Dock:
    owner.create_user(name)
    return Dock(running.address, owner.create_token("test", user=name).secret)


@pytest.mark.parametrize("where", ["local", "dock"])
@pytest.mark.parametrize("known", [None, Labelled(ALL.X[::15], ALL.y[::15])], ids=["no labels", "labels"])
def test_another_user_finds_and_uses_it(
    running: RunningDock, owner: Dock, tmp_path: Path, where: str, known: Labelled | None
) -> None:
    case = f"{where}-{'with' if known else 'without'}"
    maker, other = (user_of(running, owner, f"{name}-{case}") for name in ("maker", "other"))
    assert maker.whoami().role is Role.USER
    found = maker.search(build_specification(ALL.X))
    assert found.advice is SearchAdvice.USE_MIXTURE
    package = tmp_path / "both.zip"
    with maker.reuse(found, labelled=known, where=where) as reuser:  # type: ignore[call-overload]
        members, said = set(reuser.learnware_ids), reuser.predict_proba(ALL.X)
        reuser.save(package, name=f"All digits {case}")
    entered = maker.submit(package)
    validation = maker.wait_until_validated(entered.learnware_id)
    assert validation.passed, validation
    maker.wait_until_searchable(entered.learnware_id)

    mine = Digits.of(range(10), half=0)
    answer = other.search(build_specification(mine.X))
    assert answer.best is not None
    assert answer.best.learnware_id == entered.learnware_id
    assert all(member in answer.best.semantic_specification.description for member in members)
    for place in ("dock", "local"):
        with other.reuse(entered.learnware_id, strategy=Strategy.TOP1, where=place) as reuser:  # type: ignore[call-overload]
            assert np.allclose(reuser.predict_proba(ALL.X), said, atol=1e-6)
            assert (reuser.predict(mine.X) == mine.y).mean() > 0.9
    maker.delete(entered.learnware_id)
