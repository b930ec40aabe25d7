"""Learnwares reused in the dock: inputs are sent in batches, predictions come back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
import time
from types import TracebackType
from typing import TYPE_CHECKING
import uuid

import numpy as np
from numpy.typing import NDArray

from learndock.client.messages import (
    fault_from_message,
    labelled_to_message,
    member_to_message,
    reuser_from_message,
    strategy_to_message,
)
from learndock.client.patience import BREAKS, Patience
from learndock.client.result import Plan
from learndock.client.values import Reuser, ReuserState
from learndock.errors import DeadlineExceeded, FailedPrecondition, InvalidInput, NotFound, Reason
from learndock.learnware import SemanticSpecification
from learndock.reuse.member import Inputs
from learndock.reuse.occurrence import Occurrence
from learndock.reuse.outputs import OutputKind, as_probabilities, labels_of, one_hot
from learndock.reuse.prediction import Fault, Prediction
from learndock.reuse.priors import with_priors
from learndock.v1 import reuse_service_pb2 as pb
from learndock.v1 import types_pb2
from learndock.v1.reuse_service_pb2_grpc import ReuseServiceStub
from learndock.wire import feature_space_to_message, tensor_from_message, tensor_to_message

if TYPE_CHECKING:
    from learndock.client.local_reuse import LocalReuser

ReuserProgress = Callable[[Reuser], None]
"""Told a reuser whenever it changes."""

_BATCH_BYTES = 2**20
_BATCH_ROWS = 4096
_SECONDS_PER_BATCH = 60.0


def silent(_reuser: Reuser) -> None:
    """Report nothing."""


class DockReuser:
    """A reuser in the dock, with scikit-learn's `fit` and `predict`; close it to free its sandboxes.

    Parameters
    ----------
    stub
        The reuse service.
    reuser
        The reuser as it was made.
    semantic
        What its first member is for.
    timeout
        Seconds within which it must become ready.
    progress
        Told its state whenever that changes.
    at_home
        Makes the same reuser on this machine.
    """

    def __init__(
        self,
        stub: ReuseServiceStub,
        reuser: Reuser,
        semantic: SemanticSpecification,
        *,
        timeout: float,
        progress: ReuserProgress,
        at_home: Callable[[], LocalReuser],
    ) -> None:
        self._stub = stub
        self._semantic = semantic
        self._timeout = timeout
        self._progress = progress
        self._at_home = at_home
        self._occurrence: Occurrence | None = None
        self.reuser = reuser

    @classmethod
    def create(
        cls,
        stub: ReuseServiceStub,
        plan: Plan,
        semantic: SemanticSpecification,
        *,
        timeout: float,
        progress: ReuserProgress,
        at_home: Callable[[], LocalReuser],
    ) -> DockReuser:
        """Make a reuser and wait until it can predict.

        Raises
        ------
        FailedPrecondition
            It cannot be made ready.
        DeadlineExceeded
            It was not ready in time.
        """
        request = pb.CreateReuserRequest(
            strategy=strategy_to_message(plan.strategy),
            members=[member_to_message(member) for member in plan.members],
            request_id=uuid.uuid4().hex,
            labelled=labelled_to_message(plan.labelled),
            presumed=strategy_to_message(plan.presumed),
            task_input=feature_space_to_message(plan.task_input) if plan.task_input else None,
        )
        made = reuser_from_message(stub.CreateReuser(request).reuser)
        reuser = cls(stub, made, semantic, timeout=timeout, progress=progress, at_home=at_home)
        try:
            reuser.fit()
            if plan.unlabelled is not None and semantic.task == "Classification":
                reuser.adapt(plan.unlabelled)
            return reuser
        except BaseException:
            reuser.close()
            raise

    @property
    def learnware_ids(self) -> tuple[str, ...]:
        """The members, the most important first."""
        return tuple(member.learnware_id for member in self.reuser.members)

    def fit(self, X: object = None, y: object = None) -> DockReuser:  # noqa: N803
        """Wait until the members are ready. Needs neither rows nor labels; both are there for scikit-learn's sake."""
        end = time.monotonic() + self._timeout
        patience = Patience()
        while self.reuser.state is ReuserState.PREPARING:
            remaining = end - time.monotonic()
            if remaining <= 0:
                raise DeadlineExceeded(
                    Reason.DEADLINE_EXCEEDED, f"The reuser was not ready within {self._timeout:.0f} s."
                )
            try:
                self._watch(remaining)
            except BREAKS as error:
                patience.bear(error, self.reuser.percent)
        if self.reuser.state is ReuserState.FAILED:
            raise FailedPrecondition(Reason.REUSER_NOT_READY, f"The reuser failed: {self.reuser.reason}")
        return self

    def answer(self, X: Inputs) -> Prediction:  # noqa: N803
        """Outputs as the members give them, with who answered and who failed.

        Raises
        ------
        InvalidInput
            The inputs are empty or do not fit the members.
        Unavailable
            No member could answer (NO_MEMBER_LEFT), or the dock cannot be reached.
        """
        return self._weighed(self._asked(X))

    def adapt(self, X: Inputs) -> Prediction:  # noqa: N803
        """Learn from a task's rows which classes occur in it, see `Reuser.adapt`; the answer to them.

        It is learnt on this machine of the dock's answers: the dock keeps nothing of it. Errors as of `answer`.
        """
        prediction = self._asked(X)
        self._occurrence = Occurrence.of(prediction)
        return self._weighed(prediction)

    def _weighed(self, prediction: Prediction) -> Prediction:
        return self._occurrence.weighed(prediction) if self._occurrence else prediction

    def _asked(self, X: Inputs) -> Prediction:  # noqa: N803
        batches = list(_batches(X))
        answers: list[pb.PredictStreamResponse] = []
        patience = Patience()
        while len(answers) < len(batches):
            try:
                for answer in self._stream(batches[len(answers) :]):
                    answers.append(answer)  # one by one: what came before a break is kept
            except BREAKS as error:
                if error.reason is Reason.NO_MEMBER_LEFT:
                    raise
                patience.bear(error, len(answers))
        return self._joined(answers)

    def predict(self, X: Inputs, *, priors: Sequence[float] | None = None) -> NDArray[np.generic]:  # noqa: N803
        """Labels, int64 [n], of a classification; the members' numbers otherwise. Errors as of `predict_proba`."""
        if priors is not None:
            return labels_of(self.predict_proba(X, priors=priors))
        prediction = self.answer(X)
        if prediction.kind is OutputKind.VALUES:
            return prediction.outputs
        if prediction.kind is OutputKind.LABELS:
            return prediction.outputs.reshape(-1).astype(np.int64)
        return labels_of(as_probabilities(prediction.outputs))

    def predict_proba(self, X: Inputs, *, priors: Sequence[float] | None = None) -> NDArray[np.float64]:  # noqa: N803
        """Class probabilities, float64 [n, c]; sure of its labels where the members give labels only.

        Parameters
        ----------
        X
            Rows [n, ...] or texts.
        priors
            How frequent each class is known to be among these rows; None where it is not.

        Raises
        ------
        InvalidInput
            The members do not classify (STRATEGY_UNSUITABLE), the priors do not suit them (SHAPE_MISMATCH), or as of
            `answer`.
        """
        probabilities = self._probabilities(self.answer(X))
        return probabilities if priors is None else with_priors(probabilities, priors)

    def _probabilities(self, prediction: Prediction) -> NDArray[np.float64]:
        if prediction.kind is OutputKind.VALUES:
            raise InvalidInput(Reason.STRATEGY_UNSUITABLE, "The members do not classify; there are no probabilities.")
        if prediction.kind is OutputKind.PROBABILITIES:
            return as_probabilities(prediction.outputs)
        declared = self._semantic.output.dimension if self._semantic.output else 0
        return one_hot(prediction.outputs, max(declared, int(prediction.outputs.max()) + 1))

    def save(self, path: Path, *, name: str = "", description: str = "") -> None:
        """Write a package that answers as this reuser does; it is made anew on this machine, see `LocalReuser.save`.

        Raises
        ------
        FailedPrecondition
            There is no sandbox on this machine (NO_SANDBOX).
        InvalidInput
            The members cannot run in one sandbox (UNSUPPORTED_DEPENDENCY), or have no specification.
        """
        with self._at_home() as local:
            local.save(path, name=name, description=description)

    def close(self) -> None:
        """Delete the reuser; doing so twice is no error."""
        try:
            self._stub.DeleteReuser(pb.DeleteReuserRequest(reuser_id=self.reuser.reuser_id))
        except NotFound:
            return

    def __enter__(self) -> DockReuser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"DockReuser({self.reuser.strategy} of {', '.join(self.learnware_ids)})"

    def _watch(self, timeout: float) -> None:
        request = pb.WatchReuserRequest(reuser_id=self.reuser.reuser_id)
        for answer in self._stub.WatchReuser(request, timeout=timeout):
            self.reuser = reuser_from_message(answer.reuser)
            self._progress(self.reuser)

    def _stream(self, batches: Sequence[pb.PredictStreamRequest]) -> Iterator[pb.PredictStreamResponse]:
        first = pb.PredictStreamRequest(reuser_id=self.reuser.reuser_id)
        first.MergeFrom(batches[0])
        timeout = _SECONDS_PER_BATCH * len(batches)
        return self._stub.PredictStream(iter([first, *batches[1:]]), timeout=timeout)

    def _joined(self, answers: Sequence[pb.PredictStreamResponse]) -> Prediction:
        outside = [tensor_from_message(answer.outside, "outside") for answer in answers if answer.HasField("outside")]
        outputs = together([tensor_from_message(answer.outputs, "outputs") for answer in answers])
        index = np.concatenate([tensor_from_message(answer.member_index, "member_index") for answer in answers])
        faults: dict[Fault, None] = dict.fromkeys(
            fault_from_message(fault) for answer in answers for fault in answer.faults
        )
        return Prediction(
            outputs, self._kind(outputs), index.astype(np.int32), tuple(faults), _flags(outside, len(outputs))
        )

    def _kind(self, outputs: NDArray[np.generic]) -> OutputKind:
        if self._semantic.task != "Classification":
            return OutputKind.VALUES
        scored = outputs.ndim == 2 and outputs.shape[1] > 1
        return OutputKind.PROBABILITIES if scored else OutputKind.LABELS


