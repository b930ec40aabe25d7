"""The rules: who may have how many reusers, what may be asked of them, and when they are forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
import math
import uuid

from sqlalchemy.orm import Session

from learndock.errors import FailedPrecondition, InvalidInput, NotFound, Reason, ResourceExhausted
from learndock.learnware import FeatureSpace
from learndock.reuse.labels import Labelled
from learndock.reuse.member import Inputs
from learndock.reuse.prediction import Prediction
from learndock.reuse.strategy import Strategy
from learndock.serving import caller
from learndock.serving.changes import Changes
from learndock.serving.sql import Database, now
from services.reuse import store
from services.reuse.access import Access
from services.reuse.live import LiveReusers
from services.reuse.record import MemberRecord, ReuserRecord, ReuserState

MAX_MEMBERS = 16
# A watcher looks again after so many seconds, in case another replica made the change.
_LOOK_SECONDS = 1.0
# The time of expiry is written anew only when it moves by this share of the idle time.
_PROLONG_SHARE = 0.05


@dataclass(frozen=True)
class Quota:
    """How many reusers there may be, for how long unused, and how long they may think.

    Attributes
    ----------
    per_user, total
        Reusers of one user, and of all.
    idle_seconds
        Time after which an unused one is forgotten.
    sleep_seconds
        Time after which an unused one's sandboxes are ended until the next rows.
    answer_seconds
        How long a reuser waits for one member before it answers without it.
    """

    per_user: int
    total: int
    idle_seconds: float
    sleep_seconds: float
    answer_seconds: float


class Reusers:
    """Reusers of all users; every method names the user on whose behalf it works."""

    def __init__(self, database: Database, live: LiveReusers, changes: Changes, quota: Quota, access: Access) -> None:
        self._database = database
        self._access = access
        self._live = live
        self._changes = changes
        self._quota = quota

    def insert(
        self,
        session: Session,
        owner_id: str,
        strategy: Strategy,
        members: Sequence[MemberRecord],
        labelled: Labelled | None,
        presumed: Strategy | None,
        task_input: FeatureSpace | None,
    ) -> ReuserRecord:
        """Enter a new reuser, PREPARING.

        Raises
        ------
        ResourceExhausted
            The user, or the service, holds as many as it may (TOO_MANY_REUSERS).
        """
        self._check_quota(session, owner_id)
        created = now()
        record = ReuserRecord(
            reuser_id=uuid.uuid4().hex,
            owner_id=owner_id,
            strategy=strategy,
            members=tuple(members),
            state=ReuserState.PREPARING,
            phase="waiting",
            percent=0,
            reason="",
            item_shape=None,
            create_time=created,
            expire_time=created + timedelta(seconds=self._quota.idle_seconds),
            labelled=labelled,
            presumed=presumed,
            task_input=task_input,
        )
        store.add(session, record)
        return record

    def _check_quota(self, session: Session, owner_id: str) -> None:
        if store.count_alive(session, owner_id) >= self._quota.per_user:
            raise ResourceExhausted(
                Reason.TOO_MANY_REUSERS,
                f"You hold {self._quota.per_user} reusers already; delete one that is done with.",
            )
        if store.count_alive(session) >= self._quota.total:
            raise ResourceExhausted(
                Reason.TOO_MANY_REUSERS, "The dock holds as many reusers as it may; try again later.", retry_after=60.0
            )

    def get(self, owner_id: str, reuser_id: str) -> ReuserRecord:
        """One of the user's reusers.

        Raises
        ------
        NotFound
            There is none of that id, or it is another user's.
        """
        with self._database.read() as session:
            record = store.find(session, reuser_id)
        if record is None or record.owner_id != owner_id:
            raise NotFound(
                Reason.RESOURCE_UNKNOWN, f"You have no reuser {reuser_id}; it may have expired.", resource=reuser_id
            )
        return self._seen(record)

    def _seen(self, record: ReuserRecord) -> ReuserRecord:
        """A record with what only this process knows."""
        return replace(record, asleep=record.state is ReuserState.READY and self._live.asleep(record.reuser_id))

    def list(self, owner_id: str, *, before: int | None, size: int) -> list[tuple[int, ReuserRecord]]:
        """The user's reusers, newest first, each with the number to go on from."""
        with self._database.read() as session:
            found = store.list_of(session, owner_id, before=before, size=size)
        return [(number, self._seen(record)) for number, record in found]

    def delete(self, owner_id: str, reuser_id: str) -> None:
        """End one of the user's reusers and its sandboxes."""
        self.get(owner_id, reuser_id)
        with self._database.write() as session:
            store.remove(session, reuser_id)
        self._live.drop(reuser_id)
        self._changes.tell()

    def watch(self, owner_id: str, reuser_id: str) -> Iterator[ReuserRecord]:
        """The reuser as it is, then at every change, until it is prepared."""
        shown = None
        while True:
            caller.check_active()
            seen = self._changes.count
            record = self.get(owner_id, reuser_id)
            if record.progress != shown:
                yield record
                shown = record.progress
            if record.state is not ReuserState.PREPARING:
                return
            self._changes.wait(seen, _LOOK_SECONDS)

    def predict(self, owner_id: str, reuser_id: str, read_inputs: Callable[[ReuserRecord], Inputs]) -> Prediction:
        """Prediction for one batch.

        Parameters
        ----------
        owner_id, reuser_id
            Whose, and which.
        read_inputs
            Gives the inputs, checked against what the reuser takes.

        Raises
        ------
        NotFound
            The user has no such reuser, or may no longer see a member.
        FailedPrecondition
            It is not prepared, or failed (REUSER_NOT_READY).
        Unavailable
            Every member failed (NO_MEMBER_LEFT).
        """
        record = self.get(owner_id, reuser_id)
        _check_ready(record)
        self._access.check(record)
        inputs = read_inputs(record)
        self._prolong(record)
        # Half of the time, so that an answer without a member that hangs still comes before the caller has left.
        timeout = min(self._quota.answer_seconds, caller.remaining_seconds() / 2)
        return self._live.get(record).answer(record, inputs, timeout)

    def _prolong(self, record: ReuserRecord) -> None:
        expire_time = now() + timedelta(seconds=self._quota.idle_seconds)
        if (expire_time - record.expire_time).total_seconds() > _PROLONG_SHARE * self._quota.idle_seconds:
            with self._database.write() as session:
                store.prolong(session, record.reuser_id, expire_time)

    def forget_expired(self) -> None:
        """End the reusers whose time has come; let those sleep that were not used for a while."""
        # The time of expiry is written only when it moves by some share, so sleep comes that much early at most.
        asleep_before = now() + timedelta(seconds=self._quota.idle_seconds - self._quota.sleep_seconds)
        with self._database.write() as session:
            store.remove_expired(session, now())
            there, used = store.ids(session), store.ids_in_use(session, asleep_before)
        self._live.drop_all_but(there)
        self._access.forget(set(there))
        self._live.sleep_all_but(used)
        self._changes.tell()


