"""Failures as a person at a shell needs them: what happened, what to do next, and an exit code."""

from __future__ import annotations

from enum import IntEnum
import sys

from learndock import errors
from learndock.errors import LearndockError, Reason


class ExitCode(IntEnum):
    """How a command ended."""

    OK = 0
    REFUSED = 1
    USAGE = 2
    UNREACHABLE = 3
    REJECTED = 4
    INTERRUPTED = 130


_SETTINGS = ("address", "credentials")
_REJECTIONS = (
    Reason.PACKAGE_INVALID,
    Reason.MANIFEST_INVALID,
    Reason.SEMANTIC_INVALID,
    Reason.SPECIFICATION_INVALID,
    Reason.UNSUPPORTED_DEPENDENCY,
)

_BY_REASON = {
    Reason.SERVICE_UNAVAILABLE: "Is the dock running, and is the address right? `learndock up` starts one here.",
    Reason.TOKEN_MISSING: "Sign in with `learndock login`, or set LEARNDOCK_TOKEN.",
    Reason.TOKEN_INVALID: "Sign in again with `learndock login`; an admin makes tokens with `learndock token create`.",
    Reason.TOKEN_EXPIRED: "Ask for a new token and sign in again with `learndock login`.",
    Reason.USER_DISABLED: "Ask an admin of the dock to enable the account.",
    Reason.ROLE_TOO_LOW: "Ask an admin of the dock; `learndock whoami` shows who you are.",
    Reason.NOT_OWNER: "Ask the owner or an admin of the dock.",
    Reason.RESOURCE_UNKNOWN: "Look for the right id with `learndock list` or `learndock search`.",
    Reason.DUPLICATE_PACKAGE: "Find it with `learndock list`, or change the package to submit a new version.",
    Reason.PACKAGE_INVALID: "Mend the package and try `learndock check` on it.",
    Reason.MANIFEST_INVALID: "Mend learnware.yaml in the package and try `learndock check` on it.",
    Reason.SEMANTIC_INVALID: "Mend semantic_specification.json, or give another with --semantic.",
    Reason.SPECIFICATION_INVALID: "Make a specification anew with `learndock specify`.",
    Reason.QUOTA_EXCEEDED: "Look at `learndock quota show`; delete what you do not need, or ask an admin for more.",
    Reason.TOO_FEW_ROWS: "Give more rows.",
    Reason.FILTER_INVALID: 'Write it like: task = "Regression" AND name:wine',
    Reason.ORDER_INVALID: 'Order by id, name, create_time or update_time, each with " desc" if wanted.',
    Reason.INDEX_BEHIND: "Try again in a moment.",
    Reason.NO_SANDBOX: "Install a Docker engine or bubblewrap where the dock runs.",
    Reason.DEADLINE_EXCEEDED: "Try again; if it stays so, look whether the dock is overloaded.",
    Reason.INTERNAL: "Look into the dock's log, and report it.",
}
_BY_CLASS: dict[type[LearndockError], str] = {
    errors.InvalidInput: "Correct the input and try again; --help shows what the command takes.",
    errors.NotFound: "Check the id.",
    errors.AlreadyExists: "Choose another, or use the one that is there.",
    errors.Unauthenticated: "Sign in with `learndock login`.",
    errors.PermissionDenied: "Ask an admin of the dock.",
    errors.Aborted: "Look at it again and repeat the command.",
    errors.DataLoss: "Try again; if it stays so, an admin should run `learndock fsck --read-packages`.",
    errors.ResourceExhausted: "Try again later, or with less.",
    errors.FailedPrecondition: "Mend what it names and try again.",
    errors.Unavailable: "Try again in a moment.",
}


def exit_code(error: LearndockError) -> ExitCode:
    """Exit code of a failed command."""
    if error.field in _SETTINGS:
        return ExitCode.USAGE
    if error.reason in _REJECTIONS:
        return ExitCode.REJECTED
    if error.reason is Reason.SERVICE_UNAVAILABLE or isinstance(error, errors.DeadlineExceeded):
        return ExitCode.UNREACHABLE
    return ExitCode.REFUSED


def report(error: LearndockError) -> None:
    """Say on standard error what happened and what to do next."""
    faults = [f"{violation.field}: {violation.description}" for violation in error.violations]
    what = "; ".join(faults) if len(faults) > 1 or (faults and error.message not in faults[0]) else error.message
    named = f" ({error.field})" if len(faults) == 1 and what == error.message else ""
    if error.reason is Reason.SERVICE_UNAVAILABLE:
        what = f"the dock cannot be reached: {what}"
    say(f"{what}{named}", _BY_REASON.get(error.reason) or _BY_CLASS.get(type(error), "Try again."))


def say(what: str, then: str) -> None:
    """Two lines on standard error."""
    print(f"learndock: {' '.join(what.split())}", file=sys.stderr)
    print(f"  {then}", file=sys.stderr)
