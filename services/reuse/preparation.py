"""Preparing reusers in the background: packages fetched, models loaded."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
import logging
import threading

from learndock.errors import LearndockError
from learndock.reuse.prediction import one_line
from learndock.reuse.strategy import Strategy
from learndock.serving.sql import Database
from services.reuse import store
from services.reuse.changes import Changes
from services.reuse.live import LiveReusers
from services.reuse.record import ReuserRecord, ReuserState
from services.reuse.warm_models import WarmModel

_log = logging.getLogger("learndock.reuse")


class Preparation:
    """Makes reusers READY or FAILED; those that an earlier process left PREPARING are taken up at the start.

    Parameters
    ----------
    database, live, changes
        Where reusers stand, run and are watched.
    threads
        Reusers prepared at a time; each loads up to as many members at a time.
    """

    def __init__(self, database: Database, live: LiveReusers, changes: Changes, threads: int) -> None:
        self._database = database
        self._live = live
        self._changes = changes
        self._lock = threading.Lock()
        self._submitted: set[str] = set()
        # Two pools: a reuser that waits for its members must not hold the thread that they need.
        self._reusers = ThreadPoolExecutor(threads, thread_name_prefix="prepare")
        self._members = ThreadPoolExecutor(2 * threads, thread_name_prefix="load")

    def start(self) -> None:
        """Take up what was left."""
        with self._database.read() as session:
            left = store.ids(session, ReuserState.PREPARING)
        for reuser_id in left:
            self.submit(reuser_id)

    def stop(self, grace: float) -> None:
        """Begin nothing new; what is at work is taken up again at the next start."""
        self._reusers.shutdown(wait=False, cancel_futures=True)
        self._members.shutdown(wait=False, cancel_futures=True)

    def submit(self, reuser_id: str) -> None:
        """Prepare a reuser when there is room; harmless when repeated."""
        with self._lock:
            if reuser_id in self._submitted:
                return
            self._submitted.add(reuser_id)
        self._reusers.submit(self._prepare, reuser_id)

    def _prepare(self, reuser_id: str) -> None:
        try:
            with self._database.read() as session:
                record = store.find(session, reuser_id)
            if record is not None and record.state is ReuserState.PREPARING:
                self._load(record)
        except Exception:
            _log.exception("preparation_failed", extra={"reuser_id": reuser_id})
            self._finish(reuser_id, ReuserState.FAILED, reason="A fault of the dock; its log has the details.")
        finally:
            with self._lock:
                self._submitted.discard(reuser_id)

    def _load(self, record: ReuserRecord) -> None:
        models = {position: self._live.new_model(record.members[position]) for position in _needed(record)}
        loading = {position: self._members.submit(model.open) for position, model in models.items()}
        faults = self._await(record, loading)
        faults |= _unlike(models, faults)
        left = {position: model for position, model in models.items() if position not in faults}
        for position in faults:
            models[position].close()
        if not left:
            reason = "; ".join(f"{record.members[i].learnware_id}: {fault}" for i, fault in sorted(faults.items()))
            self._finish(
                record.reuser_id, ReuserState.FAILED, reason=f"No member could be loaded. {reason}", faults=faults
            )
            return
        shape = next(iter(left.values())).input_shape
        self._live.adopt(record, left)
        if not self._finish(record.reuser_id, ReuserState.READY, faults=faults, item_shape=shape):
            self._live.drop(record.reuser_id)

    def _await(self, record: ReuserRecord, loading: dict[int, Future[None]]) -> dict[int, str]:
        """Faults by position, once every member has loaded or failed; tells the progress meanwhile."""
        faults = {}
        for done, (position, future) in enumerate(loading.items()):
            phase = f"loading {record.members[position].learnware_id} ({done + 1} of {len(loading)})"
            self._progress(record.reuser_id, phase, 100 * done // len(loading))
            try:
                future.result()
            except LearndockError as error:
                faults[position] = one_line(error)
        return faults

    def _progress(self, reuser_id: str, phase: str, percent: int) -> None:
        with self._database.write() as session:
            store.progress(session, reuser_id, phase=phase[:200], percent=percent)
        self._changes.tell()

    def _finish(
        self,
        reuser_id: str,
        state: ReuserState,
        *,
        reason: str = "",
        faults: dict[int, str] | None = None,
        item_shape: tuple[int, ...] | None = None,
    ) -> bool:
        with self._database.write() as session:
            there = store.finish(session, reuser_id, state, reason=reason, item_shape=item_shape, faults=faults or {})
        self._changes.tell()
        return there


def _needed(record: ReuserRecord) -> range:
    """Positions of the members that the strategy asks at all."""
    return range(1 if record.strategy is Strategy.TOP1 else len(record.members))


def _unlike(models: dict[int, WarmModel], faults: dict[int, str]) -> dict[int, str]:
    """Faults of models that take other items than the first one that loaded."""
    shapes = {position: model.input_shape for position, model in models.items() if position not in faults}
    known = [shape for shape in shapes.values() if shape is not None]
    return {
        position: f"It takes items of shape {list(shape)}, the others {list(known[0])}."
        for position, shape in shapes.items()
        if shape is not None and shape != known[0]
    }
