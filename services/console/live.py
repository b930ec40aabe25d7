"""Server-sent events: a validation as it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
import time

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from learndock.client.dock import Dock
from learndock.client.values import Validation
from learndock.errors import LearndockError, NotFound
from services.console.visit import Visit

_PAUSE_SECONDS = 0.5
# A browser connects again by itself.
_LONGEST_SECONDS = 600.0


def validation_events(visit: Visit, learnware_id: str, version: int) -> Response:
    """The report of a version whenever it changes, then the event "end"."""
    template = visit.site.templates.get_template("validation.html")
    words = visit.words
    dock = visit.site.connect(visit.session.token)

    def drawn(validation: Validation) -> str:
        return template.render(t=words, validation=validation)

    async def stream() -> AsyncIterator[str]:
        shown, end = "", time.monotonic() + _LONGEST_SECONDS
        try:
            while time.monotonic() < end:
                validation = await run_in_threadpool(_latest, dock, learnware_id, version)
                html = drawn(validation) if validation else ""
                if html and html != shown:
                    shown = html
                    yield _event("report", html)
                if validation and validation.state.ended:
                    break
                await asyncio.sleep(_PAUSE_SECONDS)
            yield _event("end", "")
        except LearndockError:  # the page tells why when it is loaded anew
            yield _event("end", "")
        finally:
            dock.close()

    return StreamingResponse(stream(), media_type="text/event-stream")


def _latest(dock: Dock, learnware_id: str, version: int) -> Validation | None:
    try:
        return dock.validation(learnware_id, version)
    except NotFound:  # not made yet
        return None


def _event(name: str, data: str) -> str:
    lines = "\n".join(f"data: {line}" for line in data.splitlines() or [""])
    return f"event: {name}\n{lines}\n\n"
