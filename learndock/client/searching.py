"""Asking the search service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
import time

from learndock.client.across import Across
from learndock.client.messages import search_mode_to_message, search_result_from_message
from learndock.client.result import SearchResult
from learndock.client.values import SearchMode
from learndock.errors import DeadlineExceeded, Reason
from learndock.learnware import SemanticFilter
from learndock.rkme.private import PrivateSpecification
from learndock.rkme.specification import Specification
from learndock.v1 import search_service_pb2 as pb
from learndock.v1.search_service_pb2_grpc import SearchServiceStub
from learndock.wire import enum_to_message, filter_to_message, specification_to_message
from learndock.wire_private import private_to_message

_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Question:
    """What to look for.

    Attributes
    ----------
    specification
        The user's task, private or not; without it the answer is ranked by the words alone.
    text
        Words to be found in name or description.
    filter
        Which learnwares are admitted.
    top_k
        Singles wanted, 1 to 100.
    max_mixture_members
        Most members of a mixture, 1 to 16; 1 asks for none.
    mode
        How hard to look.
    exclude
        Learnwares to leave out.
    min_sequence
        Waits until the index holds this change of the catalogue.
    max_scored
        Most exact scores; 0 for no limit.
    across
        When to look across feature spaces; needs a specification that tells what its columns are.
    """

    specification: Specification | PrivateSpecification | None = None
    text: str = ""
    filter: SemanticFilter = SemanticFilter()  # noqa: RUF009  # frozen
    top_k: int = 10
    max_mixture_members: int = 5
    mode: SearchMode = SearchMode.CERTIFIED
    exclude: Sequence[str] = ()
    min_sequence: int = 0
    max_scored: int = 0
    across: Across = Across.WHERE_NOTHING_FITS


def ask(stub: SearchServiceStub, question: Question) -> SearchResult:
    """The dock's answer to a question."""
    admitted = replace(question.filter, text=question.text) if question.text else question.filter
    task = question.specification
    request = pb.SearchRequest(
        filter=filter_to_message(admitted),
        specification=specification_to_message(task) if isinstance(task, Specification) else None,
        private_specification=private_to_message(task) if isinstance(task, PrivateSpecification) else None,
        top_k=question.top_k,
        max_mixture_members=question.max_mixture_members,
        mode=search_mode_to_message(question.mode),
        exclude_learnware_ids=question.exclude,
        min_sequence=question.min_sequence,
        max_scored=question.max_scored,
        across=enum_to_message(question.across, pb.Across, "ACROSS"),
    )
    return search_result_from_message(stub.Search(request), task.input if isinstance(task, Specification) else None)


def wait_until_found(stub: SearchServiceStub, learnware_id: str, timeout: float) -> None:
    """Wait until the index holds a learnware.

    Raises
    ------
    DeadlineExceeded
        It does not after `timeout` seconds.
    """
    question = Question(filter=SemanticFilter(learnware_ids=(learnware_id,)), top_k=1, max_mixture_members=1)
    end = time.monotonic() + timeout
    while not ask(stub, question).singles:
        if time.monotonic() > end:
            raise DeadlineExceeded(
                Reason.DEADLINE_EXCEEDED,
                f"{learnware_id} is not found within {timeout:.0f} s; is it VERIFIED?",
                resource=learnware_id,
            )
        time.sleep(_POLL_SECONDS)
