"""What the dock answers, as values: search results, validations, reusers, accounts' secrets, summaries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from learndock.account import Invitation, Token, User
from learndock.examination.report import ValidationReport, ValidationState
from learndock.learnware import FormatClass, SemanticSpecification
from learndock.reuse.prediction import Fault
from learndock.reuse.strategy import Strategy as Strategy
from learndock.schema.assignment import Match


class SearchMode(StrEnum):
    """How hard to look."""

    CERTIFIED = "CERTIFIED"
    APPROXIMATE = "APPROXIMATE"
    EXHAUSTIVE = "EXHAUSTIVE"


class SearchAdvice(StrEnum):
    """What a caller should know of an answer."""

    LIKELY_NOTHING_FITS = "LIKELY_NOTHING_FITS"
    NO_COMPARABLE_LEARNWARE = "NO_COMPARABLE_LEARNWARE"
    USE_MIXTURE = "USE_MIXTURE"


class ReuserState(StrEnum):
    """Where a reuser stands."""

    PREPARING = "PREPARING"
    READY = "READY"
    FAILED = "FAILED"


@dataclass(frozen=True)
class Validation:
    """One validation of one version of a learnware."""

    validation_id: str
    learnware_id: str
    version: int
    state: ValidationState
    report: ValidationReport
    create_time: datetime
    end_time: datetime | None = None
    phase: str = ""
    percent: int = 0
    reason: str = ""
    attempts: int = 0

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return self.state is ValidationState.VERIFIED


@dataclass(frozen=True)
class PackageCheck:
    """Outcome of a dry run: what validation would say of a package."""

    state: ValidationState
    report: ValidationReport
    reason: str = ""

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return self.state is ValidationState.VERIFIED


@dataclass(frozen=True)
class Member:
    """A learnware that takes part in a reuse.

    Attributes
    ----------
    learnware_id
        Its id.
    version
        Its version; 0 for the current one.
    weight
        Its share, > 0.
    columns
        Which of the task's columns are its own, for a learnware of another feature space; empty for one that takes the
        task's rows as they are.
    """

    learnware_id: str
    version: int = 0
    weight: float = 1.0
    columns: tuple[Match, ...] = ()


@dataclass(frozen=True)
class Single:
    """A learnware that was found.

    Attributes
    ----------
    mmd2
        Squared maximum mean discrepancy to the task, in the island's kernel; 0 without a specification.
    percentile
        Share of random pairs of the island's learnwares that are farther apart than this, 0 to 100.
    """

    rank: int
    learnware_id: str
    version: int
    mmd2: float
    percentile: float
    semantic_specification: SemanticSpecification
    owner_id: str
    format_class: FormatClass | None
    explanation: str


@dataclass(frozen=True)
class MixtureMember:
    """A member of a mixture: its share, and its own squared discrepancy to the task."""

    learnware_id: str
    version: int
    weight: float
    mmd2: float
    semantic_specification: SemanticSpecification


@dataclass(frozen=True)
class Mixture:
    """Several learnwares that fit better together than any alone.

    Attributes
    ----------
    members
        Heaviest first.
    mmd2
        Squared maximum mean discrepancy of the weighted mixture to the task.
    percentile
        As for singles.
    gap
        Duality gap of the weights over the candidates; 0 is optimal.
    improvement
        How much the mixture lowers the best single's discrepancy, 0 to 1.
    """

    members: tuple[MixtureMember, ...]
    mmd2: float
    percentile: float
    gap: float
    improvement: float
    explanation: str


@dataclass(frozen=True)
class Certificate:
    """What is known of an answer.

    Attributes
    ----------
    certified
        Whether the singles are proven to be exactly the best.
    scored
        Learnwares whose distance was computed, and not just bounded.
    admitted
        Learnwares that pass the filter and that the caller may see.
    remark
        How the answer came about, where that was not by the island's kernel; empty otherwise.
    """

    certified: bool
    scored: int
    admitted: int
    remark: str = ""


@dataclass(frozen=True)
class Reuser:
    """State of a reuser in the dock."""

    reuser_id: str
    strategy: Strategy | None
    members: tuple[Member, ...]
    state: ReuserState
    create_time: datetime
    expire_time: datetime
    phase: str = ""
    percent: int = 0
    reason: str = ""
    faults: tuple[Fault, ...] = ()
    expected_error: float | None = None
    explanation: str = ""
    contributions: tuple[float, ...] = ()


@dataclass(frozen=True, repr=False)
class NewToken:
    """An API token just made, with its secret, which is shown once and never in a repr."""

    token: Token
    secret: str

    def __repr__(self) -> str:
        return f"NewToken(token={self.token!r}, secret='***')"


@dataclass(frozen=True, repr=False)
class NewInvitation:
    """An invitation just made, with its code, which is shown once and never in a repr."""

    invitation: Invitation
    code: str

    def __repr__(self) -> str:
        return f"NewInvitation(invitation={self.invitation!r}, code='***')"


@dataclass(frozen=True)
class Registration:
    """An account just made, and its first token."""

    user: User
    token: NewToken


@dataclass(frozen=True)
class Summary:
    """Numbers of a dock.

    Attributes
    ----------
    by_state
        Learnwares by the state of their current version.
    package_bytes
        Bytes of all packages.
    latest_sequence
        Number of the newest change of the catalogue.
    indexed_sequence
        Number of the newest change that the search index knows.
    """

    learnwares: int
    by_state: Mapping[str, int]
    by_task: Mapping[str, int]
    by_data: Mapping[str, int]
    by_library: Mapping[str, int]
    package_bytes: int
    latest_sequence: int
    indexed_sequence: int
    users: int
    disabled_users: int
    admins: int
    active_tokens: int


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with a dock.

    Attributes
    ----------
    invariant
        The invariant broken, "I1" and so on, as in docs/invariants.md.
    subject
        A learnware id, a blob.
    message
        What is wrong and what to do, one line.
    """

    invariant: str
    subject: str
    message: str
