"""How fast and how well search finds, from a thousand learnwares to a million, and beside the reference dock.

Fills an index of each size with generated specifications (`benchmarks/search_families.py`) through a dock's own ingest
path, and asks it over gRPC for a certified top 10 with a mixture; then puts the reference's own search, in an
environment of its own, on the same 3,000 specifications. Every second task comes from four owners.

The speed-up is that of one search, ours and the reference's, each called in its own program. Beside it stand those of
what the reference has not: a service, as one caller waits for it over gRPC, as 16 callers use it, and as they use one
replica for each processor.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
import json
import os
from pathlib import Path
import sys
import tempfile
import time
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import search_picture, search_quality
from benchmarks.search_callers import one_after_the_other, searches_a_second
from benchmarks.search_families import Families, some_tasks
from benchmarks.search_quality import BESIDE_REFERENCE
from benchmarks.search_replicas import replicas
from benchmarks.search_service import drawn, empty, fill, served, show
from learndock.rkme.specification import Specification

SIZES = (1_000, 3_000, 10_000, 100_000, 1_000_000)
CALLERS, AT_ONCE = 16, (BESIDE_REFERENCE, 100_000)
_RESULTS = Path("benchmarks/results")


def main() -> int:
    """Run the benchmark, print its tables, write its figures and its picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=SIZES[-1], metavar="N", help="largest number of learnwares")
    parser.add_argument("--scratch", type=Path, metavar="DIR", help="where specifications lie; 13 GB for a million")
    parser.add_argument("--reference", type=Path, metavar="PYTHON", help="Python in which the reference is installed")
    parser.add_argument("--results", type=Path, default=_RESULTS, metavar="DIR", help="where figures are written")
    arguments = parser.parse_args()
    families = drawn()
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as folder:
        figures = _measured(Path(folder), families, [size for size in SIZES if size <= arguments.most])
        figures |= search_quality.figures(Path(folder) / "quality", families, arguments.reference)
    if "reference_ms" in figures:
        figures["speedup_n3000"] = figures["reference_ms"] / figures["in_process_ms"]
    if "reference_ms" in figures and "n3e3" in figures["p50_ms"]:
        per_second = figures["reference_ms"] / 1000
        figures["speedup_n3000_over_grpc"] = figures["reference_ms"] / figures["p50_ms"]["n3e3"]
        figures["speedup_n3000_of_many_callers"] = per_second * figures["qps_n3e3"]
        figures["speedup_n3000_of_replicas"] = per_second * figures["qps_n3e3_replicas"]
    arguments.results.mkdir(parents=True, exist_ok=True)
    (arguments.results / "search.json").write_text(json.dumps(figures, indent=2) + "\n")
    search_picture.draw(figures, arguments.results / "search.png")
    _print(figures)
    return 0


def _measured(folder: Path, families: Families, sizes: Sequence[int]) -> dict[str, Any]:
    figures: dict[str, Any] = {name: {} for name in ("p50_ms", "p99_ms", "certified", "candidates", "ingest_s")}
    tasks = some_tasks(families)
    for size in sizes:
        with tempfile.TemporaryDirectory(dir=folder) as part:
            figures |= _at(Path(part), families, tasks, size, figures)
    p50 = figures["p50_ms"]
    if {"n1e4", "n1e6"} <= p50.keys():
        figures["growth_n1e4_n1e6"] = p50["n1e6"] / p50["n1e4"]
    return figures


def _at(
    folder: Path, families: Families, tasks: Sequence[Specification], size: int, figures: dict[str, Any]
) -> dict[str, Any]:
    """Figures of a service that knows so many learnwares, joined to those before."""
    name, filled = _name(size), empty(folder)
    began = time.perf_counter()
    fill(filled, families, size)
    seconds = time.perf_counter() - began
    with served(filled) as address:
        asked = one_after_the_other(address, tasks)
        show(f"{name}: p50 {asked.percentile_ms(50):.1f} ms, {np.median(asked.candidates):.0f} scored")
        here = {
            "p50_ms": asked.percentile_ms(50),
            "p99_ms": asked.percentile_ms(99),
            "certified": asked.certified,
            "candidates": float(np.median(asked.candidates)),
            "ingest_s": seconds,
        }
        alone = {f"rss_mb_{name}": _resident_mb("VmRSS"), f"rss_private_mb_{name}": _resident_mb("RssAnon")}
        if size in AT_ONCE:
            alone[f"qps_{name}"] = searches_a_second(address, tasks, CALLERS)
    filled.live.close()
    if size == BESIDE_REFERENCE:
        alone["replicas"] = len(os.sched_getaffinity(0))
        with replicas(alone["replicas"], size, folder) as target:
            alone[f"qps_{name}_replicas"] = searches_a_second(target, tasks, CALLERS)
    return {key: figures[key] | {name: value} for key, value in here.items()} | alone


def _name(size: int) -> str:
    digits = f"{size:.0e}".split("e")
    return f"n{digits[0]}e{int(digits[1])}"


def _resident_mb(what: str) -> float:
    """Memory of this process, which is service and benchmark in one, in MB."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith(what))
    return int(line.split()[1]) / 1024


def _print(figures: dict[str, Any]) -> None:
    table = Table("learnwares", "p50 ms", "p99 ms", "exact scores", "certified", title="Search over gRPC")
    for name, p50 in figures["p50_ms"].items():
        row = (figures["p99_ms"][name], figures["candidates"][name], figures["certified"][name])
        table.add_row(name, f"{p50:.1f}", f"{row[0]:.1f}", f"{row[1]:.0f}", str(row[2]))
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(table)
    console.print({name: value for name, value in figures.items() if not isinstance(value, dict)})


if __name__ == "__main__":
    sys.exit(main())
