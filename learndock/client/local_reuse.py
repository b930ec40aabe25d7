"""Learnwares reused on this machine: fetched, verified, run in the local sandbox; no input leaves it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from learndock.client import transfer
from learndock.client.at_home import AtHome
from learndock.client.catalogue import Catalogue
from learndock.client.result import Plan
from learndock.client.values import Member
from learndock.errors import LearndockError, NotFound
from learndock.learnware import FeatureSpace, LearnwareVersion
from learndock.reuse import member as reuse_member
from learndock.reuse.explanation import explain
from learndock.reuse.labelled import LabelledReuser
from learndock.reuse.mapped import mapped
from learndock.reuse.member import Inputs
from learndock.reuse.prediction import Fault, Prediction, no_member_left, one_line
from learndock.reuse.reuser import Reuser
from learndock.reuse.saving import Describing, save
from learndock.reuse.strategy import make_reuser
from learndock.rkme.specification import Specification
from learndock.sandbox.choice import choose_executor
from learndock.sandbox.executor import Limits
from learndock.sandbox.launcher import LearnwareLauncher
from learndock.sandbox.model_process import ModelProcess
from learndock.schema.assignment import Assignment

_LIFE_SECONDS = 12 * 3600.0
_STARTED_AT_A_TIME = 4


class LocalReuser:
    """A reuser on this machine, with scikit-learn's `fit` and `predict`; close it to end its sandboxes.

    Parameters
    ----------
    estimator
        The strategy over the running members.
    started
        The members at work.
    faults
        Members that could not be started.
    """

    def __init__(self, estimator: Reuser, started: Sequence[StartedMember], faults: Sequence[Fault]) -> None:
        self._estimator = estimator
        self._started = started
        self._faults = tuple(faults)

    @classmethod
    def open(cls, catalogue: Catalogue, plan: Plan, *, timeout: float) -> LocalReuser:
        """Fetch, verify and start members; one that fails is left out.

        Parameters
        ----------
        catalogue
            Where they come from.
        plan
            Who answers, and how.
        timeout
            Seconds that each has to load, and then for one batch.

        Raises
        ------
        FailedPrecondition
            There is no sandbox on this machine (NO_SANDBOX).
        Unavailable
            None could be started (NO_MEMBER_LEFT).
        """
        starter = _Starter(catalogue, timeout, plan.task_input)
        started: list[StartedMember] = []
        faults: list[Fault] = []
        try:
            with ThreadPoolExecutor(_STARTED_AT_A_TIME) as pool:
                starting = [(member, pool.submit(starter.start, member)) for member in plan.members]
            for member, start in starting:
                try:
                    started.append(start.result())
                except LearndockError as error:
                    faults.append(Fault(member.learnware_id, one_line(error)))
            if not started:
                raise no_member_left(dict(enumerate(faults)))
            estimator = make_reuser(
                plan.strategy,
                [one.member for one in started],
                labelled=plan.labelled,
                presumed=plan.presumed,
                timeout=timeout,
            )
            if plan.unlabelled is not None and estimator.members[0].classifies:
                estimator.adapt(plan.unlabelled)
        except BaseException:
            _close(started)
            raise
        return cls(estimator, started, faults)

    @property
    def learnware_ids(self) -> tuple[str, ...]:
        """The members, the most important first."""
        return tuple(member.learnware_id for member in self._estimator.members)

    def fit(self, X: Inputs | None = None, y: object = None) -> LocalReuser:  # noqa: N803
        """Fit on labelled rows, where the strategy learns from them; the others need none."""
        self._estimator.fit(X, y)
        return self

    def answer(self, X: Inputs) -> Prediction:  # noqa: N803
        """Outputs as the members give them, with who answered and who failed."""
        return self._told(self._estimator.answer(X), X)

    def adapt(self, X: Inputs) -> Prediction:  # noqa: N803
        """Learn from a task's rows which classes occur in it, see `Reuser.adapt`; the answer to them."""
        return self._told(self._estimator.adapt(X), X)

    def predict(self, X: Inputs, *, priors: Sequence[float] | None = None) -> NDArray[np.generic]:  # noqa: N803
        """Labels, int64 [n], of a classification; the members' numbers otherwise."""
        return self._estimator.predict(X, priors=priors)

    def predict_proba(self, X: Inputs, *, priors: Sequence[float] | None = None) -> NDArray[np.float64]:  # noqa: N803
        """Class probabilities, float64 [n, c]; see `Reuser.predict_proba`."""
        return self._estimator.predict_proba(X, priors=priors)

    def _told(self, prediction: Prediction, X: Inputs) -> Prediction:  # noqa: N803
        return replace(prediction, faults=(*self._faults, *prediction.faults), outside=self._estimator.outside(X))

    @property
    def explanation(self) -> str:
        """What was made of the labelled rows, in words; empty where there were none."""
        if not isinstance(self._estimator, LabelledReuser):
            return ""
        return explain(self._estimator, self.learnware_ids, self._estimator.contributions_)

    def save(self, path: Path, *, name: str = "", description: str = "") -> None:
        """Write a package that answers as this reuser does, to be submitted like any other.

        Parameters
        ----------
        path
            Where to; replaced if it exists.
        name, description
            Free text; made of the members where empty.

        Raises
        ------
        InvalidInput
            The members cannot run in one sandbox (UNSUPPORTED_DEPENDENCY), or have no specification.
        """
        save(path, self._estimator, [one.package for one in self._started], Describing(name, description))

    def close(self) -> None:
        """End the sandboxes."""
        _close(self._started)

    def __enter__(self) -> LocalReuser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"LocalReuser({type(self._estimator).__name__} of {', '.join(self.learnware_ids)})"


