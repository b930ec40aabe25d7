"""Reuse: learnwares and a file of rows in, predictions out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
import shutil

import numpy as np
from numpy.typing import NDArray
from starlette.responses import FileResponse, Response

from learndock.client.values import Member, Reuser, Strategy
from learndock.errors import InvalidInput, NotFound, Reason
from learndock.learnware import Learnware
from learndock.reuse.outputs import OutputKind, as_probabilities, labels_of
from services.console.charts import Bar, bars, histogram
from services.console.predictions import Answer
from services.console.routing import Rule
from services.console.spreadsheet import csv_text
from services.console.visit import Visit

STRATEGIES = tuple(strategy for strategy in Strategy if not strategy.needs_labels)
MAX_ROW_BYTES = 64 * 2**20
_PREVIEW = 20
_MOST_MEMBERS = 16
_READY_SECONDS = 600.0


@dataclass(frozen=True)
class Shown:
    """Predictions as the page shows them.

    Attributes
    ----------
    header, rows
        The table's first rows, and its columns' names.
    count
        Of all rows.
    bars
        How often each class was predicted, or how the numbers spread.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[object]]
    count: int
    bars: tuple[Bar, ...]


def page(visit: Visit) -> Response:
    """What is to be reused, and the form for the rows."""
    members = _members(visit.request.query_params.getlist("member"))
    learnwares = [visit.dock.get(member.learnware_id) for member in members]
    return visit.page(
        "reuse.html",
        members=list(zip(members, learnwares, strict=True)),
        strategies=STRATEGIES,
        nav="find",
    )


def begin(visit: Visit) -> Response:
    """Take the rows and start."""
    members = _members(visit.fields("member"))
    if not members:
        raise InvalidInput(Reason.FIELD_INVALID, "No learnware was chosen.", field="member")
    word = visit.field("strategy")
    strategy = Strategy(word) if word in STRATEGIES else None
    learnware = visit.dock.get(members[0].learnware_id)
    rows = _rows(visit, learnware)
    act = _act(visit, members, strategy, rows)
    work_id = visit.site.predictions.begin(visit.user.user_id, Path(visit.file("rows").filename or "").name, act)
    return visit.redirect(f"/reuse/{work_id}")


def outcome(visit: Visit) -> Response:
    """How far it is, or what came of it."""
    work = visit.site.predictions.find(visit.user.user_id, visit.part("work"))
    template = "reuse_outcome.html" if visit.wants_fragment else "reuse_work.html"
    shown = _shown(work.answer) if work.answer else None
    return visit.page(template, work=work, work_id=visit.part("work"), shown=shown, nav="find")


def download(visit: Visit) -> Response:
    """All predictions as a file."""
    work = visit.site.predictions.find(visit.user.user_id, visit.part("work"))
    if work.answer is None:
        raise NotFound(Reason.RESOURCE_UNKNOWN, "There are no predictions yet.")
    folder = visit.site.desk.folder_of(visit.user.user_id, work.answer.desk_id)
    return FileResponse(folder / "predictions.csv", media_type="text/csv", filename="predictions.csv")


def _members(told: Sequence[str]) -> tuple[Member, ...]:
    """Members of ``id:version:weight``.

    Raises
    ------
    InvalidInput
        One is written otherwise.
    """
    try:
        parts = [each.split(":") for each in told[:_MOST_MEMBERS]]
        return tuple(Member(name, int(version or 0), float(weight or 1)) for name, version, weight in parts)
    except ValueError as error:
        raise InvalidInput(Reason.FIELD_INVALID, "A member is told as id:version:weight.", field="member") from error


def _rows(visit: Visit, learnware: Learnware) -> NDArray[np.generic]:
    given = visit.file("rows")
    if (given.size or 0) > MAX_ROW_BYTES:
        raise InvalidInput(Reason.FIELD_INVALID, "A file of rows has at most 64 MiB here.", field="rows")
    desk, owner = visit.site.desk, visit.user.user_id
    desk_id = desk.new(owner)
    # Rows are read at once and taken away again: nothing of them stays.
    try:
        path = desk.folder_of(owner, desk_id) / f"rows{Path(given.filename or '').suffix.lower()}"
        with path.open("wb") as file:
            shutil.copyfileobj(given.file, file)
        return _read(path, texts=learnware.semantic_specification.data == "Text")
    finally:
        desk.clear(owner, desk_id)


