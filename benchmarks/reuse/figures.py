"""Figures of an experiment: means, gaps, and how AUTO does beside the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.reuse import reference
from benchmarks.reuse.experiment import Experiment
from benchmarks.reuse.market import Market
from benchmarks.reuse.play import labelled, unlabelled


def of(experiment: Experiment, python: Path | None, tell: Callable[[str], None]) -> dict[str, Any]:
    """Everything that is reported of an experiment.

    Parameters
    ----------
    experiment
        Owners and users.
    python
        Interpreter of the reference's environment; None leaves the reference out.
    tell
        Told what has been done.
    """
    market = Market(experiment)
    played = unlabelled(experiment, market)
    tell("without labels")
    without = means(played.losses)
    if python is not None:
        theirs = reference.losses(experiment, python, played.outputs, played.members)
        without |= {name: _figure(losses) for name, losses in theirs.items()}
        tell("reference")
    curves = {}
    for count in experiment.label_counts:
        row = means(labelled(experiment, market, count))
        if row:
            curves[str(count)] = row
        tell(f"{count} labels")
    loss = {name: row["mean"] for name, row in without.items()}
    return {
        "title": experiment.title,
        "metric": "share of wrong classes" if experiment.classes else "root mean squared error",
        "owners": len(experiment.owners),
        "users": len(experiment.users),
        "labelled_users": min(experiment.labelled_users, len(experiment.users)),
        "losses": without,
        "gap_closed": gap(loss, "default"),
        "gaps": {name: gap(loss, name) for name in loss if name not in ("random", "best")},
        "curves": curves,
        "auto_excess": {count: auto_excess(row) for count, row in curves.items()},
    }


def means(rows: Iterable[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Mean and deviation over users, by method."""
    collected = list(rows)
    names = collected[0] if collected else {}
    return {name: _figure([row[name] for row in collected]) for name in names}


def _figure(losses: Sequence[float]) -> dict[str, float]:
    return {"mean": float(np.mean(losses)), "std": float(np.std(losses)), "users": len(losses)}


def gap(loss: Mapping[str, float], name: str) -> float:
    """(random - method) / (random - best)."""
    return (loss["random"] - loss[name]) / (loss["random"] - loss["best"])


def auto_excess(row: Mapping[str, Mapping[str, float]]) -> float:
    """How much worse AUTO is than the best of the others, as a share; negative where it is better."""
    best = min(figure["mean"] for name, figure in row.items() if name != "AUTO")
    return row["AUTO"]["mean"] / best - 1.0


def draw(figures: Mapping[str, Any], path: Path) -> None:
    """Curves of loss against labels, with half of the deviation over users as a band."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    if not figures["curves"]:
        return
    counts = [int(count) for count in figures["curves"]]
    figure, axes = plt.subplots(figsize=(6, 4))
    for method in next(iter(figures["curves"].values())):
        rows = [row[method] for row in figures["curves"].values()]
        mean, half = np.array([row["mean"] for row in rows]), np.array([row["std"] / 2 for row in rows])
        (line,) = axes.plot(counts, mean, marker="o", label=method, linewidth=3 if method == "AUTO" else 1)
        axes.fill_between(counts, mean - half, mean + half, alpha=0.08, color=line.get_color())
    axes.axhline(figures["losses"]["default"]["mean"], linestyle=":", label="default, no labels")
    axes.set(xscale="log", xlabel="labelled rows", ylabel=figures["metric"], title=figures["title"])
    axes.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
