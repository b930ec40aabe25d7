"""How search holds under load: its peak, ten times that, a thousand callers at once, and a rolling restart.

One replica over many learnwares tells the first three: searches a second of callers who wait for their answers (the
peak); answers a second when ten times as many calls come, most of which must be refused at once; and how long a
thousand searches of one moment take. Two replicas behind one client that balances tell the last: how many calls fail,
after the client's own retries, while each is stopped and started again.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
import json
from pathlib import Path
import socket
import tempfile
import threading
import time
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.load.callers import Callers, Outcome
from benchmarks.load.picture import draw
from benchmarks.load.replica import Replica, running
from benchmarks.search import ATOMS, DIMENSION, TASKS, some_tasks
from benchmarks.search_families import Families
from learndock.v1 import search_service_pb2 as pb
from learndock.wire import specification_to_message

FACTORS = (0.5, 0.8, 1.0, 2.0, 5.0, 10.0)
_CALLERS = 8
_AT_ONCE = 1000
_RESTART_SIZE = 500
_RESTARTS = 2
# The next replica is stopped only after callers had time to find the one before, as a cluster's minReadySeconds does.
_SETTLE_SECONDS = 5.0


def main() -> None:
    """Run the benchmark, print its table, write its figures and its picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=100_000, help="learnwares of the one replica")
    parser.add_argument("--seconds", type=float, default=30.0, help="length of each step")
    parser.add_argument("--scratch", type=Path, metavar="DIR", help="where specifications lie")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where figures go; the picture lies beside")
    arguments = parser.parse_args()
    families = Families.drawn(np.random.default_rng(0), dimension=DIMENSION, atoms=ATOMS)
    requests = [pb.SearchRequest(specification=specification_to_message(t)) for t in some_tasks(families, TASKS)]
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as folder:
        figures = {"learnwares": arguments.size, "step_seconds": arguments.seconds}
        figures |= asyncio.run(_overload(Path(folder) / "one", arguments.size, requests, arguments.seconds))
        figures |= asyncio.run(_rolling_restart(Path(folder) / "two", requests))
    _print(figures)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
        draw(figures, arguments.json.with_suffix(".png"))


async def _overload(folder: Path, size: int, requests: Sequence[pb.SearchRequest], seconds: float) -> dict[str, Any]:
    (listen,) = _free_addresses(1)
    with running(Replica(listen, size, folder)):
        callers = Callers(listen, requests)
        await callers.at_a_time(_CALLERS, seconds / 2)  # does not count
        peak = (await callers.at_a_time(_CALLERS, seconds)).goodput
        steps = [{"factor": factor, **_told(await callers.a_second(factor * peak, seconds))} for factor in FACTORS]
        together = await callers.at_once(_AT_ONCE)
        await callers.close()
    return {
        "peak_per_second": peak,
        "steps": steps,
        "goodput_at_10x": steps[-1]["goodput_per_second"] / peak,
        "concurrent_1000": _told(together),
    }


async def _rolling_restart(folder: Path, requests: Sequence[pb.SearchRequest]) -> dict[str, Any]:
    addresses = _free_addresses(2)
    replicas = [Replica(address, _RESTART_SIZE, folder / address) for address in addresses]
    with running(replicas[0]), running(replicas[1]):
        callers = Callers(f"ipv4:{','.join(addresses)}", requests)
        rate = 0.3 * (await callers.at_a_time(_CALLERS, 5.0)).goodput
        restarts = threading.Thread(target=_restart_all, args=(replicas,))
        restarts.start()
        codes: dict[str, int] = {}
        while restarts.is_alive():
            for code, number in (await callers.a_second(rate, 2.0)).codes.items():
                codes[code] = codes.get(code, 0) + number
        await callers.close()
    failed = sum(number for code, number in codes.items() if code != "OK")
    return {"failed_calls_during_rolling_restart": failed, "calls_during_rolling_restart": codes}


def _restart_all(replicas: Sequence[Replica]) -> None:
    for replica in [*replicas] * _RESTARTS:
        replica.stop()
        replica.start()
        time.sleep(_SETTLE_SECONDS)


def _told(outcome: Outcome) -> dict[str, Any]:
    percentiles = np.percentile(outcome.latencies or (np.nan,), (50, 95, 99)) * 1000
    return {
        "goodput_per_second": outcome.goodput,
        "codes": dict(outcome.codes),
        **{f"p{share}_ms": float(value) for share, value in zip((50, 95, 99), percentiles, strict=True)},
    }


def _free_addresses(number: int) -> list[str]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    try:
        return [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _print(figures: dict[str, Any]) -> None:
    table = Table(
        title=f"Searches of {figures['learnwares']:,} learnwares; peak {figures['peak_per_second']:.0f} a second"
    )
    for name in ("load", "answers a second", "p50 ms", "p99 ms", "refused", "failed"):
        table.add_column(name, justify="right")
    named = [(f"{step['factor']:g} x peak", step) for step in figures["steps"]]
    for name, step in [*named, ("1000 at once", figures["concurrent_1000"])]:
        codes = dict(step["codes"])
        answered, refused = codes.pop("OK", 0), codes.pop("RESOURCE_EXHAUSTED", 0)
        rates = (f"{step['goodput_per_second']:.0f}", f"{step['p50_ms']:.0f}", f"{step['p99_ms']:.0f}")
        table.add_row(name, *rates, str(refused), str(sum(codes.values())) if answered else "all")
    Console().print(table)
    Console().print(f"goodput at ten times the peak: {figures['goodput_at_10x']:.2f} of it")
    calls = figures["calls_during_rolling_restart"]
    Console().print(
        f"rolling restart: {figures['failed_calls_during_rolling_restart']} failed of {sum(calls.values())}"
    )


if __name__ == "__main__":
    main()
