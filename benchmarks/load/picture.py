"""Answers a second and their latency against the load."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def draw(figures: Mapping[str, Any], path: Path) -> None:
    """Draw the steps of the overload."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    offered = [step["factor"] for step in figures["steps"]]
    peak = figures["peak_per_second"]
    figure, (upper, lower) = plt.subplots(2, 1, sharex=True, figsize=(7, 6), layout="constrained")
    upper.plot(offered, [step["goodput_per_second"] / peak for step in figures["steps"]], marker="o")
    upper.axhline(0.8, linestyle=":", color="grey")
    upper.set_ylabel("answers, share of the peak")
    upper.set_ylim(0, 1.2)
    for name in ("p50_ms", "p99_ms"):
        lower.plot(offered, [step[name] for step in figures["steps"]], marker="o", label=name.replace("_", ", "))
    lower.set_ylabel("latency of answers")
    lower.set_xlabel("calls, multiples of the peak")
    lower.set_xscale("log")
    lower.set_yscale("log")
    lower.legend()
    figure.savefig(path)
    plt.close(figure)
