"""What may go wrong, as a caller can handle it.

A class says what the caller should do (correct the input, sign in, try again later); a `Reason` says what
happened, in a word that never changes. Services turn these into gRPC statuses and the client turns those
into the same classes again, see `learndock.status`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Machine-readable causes, sent as `google.rpc.ErrorInfo.reason` in the domain `learndock`."""

    # The request
    FIELD_INVALID = "FIELD_INVALID"
    """A field is missing, out of bounds or malformed."""
    SHAPE_MISMATCH = "SHAPE_MISMATCH"
    """A tensor's shape, type or byte length is not what it should be."""
    NOT_FINITE = "NOT_FINITE"
    """A number is NaN or infinite."""
    TOO_FEW_ROWS = "TOO_FEW_ROWS"
    """Too few rows to summarise without giving single ones away."""
    PRIVACY_AT_RISK = "PRIVACY_AT_RISK"
    """The summary would give single rows away."""
    NOT_COMPARABLE = "NOT_COMPARABLE"
    """Two specifications live in different spaces."""
    FILTER_INVALID = "FILTER_INVALID"
    """A list filter does not parse or names an unknown field."""
    ORDER_INVALID = "ORDER_INVALID"
    """An ordering names an unknown field."""
    PAGE_TOKEN_INVALID = "PAGE_TOKEN_INVALID"
    """A page token is forged or belongs to another query."""
    STRATEGY_UNSUITABLE = "STRATEGY_UNSUITABLE"
    """A reuse strategy cannot work with these members or inputs."""
    MESSAGE_TOO_LARGE = "MESSAGE_TOO_LARGE"
    """A message exceeds the limit of the service."""

    # Packages
    PACKAGE_INVALID = "PACKAGE_INVALID"
    """The archive is not one, is damaged, or breaks a safety rule."""
    MANIFEST_INVALID = "MANIFEST_INVALID"
    """`learnware.yaml` is missing, malformed, or names what it must not."""
    SEMANTIC_INVALID = "SEMANTIC_INVALID"
    """The semantic specification breaks the vocabulary's rules."""
    SPECIFICATION_INVALID = "SPECIFICATION_INVALID"
    """The statistical specification is missing, malformed or does not fit the model's input."""
    DUPLICATE_PACKAGE = "DUPLICATE_PACKAGE"
    """The same package was submitted before."""
    PACKAGE_TOO_LARGE = "PACKAGE_TOO_LARGE"
    """The package exceeds the dock's limit."""
    HASH_MISMATCH = "HASH_MISMATCH"
    """Bytes differ from their SHA-256."""
    UNSUPPORTED_DEPENDENCY = "UNSUPPORTED_DEPENDENCY"
    """A requirement cannot be met on the dock's Python."""

    # Transfer
    OFFSET_MISMATCH = "OFFSET_MISMATCH"
    """Bytes were sent for another place than the committed offset."""
    UPLOAD_INCOMPLETE = "UPLOAD_INCOMPLETE"
    """An upload was finished before all of its bytes came."""
    URL_UNSUPPORTED = "URL_UNSUPPORTED"
    """The object store cannot make download addresses."""
    CHANGES_EXPIRED = "CHANGES_EXPIRED"
    """The change log no longer reaches back so far."""
    CATALOGUE_NOT_EMPTY = "CATALOGUE_NOT_EMPTY"
    """A backup is restored into a catalogue that holds learnwares; it takes an empty one."""

    # State
    RESOURCE_UNKNOWN = "RESOURCE_UNKNOWN"
    """No such thing, or none that the caller may see."""
    NAME_TAKEN = "NAME_TAKEN"
    """A name that must be unique is in use."""
    REQUEST_ID_REUSED = "REQUEST_ID_REUSED"
    """A request id was used before with another request."""
    ETAG_MISMATCH = "ETAG_MISMATCH"
    """Somebody changed the resource meanwhile."""
    LEASE_LOST = "LEASE_LOST"
    """Another worker has taken over."""
    VALIDATION_ENDED = "VALIDATION_ENDED"
    """The validation has ended already."""
    REUSER_NOT_READY = "REUSER_NOT_READY"
    """The reuser is still preparing, or failed."""
    INDEX_BEHIND = "INDEX_BEHIND"
    """The index has not yet followed the catalogue so far."""
    LAST_ADMIN = "LAST_ADMIN"
    """The dock would be left without anybody to look after it."""
    EXTRA_MISSING = "EXTRA_MISSING"
    """An optional package is not installed; the message names the extra of learndock that brings it."""

    # Access
    TOKEN_MISSING = "TOKEN_MISSING"
    """The call carries no token."""
    TOKEN_INVALID = "TOKEN_INVALID"
    """The token is unknown or was revoked."""
    TOKEN_EXPIRED = "TOKEN_EXPIRED"
    """The token has ended."""
    USER_DISABLED = "USER_DISABLED"
    """The account is disabled."""
    ROLE_TOO_LOW = "ROLE_TOO_LOW"
    """The method needs a higher role."""
    SCOPE_MISSING = "SCOPE_MISSING"
    """The token may not be used for this; make another one."""
    INVITATION_INVALID = "INVITATION_INVALID"
    """The invitation is unknown, used, ended, or somebody else's."""
    REGISTRATION_CLOSED = "REGISTRATION_CLOSED"
    """The dock takes new users by an admin's invitation only."""
    NOT_OWNER = "NOT_OWNER"
    """Only the owner or an admin may do this."""

    # Sandbox and members
    NO_SANDBOX = "NO_SANDBOX"
    """No isolated executor is at hand; nothing of a package is run without one."""
    MODEL_FAILED = "MODEL_FAILED"
    """A model raised, broke the protocol or was stopped at a limit."""
    NO_MEMBER_LEFT = "NO_MEMBER_LEFT"
    """Every member of a reuser failed."""

    # Load and surroundings
    TOO_MANY_REQUESTS = "TOO_MANY_REQUESTS"
    """The service has as much work as it can do."""
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    """The caller would keep more than they may; `learndock quota show` tells how much that is."""
    TOO_MANY_REUSERS = "TOO_MANY_REUSERS"
    """The caller, or the service, holds as many reusers as it may."""
    SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE"
    """Another service or store cannot be reached."""
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    """The time for the call ran out."""
    CANCELLED = "CANCELLED"
    """The caller gave up."""
    UNIMPLEMENTED = "UNIMPLEMENTED"
    """This server does not know the method."""
    INTERNAL = "INTERNAL"
    """A fault of the dock; its log has the details under the request id."""


