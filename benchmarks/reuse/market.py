"""A market in this process: the search service's own identification over an experiment's owners."""

from __future__ import annotations

from datetime import UTC, datetime
import math
from pathlib import Path
import tempfile

import numpy as np

from benchmarks.reuse.experiment import Array, Experiment, Owner
from benchmarks.reuse.remembered import Remembered
from learndock.account import Principal, Role
from learndock.client.messages import search_result_from_message
from learndock.client.result import SearchResult, strategy_for
from learndock.learnware import Learnware, LearnwareVersion, SemanticFilter, VersionState, Visibility
from learndock.reuse.member import Inputs, Member
from learndock.reuse.strategy import Strategy
from learndock.rkme.specification import Specification
from services.search.certified import Mode
from services.search.engines.local import LocalEngine
from services.search.live import Change, LiveIndex
from services.search.messages import answer_to_message
from services.search.packs import Pack
from services.search.search import Question, search
from services.search.words import Words

TIME = datetime(2026, 1, 1, tzinfo=UTC)
USER = Principal("user", "user", Role.USER)


class Market:
    """Owners of an experiment, searchable as in a dock."""

    def __init__(self, experiment: Experiment) -> None:
        self._owners = {f"{number:08d}": owner for number, owner in enumerate(experiment.owners, start=1)}
        self._models = {learnware_id: Remembered(owner.model) for learnware_id, owner in self._owners.items()}
        # Kept as long as the market: the index maps files in it.
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        live = LiveIndex(Words(folder / "words.sqlite"), Pack.new(folder / "packs"), LocalEngine())
        for number, (learnware_id, owner) in enumerate(self._owners.items(), start=1):
            change = Change(number, _learnware(learnware_id, owner), searchable=True, specification=owner.specification)
            live.apply(change)
        self._index = live.publish()

    def search(self, task: Specification, *, top_k: int) -> SearchResult:
        """What a client is told of a specification: the search service's answer, as its message and read again."""
        question = Question(USER, SemanticFilter(), task, top_k, 5, Mode.CERTIFIED, frozenset(), None)
        answer = search(
            self._index, question, None, engine=LocalEngine(), time_left=lambda: math.inf, exhaustive_below=0
        )
        return search_result_from_message(answer_to_message(answer))

    def default(self, found: SearchResult) -> tuple[list[Member], Strategy | None]:
        """Members and strategy that a client takes when it is told nothing."""
        return self.members(found, None), strategy_for(found, None, labelled=False)

    def members(self, found: SearchResult, strategy: Strategy | None) -> list[Member]:
        """The learnwares that a client takes for a strategy."""
        return [self._member(member.learnware_id, member.weight or 1.0) for member in found.members(strategy)]

    def nearest(self, found: SearchResult, count: int) -> list[Member]:
        """The nearest single learnwares, equally weighted."""
        return [self._member(single.learnware_id, 1.0) for single in found.singles[:count]]

    def outputs(self, rows: Inputs) -> Array:
        """What all owners' models say of rows, [m, n, c], in the owners' order."""
        return np.stack([np.asarray(model.predict(rows)).reshape(len(rows), -1) for model in self._models.values()])

    def forget(self) -> None:
        """Free the outputs that models keep."""
        for model in self._models.values():
            model.forget()

    def _member(self, learnware_id: str, weight: float) -> Member:
        owner = self._owners[learnware_id]
        return Member(self._models[learnware_id], owner.specification, owner.semantic, weight, learnware_id)


def owner_number(member: Member) -> int:
    """Where the member's owner stands among the experiment's."""
    return int(member.learnware_id) - 1


def _learnware(learnware_id: str, owner: Owner) -> Learnware:
    return Learnware(
        learnware_id=learnware_id,
        owner_id="owner",
        semantic_specification=owner.semantic,
        visibility=Visibility.PUBLIC,
        current_version=LearnwareVersion(learnware_id, 1, VersionState.VERIFIED, "0" * 64, 1, TIME),
        create_time=TIME,
        update_time=TIME,
    )
