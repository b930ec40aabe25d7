"""Requests that have one effect however often they come."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, Protocol, TypeVar

from google.protobuf.message import Message
from sqlalchemy.orm import Session

from learndock.account import Principal
from learndock.serving.sql import Database, once
from services.storage.changes import ChangeFeed
from services.storage.models import RequestRow

_Response = TypeVar("_Response", bound=Message)


class Repeatable(Protocol):
    """A request that tells its own id."""

    @property
    def request_id(self) -> str:
        """Id that the caller chose; empty for none."""


class AnsweredRequests:
    """Answers requests in one transaction each, remembers the answers, and tells followers."""

    def __init__(self, database: Database, feed: ChangeFeed) -> None:
        self._database = database
        self._feed = feed

    def made(
        self,
        principal: Principal,
        request: Repeatable,
        response_type: type[_Response],
        work: Callable[[], _Response],
    ) -> _Response:
        """The answer of long `work`, which ends with `answer`; or the one that the request got before or meanwhile.

        Two tries of one request may be at work, when the connection of the first broke: the later one then finds things
        gone that the former has used up.

        Raises
        ------
        Aborted
            REQUEST_ID_REUSED.
        """
        known = self._known(principal, request, response_type)
        if known is not None:
            return known
        try:
            return work()
        except Exception:
            known = self._known(principal, request, response_type)
            if known is None:
                raise
            return known

    def _known(self, principal: Principal, request: Repeatable, response_type: type[_Response]) -> _Response | None:
        if not request.request_id:
            return None
        with self._database.read() as session:
            if session.get(RequestRow, (principal.user_id, request.request_id)) is None:
                return None
            return self._once(session, principal, request, response_type, _never)

    def answer(
        self,
        principal: Principal,
        request: Repeatable,
        response_type: type[_Response],
        make: Callable[[Session], _Response],
    ) -> _Response:
        """The answer of `make`, which runs only if the request did not come before.

        Raises
        ------
        Aborted
            REQUEST_ID_REUSED.
        """
        with self._feed.transaction() as session:
            return self._once(session, principal, request, response_type, make)

    def _once(
        self,
        session: Session,
        principal: Principal,
        request: Repeatable,
        response_type: type[_Response],
        make: Callable[[Session], _Response],
    ) -> _Response:
        assert isinstance(request, Message)  # noqa: S101  # every request with an id is one
        return once(
            session,
            RequestRow,
            request_id=request.request_id,
            caller_id=principal.user_id,
            request=request,
            response_type=response_type,
            make=lambda: make(session),
        )


def _never(session: Session) -> NoReturn:
    raise AssertionError("the request is known")