def _read(path: Path, *, texts: bool) -> NDArray[np.generic]:
    if texts:
        from learndock.encoders.texts import Texts

        return np.array(Texts.of(path).values, dtype=object)
    from learndock.rkme.tables import read_rows

    return read_rows(path)[0]


def _act(
    visit: Visit, members: tuple[Member, ...], strategy: Strategy | None, rows: NDArray[np.generic]
) -> Callable[[Callable[[Reuser], None]], Answer]:
    site, token, owner = visit.site, visit.session.token, visit.user.user_id

    def act(progress: Callable[[Reuser], None]) -> Answer:
        with site.connect(token) as dock:
            semantic = dock.get(members[0].learnware_id).semantic_specification
            with dock.reuse(members, strategy=strategy, timeout=_READY_SECONDS, progress=progress) as reuser:
                prediction = reuser.answer(rows) if strategy else reuser.adapt(rows)
                desk_id = site.desk.new(owner)
                answer = Answer(prediction, reuser.reuser, semantic, desk_id)
        folder = site.desk.folder_of(owner, desk_id)
        (folder / "predictions.csv").write_text(csv_text(*_table(answer)), encoding="utf-8")
        return answer

    return act


def _shown(answer: Answer) -> Shown:
    header, rows = _table(answer)
    return Shown(header, rows[:_PREVIEW], len(rows), _bars(answer))


def _table(answer: Answer) -> tuple[list[str], list[list[object]]]:
    """Column names, and a line per row: its number, then label and class and probabilities, or the numbers."""
    outputs, kind = np.asarray(answer.prediction.outputs), answer.prediction.kind
    if kind is OutputKind.VALUES:
        numbers = outputs.reshape(len(outputs), -1)
        header = ["row", *(_output_name(answer, k) for k in range(numbers.shape[1]))]
        return header, [[i, *map(float, line)] for i, line in enumerate(numbers)]
    labels = _labels(answer)
    names = [_class_name(answer, int(label)) for label in labels]
    if kind is OutputKind.LABELS:
        return ["row", "label", "class"], [[i, int(labels[i]), names[i]] for i in range(len(labels))]
    probabilities = as_probabilities(outputs)
    header = ["row", "label", "class", *(f"p{k}" for k in range(probabilities.shape[1]))]
    return header, [
        [i, int(labels[i]), names[i], *(round(float(p), 6) for p in line)] for i, line in enumerate(probabilities)
    ]


def _bars(answer: Answer) -> tuple[Bar, ...]:
    if answer.prediction.kind is OutputKind.VALUES:
        return histogram(np.asarray(answer.prediction.outputs, dtype=np.float64).reshape(-1))
    counted: Mapping[int, int] = Counter(int(label) for label in _labels(answer))
    return bars({_class_name(answer, label): float(counted[label]) for label in sorted(counted)})


def _labels(answer: Answer) -> NDArray[np.int64]:
    outputs = np.asarray(answer.prediction.outputs)
    if answer.prediction.kind is OutputKind.LABELS:
        return outputs.reshape(-1).astype(np.int64)
    return labels_of(as_probabilities(outputs))


def _class_name(answer: Answer, label: int) -> str:
    space = answer.semantic.output
    return (space.descriptions.get(label, "") if space else "") or str(label)


def _output_name(answer: Answer, position: int) -> str:
    space = answer.semantic.output
    return (space.descriptions.get(position, "") if space else "") or f"output {position}"


RULES = (
    Rule("GET", "/reuse", page),
    Rule("POST", "/reuse", begin),
    Rule("GET", "/reuse/{work}", outcome),
    Rule("GET", "/reuse/{work}/predictions.csv", download),
)
