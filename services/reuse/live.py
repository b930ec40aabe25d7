"""Reusers at work in this process: estimators over warm models, made of what the store holds when first asked."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
import threading

import numpy as np

from learndock.learnware import FeatureSpace
from learndock.reuse.explanation import explain
from learndock.reuse.labelled import LabelledReuser
from learndock.reuse.mapped import mapped
from learndock.reuse.member import Inputs, Member
from learndock.reuse.prediction import Prediction
from learndock.reuse.reuser import Reuser
from learndock.reuse.strategy import make_reuser
from services.reuse.record import Learnt, MemberRecord, ReuserRecord
from services.reuse.warm_models import WarmModel, WarmModels


@dataclass(frozen=True, eq=False)
class LiveReuser:
    """An estimator over those members of a reuser that take part.

    Attributes
    ----------
    estimator
        Answers.
    models
        Of the members that take part.
    positions
        Where those stand among all members, intp [m].
    """

    estimator: Reuser
    models: tuple[WarmModel, ...]
    positions: tuple[int, ...]

    def answer(self, record: ReuserRecord, inputs: Inputs, timeout: float) -> Prediction:
        """Prediction in terms of all members of `record`, those included that were left out from the start."""
        prediction = self.estimator.answer(inputs, timeout=timeout)
        positions = np.array([*self.positions, -1], dtype=np.int32)  # the last one stands for "several"
        return replace(
            prediction,
            member_index=positions[prediction.member_index],
            faults=(*record.faults, *prediction.faults),
            outside=self.estimator.outside(inputs),
        )

    def learnt(self, record: ReuserRecord) -> Learnt:
        """What the labelled rows of `record` told."""
        if not isinstance(self.estimator, LabelledReuser):
            return Learnt()
        counted = np.zeros(len(record.members))
        counted[list(self.positions)] = self.estimator.contributions_
        names = [member.learnware_id for member in record.members]
        return Learnt(
            explanation=explain(self.estimator, names, counted),
            contributions=tuple(float(share) for share in counted),
            expected_error=self.estimator.expected_error_,
        )

    def close(self) -> None:
        """End the models."""
        for model in self.models:
            model.close()


class LiveReusers:
    """The reusers that hold models in this process.

    Parameters
    ----------
    models
        Makes their models.
    """

    def __init__(self, models: WarmModels) -> None:
        self._models = models
        self._lock = threading.Lock()
        self._live: dict[str, LiveReuser] = {}

    def new_model(self, member: MemberRecord) -> WarmModel:
        """A model for a member, not yet running."""
        return self._models.of(member)

    def adopt(self, record: ReuserRecord, models: dict[int, WarmModel]) -> LiveReuser:
        """Keep a reuser whose models, by position, are running; fits it on its labelled rows."""
        return self._keep(record, models)

    def get(self, record: ReuserRecord) -> LiveReuser:
        """The reuser at work; its models start with the first rows that reach them."""
        with self._lock:
            found = self._live.get(record.reuser_id)
        if found is not None:
            return found
        taking_part = {i: self.new_model(member) for i, member in enumerate(record.members) if not member.fault}
        return self._keep(record, taking_part)

    def _keep(self, record: ReuserRecord, models: dict[int, WarmModel]) -> LiveReuser:
        positions = tuple(sorted(models))
        members = [_member(record.members[position], models[position], record.task_input) for position in positions]
        estimator = make_reuser(
            record.strategy,
            members,
            labelled=record.labelled,
            presumed=record.presumed,
            timeout=self._models.predict_seconds,
        )
        made = LiveReuser(estimator, tuple(models[position] for position in positions), positions)
        with self._lock:
            return self._live.setdefault(record.reuser_id, made)

    def asleep(self, reuser_id: str) -> bool:
        """Whether no sandbox of the reuser is running here."""
        with self._lock:
            live = self._live.get(reuser_id)
        return live is None or not any(model.awake for model in live.models)

    def sleep_all_but(self, reuser_ids: Collection[str]) -> None:
        """End the sandboxes, until their next rows, of all reusers that are not among `reuser_ids`."""
        with self._lock:
            idle = [live for reuser_id, live in self._live.items() if reuser_id not in reuser_ids]
        for live in idle:
            for model in live.models:
                model.sleep()

    def drop(self, reuser_id: str) -> None:
        """End a reuser's models, if it has any here."""
        with self._lock:
            live = self._live.pop(reuser_id, None)
        if live is not None:
            live.close()

    def drop_all_but(self, reuser_ids: Collection[str]) -> None:
        """End the models of all reusers that are not among `reuser_ids`."""
        with self._lock:
            gone = [reuser_id for reuser_id in self._live if reuser_id not in reuser_ids]
        for reuser_id in gone:
            self.drop(reuser_id)


def _member(record: MemberRecord, model: WarmModel, task_input: FeatureSpace | None) -> Member:
    member = Member(model, record.specification, record.semantic, record.weight, record.learnware_id)
    if record.assignment is None or task_input is None:
        return member
    return mapped(member, record.assignment, task_input)
