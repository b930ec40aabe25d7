"""Small docks for the tests of search."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from learndock.account import Principal, Role
from learndock.learnware import (
    FormatClass,
    Learnware,
    LearnwareVersion,
    SemanticFilter,
    SemanticSpecification,
    VersionState,
    Visibility,
)
from learndock.rkme.specification import Specification
from services.search.certified import Mode
from services.search.engines.local import LocalEngine
from services.search.engines.port import ScoringEngine
from services.search.live import Change, LiveIndex
from services.search.packs import Pack
from services.search.search import Question
from services.search.words import Words

TIME = datetime(2026, 1, 1, tzinfo=UTC)
TASKS = ("Classification", "Regression")
USER = Principal("user", "user", Role.USER)


def learnware(
    number: int,
    *,
    name: str = "A learnware",
    owner: str = "owner",
    private: bool = False,
    task: str = "Classification",
    scenarios: tuple[str, ...] = ("Education",),
    version: int = 1,
    state: VersionState = VersionState.VERIFIED,
    deleted: bool = False,
    format_class: FormatClass = FormatClass.CODE,
) -> Learnware:
    """A learnware as the catalogue would tell it."""
    learnware_id = f"{number:08d}"
    return Learnware(
        learnware_id=learnware_id,
        owner_id=owner,
        semantic_specification=SemanticSpecification(name, "", "Table", task, "Scikit-learn", scenarios, "MIT"),
        visibility=Visibility.PRIVATE if private else Visibility.PUBLIC,
        current_version=LearnwareVersion(learnware_id, version, state, "0" * 64, 1, TIME, format_class),
        create_time=TIME,
        update_time=TIME,
        delete_time=TIME if deleted else None,
    )


def specification(generator: np.random.Generator, *, dimension: int = 2, atoms: int | None = None) -> Specification:
    """Random atoms around a random place."""
    count = int(generator.integers(1, 8)) if atoms is None else atoms
    place = generator.normal(scale=2.0, size=dimension)
    weights = generator.random(count) + 0.01
    return Specification(atoms=place + generator.normal(size=(count, dimension)), weights=weights / weights.sum())


def empty_index(folder: Path, engine: ScoringEngine | None = None) -> LiveIndex:
    """An index that knows nothing."""
    return LiveIndex(Words(folder / "words.sqlite"), Pack.new(folder / "packs"), engine or LocalEngine())


def filled_index(folder: Path, specifications: list[Specification]) -> LiveIndex:
    """An index of public learnwares 1, 2, ... with these specifications."""
    live = empty_index(folder)
    for number, one in enumerate(specifications, start=1):
        live.apply(Change(number, learnware(number), searchable=True, specification=one))
    live.publish()
    return live


def question(
    task: Specification | None,
    *,
    caller: Principal = USER,
    filter_: SemanticFilter | None = None,
    top_k: int = 10,
    members: int = 1,
    mode: Mode = Mode.CERTIFIED,
    excluded: frozenset[str] = frozenset(),
    max_scored: int | None = None,
) -> Question:
    """A question, by default for ten singles and no mixture."""
    return Question(caller, filter_ or SemanticFilter(), task, top_k, members, mode, excluded, max_scored)
