"""What reuse adds to the time that members take: five models in sandboxes, 10,000 rows of 64 numbers.

The members' own time is that of the same models called directly in this process, one after the other. The mixture is
asked through warm sandboxes on this machine, as `Dock.reuse(found, where="local")` does.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
import statistics
import tempfile
import time

import numpy as np
from rich.console import Console
from sklearn.ensemble import RandomForestClassifier

from benchmarks.reuse.experiment import meaning
from learndock.client.local_reuse import SandboxedModel
from learndock.package.build import build_package
from learndock.reuse.member import Member
from learndock.reuse.strategy import Strategy, make_reuser
from learndock.rkme.fit import build_specification
from learndock.sandbox.choice import choose_executor
from learndock.sandbox.environment import EnvironmentCache
from learndock.sandbox.executor import Limits
from learndock.sandbox.launcher import LearnwareLauncher

MEMBERS, ROWS, COLUMNS, CLASSES = 5, 10_000, 64, 10
TRAINED_ON, ROUNDS = 2000, 7
_LIFE_SECONDS = 600.0


def figures() -> dict[str, float | str]:
    """Seconds of the members themselves, and each strategy's as a multiple of it, medians of several rounds."""
    generator = np.random.default_rng(0)
    rows = generator.normal(MEMBERS / 2, 2.0, size=(ROWS, COLUMNS))
    executor = choose_executor()
    with ExitStack() as stack:
        # Byte code is written behind the first run: a folder may not be empty in the moment it is removed.
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        environments = EnvironmentCache(scratch / "environments")
        launcher = LearnwareLauncher(executor, environments, scratch / "running", Limits(wall_seconds=_LIFE_SECONDS))
        direct, sandboxed = [], []
        for number in range(MEMBERS):
            member, package = _member(number, generator, scratch)
            direct.append(member)
            model = SandboxedModel(stack.enter_context(launcher.open(package)))
            sandboxed.append(replace(member, model=model))
        acts: dict[str, Callable[[], object]] = {"members": lambda: [one.model.predict(rows) for one in direct]}
        for strategy in (Strategy.AVERAGE, Strategy.JOB_SELECTOR):
            reuser = make_reuser(strategy, sandboxed)
            acts[strategy.lower()] = lambda reuser=reuser: reuser.answer(rows)  # type: ignore[misc]
        seconds = _in_turns(acts)
    own = seconds.pop("members")
    ratios = {f"{name}_ratio": taken / own for name, taken in seconds.items()}
    return {"members_seconds": own, "executor": executor.name, **ratios}


def _member(number: int, generator: np.random.Generator, scratch: Path) -> tuple[Member, Path]:
    X, y = generator.normal(number, 1, (TRAINED_ON, COLUMNS)), generator.integers(0, CLASSES, TRAINED_ON)
    model = RandomForestClassifier(100, random_state=number).fit(X, y)
    semantic = meaning(f"member {number}", "Table", CLASSES, [f"column {i}" for i in range(COLUMNS)])
    specification = build_specification(X)
    package = scratch / f"{number}.zip"
    build_package(package, model=model, semantic=semantic, specification=specification)
    return Member(model, specification, semantic, 1.0, f"member {number}"), package


def _in_turns(acts: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median wall-clock seconds of each."""
    taken: dict[str, list[float]] = {name: [] for name in acts}
    for _ in range(ROUNDS):
        for name, act in acts.items():
            started = time.perf_counter()
            act()
            taken[name].append(time.perf_counter() - started)
    return {name: statistics.median(each) for name, each in taken.items()}


if __name__ == "__main__":
    Console().print(figures())
