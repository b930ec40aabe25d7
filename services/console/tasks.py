"""The visitor's task: a specification file that they gave, kept on the desk while they search."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
import shutil

from learndock.client import specifying
from learndock.errors import InvalidInput, Reason
from learndock.rkme.private import PrivateSpecification
from learndock.rkme.specification import Specification
from services.console.visit import Visit

MAX_TASK_BYTES = 32 * 2**20
_FILE, _NAME = "task.json", "name"


@dataclass(frozen=True)
class Task:
    """What is searched with.

    Attributes
    ----------
    task_id
        Where it lies on the desk.
    name
        Name of the file as the visitor had it.
    specification
        Its content.
    """

    task_id: str
    name: str
    specification: Specification | PrivateSpecification

    @property
    def atoms(self) -> Specification | None:
        """The specification if it has atoms; None for a private one."""
        return self.specification if isinstance(self.specification, Specification) else None


def receive(visit: Visit) -> Task:
    """Keep the specification file of a form.

    Raises
    ------
    InvalidInput
        The file is too long, or no specification.
    """
    given = visit.file("file")
    if (given.size or 0) > MAX_TASK_BYTES:
        raise InvalidInput(Reason.FIELD_INVALID, "A specification file has at most 32 MiB.", field="file")
    desk, owner = visit.site.desk, visit.user.user_id
    task_id = desk.new(owner)
    folder = desk.folder_of(owner, task_id)
    with (folder / _FILE).open("wb") as kept:
        shutil.copyfileobj(given.file, kept)
    (folder / _NAME).write_text(Path(given.filename or "").name[:100], encoding="utf-8")
    try:
        return _read(folder, task_id)
    except InvalidInput:
        desk.clear(owner, task_id)
        raise


def find(visit: Visit, task_id: str) -> Task | None:
    """The task of an id; None for an empty one.

    Raises
    ------
    NotFound
        It is no longer kept.
    """
    if not task_id:
        return None
    return _read(visit.site.desk.folder_of(visit.user.user_id, task_id), task_id)


def _read(folder: Path, task_id: str) -> Task:
    name = (folder / _NAME).read_text(encoding="utf-8")
    return Task(task_id, name, specifying.load_task(folder / _FILE))
