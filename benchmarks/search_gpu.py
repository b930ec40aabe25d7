"""How long an exact scan of resident specifications takes on a GPU, beside what arithmetic and memory allow.

Specifications are random numbers made on the card: what is timed does not depend on them. The limit is the larger of
two times, both measured on the same card: reading every atom once, and taking one exponential for each pair of atoms.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import UTC, datetime
import json
from pathlib import Path
import sys
import time
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
import torch

from learndock.rkme.kernel import Kernel, RobustScaler
from services.search.engines.residence import Residence
from services.search.profile import Profile
from services.search.scoring import Task

ATOMS, DIMENSION = 100, 30
GAMMAS = (0.01, 0.02, 0.04, 0.08, 0.16)
TOGETHER = (1, 4, 16)
_ROUNDS = 5
_PROBE_VALUES = 2**27


def main() -> int:
    """Measure, print a table, write figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="torch device (default: cuda)")
    parser.add_argument("--specifications", type=int, default=1_000_000, metavar="N", help="how many are resident")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where figures are written")
    arguments = parser.parse_args()
    if arguments.device.startswith("cuda") and not torch.cuda.is_available():
        print("No GPU was found: nothing was measured.", file=sys.stderr)
        return 1
    figures = measured(torch.device(arguments.device), arguments.specifications)
    _print(figures)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


def measured(device: torch.device, count: int) -> dict[str, Any]:
    """Times of scans, in milliseconds, and their limits."""
    resident = random_residence(device, count)
    tasks = [random_task(seed) for seed in range(max(TOGETHER))]
    exponential, read = exponential_seconds(device), read_seconds(device)
    pairs, size = count * ATOMS * ATOMS, resident.atoms.nbytes + resident.squares.nbytes + resident.weights.nbytes
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "processor",
        "specifications": count,
        "resident_gb": size / 1e9,
        "scan_ms": {str(n): 1000 * seconds(device, lambda n=n: resident.scan(tasks[:n])) for n in TOGETHER},
        "limit_ms": {str(n): 1000 * max(size * read, n * pairs * exponential) for n in TOGETHER},
    }


def random_residence(device: torch.device, count: int) -> Residence:
    """So many specifications of random atoms."""
    atoms = torch.randn((count * ATOMS, DIMENSION), dtype=torch.float32, device=device)
    return Residence.holding(
        kernel=Kernel(GAMMAS),
        atoms=atoms,
        squares=atoms.square().sum(dim=1),
        weights=torch.full((count * ATOMS,), 1.0 / ATOMS, device=device),
        ends=np.arange(1, count + 1, dtype=np.int64) * ATOMS,
        norms=torch.ones(count, dtype=torch.float64, device=device),
    )


def random_task(seed: int) -> Task:
    """A task of random atoms."""
    scaler = RobustScaler(np.zeros(DIMENSION), np.ones(DIMENSION))
    nowhere = np.zeros((1, DIMENSION))
    profile = Profile(1, scaler, Kernel(GAMMAS), nowhere, np.ones((1, 1)), 1, datetime.now(UTC))
    atoms = np.random.default_rng(seed).standard_normal((ATOMS, DIMENSION))
    return Task(profile, atoms, np.full(ATOMS, 1.0 / ATOMS), np.zeros(2), 1.0, 0.0)


def exponential_seconds(device: torch.device) -> float:
    """Seconds for one exponential of many, in a tensor that stays in the card's cache."""
    values = torch.zeros(2**20, device=device)
    rounds = max(1, (_PROBE_VALUES if device.type == "cuda" else 2**22) // len(values))

    def repeated() -> None:
        for _ in range(rounds):
            values.exp_()
            values.zero_()

    return seconds(device, repeated) / (rounds * len(values))


def read_seconds(device: torch.device) -> float:
    """Seconds for reading one byte of many."""
    values = torch.ones(_PROBE_VALUES if device.type == "cuda" else 2**24, device=device)
    return seconds(device, values.sum) / values.nbytes


def seconds(device: torch.device, act: Callable[[], object]) -> float:
    """Least time of several rounds."""
    act()
    times = []
    for _ in range(_ROUNDS):
        _finish(device)
        began = time.perf_counter()
        act()
        _finish(device)
        times.append(time.perf_counter() - began)
    return min(times)


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _print(figures: dict[str, Any]) -> None:
    title = f"Exact scan of {figures['specifications']:,} specifications on {figures['device']}"
    table = Table("tasks together", "scan ms", "limit ms", title=title)
    scan, limit = figures["scan_ms"], figures["limit_ms"]
    for count, value in scan.items():
        table.add_row(count, f"{value:.1f}", f"{limit[count]:.1f}")
    Console(width=None if sys.stdout.isatty() else 120).print(table)


if __name__ == "__main__":
    sys.exit(main())
