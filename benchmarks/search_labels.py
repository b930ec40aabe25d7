"""Would labels help search? Learnwares ranked by what they would lose on labelled rows, as far as the dock can tell.

The dock keeps each learnware's outputs on the atoms of its own specification. What it would say of a row is estimated
from these by a kernel average over the atoms, and its loss on labelled rows from that. Labelled atoms of a task tell
less than labelled rows do, so these are more than a search could be given. Beside it stands what needs no change of
search: the nearest ten learnwares are asked, and the best of them on the labelled rows is taken.

Share of the gap that is closed between a random and the best single learnware, mean over users.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import json
from pathlib import Path
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.identification import docked, submit
from benchmarks.reuse.evaluation import experiments
from benchmarks.reuse.experiment import Experiment
from benchmarks.reuse.market import Market
import learndock
from learndock.rkme.kernel import RobustScaler

LABELS = (10, 30, 100)
TRIED = 10
# Atoms that speak for a row: the kernel's width is the usual distance of the third nearest.
_NEIGHBOUR = 2
_TABLES = ("orange_juice", "air_quality")
_RESULTS = Path("benchmarks/results/search_labels.json")

Rows = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Known:
    """What the dock knows of a learnware.

    Attributes
    ----------
    atoms, weights
        Its specification, float64 [K, d] and [K], scaled.
    outputs
        Its outputs on them: numbers, or a column of zeros and ones for each class, float64 [K, c].
    """

    atoms: Rows
    weights: Rows
    outputs: Rows

    def said_of(self, rows: Rows) -> Rows:
        """Estimate of its outputs on scaled rows [n, d], float64 [n, c]."""
        d2 = ((rows[:, None, :] - self.atoms[None, :, :]) ** 2).sum(axis=2)
        width = float(np.median(np.sort(d2, axis=1)[:, min(_NEIGHBOUR, d2.shape[1] - 1)])) or 1.0
        shares = self.weights * np.exp(-(d2 - d2.min(axis=1, keepdims=True)) / width)
        return np.asarray(shares / shares.sum(axis=1, keepdims=True) @ self.outputs)


@dataclass(frozen=True, eq=False)
class Case:
    """A user with labelled rows.

    Attributes
    ----------
    rows, truth
        Labelled rows, scaled, and their labels as outputs are told, float64 [n, d] and [n, c].
    order
        Learnwares, nearest first.
    losses
        What each loses on the user's rows.
    lost
        What each loses on single labelled rows; None where only the dock can ask it.
    """

    rows: Rows
    truth: Rows
    order: Sequence[int]
    losses: Rows
    lost: Rows | None


def main() -> int:
    """Print the table and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), metavar="DIR")
    parser.add_argument("--json", type=Path, default=_RESULTS, metavar="FILE")
    arguments = parser.parse_args()
    built = experiments(arguments.data, small=False)
    figures = {name: _figures(*_of_experiment(built[name]())) for name in _TABLES}
    figures["packages"] = _figures(*_of_packages(arguments.data / "learnwares"))
    arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    _print(figures)
    return 0


def _figures(known: Sequence[Known], cases: Sequence[Case]) -> dict[str, dict[str, float]]:
    return {str(labels): _with_labels(known, cases, labels) for labels in LABELS}


def _with_labels(known: Sequence[Known], cases: Sequence[Case], labels: int) -> dict[str, float]:
    generator = np.random.default_rng(labels)
    got: dict[str, list[float]] = {}
    for case in cases:
        chosen = generator.choice(len(case.rows), min(labels, len(case.rows)), replace=False)
        for way, learnware in _ways(known, case, chosen).items():
            got.setdefault(way, []).append(case.losses[learnware])
    random, best = (float(np.mean([which(case.losses) for case in cases])) for which in (np.mean, np.min))
    return {way: (random - float(np.mean(losses))) / (random - best) for way, losses in got.items()}


def _ways(known: Sequence[Known], case: Case, chosen: NDArray[np.intp]) -> dict[str, int]:
    """The learnware that each way of choosing comes to."""
    rows, truth = case.rows[chosen], case.truth[chosen]
    expected = np.array([((one.said_of(rows) - truth) ** 2).sum(axis=1).mean() for one in known])
    near = np.empty(len(known))
    near[list(case.order)] = np.arange(len(case.order))
    both = np.argsort(near + np.argsort(np.argsort(expected)), kind="stable")
    ways = {"nearest": case.order[0], "by labels": int(expected.argmin()), "by both": int(both[0])}
    if case.lost is not None:
        lost = case.lost[:, chosen].mean(axis=1)
        for way, tried in (("best of the nearest ten", case.order[:TRIED]), ("best of ten by both", both[:TRIED])):
            ways[way] = int(min(tried, key=lambda learnware: lost[learnware]))
    return ways


