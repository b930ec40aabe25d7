"""Admin: the dock at a glance, learnwares of all states, validations, islands and the index."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.responses import Response

from learndock.errors import PermissionDenied, Reason
from learndock.examination.report import ValidationState
from services.console import listing
from services.console.activity import activity, searches_by_day
from services.console.charts import bars
from services.console.listing import Selection
from services.console.routing import Handler, Rule
from services.console.visit import Visit

_MOST_TEXT = 100


def for_admins(handler: Handler) -> Handler:
    """The handler behind a check, for pages whose data the dock shows in part to everybody."""

    def checked(visit: Visit) -> Response:
        if not visit.user.role.administers:
            raise PermissionDenied(Reason.ROLE_TOO_LOW, "This page is for admins.")
        return handler(visit)

    return checked


def summary(visit: Visit) -> Response:
    """Numbers and charts."""
    numbers = visit.dock.summary()
    charts = {
        "state": bars(numbers.by_state),
        "task": bars(numbers.by_task),
        "data": bars(numbers.by_data),
        "library": bars(numbers.by_library),
    }
    counts = visit.dock.pages.index_status().searches
    return visit.page(
        "admin.html",
        numbers=numbers,
        charts=charts,
        activity=activity(visit.dock),
        counts=counts,
        searches=searches_by_day(counts) if counts else {},
        nav="admin",
    )


def learnwares(visit: Visit) -> Response:
    """Everybody's learnwares, in every state."""
    selection = Selection.asked(visit, owner=visit.query("owner"), deleted=True)
    found = listing.learnwares(visit, selection)
    return visit.page("admin_learnwares.html", selection=selection, found=found, choices=listing.CHOICES, nav="admin")


def validations(visit: Visit) -> Response:
    """Validations of all users, newest first."""
    state = visit.query("state")
    chosen = ValidationState(state) if state in ValidationState.__members__ else None
    found = visit.dock.pages.validations(state=chosen, token=visit.query("page"))
    onward = f"/admin/validations?{urlencode({'state': chosen or '', 'page': found.next_token})}"
    return visit.page(
        "admin_validations.html", found=found, chosen=chosen, states=tuple(ValidationState), onward=onward, nav="admin"
    )


def retry(visit: Visit) -> Response:
    """Validate a version again."""
    visit.dock.pages.validate(visit.part("id"), int(visit.part("version")))
    return visit.redirect("/admin/validations", done="queued")


def cancel(visit: Visit) -> Response:
    """Stop a validation."""
    visit.dock.pages.cancel_validation(visit.part("validation"))
    return visit.redirect("/admin/validations", done="cancelled")


def islands(visit: Visit) -> Response:
    """Islands, and how far the index is."""
    pages = visit.dock.pages
    return visit.page("admin_islands.html", islands=pages.islands(), index=pages.index_status(), nav="admin")


def refit(visit: Visit) -> Response:
    """Make the index anew, its profiles with it."""
    visit.dock.pages.rebuild_index()
    return visit.redirect("/admin/islands", done="refitted")


def audit(visit: Visit) -> Response:
    """Who changed what, and who signed in, newest first."""
    asked = {name: visit.query(name).strip()[:_MOST_TEXT] for name in ("user", "action", "resource")}
    found = visit.dock.pages.audit_entries(
        user=asked["user"], action=asked["action"], resource=asked["resource"], token=visit.query("page")
    )
    onward = f"/admin/audit?{urlencode({**asked, 'page': found.next_token})}"
    first = f"/admin/audit?{urlencode(asked)}"
    return visit.page("admin_audit.html", found=found, asked=asked, onward=onward, first=first, nav="admin")


RULES = (
    Rule("GET", "/admin", for_admins(summary)),
    Rule("GET", "/admin/learnwares", for_admins(learnwares)),
    Rule("GET", "/admin/validations", for_admins(validations)),
    Rule("POST", "/admin/validations/{id}/{version:int}/retry", for_admins(retry)),
    Rule("POST", "/admin/validations/{validation}/cancel", for_admins(cancel)),
    Rule("GET", "/admin/islands", for_admins(islands)),
    Rule("POST", "/admin/islands/refit", for_admins(refit)),
    Rule("GET", "/admin/audit", for_admins(audit)),
)
