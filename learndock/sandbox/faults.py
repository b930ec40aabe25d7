"""What may go wrong with a model while it runs."""

from __future__ import annotations

from enum import StrEnum

from learndock.errors import FailedPrecondition, Reason


class FaultKind(StrEnum):
    """How a model failed."""

    RAISED = "RAISED"
    """It raised an exception; the process can be used on."""
    TIMED_OUT = "TIMED_OUT"
    """It took longer than it may, and was killed."""
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    """It asked for more memory than it may have."""
    PROTOCOL = "PROTOCOL"
    """It answered in a way that makes no sense, and was killed."""
    EXITED = "EXITED"
    """Its process has ended."""


class ModelFault(FailedPrecondition):
    """A model failed.

    Parameters
    ----------
    kind
        How.
    message
        One sentence.
    log_tail
        Last 16 KiB of what the model printed, for its owner.
    """

    def __init__(self, kind: FaultKind, message: str, log_tail: str = "") -> None:
        super().__init__(Reason.MODEL_FAILED, message)
        self.kind = kind
        self.log_tail = log_tail
