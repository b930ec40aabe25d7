"""What the demo tells at the end: one table, a verdict, and what to try next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
import json
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from demo.users import OWN_LABELS, Outcome

NOTES = """\
Accuracy for digits and wine, R² for patients, on rows that no owner saw; [bold]bold[/] is what the dock advises.
Random is the mean of all learnwares for that kind of data. To search, users sent their specification and no row. Only
for predictions made in the dock, which they asked for, did they send rows; dock.reuse(..., where='local') sends none.
"""
NEXT = """\
Next: [bold]make up[/] starts a dock that keeps its data. README.md has the first commands to try on it, examples/ has \
programs; [bold]make bench-identification[/] is a harder test.
"""


def show(outcomes: Sequence[Outcome], console: Console) -> None:
    """Print the table."""
    table = Table(title="What seven users found, and how good it was")
    for heading in ("task", "best single", "mixture", "certified"):
        table.add_column(heading, overflow="fold")
    for heading in ("top-1", "mixture", "random", f"{OWN_LABELS} own labels"):
        table.add_column(heading, justify="right")
    for outcome in outcomes:
        table.add_row(*_cells(outcome))
    console.print(table)
    console.print(NOTES)


def _cells(outcome: Outcome) -> list[str]:
    top1 = f"{outcome.top1:.2f}"
    mixed = "-" if outcome.mixed is None else f"{outcome.mixed:.2f}"
    return [
        outcome.task,
        outcome.single,
        "\n".join(f"{weight:.2f} {name}" for weight, name in outcome.mixture) or "-",
        "yes" if outcome.certified else "no",
        top1 if outcome.takes_mixture else f"[bold]{top1}[/]",
        f"[bold]{mixed}[/]" if outcome.takes_mixture else mixed,
        f"{outcome.random:.2f}",
        f"{outcome.own_model:.2f}",
    ]


def kinds_where_reuse_failed(outcomes: Sequence[Outcome]) -> list[str]:
    """Kinds of data for which reuse was on average no better than a random learnware."""
    kinds = sorted({outcome.kind for outcome in outcomes})
    return [kind for kind in kinds if _mean_gain([outcome for outcome in outcomes if outcome.kind == kind]) <= 0]


def _mean_gain(outcomes: Sequence[Outcome]) -> float:
    return float(np.mean([outcome.reuse - outcome.random for outcome in outcomes]))


def write(outcomes: Sequence[Outcome], path: Path) -> None:
    """Write the figures as JSON."""
    path.write_text(json.dumps([asdict(outcome) for outcome in outcomes], indent=2) + "\n")
