"""The whole story on real data: owners submit learnwares, users find and reuse them.

Starts a dock of its own in a temporary folder and ends it again. Exits with 1 when a step fails, or when reuse is no
better than a random learnware.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
import sys
import tempfile
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress

from demo import report
from demo.dock import running_dock
from demo.owners import Owner, offers
from demo.users import Outcome, play, users
import learndock
from learndock.client.values import Validation
from learndock.errors import LearndockError

_Item = TypeVar("_Item")


def main() -> int:
    """Tell the story; the exit status tells how it ended."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")
    arguments = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 120)
    try:
        with tempfile.TemporaryDirectory() as folder, running_dock(Path(folder, "dock")) as dock:
            console.print(f"A dock serves at {dock.address}.")
            outcomes = tell(dock, Path(folder), console)
    except (LearndockError, RuntimeError) as error:
        console.print(f"The demo failed: {error}", style="red")
        return 1
    report.show(outcomes, console)
    if arguments.json:
        report.write(outcomes, arguments.json)
    if failed := report.kinds_where_reuse_failed(outcomes):
        console.print(f"Reuse was no better than random for {', '.join(failed)}.", style="red")
        return 1
    console.print(report.NEXT)
    return 0


def tell(dock: learndock.Dock, folder: Path, console: Console) -> list[Outcome]:
    """Play owners and users.

    Raises
    ------
    RuntimeError
        A learnware was not verified.
    """
    with Progress(console=console) as progress:

        def along(items: Sequence[_Item], task: str) -> Iterable[_Item]:
            return progress.track(items, description=task)

        owners = [offer.train() for offer in along(offers(), "Owners train models       ")]
        packages = [owner.package(folder) for owner in along(owners, "... specify and pack them ")]
        ids = [dock.submit(package).learnware_id for package in along(packages, "... submit the packages   ")]
        validations = [dock.wait_until_validated(one) for one in along(ids, "The dock validates them   ")]
        _require_verified(owners, validations)
        for learnware_id in ids:
            dock.wait_until_searchable(learnware_id)
        return [play(user, dock, owners) for user in along(users(), "Users search and reuse    ")]


def _require_verified(owners: Sequence[Owner], validations: Sequence[Validation]) -> None:
    refused = [
        f"{owner.name} is {validation.state}: {validation.reason}"
        for owner, validation in zip(owners, validations, strict=True)
        if not validation.passed
    ]
    if refused:
        raise RuntimeError("; ".join(refused))


if __name__ == "__main__":
    sys.exit(main())
