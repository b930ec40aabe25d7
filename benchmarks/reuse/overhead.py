"""What reuse adds to the time that members take: five models, 10,000 rows of 64 numbers, in CPU time."""

from __future__ import annotations

import json
from pathlib import Path
import sys
import time

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from benchmarks.reuse.experiment import Array, meaning
from learndock.reuse.member import Member
from learndock.reuse.strategy import Strategy, make_reuser
from learndock.rkme.specification import Specification

MEMBERS, ROWS, COLUMNS, CLASSES = 5, 10_000, 64, 10
ATOMS, TRAINED_ON = 100, 2000


def main() -> int:
    """Print the ratio for each strategy; write it to the file that is named, if one is."""
    generator = np.random.default_rng(0)
    members = [_member(number, generator) for number in range(MEMBERS)]
    rows = generator.normal(size=(ROWS, COLUMNS))
    own = sum(_seconds(member.model.predict, rows) for member in members)
    found = {"members_seconds": own}
    for strategy in (Strategy.AVERAGE, Strategy.JOB_SELECTOR):
        found[f"{strategy.lower()}_ratio"] = _seconds(make_reuser(strategy, members).answer, rows) / own
    print(json.dumps(found, indent=2))
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(json.dumps(found, indent=2) + "\n")
    return 0


def _member(number: int, generator: np.random.Generator) -> Member:
    X, y = generator.normal(number, 1, (TRAINED_ON, COLUMNS)), generator.integers(0, CLASSES, TRAINED_ON)
    model = RandomForestClassifier(100, random_state=number).fit(X, y)
    specification = Specification(atoms=X[:ATOMS], weights=np.full(ATOMS, 1 / ATOMS))
    return Member(model, specification, meaning(f"member {number}", "Table", CLASSES, ()), 1.0, f"member {number}")


def _seconds(call: object, rows: Array) -> float:
    started = time.process_time()
    call(rows)  # type: ignore[operator]
    return time.process_time() - started


if __name__ == "__main__":
    sys.exit(main())
