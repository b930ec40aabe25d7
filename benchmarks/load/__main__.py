"""How a dock holds under load: its peak of searches, ten times that, a thousand callers at once, a rolling restart.

One search service over many learnwares, on one half of the processors, with its callers on the other, tells the first
three: searches a second of callers who wait for their answers (the peak); answers a second when up to ten times as many
calls come, most of which must be refused at once; and how long a thousand searches of one moment take, each repeated
until it is answered. Two processes of every service, with PostgreSQL and an object store, tell the last: how many calls
fail, after the client's own retries, while each is stopped and started again.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
import json
from pathlib import Path
import tempfile
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.load.callers import Callers, Outcome
from benchmarks.load.picture import draw
from benchmarks.load.replica import replica
from benchmarks.load.restart import rolling_restart
from benchmarks.search_families import some_tasks
from benchmarks.search_service import drawn
from learndock.v1 import search_service_pb2 as pb
from learndock.wire import specification_to_message

FACTORS = (0.5, 0.8, 1.0, 2.0, 5.0, 10.0)
_CALLERS = 8
_AT_ONCE = 1000


def main() -> None:
    """Run the benchmark, print its table, write its figures and its picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=100_000, help="learnwares of the search service")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each step")
    parser.add_argument("--scratch", type=Path, metavar="DIR", help="where specifications lie")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where figures go; the picture lies beside")
    arguments = parser.parse_args()
    requests = [pb.SearchRequest(specification=specification_to_message(t)) for t in some_tasks(drawn())]
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as folder:
        figures = {"learnwares": arguments.size, "step_seconds": arguments.seconds}
        figures |= _overload(Path(folder) / "search", arguments.size, requests, arguments.seconds)
        figures |= rolling_restart(Path(folder))
    _print(figures)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
        draw(figures, arguments.json.with_suffix(".png"))


def _overload(folder: Path, size: int, requests: Sequence[pb.SearchRequest], seconds: float) -> dict[str, Any]:
    with replica(size, folder) as address:
        return asyncio.run(_asked(address, requests, seconds))


async def _asked(address: str, requests: Sequence[pb.SearchRequest], seconds: float) -> dict[str, Any]:
    callers = Callers(address, requests)
    await callers.at_a_time(_CALLERS, seconds / 2)  # does not count
    calm = await callers.at_a_time(_CALLERS, seconds)
    peak = calm.goodput
    steps = [{"factor": factor, **_told(await callers.a_second(factor * peak, seconds))} for factor in FACTORS]
    together = await callers.at_once(_AT_ONCE)
    await callers.close()
    return {
        "peak_per_second": peak,
        "peak": _told(calm),
        "steps": steps,
        "goodput_at_10x": steps[-1]["goodput_per_second"] / peak,
        "concurrent_1000": _told(together),
    }


def _told(outcome: Outcome) -> dict[str, Any]:
    percentiles = np.percentile(outcome.latencies or (np.nan,), (50, 95, 99)) * 1000
    return {
        "goodput_per_second": outcome.goodput,
        "calls_per_second": outcome.calls_per_second,
        "callers_processor_share": outcome.processor_share,
        "codes": dict(outcome.codes),
        **{f"p{share}_ms": float(value) for share, value in zip((50, 95, 99), percentiles, strict=True)},
    }


def _print(figures: dict[str, Any]) -> None:
    title = f"Searches of {figures['learnwares']:,} learnwares; peak {figures['peak_per_second']:.0f} a second"
    table = Table(title=title)
    for name in ("load", "calls a second", "answers a second", "p50 ms", "p99 ms", "refused", "failed"):
        table.add_column(name, justify="right")
    steps = [(f"{step['factor']:g} x peak", step) for step in figures["steps"]]
    for name, step in [("peak", figures["peak"]), *steps, ("1000 at once", figures["concurrent_1000"])]:
        numbers = [step[key] for key in ("calls_per_second", "goodput_per_second", "p50_ms", "p99_ms")]
        refused = step["codes"].get("RESOURCE_EXHAUSTED", 0)
        failed = sum(step["codes"].values()) - refused - step["codes"].get("OK", 0)
        table.add_row(name, *(f"{number:.0f}" for number in numbers), str(refused), str(failed))
    Console().print(table)
    Console().print(f"goodput at ten times the peak: {figures['goodput_at_10x']:.2f} of it")
    calls = figures["calls_during_rolling_restart"]
    Console().print(
        f"rolling restart: {figures['failed_calls_during_rolling_restart']} failed of {sum(calls.values())}"
    )


if __name__ == "__main__":
    main()
