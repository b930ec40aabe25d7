"""When search says that nothing is likely to fit, and whether it is right.

First on generated docks: tasks of families that the dock knows, of new ones, and such as no learnware can serve. Then
on the users of `benchmarks/reuse`, where it is known what the learnwares are worth: beside the share that is told
stands what the nearest and the best learnware lose, as a share of what a model loses that ignores its inputs.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
import json
from pathlib import Path
import sys
import tempfile

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.reuse.evaluation import experiments
from benchmarks.reuse.experiment import Experiment
from benchmarks.reuse.market import Market
from benchmarks.search_families import Families
from benchmarks.search_quality import ask, filled
from learndock.client.values import SearchAdvice
from learndock.rkme.specification import Specification
from services.search.assessment import Advice

SIZES = (20, 200, 2_000)
TASKS = 30
_DIMENSION, _ATOMS, _FAR = 30, 100, 50.0
_EXPERIMENTS = ("orange_juice", "orange_juice_no_lags", "air_quality", "newsgroups", "flights")
_RESULTS = Path("benchmarks/results/search_advice.json")

Told = dict[str, dict[str, float]]


def main() -> int:
    """Print both tables and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), metavar="DIR")
    parser.add_argument("--json", type=Path, default=_RESULTS, metavar="FILE")
    arguments = parser.parse_args()
    families = Families.drawn(np.random.default_rng(0), dimension=_DIMENSION, atoms=_ATOMS)
    with tempfile.TemporaryDirectory() as folder:
        made = {str(size): _made(families, Path(folder) / str(size), size) for size in SIZES}
    built = experiments(arguments.data, small=False)
    real = {name: _real(built[name]()) for name in _EXPERIMENTS}
    arguments.json.write_text(json.dumps({"made": made, "real": real}, indent=2) + "\n")
    _print("Told that nothing fits, by learnwares in the dock", made)
    _print("Told on real data, and what is lost beside a model without inputs", real)
    return 0


def _made(families: Families, folder: Path, size: int) -> dict[str, float]:
    """Share of each kind of tasks that is told."""
    index = filled(folder, families, size)
    told = {}
    for kind, tasks in _tasks(families).items():
        told[kind] = float(np.mean([ask(index, task).advice is Advice.LIKELY_NOTHING_FITS for task in tasks]))
    return told


def _tasks(families: Families) -> dict[str, list[Specification]]:
    generator = np.random.default_rng(5)
    known = [families.specification(generator) for _ in range(TASKS)]
    spread = np.concatenate([task.atoms for task in known]).std(axis=0)

    def changed(task: Specification, atoms: NDArray[np.floating]) -> Specification:
        return Specification(atoms.astype(np.float32), task.weights)

    def independent(task: Specification) -> NDArray[np.floating]:
        return task.atoms.mean(axis=0) + generator.normal(size=task.atoms.shape) * task.atoms.std(axis=0)

    def new_family(task: Specification) -> NDArray[np.floating]:
        return task.atoms - task.weights @ task.atoms + families.new_place(generator) @ families.columns

    return {
        "of a family": known,
        "of four owners": [families.task(generator, 4) for _ in range(TASKS)],
        "of a new family": [changed(task, new_family(task)) for task in known],
        "columns independent": [changed(task, independent(task)) for task in known],
        "columns exchanged": [changed(task, task.atoms[:, generator.permutation(_DIMENSION)]) for task in known],
        "moved by one deviation": [
            changed(task, task.atoms + spread * generator.choice([-1, 1], size=_DIMENSION)) for task in known
        ],
        "far from everything": [changed(task, task.atoms + _FAR) for task in known],
    }


def _real(experiment: Experiment) -> dict[str, float]:
    market, told, nearest, best, without = Market(experiment), [], [], [], []
    for user in experiment.users:
        found = market.search(user.specification, top_k=1)
        outputs = market.outputs(user.rows)
        answers = outputs.argmax(axis=2) if experiment.classes else outputs
        losses = [experiment.loss(said, user.truth) for said in answers]
        market.forget()
        told.append(found.advice is SearchAdvice.LIKELY_NOTHING_FITS)
        nearest.append(losses[int(found.singles[0].learnware_id) - 1])
        best.append(min(losses))
        without.append(_without_inputs(experiment, user.truth))
    share = float(np.mean(without))
    return {
        "told": float(np.mean(told)),
        "nearest": float(np.mean(nearest)) / share,
        "best": float(np.mean(best)) / share,
    }


def _without_inputs(experiment: Experiment, truth: NDArray[np.generic]) -> float:
    """Loss of the best constant answer."""
    values, counts = np.unique(truth, return_counts=True)
    constant = values[counts.argmax()] if experiment.classes else truth.mean()
    return experiment.loss(np.full(len(truth), constant), truth)


def _print(title: str, told: Mapping[str, Mapping[str, float]]) -> None:
    columns = list(next(iter(told.values())))
    table = Table("", *columns, title=title)
    for name, row in told.items():
        table.add_row(name, *(f"{row[column]:.2f}" for column in columns))
    Console(width=None if sys.stdout.isatty() else 140).print(table)


if __name__ == "__main__":
    sys.exit(main())
