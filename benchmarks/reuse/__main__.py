"""Does reuse beat training one's own? A market of owners and users on four data sets, with labels and without.

Owners' models are plain Python here; what is measured is what the search service finds and what the strategies make of
it. `gap_closed` is (random - method) / (random - best) of mean losses, `random` and `best` being the mean and the best
single learnware in the market for each user. `auto_excess` is how much worse AUTO is than the best other strategy,
self-trained models included, at a number of labels.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
import json
from pathlib import Path
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.reuse import air_quality, data, fashion, figures, newsgroups, orange_juice, report
from benchmarks.reuse.experiment import Experiment

Build = Callable[[], Experiment]


def main() -> int:
    """Run the evaluation; write figures, curves and, when asked, the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, default=Path("../shared/data"), help="folder of the data sets that are given"
    )
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/reuse.json"), help="where figures go")
    parser.add_argument("--only", nargs="*", default=[], help="names of experiments to run; all when not given")
    parser.add_argument("--small", action="store_true", help="few owners and users: minutes become seconds")
    parser.add_argument("--report", type=Path, help="page to write of the figures, such as docs/evaluation.md")
    arguments = parser.parse_args()
    found = {
        name: _run(name, build)
        for name, build in experiments(arguments.data, small=arguments.small).items()
        if name in arguments.only or not arguments.only
    }
    result = summary(found, small=arguments.small)
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(result, indent=2) + "\n")
    for name, experiment in found.items():
        figures.draw(name, experiment, arguments.json.parent / f"reuse-{name}.png")
    if arguments.report:
        arguments.report.write_text(report.page(result))
    return 0


def experiments(given: Path, *, small: bool) -> dict[str, Build]:
    """All experiments by name; `small` ones are for continuous integration."""
    stores, stations, owners, users = (12, 2, 12, 4) if small else (83, 12, 50, 50)
    return {
        "orange_juice": lambda: orange_juice.experiment(_juice(), stores=stores),
        "air_quality": lambda: air_quality.experiment(given / data.AIR, stations=stations),
        "fashion_mnist": lambda: fashion.experiment(_fashion(), owners=owners, users=users),
        "newsgroups": lambda: newsgroups.experiment(given / data.NEWSGROUPS, owners=max(10, owners)),
        "orange_juice_no_lags": lambda: orange_juice.experiment(_juice(), stores=stores, lags=False),
    }


def _juice() -> Path:
    return data.from_package("r-cran-bayesm", data.ORANGE_JUICE)


def _fashion() -> Path:
    return data.from_package("dataset-fashion-mnist", data.FASHION)


def _run(name: str, build: Build) -> dict[str, Any]:
    Console(stderr=True).print(f"{name} ...")
    found = figures.of(build())
    table = Table("method", "mean loss", "deviation", "gap closed", title=found["title"])
    for method, row in found["losses"].items():
        closed = found["gap_closed"].get(method)
        table.add_row(method, f"{row['mean']:.4f}", f"{row['std']:.4f}", "" if closed is None else f"{closed:.3f}")
    Console().print(table)
    return found


def summary(found: Mapping[str, Mapping[str, Any]], *, small: bool) -> dict[str, Any]:
    """All figures, with the two that have a bar on top; experiments where nothing can help do not count for those."""
    judged = {name: figures for name, figures in found.items() if name != "orange_juice_no_lags"}
    excesses = [excess for figures in judged.values() for excess in figures["auto_excess"].values()]
    return {
        "small": small,
        "datasets": {
            name: {**experiment, "gap_closed": experiment["gap_closed"]["default"], "gaps": experiment["gap_closed"]}
            for name, experiment in found.items()
        },
        "gap_closed_min": min((f["gap_closed"]["default"] for f in judged.values()), default=None),
        "auto_excess_max": max(excesses, default=None),
    }


if __name__ == "__main__":
    sys.exit(main())
