"""Asking members side by side, and what comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
import queue
import threading
import time

import numpy as np
from numpy.typing import NDArray

from learndock.errors import Reason, Unavailable
from learndock.reuse.member import Inputs, Member
from learndock.reuse.outputs import OutputKind, check_output, kind_of

_MESSAGE_CHARACTERS = 200
# Answered by several members together, none of which counts for more than half.
SEVERAL = -1


@dataclass(frozen=True)
class Fault:
    """A member that was left out.

    Attributes
    ----------
    learnware_id
        Which.
    message
        What happened, one line.
    """

    learnware_id: str
    message: str


# By the member's position.
Faults = dict[int, Fault]


@dataclass(frozen=True, eq=False)
class Prediction:
    """The answer of a reuser to one batch.

    Attributes
    ----------
    outputs
        First axis n: numbers, labels or class probabilities as the members give them.
    kind
        Which of the three.
    member_index
        Position of the member that counts for more than half of each row's answer, int32 [n]; -1 where none does.
    faults
        Members that failed on this batch.
    outside
        Rows unlike anything that a member was trained on, bool [n]; None where that is not known.
    """

    outputs: NDArray[np.generic]
    kind: OutputKind
    member_index: NDArray[np.int32]
    faults: tuple[Fault, ...] = ()
    outside: NDArray[np.bool_] | None = None

    @property
    def degraded(self) -> bool:
        """Whether a member failed and the answer was made without it."""
        return bool(self.faults)


@dataclass(frozen=True, eq=False)
class Question:
    """Inputs for one member, which stands at `position` among the members."""

    position: int
    member: Member
    inputs: Inputs


@dataclass(frozen=True, eq=False)
class Answer:
    """Checked outputs of the member at `position`."""

    position: int
    output: NDArray[np.generic]
    kind: OutputKind


def ask(questions: Sequence[Question], timeout: float | None) -> tuple[list[Answer], Faults]:
    """Put all questions at the same time.

    Parameters
    ----------
    questions
        One per member.
    timeout
        Seconds that each has; None waits for as long as it takes.

    Returns
    -------
    answers
        Of the members that answered in time and properly, by position.
    faults
        Of the others.
    """
    done: queue.SimpleQueue[tuple[int, Answer | Fault]] = queue.SimpleQueue()
    for question in questions:
        # Daemons, not a pool: a model that never returns must hold up neither its neighbours nor the program's end.
        threading.Thread(target=_put_answer, args=(question, done), daemon=True).start()
    outcomes = _collect(done, len(questions), timeout)
    answers, faults = [], {}
    for question in questions:
        late = Fault(question.member.learnware_id, f"did not answer within {timeout} s")
        outcome = outcomes.get(question.position, late)
        if isinstance(outcome, Fault):
            faults[question.position] = outcome
        else:
            answers.append(outcome)
    return sorted(answers, key=lambda answer: answer.position), faults


def _put_answer(question: Question, done: queue.SimpleQueue[tuple[int, Answer | Fault]]) -> None:
    done.put((question.position, _answer(question)))


def _answer(question: Question) -> Answer | Fault:
    member = question.member
    try:
        output = check_output(member.model.predict(question.inputs), len(question.inputs))
        return Answer(question.position, output, kind_of(member.semantic, output))
    except Exception as error:  # a model may raise anything, and is left out for it
        return Fault(member.learnware_id, one_line(error))


def _collect(
    done: queue.SimpleQueue[tuple[int, Answer | Fault]], count: int, timeout: float | None
) -> dict[int, Answer | Fault]:
    """Outcomes by position, as many of `count` as come in time."""
    ends_at = None if timeout is None else time.monotonic() + timeout
    outcomes: dict[int, Answer | Fault] = {}
    while len(outcomes) < count:
        try:
            position, outcome = done.get(timeout=None if ends_at is None else max(0.0, ends_at - time.monotonic()))
        except queue.Empty:
            break
        outcomes[position] = outcome
    return outcomes


def in_order(faults: Faults) -> tuple[Fault, ...]:
    """Faults in the members' order."""
    return tuple(faults[position] for position in sorted(faults))


def one_line(error: BaseException) -> str:
    """What an error says, in one line of bounded length."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:_MESSAGE_CHARACTERS]


def no_member_left(faults: Faults) -> Unavailable:
    """The error that every member failed, naming each."""
    reasons = "; ".join(f"{fault.learnware_id}: {fault.message}" for fault in in_order(faults))
    return Unavailable(Reason.NO_MEMBER_LEFT, f"No member could answer. {reasons}")
