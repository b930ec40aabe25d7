"""A market in this process: the search service's own answers across feature spaces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
import math
from pathlib import Path
import tempfile

from benchmarks.reuse.experiment import Owner
from learndock.account import Principal, Role
from learndock.client.result import NEAREST_ACROSS
from learndock.learnware import (
    FeatureSpace,
    Learnware,
    LearnwareVersion,
    SemanticFilter,
    VersionState,
    Visibility,
)
from learndock.reuse.mapped import mapped
from learndock.reuse.member import Member
from learndock.rkme.specification import Specification
from learndock.schema.meanings import Meanings
from services.search.across import AcrossSingle, search_across
from services.search.catalogue import Admission
from services.search.certified import Mode
from services.search.engines.local import LocalEngine
from services.search.live import Change, LiveIndex
from services.search.packs import Pack
from services.search.search import Question, search
from services.search.words import Words

_TIME = datetime(2026, 1, 1, tzinfo=UTC)
_USER = Principal("user", "user", Role.USER)


class Market:
    """Owners' learnwares, found by what their columns mean."""

    def __init__(self, owners: Sequence[Owner]) -> None:
        self._owners = {f"{number:08d}": owner for number, owner in enumerate(owners, start=1)}
        # Kept as long as the market: the index maps files in it.
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        live = LiveIndex(Words(folder / "words.sqlite"), Pack.new(folder / "packs"), LocalEngine())
        for number, (learnware_id, owner) in enumerate(self._owners.items(), start=1):
            change = Change(number, _learnware(learnware_id, owner), searchable=True, specification=owner.specification)
            live.apply(change)
        self.index = live.publish()
        self.meanings = Meanings()

    def search(self, task: Specification, *, top_k: int) -> tuple[AcrossSingle, ...]:
        """The nearest learnwares across feature spaces."""
        admission = Admission(_USER)
        return search_across(self.index, task, admission, top_k=top_k, encode=self.meanings, time_left=lambda: math.inf)

    def alike(self, task: Specification) -> list[Owner]:
        """The nearest learnwares of the task's own feature space, as any search finds them."""
        question = Question(_USER, SemanticFilter(), task, 10, 1, Mode.CERTIFIED, frozenset(), None)
        answer = search(
            self.index, question, None, engine=LocalEngine(), time_left=lambda: math.inf, exhaustive_below=10**6
        )
        return [self._owners[single.entry.learnware_id] for single in answer.singles]

    def owner(self, learnware_id: str) -> Owner:
        """Whose learnware it is."""
        return self._owners[learnware_id]

    def members(self, task: Specification) -> list[Member]:
        """Those that a client reuses of the answer when it is told nothing."""
        return [self._member(found, task) for found in self.search(task, top_k=NEAREST_ACROSS)]

    def everybody(self, task: Specification) -> list[Member]:
        """All learnwares that share something with the task."""
        return [self._member(found, task) for found in self.search(task, top_k=len(self._owners))]

    def _member(self, found: AcrossSingle, task: Specification) -> Member:
        owner = self.owner(found.entry.learnware_id)
        member = Member(owner.model, owner.specification, owner.semantic, 1.0, found.entry.learnware_id)
        return mapped(member, found.assignment, task.input or FeatureSpace(task.dimension))


def _learnware(learnware_id: str, owner: Owner) -> Learnware:
    return Learnware(
        learnware_id=learnware_id,
        owner_id="owner",
        semantic_specification=replace(owner.semantic, input=owner.specification.input),
        visibility=Visibility.PUBLIC,
        current_version=LearnwareVersion(learnware_id, 1, VersionState.VERIFIED, "0" * 64, 1, _TIME),
        create_time=_TIME,
        update_time=_TIME,
    )
