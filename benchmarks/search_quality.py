"""How good mixtures are: beside the optimum of all learnwares, and beside the reference's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import json
import math
import os
from pathlib import Path
import subprocess
from typing import Any

import numpy as np

from benchmarks.search_families import Families, changes
from benchmarks.search_service import empty
from learndock.account import Principal, Role
from learndock.learnware import SemanticFilter
from learndock.rkme.mixture import nearest_mixture
from learndock.rkme.simplex import simplex_weights
from learndock.rkme.specification import Specification
from services.search import scoring
from services.search.certified import Mode
from services.search.engines.local import LocalEngine
from services.search.index import DockIndex
from services.search.scoring import Task
from services.search.search import Answer, Question, search

_SMALL, _BESIDE_REFERENCE = 300, 3000
_FOUR_PARTS = 10
_SEARCHES = 6
_REFERENCE_SECONDS = 1800
_USER = Principal("user", "user", Role.USER)


def figures(folder: Path, families: Families, reference: Path | None) -> dict[str, Any]:
    """The figures; those beside the reference only where its Python is given."""
    index = _index(folder / "small", families, _SMALL)
    found: dict[str, Any] = {"mixture_mmd2_ratio": _ratio_to_optimum(index, families)}
    if reference is not None:
        found |= _beside_reference(folder, families, reference)
    return found


def _index(folder: Path, families: Families, count: int) -> DockIndex:
    filled = empty(folder)
    for change in changes(families, np.random.default_rng(1), first=1, last=count):
        filled.live.apply(change)
    return filled.live.publish()


def _ask(index: DockIndex, task: Specification) -> Answer:
    question = Question(_USER, SemanticFilter(), task, 10, 5, Mode.CERTIFIED, frozenset(), None)
    return search(index, question, None, engine=LocalEngine(), time_left=lambda: math.inf, exhaustive_below=0)


def _four_part_tasks(index: DockIndex, families: Families, count: int) -> list[Specification]:
    """Tasks that need four of the learnwares that are there."""
    placed = list(next(iter(index.islands.values())).living())
    tasks = []
    for seed in range(count):
        generator = np.random.default_rng(seed)
        chosen = [placed[position].specification for position in generator.choice(len(placed), 4, replace=False)]
        shares = generator.dirichlet(np.full(4, 4.0))
        weights = np.concatenate([share * part.weights for share, part in zip(shares, chosen, strict=True)])
        atoms = np.concatenate([part.atoms for part in chosen])
        noise = 0.1 * atoms.std(axis=0) * generator.standard_normal(atoms.shape)
        tasks.append(Specification(atoms=atoms + noise, weights=weights / weights.sum()))
    return tasks


def _ratio_to_optimum(index: DockIndex, families: Families) -> float:
    """Median of our mixtures' MMD2 over that of the best convex mixture of all learnwares."""
    island = next(iter(index.islands.values()))
    placed = list(island.living())
    gram = scoring.gram(island.profile, placed)
    ratios = []
    for specification in _four_part_tasks(index, families, _FOUR_PARTS):
        task = Task.under(island.profile, specification)
        target = scoring.inner_products(task, placed)
        weights = nearest_mixture(gram, target)
        ratios.append(
            _nearest(_ask(index, specification)) / (weights @ gram @ weights - 2 * target @ weights + task.norm)
        )
    return float(np.median(ratios))


def _nearest(answer: Answer) -> float:
    return answer.blend.mmd2 if answer.blend is not None else answer.singles[0].mmd2


def _beside_reference(folder: Path, families: Families, reference: Path) -> dict[str, Any]:
    index = _index(folder / "beside", families, _BESIDE_REFERENCE)
    tasks = _four_part_tasks(index, families, _SEARCHES)
    theirs = _reference_searches(folder, index, tasks, reference)
    ratios = [
        _nearest(_ask(index, task)) / _mmd2_of(index, task, members)
        for task, members in zip(tasks, theirs["mixtures"], strict=True)
        if members
    ]
    return {
        "reference_ms": 1000 * float(np.median(theirs["seconds"])),
        "mixture_mmd2_vs_reference": float(np.median(ratios)) if ratios else None,
        "reference_mixtures": len(ratios),
    }


def _reference_searches(
    folder: Path, index: DockIndex, tasks: Sequence[Specification], reference: Path
) -> Mapping[str, Any]:
    """What the reference's search does on the same specifications, in a process of its own."""
    placed = list(next(iter(index.islands.values())).living())
    archive = folder / "specifications.npz"
    np.savez(
        archive,
        atoms=np.stack([one.specification.atoms for one in placed]),
        weights=np.stack([one.specification.weights for one in placed]),
        task_atoms=np.stack([task.atoms for task in tasks]),
        task_weights=np.stack([task.weights for task in tasks]),
    )
    ended = subprocess.run(
        [str(reference), str(Path(__file__).with_name("search_reference.py")), str(archive)],
        env=os.environ | {"HOME": str(folder), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=_REFERENCE_SECONDS,
    )
    line = next(line for line in ended.stdout.splitlines() if line.startswith("RESULT "))
    return dict(json.loads(line.removeprefix("RESULT ")))


def _mmd2_of(index: DockIndex, specification: Specification, members: Sequence[str]) -> float:
    """MMD2 of the best mixture of given members, in our kernel; kinder to them than their own weights."""
    island = next(iter(index.islands.values()))
    placed = [one for one in island.living() if one.entry.learnware_id in members]
    task = Task.under(island.profile, specification)
    gram, target = scoring.gram(island.profile, placed), scoring.inner_products(task, placed)
    weights = simplex_weights(gram, target)
    return float(weights @ gram @ weights - 2 * target @ weights + task.norm)
