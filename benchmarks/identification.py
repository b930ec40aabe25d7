"""How well does a dock find and reuse? Submits learnwares to a dock of its own, then plays the users they are for.

DIR holds `manifest.json`, `packages/` and `tasks/`. The manifest tells for each task the measured score of every
learnware. A *hit* is an answer whose score is within 0.01 of the best learnware's; *regret* is the best single
learnware's score minus the first answer's. AVERAGE and JOB_SELECTOR take the members that the dock advises: the mixture
where it says that mixing helps, else the nearest singles. The default is what `Dock.reuse` does when told nothing but
the task's rows (`unlabelled`).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
import json
from pathlib import Path
import sys
import tempfile
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sklearn.metrics import accuracy_score, r2_score

import learndock
from learndock.client.result import SearchResult
from learndock.client.values import Strategy
from learndock.learnware import SemanticFilter
from services.allinone import dock as allinone

HIT_TOLERANCE = 0.01
STRATEGIES = (Strategy.TOP1, Strategy.AVERAGE, Strategy.JOB_SELECTOR, None)
METRICS = {"accuracy": accuracy_score, "r2": r2_score}


@dataclass(frozen=True)
class Outcome:
    """What a task's user got; scores in the task's own metric.

    Attributes
    ----------
    hit_at_1, hit_at_3
        1 where the first answer, or one of the first three, is a hit; else 0.
    regret
        Best single learnware's score minus the first answer's.
    top1, average, job_selector, default
        Scores of predictions made in the dock.
    random, best_single
        Mean and best score among the learnwares that can be compared.
    """

    hit_at_1: float
    hit_at_3: float
    regret: float
    top1: float
    average: float
    job_selector: float
    default: float
    random: float
    best_single: float


def main() -> int:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path, metavar="DIR", help="folder with manifest.json, packages/ and tasks/")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")
    arguments = parser.parse_args()
    manifest = json.loads((arguments.directory / "manifest.json").read_text())
    with docked() as dock:
        names = submit(dock, arguments.directory, manifest["learnwares"])
        outcomes = {
            task["id"]: play(dock, arguments.directory, task, names)
            for task in track(manifest["tasks"], "Playing users   ", console=Console(stderr=True))
        }
    families = {task["id"]: task["family"] for task in manifest["tasks"]}
    _print(outcomes, families)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures(outcomes, families), indent=2) + "\n")
    return 0


@contextmanager
def docked() -> Iterator[learndock.Dock]:
    """A dock of its own, as its administrator sees it."""
    # Byte code of environments may still be made behind.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        running = allinone.start(Path(folder), listen="127.0.0.1:0")
        try:
            with learndock.Dock(running.address, running.admin_token_file.read_text().strip()) as dock:
                yield dock
        finally:
            running.stop()


def submit(dock: learndock.Dock, directory: Path, learnwares: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Submit packages and wait until each is verified and searchable.

    Returns
    -------
    dict
        Name in the manifest by learnware id.

    Raises
    ------
    SystemExit
        A package was rejected; all that were are named.
    """
    console = Console(stderr=True)
    names = {
        dock.submit(directory / learnware["package"]).learnware_id: learnware["id"]
        for learnware in track(learnwares, "Submitting      ", console=console)
    }
    validations = {
        names[learnware_id]: dock.wait_until_validated(learnware_id)
        for learnware_id in track(names, "Validating      ", console=console)
    }
    refused = [f"{name}: {validation.reason}" for name, validation in validations.items() if not validation.passed]
    if refused:
        raise SystemExit("Not verified:\n" + "\n".join(refused))
    for learnware_id in names:
        dock.wait_until_searchable(learnware_id)
    return names


def play(dock: learndock.Dock, directory: Path, task: Mapping[str, Any], names: Mapping[str, str]) -> Outcome:
    """Specify a task's rows here, search with the specification alone, reuse the answer in the dock."""
    with np.load(directory / task["data"]) as data:
        rows, truth = data["X"], data["y"]
    specification = learndock.specify(rows, allow_few_rows=True)
    result = dock.search(specification, filter=_filter(task["semantic_specification"]))
    scores = {name: score for name, score in task["scores"].items() if score is not None}
    best = max(scores.values())
    # A learnware without a measured score cannot serve the task: as an answer it is as bad as the worst.
    answers = [scores.get(names[single.learnware_id], min(scores.values())) for single in result.singles]
    predicted = {
        strategy: METRICS[task["metric"]](truth, predict(dock, result, rows, strategy)) for strategy in STRATEGIES
    }
    return Outcome(
        hit_at_1=float(answers[0] >= best - HIT_TOLERANCE),
        hit_at_3=float(max(answers[:3]) >= best - HIT_TOLERANCE),
        regret=best - answers[0],
        top1=predicted[Strategy.TOP1],
        average=predicted[Strategy.AVERAGE],
        job_selector=predicted[Strategy.JOB_SELECTOR],
        default=predicted[None],
        random=float(np.mean(list(scores.values()))),
        best_single=best,
    )


def predict(
    dock: learndock.Dock, result: SearchResult, rows: NDArray[Any], strategy: Strategy | None
) -> NDArray[np.generic]:
    """Predictions [n] of what was found, by a strategy or by the default."""
    members = result.members(Strategy.TOP1 if strategy is Strategy.TOP1 else None)
    if strategy is None:
        with dock.reuse(result, unlabelled=rows) as reuser:
            return reuser.predict(rows).reshape(-1)
    with dock.reuse(members, strategy=strategy) as reuser:
        return reuser.predict(rows).reshape(-1)


def _filter(semantic: Mapping[str, Mapping[str, Any]]) -> SemanticFilter:
    return SemanticFilter(data=tuple(semantic["Data"]["Values"]), tasks=tuple(semantic["Task"]["Values"]))


def figures(outcomes: Mapping[str, Outcome], families: Mapping[str, str]) -> dict[str, Any]:
    """Means over all tasks and over those of each family, and how far the default falls below the best single most."""
    groups = {
        family: _means(outcome for task, outcome in outcomes.items() if families[task] == family)
        for family in sorted(set(families.values()))
    }
    return {"overall": _means(outcomes.values()), "families": groups}


def _means(outcomes: Iterable[Outcome]) -> dict[str, float]:
    group = list(outcomes)
    means = {
        field.name: float(np.mean([getattr(outcome, field.name) for outcome in group])) for field in fields(Outcome)
    }
    means["mean_regret"] = means.pop("regret")
    means["default_below_best_max"] = max(outcome.best_single - outcome.default for outcome in group)
    return {"tasks": len(group), **means}


def _print(outcomes: Mapping[str, Outcome], families: Mapping[str, str]) -> None:
    means = figures(outcomes, families)
    names = [field.name for field in fields(Outcome)]
    table = Table("task", *names, title="Identification and reuse")
    for task, outcome in outcomes.items():
        table.add_row(task, *(f"{getattr(outcome, name):.3f}" for name in names))
    table.add_section()
    for group, row in [*means["families"].items(), ("overall", means["overall"])]:
        values = (row["mean_regret" if name == "regret" else name] for name in names)
        table.add_row(f"{group} ({row['tasks']})", *(f"{value:.3f}" for value in values))
    Console(width=None if sys.stdout.isatty() else 140).print(table)


if __name__ == "__main__":
    sys.exit(main())
