"""How much a user may keep, and what of it is used."""

from __future__ import annotations

from dataclasses import fields

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from learndock.account import Principal
from learndock.errors import InvalidInput, PermissionDenied, Reason, ResourceExhausted
from learndock.quota import Allowance, Quota
from learndock.serving.sql import now
from services.storage.models import LearnwareRow, QuotaRow, UploadRow, VersionRow

_MAX_LIMIT = 2**62
_MAX_USER_ID = 64


class Quotas:
    """Limits of every user, which an admin may set otherwise for one of them."""

    def __init__(self, usual: Allowance) -> None:
        self._usual = usual

    def shown(self, session: Session, principal: Principal, user_id: str) -> Quota:
        """Quota of a user, empty for the caller; another's only to admins.

        Raises
        ------
        PermissionDenied
            ROLE_TOO_LOW: the caller asks for another user.
        """
        if user_id and not principal.may_change(user_id):
            raise PermissionDenied(Reason.ROLE_TOO_LOW, "Only admins may look at the quotas of others.")
        return self.quota(session, user_id or principal.user_id)

    def quota(self, session: Session, user_id: str) -> Quota:
        """Quota of a user."""
        return Quota(user_id, self._limit(session, user_id), _used(session, user_id))

    def override(self, session: Session, user_id: str, limit: Allowance) -> Quota:
        """Give a user other limits.

        Raises
        ------
        InvalidInput
            No user is named, or a limit is too large.
        """
        if not 0 < len(user_id) <= _MAX_USER_ID:
            raise InvalidInput(Reason.FIELD_INVALID, "Name the user by their id.", field="user_id")
        for field in fields(limit):
            if getattr(limit, field.name) > _MAX_LIMIT:
                raise InvalidInput(
                    Reason.FIELD_INVALID, f"A limit is at most {_MAX_LIMIT}.", field=f"limit.{field.name}"
                )
        session.merge(
            QuotaRow(
                user_id=user_id,
                max_bytes=limit.bytes,
                max_learnwares=limit.learnwares,
                max_versions=limit.versions,
                max_uploads=limit.uploads,
            )
        )
        session.flush()
        return self.quota(session, user_id)

    def refuse_excess(self, session: Session, principal: Principal, size_bytes: int, learnware_id: str) -> None:
        """Refuse an upload that would go beyond the caller's quota, in the transaction that begins it.

        What is in flight counts as if it had arrived: what was let in once will not be refused at its end.

        Raises
        ------
        ResourceExhausted
            QUOTA_EXCEEDED, telling what is used and what is allowed.
        """
        quota = self.quota(session, principal.user_id)
        arriving = Allowance(size_bytes, learnwares=0 if learnware_id else 1, versions=1, uploads=1)
        for field in fields(Allowance):
            limit, used = getattr(quota.limit, field.name), getattr(quota.used, field.name)
            more = getattr(arriving, field.name)
            if used + more > limit:
                raise ResourceExhausted(
                    Reason.QUOTA_EXCEEDED,
                    f"You use {used} of {limit} {_WORDS[field.name]}; {more} more are too many.",
                    resource=field.name,
                )

    def _limit(self, session: Session, user_id: str) -> Allowance:
        row = session.get(QuotaRow, user_id)
        if row is None:
            return self._usual
        return Allowance(
            bytes=row.max_bytes or self._usual.bytes,
            learnwares=row.max_learnwares or self._usual.learnwares,
            versions=row.max_versions or self._usual.versions,
            uploads=row.max_uploads or self._usual.uploads,
        )


_WORDS = {
    "bytes": "bytes",
    "learnwares": "learnwares",
    "versions": "versions",
    "uploads": "uploads in flight",
}


def _used(session: Session, user_id: str) -> Allowance:
    kept = select(func.count(), func.coalesce(func.sum(VersionRow.size_bytes), 0))
    kept = kept.join(LearnwareRow, VersionRow.learnware_id == LearnwareRow.learnware_id)
    versions, size_bytes = session.execute(kept.where(LearnwareRow.owner_id == user_id)).one()
    learnwares = session.scalar(select(func.count()).where(LearnwareRow.owner_id == user_id)) or 0
    new: ColumnElement[int] = case((UploadRow.learnware_id == "", 1), else_=0)
    flight = select(
        func.count(), func.coalesce(func.sum(UploadRow.size_bytes), 0), func.coalesce(func.sum(new), 0)
    ).where(UploadRow.owner_id == user_id, UploadRow.expire_time > now())
    uploads, flying_bytes, new_learnwares = session.execute(flight).one()
    return Allowance(
        bytes=int(size_bytes + flying_bytes),
        learnwares=int(learnwares + new_learnwares),
        versions=int(versions + uploads),
        uploads=int(uploads),
    )