@dataclass(frozen=True, eq=False)
class StartedMember:
    """A member at work.

    Attributes
    ----------
    member
        What predicts.
    package
        Its zip file, which stays where it is until the member is closed.
    ending
        What is to be done when it is closed.
    """

    member: reuse_member.Member
    package: Path
    ending: ExitStack

    def close(self) -> None:
        """End the sandbox, and let the package go if there is no room for it."""
        self.ending.close()


class _Starter:
    """Starts members from packages that are kept in the user's cache."""

    def __init__(self, catalogue: Catalogue, timeout: float, task_input: FeatureSpace | None) -> None:
        home = AtHome.of_user()
        self._catalogue = catalogue
        self._task_input = task_input
        self._packages = home.packages
        self._launcher = LearnwareLauncher(
            choose_executor(),
            home.environments,
            home.running,
            Limits(wall_seconds=_LIFE_SECONDS),
            load_timeout=timeout,
        )

    def start(self, member: Member) -> StartedMember:
        semantic = self._catalogue.get(member.learnware_id).semantic_specification
        specification = self._specification(member)
        version = self._catalogue.version(member.learnware_id, member.version)
        with ExitStack() as ending:
            package = ending.enter_context(self._packages.held(version.sha256, lambda path: self._fetch(version, path)))
            process = self._launcher.open(package)
            ending.callback(process.close)
            model = SandboxedModel(process)
            running = reuse_member.Member(model, specification, semantic, member.weight, member.learnware_id)
            return StartedMember(self._in_task_columns(running, member), package, ending.pop_all())

    def _in_task_columns(self, made: reuse_member.Member, member: Member) -> reuse_member.Member:
        """A member of another feature space as one that takes the task's rows."""
        if not member.columns or self._task_input is None or made.semantic.input is None:
            return made
        assignment = Assignment(member.columns, self._task_input.dimension, made.semantic.input.dimension)
        return mapped(made, assignment, self._task_input)

    def _fetch(self, version: LearnwareVersion, path: Path) -> None:
        self._catalogue.download(version.learnware_id, path, version=version.version, progress=transfer.silent)

    def _specification(self, member: Member) -> Specification | None:
        try:
            return self._catalogue.specification(member.learnware_id, member.version)
        except NotFound:  # a learnware may come without one
            return None


class SandboxedModel(reuse_member.Predictor):
    """A model in a sandbox as something that predicts."""

    def __init__(self, process: ModelProcess) -> None:
        self._process = process

    def predict(self, X: Inputs) -> NDArray[np.generic]:  # noqa: N803
        """See `Predictor`."""
        return np.asarray(self._process.predict(X if isinstance(X, np.ndarray) else list(X)))


def _close(members: Iterable[StartedMember]) -> None:
    for member in members:
        member.close()
