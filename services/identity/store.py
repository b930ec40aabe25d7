"""Accounts and tokens in SQL: rows to values and back, no rules."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, or_, select, text
from sqlalchemy.orm import Session

from learndock.account import Role, Scope, Token, User
from learndock.serving.sql import now
from services.identity.models import TokenRow, UserRow


def keep_others_from_adding(session: Session) -> None:
    """Let no other transaction add accounts before this one ends; on SQLite a writer is alone anyway."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE"))


def add_user(session: Session, user: User) -> None:
    """Insert an account."""
    session.add(
        UserRow(
            user_id=user.user_id,
            name=user.name,
            email=user.email,
            role=user.role.value,
            disabled=user.disabled,
            create_time=user.create_time,
        )
    )
    session.flush()


def find_user(session: Session, id_or_name: str) -> User | None:
    """Account by id, or else by name."""
    rows = session.scalars(select(UserRow).where(or_(UserRow.user_id == id_or_name, UserRow.name == id_or_name))).all()
    rows_by_id = sorted(rows, key=lambda row: row.user_id != id_or_name)
    return _user(rows_by_id[0]) if rows_by_id else None


def update_user(session: Session, user: User) -> None:
    """Store an account's new values."""
    row = session.scalars(select(UserRow).where(UserRow.user_id == user.user_id)).one()
    row.email, row.role, row.disabled = user.email, user.role.value, user.disabled
    session.flush()


def has_email(session: Session, email: str) -> bool:
    """Whether an account has an address."""
    found = select(UserRow.number).where(func.lower(UserRow.email) == email.lower()).limit(1)
    return session.scalar(found) is not None


def has_superadmin(session: Session) -> bool:
    """Whether anybody is left who can appoint admins."""
    found = select(UserRow.number).where(UserRow.role == Role.SUPERADMIN.value, UserRow.disabled.is_(False)).limit(1)
    return session.scalar(found) is not None


def list_users(session: Session, *, text: str, after: int, size: int) -> list[tuple[int, User]]:
    """Accounts in order of creation, each with the number to go on from."""
    query = select(UserRow).where(UserRow.number > after).order_by(UserRow.number).limit(size)
    if text:
        query = query.where(
            or_(UserRow.name.icontains(text, autoescape=True), UserRow.email.icontains(text, autoescape=True))
        )
    return [(row.number, _user(row)) for row in session.scalars(query)]


def add_token(session: Session, token: Token, secret_sha256: str) -> None:
    """Insert a token."""
    session.add(
        TokenRow(
            token_id=token.token_id,
            user_id=token.user_id,
            secret_sha256=secret_sha256,
            label=token.label,
            create_time=token.create_time,
            expire_time=token.expire_time,
            revoke_time=token.revoke_time,
            scopes=",".join(sorted(token.scopes)),
        )
    )
    session.flush()


def find_token(session: Session, token_id: str) -> Token | None:
    """Token by id."""
    row = session.get(TokenRow, token_id)
    return _token(row) if row else None


def find_token_by_hash(session: Session, secret_sha256: str) -> Token | None:
    """Token by the hash of its secret."""
    row = session.scalar(select(TokenRow).where(TokenRow.secret_sha256 == secret_sha256))
    return _token(row) if row else None


def tokens_of(session: Session, user_id: str) -> list[Token]:
    """Tokens of a user, newest first."""
    query = select(TokenRow).where(TokenRow.user_id == user_id)
    return [_token(row) for row in session.scalars(query.order_by(TokenRow.create_time.desc(), TokenRow.token_id))]


def revoke_token(session: Session, token_id: str) -> Token:
    """End a token, if it has not ended before."""
    row = session.get_one(TokenRow, token_id)
    row.revoke_time = row.revoke_time or now()
    session.flush()
    return _token(row)


def mark_token_used(session: Session, token_id: str, when: datetime) -> None:
    """Note the use of a token."""
    session.get_one(TokenRow, token_id).last_use_time = when


def count_users(session: Session) -> dict[str, int]:
    """Numbers for the summary."""
    admins = UserRow.role.in_((Role.ADMIN.value, Role.SUPERADMIN.value))
    works = TokenRow.revoke_time.is_(None) & (TokenRow.expire_time.is_(None) | (TokenRow.expire_time > now()))
    return {
        "users": session.scalar(select(func.count()).select_from(UserRow)) or 0,
        "disabled": session.scalar(select(func.count()).select_from(UserRow).where(UserRow.disabled)) or 0,
        "admins": session.scalar(select(func.count()).select_from(UserRow).where(admins)) or 0,
        "active_tokens": session.scalar(select(func.count()).select_from(TokenRow).where(works)) or 0,
    }


def _user(row: UserRow) -> User:
    return User(
        user_id=row.user_id,
        name=row.name,
        role=Role(row.role),
        create_time=row.create_time,
        email=row.email,
        disabled=row.disabled,
    )


def _token(row: TokenRow) -> Token:
    return Token(
        token_id=row.token_id,
        user_id=row.user_id,
        label=row.label,
        create_time=row.create_time,
        expire_time=row.expire_time,
        revoke_time=row.revoke_time,
        scopes=frozenset(map(Scope, filter(None, row.scopes.split(",")))),
        last_use_time=row.last_use_time,
    )
