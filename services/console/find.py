"""Find: words, tags and a specification in, singles and a mixture out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.responses import Response

from learndock.client.result import SearchResult
from learndock.client.values import Member, Mixture, Single
from learndock.errors import InvalidInput, NotFound, Reason
from learndock.learnware import VOCABULARY, FormatClass, SemanticFilter
from services.console import tasks
from services.console.charts import scatter
from services.console.routing import Rule
from services.console.tasks import Task
from services.console.visit import Visit

FILTERS: Mapping[str, tuple[str, ...]] = {
    "data": VOCABULARY["Data"],
    "tasks": VOCABULARY["Task"],
    "libraries": VOCABULARY["Library"],
    "scenarios": VOCABULARY["Scenario"],
    "licenses": VOCABULARY["License"],
    "format_classes": tuple(FormatClass),
}
"""Words to choose from, by the filter's field."""

_TOP, _MOST_TEXT = 20, 200


@dataclass(frozen=True)
class Query:
    """What a visitor looks for.

    Attributes
    ----------
    text
        Words.
    chosen
        Tags by the filter's field.
    task
        Their specification, if they gave one.
    """

    text: str
    chosen: Mapping[str, tuple[str, ...]]
    task: Task | None

    @property
    def address(self) -> str:
        """The page that shows this search; it is shared without the task, which is the visitor's."""
        pairs = [("text", self.text)] if self.text else []
        pairs += [(name, word) for name, words in self.chosen.items() for word in words]
        return f"/find?{urlencode(pairs)}" if pairs else "/find"

    @property
    def filter(self) -> SemanticFilter:
        """The tags as the dock takes them."""
        formats = tuple(FormatClass(word) for word in self.chosen["format_classes"])
        return SemanticFilter(**{**self.chosen, "format_classes": formats})  # type: ignore[arg-type]


def page(visit: Visit) -> Response:
    """The whole page; without JavaScript, too, it shows the results."""
    try:
        query = _query(visit)
    except NotFound:  # the task was cleared away: the words still stand
        query = _query_of(visit, None)
    return visit.page("find.html", query=query, filters=FILTERS, result=_search(visit, query), nav="find")


def results(visit: Visit) -> Response:
    """The results alone, for the page that is there."""
    query = _query(visit)
    response = visit.page("find_results.html", query=query, result=_search(visit, query))
    response.headers["HX-Replace-Url"] = query.address
    return response


def give_task(visit: Visit) -> Response:
    """Take a specification file."""
    task = tasks.receive(visit)
    if not visit.wants_fragment:
        return visit.redirect(f"/find?task={task.task_id}")
    response = visit.page("find_task.html", task=task)
    response.headers["HX-Trigger-After-Settle"] = "task-changed"
    return response


def drop_task(visit: Visit) -> Response:
    """Forget the specification file."""
    visit.site.desk.clear(visit.user.user_id, visit.field("task"))
    if not visit.wants_fragment:
        return visit.redirect("/find")
    response = visit.page("find_task.html", task=None)
    response.headers["HX-Trigger-After-Settle"] = "task-changed"
    return response


def plot(visit: Visit) -> Response:
    """The visitor's atoms and a learnware's, in two dimensions."""
    task = tasks.find(visit, visit.query("task"))
    if task is None or task.atoms is None:
        raise InvalidInput(Reason.FIELD_INVALID, "There is no task with atoms to draw.", field="task")
    found = visit.dock.specification(visit.query("learnware"))
    return visit.page("scatter.html", scatter=scatter(task.atoms, found), names=("task", "learnware"))


def reuse_address(members: tuple[Member, ...]) -> str:
    """The page that reuses learnwares."""
    return "/reuse?" + urlencode([("member", f"{one.learnware_id}:{one.version}:{one.weight:.6g}") for one in members])


def members_of_mixture(mixture: Mixture) -> tuple[Member, ...]:
    """A mixture's members, to be reused."""
    return tuple(Member(member.learnware_id, member.version, member.weight) for member in mixture.members)


def member_of(single: Single) -> tuple[Member, ...]:
    """A single, to be reused."""
    return (Member(single.learnware_id, single.version),)


def _query(visit: Visit) -> Query:
    return _query_of(visit, tasks.find(visit, visit.query("task")))


def _query_of(visit: Visit, task: Task | None) -> Query:
    given = visit.request.query_params
    chosen = {name: tuple(w for w in given.getlist(name) if w in words) for name, words in FILTERS.items()}
    return Query(visit.query("text").strip()[:_MOST_TEXT], chosen, task)


def _search(visit: Visit, query: Query) -> SearchResult:
    task = query.task.specification if query.task else None
    return visit.dock.search(task, text=query.text, filter=query.filter, top_k=_TOP)


RULES = (
    Rule("GET", "/", page),
    Rule("GET", "/find", page),
    Rule("GET", "/find/results", results),
    Rule("GET", "/find/plot", plot),
    Rule("POST", "/find/task", give_task),
    Rule("POST", "/find/task/drop", drop_task),
)
