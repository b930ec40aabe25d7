"""Preparing reusers in the background: packages fetched, models loaded."""

from __future__ import annotations

import logging
import queue
import threading

from learndock.errors import LearndockError
from learndock.reuse.prediction import one_line
from learndock.reuse.strategy import Strategy
from learndock.serving.changes import Changes
from learndock.serving.sql import Database
from services.reuse import store
from services.reuse.live import LiveReusers
from services.reuse.record import NOTHING_LEARNT, Learnt, ReuserRecord, ReuserState
from services.reuse.warm_models import WarmModel

_log = logging.getLogger("learndock.reuse")


class Preparation:
    """Makes reusers READY or FAILED; those that an earlier process left PREPARING are taken up at the start.

    Parameters
    ----------
    database, live, changes
        Where reusers stand, run and are watched.
    threads
        Reusers prepared at a time; twice as many members are loaded at a time.
    """

    def __init__(self, database: Database, live: LiveReusers, changes: Changes, threads: int) -> None:
        self._database = database
        self._live = live
        self._changes = changes
        self._waiting: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._places = threading.Semaphore(2 * threads)
        # Daemons, because an installation that takes minutes must not keep a stopped service from ending.
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]

    def start(self) -> None:
        """Take up what was left, and begin."""
        with self._database.read() as session:
            left = store.ids(session, ReuserState.PREPARING)
        for reuser_id in left:
            self.submit(reuser_id)
        for thread in self._threads:
            thread.start()

    def stop(self, grace: float) -> None:
        """Begin nothing new; what is at work stays PREPARING and is taken up again at the next start."""
        self._stopping.set()
        for _ in self._threads:
            self._waiting.put(None)

    def submit(self, reuser_id: str) -> None:
        """Prepare a reuser when there is room; harmless when repeated."""
        self._waiting.put(reuser_id)

    def _run(self) -> None:
        while (reuser_id := self._waiting.get()) is not None and not self._stopping.is_set():
            try:
                self._prepare(reuser_id)
            except Exception:
                _log.exception("preparation_failed", extra={"reuser_id": reuser_id})
                self._finish(reuser_id, ReuserState.FAILED, reason="A fault of the dock; its log has the details.")

    def _prepare(self, reuser_id: str) -> None:
        with self._database.read() as session:
            record = store.find(session, reuser_id)
        if record is None or record.state is not ReuserState.PREPARING:
            return
        models = {position: self._live.new_model(record.members[position]) for position in _needed(record)}
        faults = self._load(record, models)
        faults |= _unlike(record, models, faults)
        for position in faults:
            models[position].close()
        self._settle(record, {position: model for position, model in models.items() if position not in faults}, faults)

    def _settle(self, record: ReuserRecord, models: dict[int, WarmModel], faults: dict[int, str]) -> None:
        """Say how it ended, and keep the models that run, unless nobody wants them any more."""
        if not models:
            reason = "; ".join(f"{record.members[i].learnware_id}: {fault}" for i, fault in sorted(faults.items()))
            reason = f"No member could be loaded. {reason}"
            self._finish(record.reuser_id, ReuserState.FAILED, reason=reason, faults=faults)
            return
        try:
            live = self._live.adopt(record, models)
        except LearndockError as error:  # the labelled rows do not fit, or no member could answer them
            for model in models.values():
                model.close()
            self._finish(record.reuser_id, ReuserState.FAILED, reason=one_line(error), faults=faults)
            return
        shape = next(iter(_item_shapes(record, models).values()), None)
        if not self._finish(
            record.reuser_id, ReuserState.READY, faults=faults, item_shape=shape, learnt=live.learnt(record)
        ):
            self._live.drop(record.reuser_id)

    def _load(self, record: ReuserRecord, models: dict[int, WarmModel]) -> dict[int, str]:
        """Start all models; faults by position, once each has started or failed. Tells the progress meanwhile."""
        ended: queue.SimpleQueue[tuple[int, str]] = queue.SimpleQueue()
        for position, model in models.items():
            threading.Thread(target=self._open, args=(position, model, ended), daemon=True).start()
        faults = {}
        for count in range(len(models)):
            phase = f"fetching packages and loading models, {count} of {len(models)} done"
            self._progress(record.reuser_id, phase, 100 * count // len(models))
            position, fault = ended.get()
            if fault:
                faults[position] = fault
        return faults

    def _open(self, position: int, model: WarmModel, ended: queue.SimpleQueue[tuple[int, str]]) -> None:
        fault = ""
        try:
            with self._places:
                model.open()
        except LearndockError as error:
            fault = one_line(error)
        except Exception:
            _log.exception("member_failed")
            fault = "A fault of the dock; its log has the details."
        ended.put((position, fault))

    def _progress(self, reuser_id: str, phase: str, percent: int) -> None:
        if self._stopping.is_set():
            return
        with self._database.write() as session:
            store.progress(session, reuser_id, phase=phase, percent=percent)
        self._changes.tell()

    def _finish(
        self,
        reuser_id: str,
        state: ReuserState,
        *,
        reason: str = "",
        faults: dict[int, str] | None = None,
        item_shape: tuple[int, ...] | None = None,
        learnt: Learnt = NOTHING_LEARNT,
    ) -> bool:
        """Whether there was still somebody to finish for."""
        if self._stopping.is_set():
            return False
        with self._database.write() as session:
            there = store.finish(
                session, reuser_id, state, reason=reason, item_shape=item_shape, faults=faults or {}, learnt=learnt
            )
        self._changes.tell()
        return there


def _needed(record: ReuserRecord) -> range:
    """Positions of the members that the strategy asks at all."""
    return range(1 if record.strategy is Strategy.TOP1 else len(record.members))


def _unlike(record: ReuserRecord, models: dict[int, WarmModel], faults: dict[int, str]) -> dict[int, str]:
    """Faults of models that take other items than the first one that loaded."""
    loaded = {position: model for position, model in models.items() if position not in faults}
    shapes = _item_shapes(record, loaded)
    first = next(iter(shapes.values()), None)
    return {
        position: f"It takes items of shape {list(shape)}, the others {list(first)}."
        for position, shape in shapes.items()
        if first is not None and shape != first
    }


def _item_shapes(record: ReuserRecord, models: dict[int, WarmModel]) -> dict[int, tuple[int, ...]]:
    """Shape of the task's items for each model that tells; a member of another feature space takes the task's rows."""
    shapes = {}
    for position, model in models.items():
        assignment = record.members[position].assignment
        shape = model.input_shape if assignment is None else (assignment.task_dimension,)
        if shape is not None:
            shapes[position] = shape
    return shapes