@dataclass(frozen=True)
class FieldViolation:
    """A field of the request and what is wrong with it."""

    field: str
    description: str


class LearndockError(Exception):
    """Base of all errors that a caller may handle.

    Parameters
    ----------
    reason
        What happened.
    message
        One sentence for a person, telling what to do next where something can be done.
    field
        The one field at fault, for `InvalidInput`.
    violations
        Several fields at fault.
    resource
        What it is about, such as a learnware id.
    retry_after
        Seconds after which another try makes sense.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        field: str | None = None,
        violations: Sequence[FieldViolation] = (),
        resource: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        named = (FieldViolation(field, message),) if field else ()
        self.violations: tuple[FieldViolation, ...] = (*named, *violations)
        self.resource = resource
        self.retry_after = retry_after

    @property
    def field(self) -> str | None:
        """Name of the first field at fault, if the error is about one."""
        return self.violations[0].field if self.violations else None


class InvalidInput(LearndockError):
    """The request can never succeed as it is; correct the named field."""


class NotFound(LearndockError):
    """The thing does not exist, or the caller may not know that it does."""


class AlreadyExists(LearndockError):
    """The thing is there already."""


class Unauthenticated(LearndockError):
    """The caller must sign in."""


class PermissionDenied(LearndockError):
    """The caller is known and may not do this."""


class FailedPrecondition(LearndockError):
    """The dock is not in the state that this needs."""


class Aborted(LearndockError):
    """Somebody else was quicker; read again and retry."""


class OutOfRange(LearndockError):
    """A position lies outside of what there is."""


class DataLoss(LearndockError):
    """Bytes were damaged."""


class ResourceExhausted(LearndockError):
    """A limit is reached; later, or less, will do."""


class Unavailable(LearndockError):
    """Something cannot be reached for now; try again."""


class DeadlineExceeded(LearndockError):
    """There was not enough time."""


class Cancelled(LearndockError):
    """The caller gave up."""


class Unimplemented(LearndockError):
    """The server does not know this method."""


class Internal(LearndockError):
    """A fault of the dock itself."""
