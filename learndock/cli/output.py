"""What a command prints: tables and facts for a person, or one JSON document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
import json
from pathlib import Path
import sys

import numpy as np
from rich.console import Console
from rich.table import Table

_WIDTH_WITHOUT_TERMINAL = 160


def emit_json(value: object) -> None:
    """Print a value as a JSON document."""
    json.dump(to_plain(value), sys.stdout, ensure_ascii=False, indent=2)
    sys.stdout.write("\n")


def to_plain(value: object) -> object:
    """A value as JSON knows it: dataclasses become objects, times ISO 8601, arrays lists."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [to_plain(item) for item in value]
    return value


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Print rows under a head, or `empty` where there are none."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(item) for item in row))
    if table.row_count:
        _print(table)
    else:
        print_line(empty)


def print_facts(facts: Mapping[str, object]) -> None:
    """Print named facts, one a line; empty ones are left out."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, fact in facts.items():
        if _cell(fact):
            table.add_row(name, _cell(fact))
    _print(table)


def print_line(text: str) -> None:
    """Print a line as it is."""
    _console().print(text, markup=False, highlight=False, soft_wrap=True)


def _print(table: Table) -> None:
    console = _console()
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():  # rich fills lines with blanks up to the width of the table
        sys.stdout.write(f"{line.rstrip()}\n")


def _cell(item: object) -> str:
    if item is None:
        return ""
    if isinstance(item, datetime):
        return item.astimezone().strftime("%Y-%m-%d %H:%M")
    if isinstance(item, tuple | list):
        return ", ".join(map(str, item))
    return str(item).replace("[", r"\[")


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else _WIDTH_WITHOUT_TERMINAL, highlight=False)
