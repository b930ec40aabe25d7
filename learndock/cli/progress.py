"""Progress on standard error, and only where somebody watches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import sys

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from learndock.client import transfer, validations
from learndock.client.dock_reuse import ReuserProgress
from learndock.client.specifying import Progress as BuildProgress
from learndock.client.transfer import Progress as TransferProgress
from learndock.client.validations import ValidationProgress
from learndock.client.values import Reuser, Validation


@contextmanager
def transfer_bar(what: str) -> Iterator[TransferProgress]:
    """A bar that shows bytes."""
    if not sys.stderr.isatty():
        yield transfer.silent
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)  # nothing is known before the first bytes
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def validation_bar(what: str) -> Iterator[ValidationProgress]:
    """A bar that shows the check at hand."""
    if not sys.stderr.isatty():
        yield validations.silent
        return
    with _phases() as bar:
        task = bar.add_task(what, total=100)

        def show(validation: Validation) -> None:
            bar.update(task, completed=validation.percent, description=f"{what}: {validation.phase or 'waiting'}")

        yield show


@contextmanager
def reuser_bar(what: str) -> Iterator[ReuserProgress]:
    """A bar that shows what is being made ready."""
    with _phases(disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(what, total=100)

        def show(reuser: Reuser) -> None:
            bar.update(task, completed=reuser.percent, description=f"{what}: {reuser.phase or 'waiting'}")

        yield show


@contextmanager
def build_bar(what: str) -> Iterator[BuildProgress]:
    """A bar that shows the stage of a build."""
    with _phases(disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(what, total=1.0)
        yield lambda stage, share: bar.update(task, completed=share, description=f"{what}: {stage}")


@contextmanager
def spinner(what: str) -> Iterator[None]:
    """A sign of life while something takes its time."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        bar.add_task(what, total=None)
        yield


def _phases(*, disable: bool = False) -> Progress:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True, disable=disable)
