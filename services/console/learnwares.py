"""The page of one learnware, what its owner may do to it, and the list of all."""

from __future__ import annotations

from collections.abc import Iterator

from starlette.responses import Response, StreamingResponse

from learndock.account import Principal
from learndock.client.values import Validation
from learndock.errors import LearndockError, NotFound, Reason
from learndock.learnware import Learnware, LearnwareVersion, Visibility
from learndock.rkme.specification import Specification
from services.console import listing, semantic_form
from services.console.charts import scatter
from services.console.listing import Selection
from services.console.live import validation_events
from services.console.routing import Rule
from services.console.site import Site
from services.console.visit import Visit


def all_of_them(visit: Visit) -> Response:
    """Everything that the visitor may see."""
    selection = Selection.asked(visit)
    found = listing.learnwares(visit, selection)
    return visit.page("learnwares.html", selection=selection, found=found, choices=listing.CHOICES, nav="learnwares")


def page(visit: Visit) -> Response:
    """A learnware."""
    learnware = visit.dock.get(visit.part("id"))
    versions = visit.dock.versions(learnware.learnware_id)
    shown = _shown(learnware, versions, visit.query("version"))
    return visit.page(
        "learnware.html",
        learnware=learnware,
        versions=versions,
        shown=shown,
        validation=_validation(visit, shown),
        specification=_specification(visit, shown),
        may_change=may_change(visit, learnware),
        nav="learnwares",
    )


def events(visit: Visit) -> Response:
    """The validation report as it grows, for as long as somebody looks."""
    return validation_events(visit, visit.part("id"), int(visit.part("version")))


def plot(visit: Visit) -> Response:
    """The atoms of a version in two dimensions."""
    specification = visit.dock.specification(visit.part("id"), int(visit.part("version")))
    return visit.page("scatter.html", scatter=scatter(specification), names=("learnware",))


def package(visit: Visit) -> Response:
    """The package's bytes, as a file to keep."""
    learnware_id, version = visit.part("id"), int(visit.part("version"))
    known = _version_of(visit.dock.versions(learnware_id), version)
    headers = {
        "content-disposition": f'attachment; filename="{known.learnware_id}-v{known.version}.zip"',
        "content-length": str(known.size_bytes),
    }
    pieces = _pieces(visit.site, visit.session.token, known)
    return StreamingResponse(pieces, media_type="application/zip", headers=headers)


def edit(visit: Visit) -> Response:
    """The form that changes what a learnware is said to be for."""
    learnware = visit.dock.get(visit.part("id"))
    filled = semantic_form.filled(learnware.semantic_specification)
    return visit.page("learnware_edit.html", learnware=learnware, form=filled, faults={}, nav="learnwares")


def save(visit: Visit) -> Response:
    """Take that form; only if nobody changed the learnware since it was shown."""
    learnware_id = visit.part("id")
    semantic = semantic_form.semantic_of(visit)
    faults = semantic_form.faults(semantic)
    if faults:
        learnware = visit.dock.get(learnware_id)
        filled = semantic_form.filled(semantic)
        return visit.page(
            "learnware_edit.html", code=422, learnware=learnware, form=filled, faults=faults, nav="learnwares"
        )
    visit.dock.update(learnware_id, semantic=semantic, etag=visit.field("etag"))
    return visit.redirect(_address(learnware_id), done="saved")


def show_or_hide(visit: Visit) -> Response:
    """Change who may see it."""
    word = visit.field("visibility")
    visibility = Visibility.PRIVATE if word == Visibility.PRIVATE else Visibility.PUBLIC
    visit.dock.update(visit.part("id"), visibility=visibility)
    return visit.redirect(_address(visit.part("id")), done="saved")


def delete(visit: Visit) -> Response:
    """Hide it from everybody, for a while."""
    visit.dock.delete(visit.part("id"))
    return visit.redirect("/mine", done="deleted")


def restore(visit: Visit) -> Response:
    """Bring it back."""
    visit.dock.undelete(visit.part("id"))
    return visit.redirect(_address(visit.part("id")), done="restored")


def validate_again(visit: Visit) -> Response:
    """Have a version validated once more."""
    visit.dock.pages.validate(visit.part("id"), int(visit.part("version")))
    return visit.redirect(f"{_address(visit.part('id'))}?version={visit.part('version')}", done="queued")


def may_change(visit: Visit, learnware: Learnware) -> bool:
    """Whether to offer the owner's actions; the dock itself decides when they are used."""
    user = visit.user
    return Principal(user.user_id, user.name, user.role).may_change(learnware.owner_id)


def _address(learnware_id: str) -> str:
    return f"/learnwares/{learnware_id}"


def _shown(learnware: Learnware, versions: tuple[LearnwareVersion, ...], asked: str) -> LearnwareVersion:
    if asked.isdecimal():
        return _version_of(versions, int(asked))
    return learnware.current_version


def _version_of(versions: tuple[LearnwareVersion, ...], number: int) -> LearnwareVersion:
    for version in versions:
        if version.version == number:
            return version
    raise NotFound(Reason.RESOURCE_UNKNOWN, f"There is no version {number}, or none that you may see.")


def _validation(visit: Visit, version: LearnwareVersion) -> Validation | None:
    """Its newest validation; None where there is none that the visitor may see."""
    try:
        return visit.dock.validation(version.learnware_id, version.version)
    except LearndockError:
        return None


def _specification(visit: Visit, version: LearnwareVersion) -> Specification | None:
    try:
        return visit.dock.specification(version.learnware_id, version.version)
    except NotFound:
        return None


def _pieces(site: Site, token: str, version: LearnwareVersion) -> Iterator[bytes]:
    with site.connect(token) as dock:
        yield from dock.pages.package(version.learnware_id, version.version)


RULES = (
    Rule("GET", "/learnwares", all_of_them),
    Rule("GET", "/learnwares/{id}", page),
    Rule("GET", "/learnwares/{id}/edit", edit),
    Rule("POST", "/learnwares/{id}/edit", save),
    Rule("POST", "/learnwares/{id}/visibility", show_or_hide),
    Rule("POST", "/learnwares/{id}/delete", delete),
    Rule("POST", "/learnwares/{id}/restore", restore),
    Rule("GET", "/learnwares/{id}/{version:int}/events", events),
    Rule("GET", "/learnwares/{id}/{version:int}/plot", plot),
    Rule("GET", "/learnwares/{id}/{version:int}/package", package),
    Rule("POST", "/learnwares/{id}/{version:int}/validate", validate_again),
)