def together(parts: Sequence[NDArray[np.generic]]) -> NDArray[np.generic]:
    """Outputs of all batches; where a member failed in between, those of some may have come in another form.

    Labels beside probabilities become probabilities that are sure; [n] and [n, 1] are one shape.
    """
    width = max(part.shape[1] if part.ndim == 2 else 1 for part in parts)
    if width > 1:
        parts = [one_hot(part, width) if part.size == len(part) else part for part in parts]
    return np.concatenate([part.reshape(len(part), *parts[0].shape[1:]) for part in parts])


def _flags(parts: Sequence[NDArray[np.generic]], row_count: int) -> NDArray[np.bool_] | None:
    flags = np.concatenate(parts).astype(np.bool_) if parts else None
    return flags if flags is not None and len(flags) == row_count else None


def _batches(inputs: Inputs) -> Iterator[pb.PredictStreamRequest]:
    rows = np.asarray(inputs)
    if rows.ndim == 0 or len(rows) == 0:
        raise InvalidInput(Reason.SHAPE_MISMATCH, "There is nothing to predict: the inputs have no rows.", field="rows")
    texts = rows.dtype.kind in "UO"
    size = max(1, min(_BATCH_ROWS, _BATCH_BYTES * len(rows) // max(1, rows.nbytes)))
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        if texts:
            yield pb.PredictStreamRequest(texts=types_pb2.TextBatch(values=[str(text) for text in part]))
        else:
            yield pb.PredictStreamRequest(rows=tensor_to_message(part))
