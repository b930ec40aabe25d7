"""Examining a package on this machine, exactly as a dock would: its model runs in a sandbox here, too."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from learndock.client.at_home import AtHome
from learndock.client.values import PackageCheck
from learndock.examination.examination import Examination
from learndock.examination.report import ValidationReport, ValidationState
from learndock.learnware import SemanticSpecification
from learndock.sandbox.choice import choose_executor
from learndock.sandbox.executor import Executor, Limits
from learndock.sandbox.launcher import LearnwareLauncher

_PREDICT_SECONDS = 60.0


def check_package(
    path: Path, semantic: SemanticSpecification | None, progress: Callable[[str], None] = lambda _: None
) -> PackageCheck:
    """What validation would say of a package; nothing leaves this machine.

    Parameters
    ----------
    path
        The archive.
    semantic
        What the learnware is for; None takes it from the package.
    progress
        Told the name of each check as it begins.

    Raises
    ------
    FailedPrecondition
        NO_SANDBOX: this machine offers no sandbox, without which nothing of a package is run.
    Unavailable
        The package index cannot be reached.
    """

    def watch(phase: str, percent: int, report: ValidationReport) -> None:
        progress(phase)

    findings = Examination(_Here(), predict_seconds=_PREDICT_SECONDS, watcher=watch).run(path, semantic)
    state = ValidationState.VERIFIED if findings.is_verified else ValidationState.REJECTED
    return PackageCheck(state, findings.report, findings.report.reason)


class _Here:
    """The sandbox that this machine offers, looked for when it is needed."""

    @cached_property
    def _executor(self) -> Executor:
        return choose_executor()

    @property
    def executor_name(self) -> str:
        return self._executor.name

    def launcher(self) -> LearnwareLauncher:
        home = AtHome.of_user()
        return LearnwareLauncher(self._executor, home.environments, home.running, Limits())
