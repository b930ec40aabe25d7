"""Does reuse beat training one's own? A market of owners and users on four data sets, with labels and without.

Owners' models are plain Python here; what is measured is what the search service finds and what the strategies make of
it. `gap_closed` is (random - method) / (random - best) of mean losses, `random` and `best` being the mean and the best
single learnware in the market for each user. `auto_excess` is how much worse AUTO is than the best other strategy,
self-trained models included, at a number of labels.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
import json
import multiprocessing
from pathlib import Path
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.reuse import figures, overhead, report
from benchmarks.reuse.evaluation import evaluate, experiments, summary

RESULTS = Path("benchmarks/results/reuse.json")
OVERHEAD = "overhead"
TRIED = Path("build/reuse-small/reuse.json")


def main() -> int:
    """Run the evaluation; write figures, curves and, when asked, the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, default=Path("../shared/data"), help="folder of the data sets that are given"
    )
    parser.add_argument("--json", type=Path, help=f"where figures go; {RESULTS}, or {TRIED} of the small setting")
    parser.add_argument(
        "--only",
        nargs="*",
        default=[],
        help=f"names of experiments to run, or {OVERHEAD}; other figures stay in the file, marked as of an earlier run",
    )
    parser.add_argument("--small", action="store_true", help="few owners and users: minutes become seconds")
    parser.add_argument("--report", type=Path, help="page to write of the figures, such as docs/evaluation.md")
    parser.add_argument("--reference", type=Path, metavar="PYTHON", help="Python in which the reference is installed")
    parser.add_argument("--processes", type=int, default=2, help="experiments that run at a time")
    arguments = parser.parse_args()
    names = [
        name
        for name in experiments(arguments.data, small=arguments.small)
        if name in arguments.only or not arguments.only
    ]
    play = partial(evaluate, given=arguments.data, small=arguments.small, python=arguments.reference)
    path = arguments.json or (TRIED if arguments.small else RESULTS)
    kept = _earlier(path) if arguments.only else {}
    found = {**kept.get("datasets", {}), **_all(names, play, arguments.processes)}
    cost = overhead.figures() if OVERHEAD in arguments.only or OVERHEAD not in kept else kept[OVERHEAD]
    result = {**summary(found, small=arguments.small), OVERHEAD: cost}
    write(result, path)
    if arguments.report:
        arguments.report.write_text(report.page(result, report.read(Path("benchmarks/results/hetero.json"))))
    return 0


def _earlier(path: Path) -> dict[str, Any]:
    """Figures that are in the file, marked as such."""
    known = report.read(path) or {}
    datasets = {name: {**figures, "earlier": True} for name, figures in known.get("datasets", {}).items()}
    return {"datasets": datasets} | ({OVERHEAD: {**known[OVERHEAD], "earlier": True}} if OVERHEAD in known else {})


def write(result: Mapping[str, Any], path: Path) -> None:
    """Figures as JSON, and a picture of each experiment's curves beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n")
    for name, experiment in result["datasets"].items():
        figures.draw(experiment, path.with_name(f"reuse-{name}.png"))


def _all(names: list[str], play: Callable[[str], dict[str, Any]], processes: int) -> dict[str, dict[str, Any]]:
    """Figures by name, in the order of the names."""
    found = {}
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        running = {pool.submit(play, name): name for name in names}
        for ended in as_completed(running):
            found[running[ended]] = ended.result()
            _print(found[running[ended]])
    return {name: found[name] for name in names}


def _print(found: Mapping[str, Any]) -> None:
    table = Table("method", "mean loss", "deviation", "gap closed", title=found["title"])
    for method, row in found["losses"].items():
        closed = found["gaps"].get(method)
        table.add_row(method, f"{row['mean']:.4f}", f"{row['std']:.4f}", "" if closed is None else f"{closed:.3f}")
    Console().print(table)
    Console().print(
        "AUTO beside the best other: " + ", ".join(f"{n} {x:+.1%}" for n, x in found["auto_excess"].items())
    )


if __name__ == "__main__":
    sys.exit(main())