def _of_experiment(experiment: Experiment) -> tuple[list[Known], list[Case]]:
    """A regression of `benchmarks/reuse`."""
    owners, market = experiment.owners, Market(experiment)
    scaler = RobustScaler.levelled(np.concatenate([owner.specification.atoms for owner in owners]).astype(np.float64))
    known = [
        Known(
            scaler.transform(owner.specification.atoms),
            owner.specification.weights,
            np.asarray(owner.model.predict(owner.specification.atoms), dtype=np.float64).reshape(-1, 1),
        )
        for owner in owners
    ]
    return known, [_case(experiment, market, scaler, number) for number in range(len(experiment.users))]


def _case(experiment: Experiment, market: Market, scaler: RobustScaler, number: int) -> Case:
    user = experiment.users[number]
    found = market.search(user.specification, top_k=len(experiment.owners))
    outputs, pooled = market.outputs(user.rows), market.outputs(user.pool_rows).astype(np.float64)[:, :, 0]
    market.forget()
    truth = np.asarray(user.pool_truth, dtype=np.float64)
    return Case(
        rows=scaler.transform(np.asarray(user.pool_rows)),
        truth=truth.reshape(-1, 1),
        order=[int(single.learnware_id) - 1 for single in found.singles],
        losses=np.array([experiment.loss(said, user.truth) for said in outputs]),
        lost=(pooled - truth) ** 2,
    )


def _of_packages(folder: Path) -> tuple[list[Known], list[Case]]:
    """The learnware packages and tasks of a folder, through a dock: outputs on atoms as its validator keeps them."""
    manifest = json.loads((folder / "manifest.json").read_text())
    tasks = [task for task in manifest["tasks"] if task["family"] == manifest["tasks"][0]["family"]]
    with docked() as dock:
        names = submit(dock, folder, manifest["learnwares"])
        specified = {name: _kept(dock, learnware_id) for learnware_id, name in names.items()}
        width = next(np.load(folder / task["data"])["X"].shape[1] for task in tasks)
        chosen = [name for name, (atoms, _, _) in specified.items() if atoms.shape[1] == width]
        scaler = RobustScaler.levelled(np.concatenate([specified[name][0] for name in chosen]))
        classes = 1 + int(max(specified[name][2].max() for name in chosen))
        known = [
            Known(scaler.transform(atoms), weights, _one_hot(outputs, classes))
            for atoms, weights, outputs in (specified[name] for name in chosen)
        ]
        cases = [_task(dock, folder, task, names, chosen, scaler, classes) for task in tasks]
    return known, cases


def _kept(dock: learndock.Dock, learnware_id: str) -> tuple[Rows, Rows, Rows]:
    specification = dock.specification(learnware_id)
    outputs = np.asarray(dock.atom_outputs(learnware_id), dtype=np.float64)
    outputs = outputs.reshape(len(outputs), -1)
    said = outputs.argmax(axis=1).astype(np.float64) if outputs.shape[1] > 1 else outputs[:, 0]
    return specification.atoms.astype(np.float64), specification.weights, said


def _task(
    dock: learndock.Dock,
    folder: Path,
    task: Mapping[str, Any],
    names: Mapping[str, str],
    chosen: Sequence[str],
    scaler: RobustScaler,
    classes: int,
) -> Case:
    with np.load(folder / task["data"]) as data:
        rows, labelled, labels = data["X"], data["X_lab"], data["y_lab"]
    found = dock.search(learndock.specify(rows, allow_few_rows=True), top_k=len(names))
    scores = [task["scores"][name] for name in chosen]
    worst = min(score for score in scores if score is not None)
    return Case(
        rows=scaler.transform(np.asarray(labelled, dtype=np.float64)),
        truth=_one_hot(np.asarray(labels, dtype=np.float64), classes),
        order=[chosen.index(names[single.learnware_id]) for single in found.singles],
        losses=np.array([1.0 - (worst if score is None else score) for score in scores]),
        lost=None,
    )


def _one_hot(labels: Rows, classes: int) -> Rows:
    return np.asarray(np.eye(classes)[np.clip(labels.astype(int), 0, classes - 1)])


def _print(figures: Mapping[str, Mapping[str, Mapping[str, float]]]) -> None:
    ways = list(dict.fromkeys(way for counts in figures.values() for row in counts.values() for way in row))
    table = Table("data", "labelled rows", *ways, title="Gap closed by the first answer")
    for name, counts in figures.items():
        for labels, row in counts.items():
            table.add_row(name, labels, *(f"{row[way]:.3f}" if way in row else "" for way in ways))
    Console(width=None if sys.stdout.isatty() else 140).print(table)


if __name__ == "__main__":
    sys.exit(main())
