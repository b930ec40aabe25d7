"""Submit: a package comes in pieces, is read without being run, and fills in the form by itself."""

from __future__ import annotations

from dataclasses import dataclass
import hashlib
import json
from pathlib import Path

from starlette.responses import JSONResponse, Response

from learndock.errors import InvalidInput, LearndockError, OutOfRange, Reason, ResourceExhausted
from learndock.learnware import Visibility
from learndock.package.confined import inspect_confined
from learndock.package.inspection import Inspection
from services.console import semantic_form
from services.console.routing import Rule
from services.console.visit import Visit

_FILE, _PLAN = "package.zip", "plan.json"
_CHUNK_BYTES = 4 * 2**20


@dataclass(frozen=True)
class Arrival:
    """A package on its way in.

    Attributes
    ----------
    arrival_id
        Where it lies on the desk.
    name
        Name of the file as the visitor had it.
    size_bytes
        How long it will be.
    learnware_id
        Learnware to which it is a new version; empty for a new one.
    folder
        Where its bytes are.
    """

    arrival_id: str
    name: str
    size_bytes: int
    learnware_id: str
    folder: Path

    @property
    def path(self) -> Path:
        """The bytes that have come."""
        return self.folder / _FILE

    @property
    def committed_bytes(self) -> int:
        """How many have come."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def complete(self) -> bool:
        """Whether all have."""
        return self.committed_bytes == self.size_bytes


def page(visit: Visit) -> Response:
    """The first step: choose a package."""
    learnware_id = visit.query("learnware")
    learnware = visit.dock.get(learnware_id) if learnware_id else None
    return visit.page("submit.html", learnware=learnware, nav="submit")


def begin(visit: Visit) -> Response:
    """Announce a package; the same one again goes on where it broke off."""
    name, size, learnware_id = visit.field("name")[:200], visit.field("size"), visit.field("learnware")
    if not size.isdecimal() or not 0 < len(size) < 16 or int(size) == 0:
        raise InvalidInput(Reason.FIELD_INVALID, "The size of the package is missing.", field="size")
    if int(size) > visit.site.settings.max_upload_bytes:
        limit = visit.site.settings.max_upload_bytes
        raise ResourceExhausted(Reason.PACKAGE_TOO_LARGE, f"A package has at most {limit} bytes.")
    mark = json.dumps([name, size, visit.field("modified"), learnware_id])
    arrival_id = hashlib.sha256(mark.encode()).hexdigest()[:32]
    desk, owner = visit.site.desk, visit.user.user_id
    desk.new(owner, arrival_id)
    folder = desk.folder_of(owner, arrival_id)
    (folder / _PLAN).write_text(json.dumps({"name": name, "size": int(size), "learnware": learnware_id}))
    return _told(_arrival(visit, arrival_id))


def write(visit: Visit) -> Response:
    """Take some bytes at an offset.

    Raises
    ------
    OutOfRange
        The bytes belong elsewhere; ask where to go on.
    """
    arrival = _arrival(visit, visit.part("arrival"))
    offset = visit.query("offset")
    if not offset.isdecimal() or int(offset) != arrival.committed_bytes:
        raise OutOfRange(Reason.OFFSET_MISMATCH, f"Go on at byte {arrival.committed_bytes}.")
    room = min(_CHUNK_BYTES, arrival.size_bytes - arrival.committed_bytes)
    if not 0 < len(visit.body) <= room:
        raise InvalidInput(Reason.FIELD_INVALID, f"A piece has 1 to {room} bytes here.", field="body")
    with arrival.path.open("ab") as file:
        file.write(visit.body)
    return _told(arrival)


def form(visit: Visit) -> Response:
    """The second step: what the package holds, to be looked through and completed."""
    arrival = _arrival(visit, visit.part("arrival"))
    if not arrival.complete:
        return visit.redirect("/submit")
    try:
        inspection = inspect_confined(arrival.path)
    except LearndockError as error:
        return visit.page("submit_refused.html", code=422, arrival=arrival, error=error, nav="submit")
    return _form(visit, arrival, inspection)


def finish(visit: Visit) -> Response:
    """Hand the package to the dock; its validation begins."""
    arrival = _arrival(visit, visit.part("arrival"))
    semantic = semantic_form.semantic_of(visit)
    faults = semantic_form.faults(semantic)
    private = visit.field("visibility") == Visibility.PRIVATE
    try:
        if not faults:
            learnware = visit.dock.submit(
                arrival.path,
                semantic=semantic,
                visibility=Visibility.PRIVATE if private else Visibility.PUBLIC,
                learnware_id=arrival.learnware_id or None,
            )
            newest = visit.dock.versions(learnware.learnware_id)[0].version
            visit.site.desk.clear(visit.user.user_id, arrival.arrival_id)
            return visit.redirect(f"/learnwares/{learnware.learnware_id}?version={newest}", done="submitted")
    except InvalidInput as error:
        faults = semantic_form.by_field(error)
        if not faults:
            raise
    inspection = inspect_confined(arrival.path)
    return _form(visit, arrival, inspection, filled=semantic_form.filled(semantic), faults=faults, code=422)


def drop(visit: Visit) -> Response:
    """Forget a package that was not submitted."""
    visit.site.desk.clear(visit.user.user_id, visit.part("arrival"))
    return visit.redirect("/submit")


def _form(
    visit: Visit,
    arrival: Arrival,
    inspection: Inspection,
    *,
    filled: semantic_form.FilledForm | None = None,
    faults: object = None,
    code: int = 200,
) -> Response:
    told = inspection.semantic or semantic_form.empty(Path(arrival.name).stem[:100])
    return visit.page(
        "submit_form.html",
        code=code,
        arrival=arrival,
        inspection=inspection,
        form=filled or semantic_form.filled(told),
        faults=faults or {},
        nav="submit",
    )


def _arrival(visit: Visit, arrival_id: str) -> Arrival:
    folder = visit.site.desk.folder_of(visit.user.user_id, arrival_id)
    plan = json.loads((folder / _PLAN).read_text())
    return Arrival(arrival_id, plan["name"], plan["size"], plan["learnware"], folder)


def _told(arrival: Arrival) -> Response:
    return JSONResponse({"id": arrival.arrival_id, "committed": arrival.committed_bytes, "size": arrival.size_bytes})


RULES = (
    Rule("GET", "/submit", page),
    Rule("POST", "/submit/packages", begin),
    Rule("PUT", "/submit/packages/{arrival}", write),
    Rule("GET", "/submit/{arrival}", form),
    Rule("POST", "/submit/{arrival}", finish),
    Rule("POST", "/submit/{arrival}/drop", drop),
)