def shares_of(weights: Sequence[float]) -> list[float]:
    """Shares that sum to 1 of the weights that a caller named; all 0 for equal ones.

    Raises
    ------
    InvalidInput
        There are too few or too many members, or a weight is none.
    """
    if not 1 <= len(weights) <= MAX_MEMBERS:
        raise InvalidInput(Reason.FIELD_INVALID, f"There must be 1 to {MAX_MEMBERS} members.", field="members")
    if not any(weights):
        return [1.0 / len(weights)] * len(weights)
    for position, weight in enumerate(weights):
        if not (math.isfinite(weight) and weight > 0):
            raise InvalidInput(
                Reason.FIELD_INVALID,
                "Give every member a positive weight, or none.",
                field=f"members[{position}].weight",
            )
    greatest = max(weights)  # first, because a sum of great weights may overflow
    total = math.fsum(weight / greatest for weight in weights)
    return [weight / greatest / total for weight in weights]


def _check_ready(record: ReuserRecord) -> None:
    if record.state is ReuserState.PREPARING:
        raise FailedPrecondition(
            Reason.REUSER_NOT_READY,
            f"The reuser is still being prepared ({record.percent} %); watch it become READY.",
            resource=record.reuser_id,
            retry_after=1.0,
        )
    if record.state is ReuserState.FAILED:
        raise FailedPrecondition(
            Reason.REUSER_NOT_READY, f"The reuser failed: {record.reason}", resource=record.reuser_id
        )
