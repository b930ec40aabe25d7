"""Errors as pages that say what to do next."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from learndock.errors import (
    Aborted,
    AlreadyExists,
    DeadlineExceeded,
    FailedPrecondition,
    Internal,
    InvalidInput,
    LearndockError,
    NotFound,
    PermissionDenied,
    Reason,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
    Unimplemented,
)
from services.console.visit import Visit

_STATUS: Mapping[type[LearndockError], int] = {
    InvalidInput: 422,
    NotFound: 404,
    AlreadyExists: 409,
    PermissionDenied: 403,
    FailedPrecondition: 409,
    Aborted: 409,
    ResourceExhausted: 429,
    Unavailable: 503,
    DeadlineExceeded: 504,
    Unimplemented: 501,
}
_INTERNAL = Internal(Reason.INTERNAL, "The console failed; its log tells how.")


def answer(visit: Visit, error: LearndockError) -> Response:
    """The page of an error; who is not known to the dock any more is asked to sign in."""
    if isinstance(error, Unauthenticated):
        visit.end()
        return visit.to_sign_in()
    code = _STATUS.get(type(error), 500)
    template = "failure_part.html" if visit.wants_fragment else "failure.html"
    return visit.page(template, code=code, error=error, kind=kind(error))


def unexpected(visit: Visit) -> Response:
    """The page of a fault of our own."""
    return answer(visit, _INTERNAL)


def kind(error: LearndockError) -> str:
    """Key of the sentence that tells what to do."""
    return type(error).__name__ if type(error) in _STATUS else "Internal"


def no_such_page(visit: Visit) -> Response:
    """The page of an address that leads nowhere."""
    return answer(visit, NotFound(Reason.RESOURCE_UNKNOWN, f"There is no page {_path(visit.request)}."))


def _path(request: Request) -> str:
    return request.url.path[:100]
