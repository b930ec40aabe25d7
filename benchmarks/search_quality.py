"""How good mixtures are: beside the optimum of all learnwares, and beside the reference's own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
import json
import math
from multiprocessing import get_context
import os
from pathlib import Path
import subprocess
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.search_families import Families, changes, learnware, some_tasks
from benchmarks.search_service import empty
from learndock import specify
from learndock.account import Principal, Role
from learndock.learnware import SemanticFilter
from learndock.rkme.simplex import simplex_weights
from learndock.rkme.specification import Specification
from services.search import scoring
from services.search.certified import Mode
from services.search.engines.local import LocalEngine
from services.search.entry import Placed
from services.search.index import DockIndex
from services.search.live import Change
from services.search.packs import WeightedAtoms
from services.search.scoring import Task
from services.search.search import Answer, Question, search
from services.search.turns import compute_on_one_processor

BESIDE_REFERENCE = 3000
_BUILT, _ROWS = 150, 2000
_FOUR_PARTS = 10
_SEARCHES = 20
_ROUNDS = 5
_REFERENCE_SECONDS = 1800
_USER = Principal("user", "user", Role.USER)


def figures(folder: Path, families: Families, reference: Path | None) -> dict[str, Any]:
    """The figures; those beside the reference only where its Python is given."""
    found = _beside_optimum(folder / "built", families)
    if reference is not None:
        found |= _beside_reference(folder, families, reference)
    return found


@dataclass(frozen=True, eq=False)
class _Owned:
    """Rows of one or several owners, to be specified as their owner would."""

    families: Families
    places: tuple[NDArray[np.float64], ...]
    counts: tuple[int, ...]
    seed: int

    def specified(self) -> Specification:
        generator = np.random.default_rng(self.seed)
        pairs = zip(self.places, self.counts, strict=True)
        return specify(np.concatenate([self.families.rows(place, count, generator) for place, count in pairs]))


def _beside_optimum(folder: Path, families: Families) -> dict[str, Any]:
    """Our mixtures' MMD2 over that of the best convex mixture of all learnwares, however many its members.

    Learnwares and tasks are rows of owners, reduced by the product's own builder: atoms drawn at random make any
    mixture of many follow their roughness, which no few members can.
    """
    generator = np.random.default_rng(2)
    places = [families.owner(generator) for _ in range(_BUILT)]
    owned = [_Owned(families, (place,), (_ROWS,), seed) for seed, place in enumerate(places)]
    for seed in range(_FOUR_PARTS):
        chosen = generator.choice(_BUILT, 4, replace=False)
        counts = tuple(int(1 + 2 * _ROWS * share) for share in generator.dirichlet(np.full(4, 4.0)))
        owned.append(_Owned(families, tuple(places[one] for one in chosen), counts, _BUILT + seed))
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        specifications = list(pool.map(_Owned.specified, owned))
    live = empty(folder).live
    for number, specification in enumerate(specifications[:_BUILT], start=1):
        live.apply(Change(number, learnware(number), searchable=True, specification=specification))
    ratios, members = _ratios(live.publish(), specifications[_BUILT:])
    return {
        "mixture_mmd2_ratio": float(np.median(ratios)),
        "mixture_mmd2_ratio_most": float(np.max(ratios)),
        "mixture_members": float(np.median(members)),
    }


def _ratios(index: DockIndex, specifications: Sequence[Specification]) -> tuple[list[float], list[int]]:
    island = next(iter(index.islands.values()))
    placed = list(island.living())
    ratios, members = [], []
    for specification in specifications:
        task, answer = Task.under(island.profile, specification), ask(index, specification)
        gram, target = scoring.gram_and_target(task, placed)
        weights = simplex_weights(gram, target)
        ratios.append(_nearest(answer) / float(weights @ gram @ weights - 2 * target @ weights + task.norm))
        members.append(len(answer.blend.members) if answer.blend is not None else 1)
    return ratios, members


def filled(folder: Path, families: Families, count: int) -> DockIndex:
    """An index of so many generated learnwares."""
    live = empty(folder).live
    for change in changes(families, np.random.default_rng(1), first=1, last=count):
        live.apply(change)
    return live.publish()


def ask(index: DockIndex, task: Specification) -> Answer:
    """Top 10 and mixture of a task, certified."""
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


def _nearest(answer: Answer) -> float:
    return answer.blend.mmd2 if answer.blend is not None else answer.singles[0].mmd2


def _beside_reference(folder: Path, families: Families, reference: Path) -> dict[str, Any]:
    """Both searches on the same specifications and tasks, each called by a program that it is a library of."""
    index = filled(folder / "beside", families, BESIDE_REFERENCE)
    tasks = [
        *_four_part_tasks(index, families, _SEARCHES),
        *(families.task(np.random.default_rng(seed), 4) for seed in range(_SEARCHES)),
    ]
    timed = some_tasks(families)
    answers = [ask(index, task) for task in tasks]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
        seconds = alone.submit(_seconds, folder / "alone", families, timed).result()
    theirs = _reference_searches(folder, index, [*timed, *tasks], reference)
    mixtures = list(zip(tasks, theirs["weights"][len(timed) :], strict=True))
    distances = {
        "ours": [_nearest(answer) for answer in answers],
        "reference": [_mmd2_of(index, task, weights) for task, weights in mixtures],
        "reference_reweighted": [_least_mmd2_of(index, task, weights) for task, weights in mixtures],
    }
    return {
        "in_process_ms": 1000 * float(np.median(seconds)),
        "reference_ms": 1000 * float(np.median(theirs["seconds"][: len(timed)])),
        "mixture_mmd2_vs_reference": _share(distances["ours"], distances["reference"]),
        "mixture_mmd2_vs_reference_median": float(np.median(np.divide(distances["ours"], distances["reference"]))),
        "mixture_mmd2_vs_reference_reweighted": _share(distances["ours"], distances["reference_reweighted"]),
        "mixture_mmd2_by_task": distances,
    }


def _share(some: Sequence[float], others: Sequence[float]) -> float:
    """How large the mean of some is beside that of others."""
    return float(np.mean(some) / np.mean(others))


def _seconds(folder: Path, families: Families, tasks: Sequence[Specification]) -> list[float]:
    """Seconds of every search in a program that does nothing else, each task several times, the first not counted."""
    compute_on_one_processor()
    index = filled(folder, families, BESIDE_REFERENCE)
    for task in tasks:
        ask(index, task)
    return [_seconds_of(index, task) for _ in range(_ROUNDS) for task in tasks]


def _seconds_of(index: DockIndex, task: Specification) -> float:
    began = time.perf_counter()
    ask(index, task)
    return time.perf_counter() - began


def _reference_searches(
    folder: Path, index: DockIndex, tasks: Sequence[Specification], reference: Path
) -> Mapping[str, Any]:
    """What the reference's search does on the same specifications, in a process of its own."""
    placed = list(next(iter(index.islands.values())).living())
    archive = folder / "specifications.npz"
    np.savez(
        archive,
        **_packed("", [one.specification for one in placed]),
        **_packed("task_", tasks),
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


def _packed(name: str, specifications: Sequence[WeightedAtoms]) -> dict[str, NDArray[np.float64]]:
    """Specifications of whatever numbers of atoms, one after the other."""
    return {
        f"{name}atoms": np.concatenate([one.atoms for one in specifications]).astype(np.float64),
        f"{name}weights": np.concatenate([one.weights for one in specifications]),
        f"{name}counts": np.array([len(one.weights) for one in specifications], dtype=np.float64),
    }


def _mmd2_of(index: DockIndex, specification: Specification, weights: Mapping[str, float]) -> float:
    """MMD2 of a mixture as it is, in our kernel."""
    placed, task = _among(index, specification, weights)
    shares = np.array([weights[one.entry.learnware_id] for one in placed])
    return _distance(task, placed, shares / shares.sum())


def _least_mmd2_of(index: DockIndex, specification: Specification, weights: Mapping[str, float]) -> float:
    """MMD2 of the best mixture of its members: kinder to who chose them than the weights that they found."""
    placed, task = _among(index, specification, weights)
    gram, target = scoring.gram_and_target(task, placed)
    return _distance(task, placed, simplex_weights(gram, target))


def _among(index: DockIndex, specification: Specification, members: Collection[str]) -> tuple[list[Placed], Task]:
    island = next(iter(index.islands.values()))
    placed = [one for one in island.living() if one.entry.learnware_id in members]
    return placed, Task.under(island.profile, specification)


def _distance(task: Task, placed: Sequence[Placed], shares: NDArray[np.float64]) -> float:
    gram, target = scoring.gram_and_target(task, placed)
    return float(shares @ gram @ shares - 2 * target @ shares + task.norm)
