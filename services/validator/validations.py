"""Validations as callers may ask for, see, watch and stop them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from sqlalchemy.orm import Session

from learndock.account import Principal, Role
from learndock.errors import FailedPrecondition, InvalidInput, NotFound, PermissionDenied, Reason
from learndock.examination.report import ValidationState
from learndock.serving import caller
from learndock.serving.changes import Changes
from learndock.serving.paging import PageTokens, page_size
from learndock.serving.sql import Database
from services.validator import queue, store
from services.validator.catalogue import CallersCatalogue, Catalogue, subject_of
from services.validator.models import ValidationRow
from services.validator.record import Validation

_POLL_SECONDS = 1.0

_Answer = TypeVar("_Answer")


class Validations:
    """The validations of a dock.

    Parameters
    ----------
    database
        Where they are.
    catalogue, callers_catalogue
        Storage, with this service's rights and with those of the caller.
    changes
        Tells when one has changed.
    pages
        Signs page tokens.
    """

    def __init__(
        self,
        database: Database,
        catalogue: Catalogue,
        callers_catalogue: CallersCatalogue,
        changes: Changes,
        pages: PageTokens,
    ) -> None:
        self._database = database
        self._catalogue = catalogue
        self._callers_catalogue = callers_catalogue
        self._changes = changes
        self._pages = pages

    def create(
        self,
        principal: Principal,
        learnware_id: str,
        version: int,
        answer: Callable[[Session, Callable[[], Validation]], _Answer],
    ) -> _Answer:
        """Queue a validation of a version, 0 for the newest; one that is under way serves as well.

        Parameters
        ----------
        principal
            Who asks: the owner, or an admin.
        learnware_id, version
            Of what.
        answer
            Makes the answer in the transaction; calls its second argument unless it was answered before.
        """
        learnware = self._callers_catalogue.learnware(learnware_id)
        if not principal.may_change(learnware.owner_id):
            raise PermissionDenied(
                Reason.NOT_OWNER, "Only the owner or an admin may ask for a validation.", resource=learnware_id
            )
        subject = subject_of(learnware, self._catalogue.version(learnware_id, version))
        with self._database.write() as session:
            made = answer(session, lambda: queue.enqueue(session, subject))
        self._changes.tell()
        return made

    def get(self, principal: Principal, validation_id: str) -> Validation:
        """One validation that the caller may see."""
        with self._database.read() as session:
            return store.validation_of(_visible(principal, store.row_of(session, validation_id), validation_id))

    def page(
        self, principal: Principal, *, learnware_id: str, state: ValidationState | None, size: int, token: str
    ) -> tuple[list[Validation], str]:
        """A page of the validations that the caller may see, newest first, and the token of the next one."""
        query = f"{principal.user_id}\n{learnware_id}\n{state}"
        position = self._pages.decode(query, token)
        size = page_size(size)
        with self._database.read() as session:
            rows = store.list_rows(
                session,
                owner_id=None if _sees_all(principal) else principal.user_id,
                learnware_id=learnware_id,
                state=state,
                before=int(position) if position else None,
                size=size + 1,
            )
            validations = [store.validation_of(row) for row in rows[:size]]
        return validations, self._pages.encode(query, str(rows[size - 1].number)) if len(rows) > size else ""

    def cancel(self, principal: Principal, validation_id: str) -> Validation:
        """Stop a validation.

        Raises
        ------
        FailedPrecondition
            VALIDATION_ENDED.
        """
        with self._database.write() as session:
            row = _visible(principal, store.row_of(session, validation_id), validation_id)
            if not principal.may_change(row.owner_id):
                raise PermissionDenied(Reason.NOT_OWNER, "Only the owner or an admin may stop it.")
            if ValidationState(row.state).ended:
                raise FailedPrecondition(
                    Reason.VALIDATION_ENDED, f"The validation has ended: {row.state}.", resource=validation_id
                )
            queue.cancel_all(session, [row], f"Cancelled by {principal.name}.")
            cancelled = store.validation_of(row)
        self._changes.tell()
        return cancelled

    def watch(
        self, principal: Principal, *, validation_id: str, learnware_id: str, version: int
    ) -> Iterator[Validation]:
        """A validation as it is, and then whenever it changes, to its end.

        By learnware and version (0 for the newest) it waits until there is a validation.
        """
        if validation_id:
            yield from self._follow(
                lambda session: _visible(principal, store.row_of(session, validation_id), validation_id)
            )
            return
        if not learnware_id:
            raise InvalidInput(Reason.FIELD_INVALID, "Name a validation or a learnware.", field="validation_id")
        learnware = self._callers_catalogue.learnware(learnware_id)
        if not _may_see(principal, learnware.owner_id):
            raise _unknown(learnware_id)
        number = self._catalogue.version(learnware_id, version).version
        yield from self._follow(lambda session: store.newest_row(session, learnware_id, number))

    def _follow(self, find: Callable[[Session], ValidationRow | None]) -> Iterator[Validation]:
        told: tuple[str, int] | None = None
        while True:
            caller.check_active()
            seen = self._changes.count
            with self._database.read() as session:
                row = find(session)
                validation = store.validation_of(row) if row is not None else None
            if validation is not None and (validation.validation_id, validation.revision) != told:
                told = (validation.validation_id, validation.revision)
                yield validation
                if validation.state.ended:
                    return
            self._changes.wait(seen, _POLL_SECONDS)


def _sees_all(principal: Principal) -> bool:
    return principal.role.administers or principal.role is Role.SERVICE


def _may_see(principal: Principal, owner_id: str) -> bool:
    return _sees_all(principal) or principal.may_change(owner_id)


def _visible(principal: Principal, row: ValidationRow | None, validation_id: str) -> ValidationRow:
    if row is None or not _may_see(principal, row.owner_id):
        raise NotFound(Reason.RESOURCE_UNKNOWN, f"There is no validation {validation_id}.", resource=validation_id)
    return row


def _unknown(learnware_id: str) -> NotFound:
    return NotFound(
        Reason.RESOURCE_UNKNOWN, f"There is no validation of {learnware_id} that you may see.", resource=learnware_id
    )
