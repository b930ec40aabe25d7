"""How fast and how well search finds, from a thousand learnwares to a million, and beside the reference dock.

Fills an index of each size with generated specifications (`benchmarks/search_families.py`) through a dock's own ingest
path, and asks it over gRPC for a certified top 10 with a mixture; then puts the reference's own search, in an
environment of its own, on the same 3,000 specifications. Every second task comes from four owners. The speed-up is one
of searches a second, of 16 callers at once beside the reference, which is a library that does one after the other; the
ratio of their times stands beside it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
import json
from pathlib import Path
import sys
import tempfile
import time
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import search_picture, search_quality
from benchmarks.search_families import Families, changes
from benchmarks.search_service import Filled, empty, served
from learndock.calls import open_channel
from learndock.rkme.specification import Specification
from learndock.v1 import search_service_pb2 as pb
from learndock.v1.search_service_pb2_grpc import SearchServiceStub
from learndock.wire import specification_to_message

DIMENSION, ATOMS = 30, 100
SIZES = (1_000, 3_000, 10_000, 100_000, 1_000_000)
CALLERS, AT_ONCE = 16, (3_000, 100_000)
TASKS = 40
# Learnwares applied between two lines of progress.
_TOLD = 100_000
_RESULTS = Path("benchmarks/results")


@dataclass(frozen=True)
class Asked:
    """What a series of searches took.

    Attributes
    ----------
    seconds
        Of each search.
    candidates
        Learnwares scored for each.
    certified
        Whether every answer was certified.
    """

    seconds: tuple[float, ...]
    candidates: tuple[int, ...]
    certified: bool

    def percentile_ms(self, share: float) -> float:
        """Time that this share (0 to 100) of the searches kept to, in milliseconds."""
        return float(1000.0 * np.percentile(self.seconds, share))


def main() -> int:
    """Run the benchmark, print its tables, write its figures and its picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=SIZES[-1], metavar="N", help="largest number of learnwares")
    parser.add_argument("--scratch", type=Path, metavar="DIR", help="where specifications lie; 13 GB for a million")
    parser.add_argument("--reference", type=Path, metavar="PYTHON", help="Python in which the reference is installed")
    parser.add_argument("--results", type=Path, default=_RESULTS, metavar="DIR", help="where figures are written")
    arguments = parser.parse_args()
    families = Families.drawn(np.random.default_rng(0), dimension=DIMENSION, atoms=ATOMS)
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as folder:
        figures = _measured(Path(folder), families, [size for size in SIZES if size <= arguments.most])
        figures |= search_quality.figures(Path(folder) / "quality", families, arguments.reference)
    if "reference_ms" in figures and "n3e3" in figures["p50_ms"]:
        figures["speedup_n3000"] = figures["reference_ms"] / 1000 * figures["qps_n3e3"]
        figures["latency_ratio_n3000"] = figures["reference_ms"] / figures["p50_ms"]["n3e3"]
    arguments.results.mkdir(parents=True, exist_ok=True)
    (arguments.results / "search.json").write_text(json.dumps(figures, indent=2) + "\n")
    search_picture.draw(figures, arguments.results / "search.png")
    _print(figures)
    return 0


def _measured(folder: Path, families: Families, sizes: Sequence[int]) -> dict[str, Any]:
    figures: dict[str, Any] = {name: {} for name in ("p50_ms", "p99_ms", "certified", "candidates", "ingest_s")}
    tasks = some_tasks(families, TASKS)
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
        asked = ask(address, tasks)
        _show(f"{name}: p50 {asked.percentile_ms(50):.1f} ms, {np.median(asked.candidates):.0f} scored")
        here = {
            "p50_ms": asked.percentile_ms(50),
            "p99_ms": asked.percentile_ms(99),
            "certified": asked.certified,
            "candidates": float(np.median(asked.candidates)),
            "ingest_s": seconds,
        }
        alone = {f"rss_mb_{name}": _resident_mb("VmRSS"), f"rss_private_mb_{name}": _resident_mb("RssAnon")}
        if size in AT_ONCE:
            alone[f"qps_{name}"] = _throughput(address, tasks)
    filled.live.close()
    return {key: figures[key] | {name: value} for key, value in here.items()} | alone


def _name(size: int) -> str:
    digits = f"{size:.0e}".split("e")
    return f"n{digits[0]}e{int(digits[1])}"


def fill(filled: Filled, families: Families, size: int) -> None:
    """Let an index follow the changes of a catalogue that grew to so many learnwares, as a rebuild does."""
    for number, change in enumerate(changes(families, np.random.default_rng(1), first=1, last=size), start=1):
        filled.live.apply(change)
        if number % _TOLD == 0:
            _show(f"{number:,} applied")
    filled.live.publish()
    filled.pack.release()


def some_tasks(families: Families, count: int) -> list[Specification]:
    """Tasks: by turns of one owner's kind of data, and of four owners'."""
    return [families.task(np.random.default_rng(10**9 + seed), 4 if seed % 2 else 1) for seed in range(count)]


def ask(address: str, tasks: Sequence[Specification]) -> Asked:
    """Search for every task, one after the other, after a few that do not count."""
    requests = [pb.SearchRequest(specification=specification_to_message(task)) for task in tasks]
    with open_channel(address) as channel:
        search = _search(channel)
        for request in requests[:4]:
            search(request)
        answers = [(*_timed(search, request),) for request in requests]
    return Asked(
        seconds=tuple(seconds for seconds, _ in answers),
        candidates=tuple(answer.certificate.scored for _, answer in answers),
        certified=all(answer.certificate.certified for _, answer in answers),
    )


def _search(channel: Any) -> Callable[[pb.SearchRequest], pb.SearchResponse]:  # noqa: ANN401
    stub = SearchServiceStub(channel)
    return lambda request: stub.Search(request, timeout=600.0, metadata=(("authorization", "Bearer benchmark"),))


def _timed(
    search: Callable[[pb.SearchRequest], pb.SearchResponse], request: pb.SearchRequest
) -> tuple[float, pb.SearchResponse]:
    began = time.perf_counter()
    answer = search(request)
    return time.perf_counter() - began, answer


def _throughput(address: str, tasks: Sequence[Specification]) -> float:
    """Searches a second of 16 callers at once."""
    requests = [pb.SearchRequest(specification=specification_to_message(task)) for task in tasks] * 4
    with open_channel(address) as channel, ThreadPoolExecutor(CALLERS) as pool:
        began = time.perf_counter()
        list(pool.map(_search(channel), requests))
        return len(requests) / (time.perf_counter() - began)


def _resident_mb(what: str) -> float:
    """Memory of this process, which is service, callers and benchmark in one, in MB."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith(what))
    return int(line.split()[1]) / 1024


def _show(text: str) -> None:
    Console(stderr=True).print(text)


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
