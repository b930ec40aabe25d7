"""Accounts of people whom an outside issuer vouches for."""

from __future__ import annotations

from datetime import datetime
import re
from typing import NoReturn

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from learndock.account import Role, User
from learndock.errors import PermissionDenied, Reason
from learndock.serving.sql import Database, now
from services.identity import store
from services.identity.accounts import enter_user, get_user
from services.identity.invitations import MailedInvitations, accept, open_invitation
from services.identity.models import ExternalIdentityRow
from services.identity.web_tokens import Claims


class ExternalAccounts:
    """Finds the account of whoever a web token names, and makes it where one of three rules admits them.

    These are: the issuer's word is enough, the verified address is of an admitted domain, or there is an invitation
    for it. An account that exists is never taken over by an address alone.
    """

    def __init__(self, database: Database, admitted: MailedInvitations) -> None:
        self._database = database
        self._admitted = admitted

    def account_of(self, claims: Claims) -> tuple[User, datetime | None]:
        """Account, and when it was last used this way.

        Raises
        ------
        PermissionDenied
            REGISTRATION_CLOSED: there is none, and no rule admits one.
        """
        with self._database.read() as session:
            known = _find(session, claims)
        if known is not None:
            return known
        try:
            with self._database.write() as session:
                return _find(session, claims) or (self._enter(session, claims), None)
        except IntegrityError:  # another replica was quicker
            with self._database.read() as session:
                return _find(session, claims) or _refuse()

    def note_use(self, claims: Claims) -> None:
        """Note that the account is used."""
        with self._database.write() as session:
            session.get_one(ExternalIdentityRow, (claims.issuer, claims.subject)).last_use_time = now()

    def _enter(self, session: Session, claims: Claims) -> User:
        name = _free_name(session, claims)
        invitation = open_invitation(session, claims.email) if claims.email else None
        if invitation is not None:
            user = accept(session, invitation, name=name, email=claims.email)
        elif claims.register_all or (claims.email and self._admitted.admits(claims.email)):
            user = enter_user(session, name=name, email=claims.email, role=Role.USER)
        else:
            _refuse()
        session.add(ExternalIdentityRow(issuer=claims.issuer, subject=claims.subject, user_id=user.user_id))
        session.flush()
        return user


def _find(session: Session, claims: Claims) -> tuple[User, datetime | None] | None:
    row = session.get(ExternalIdentityRow, (claims.issuer, claims.subject))
    return None if row is None else (get_user(session, row.user_id), row.last_use_time)


def _refuse() -> NoReturn:
    raise PermissionDenied(
        Reason.REGISTRATION_CLOSED, "You are known to the issuer but have no account here; ask an admin."
    )


def _free_name(session: Session, claims: Claims) -> str:
    wanted = claims.name or claims.email.partition("@")[0] or claims.subject
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", wanted).strip("-")[:56] or "user"
    name = name if len(name) >= 2 else f"{name}-user"
    number = 1
    free = name
    while store.find_user(session, free) is not None:
        number += 1
        free = f"{name}-{number}"
    return free
