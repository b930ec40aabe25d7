"""Invitations: who may register without an admin making the account."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import uuid4

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from learndock.account import Invitation, Principal, Role, User
from learndock.errors import FailedPrecondition, InvalidInput, NotFound, PermissionDenied, Reason
from learndock.serving.sql import Database, now
from services.identity import store
from services.identity.accounts import check_appointable, check_email, check_outranks, enter_user
from services.identity.mail import Mailer
from services.identity.models import InvitationRow
from services.identity.tokens import new_secret, secret_hash

_DEFAULT_SECONDS = 7 * 86_400
_MAX_SECONDS = 90 * 86_400


def create_invitation(
    session: Session, caller: Principal, *, email: str, role: Role, lifetime_seconds: int
) -> tuple[Invitation, str]:
    """Invite somebody; the code is told here and never again."""
    check_appointable(role)
    check_outranks(caller, role)
    return issue_invitation(
        session, email=email, role=role, inviter_id=caller.user_id, lifetime_seconds=lifetime_seconds
    )


def issue_invitation(
    session: Session, *, email: str, role: Role = Role.USER, inviter_id: str = "", lifetime_seconds: int = 0
) -> tuple[Invitation, str]:
    """Make an invitation without asking who may."""
    check_email(email)
    if lifetime_seconds > _MAX_SECONDS:
        raise InvalidInput(Reason.FIELD_INVALID, "An invitation lasts 90 days at most.", field="lifetime_seconds")
    code = new_secret("ldi")
    created = now()
    row = InvitationRow(
        invitation_id=uuid4().hex,
        code_sha256=secret_hash(code),
        email=email.lower(),
        role=role.value,
        inviter_id=inviter_id,
        create_time=created,
        expire_time=created + timedelta(seconds=lifetime_seconds or _DEFAULT_SECONDS),
    )
    session.execute(delete(InvitationRow).where(InvitationRow.expire_time <= created))
    session.add(row)
    session.flush()
    return _invitation(row), code


def list_invitations(session: Session) -> list[Invitation]:
    """Invitations that work now, newest first."""
    found = select(InvitationRow).where(InvitationRow.expire_time > now())
    return [_invitation(row) for row in session.scalars(found.order_by(InvitationRow.create_time.desc()))]


def revoke_invitation(session: Session, caller: Principal, invitation_id: str) -> None:
    """End an invitation."""
    row = session.get(InvitationRow, invitation_id)
    if row is None or not caller.role.outranks(Role(row.role)):
        raise NotFound(Reason.RESOURCE_UNKNOWN, f"There is no invitation {invitation_id}.", resource=invitation_id)
    session.delete(row)


def register(session: Session, *, code: str, name: str, email: str) -> User:
    """Make the account that an invitation is for; it works once."""
    row = session.scalar(
        select(InvitationRow)
        .where(InvitationRow.code_sha256 == secret_hash(code), InvitationRow.expire_time > now())
        .with_for_update()
    )
    if row is None or (row.email and email and email.lower() != row.email):
        raise PermissionDenied(Reason.INVITATION_INVALID, "The invitation is unknown, used or ended; ask for another.")
    return accept(session, row, name=name, email=email or row.email)


def open_invitation(session: Session, email: str) -> InvitationRow | None:
    """The newest invitation for an address that works now."""
    found = select(InvitationRow).where(InvitationRow.email == email.lower(), InvitationRow.expire_time > now())
    return session.scalar(found.order_by(InvitationRow.create_time.desc()).limit(1).with_for_update())


def accept(session: Session, row: InvitationRow, *, name: str, email: str) -> User:
    """Use an invitation up."""
    user = enter_user(session, name=name, email=email, role=Role(row.role))
    session.delete(row)
    session.flush()
    return user


class MailedInvitations:
    """Invitations that the dock sends itself, to addresses of admitted domains.

    Parameters
    ----------
    database
        Where invitations are.
    domains
        Admitted domains, without "@".
    mailer
        How they are sent; None for not at all.
    """

    def __init__(self, database: Database, domains: Sequence[str], mailer: Mailer | None) -> None:
        self._database = database
        self._domains = frozenset(domain.lower() for domain in domains)
        self._mailer = mailer

    def request(self, email: str) -> None:
        """Send an invitation, if the domain is admitted and nobody has the address; tells neither.

        Raises
        ------
        FailedPrecondition
            REGISTRATION_CLOSED: the dock sends none.
        """
        if self._mailer is None or not self._domains:
            raise FailedPrecondition(
                Reason.REGISTRATION_CLOSED, "This dock takes new users by invitation; ask an admin."
            )
        if not email:
            raise InvalidInput(Reason.FIELD_INVALID, "An e-mail address is missing.", field="email")
        check_email(email)
        if not self.admits(email):
            return
        with self._database.write() as session:
            if store.has_email(session, email):
                return
            invitation, code = issue_invitation(session, email=email)
        self._mailer.send_invitation(invitation, code)

    def admits(self, email: str) -> bool:
        """Whether an address is of an admitted domain."""
        return email.rpartition("@")[2].lower() in self._domains


def _invitation(row: InvitationRow) -> Invitation:
    return Invitation(
        invitation_id=row.invitation_id,
        email=row.email,
        role=Role(row.role),
        inviter_id=row.inviter_id,
        create_time=row.create_time,
        expire_time=row.expire_time,
    )
