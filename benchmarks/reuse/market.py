"""A market in this process: the search service's own identification over an experiment's owners."""

from __future__ import annotations

from datetime import UTC, datetime
import math
from pathlib import Path
import tempfile

from benchmarks.reuse.experiment import Experiment, Owner
from learndock.account import Principal, Role
from learndock.learnware import Learnware, LearnwareVersion, SemanticFilter, VersionState, Visibility
from learndock.reuse.member import Member
from learndock.rkme.specification import Specification
from services.search.certified import Mode
from services.search.engines.local import LocalEngine
from services.search.live import Change, LiveIndex
from services.search.packs import Pack
from services.search.search import Answer, Question, search
from services.search.words import Words

TIME = datetime(2026, 1, 1, tzinfo=UTC)
USER = Principal("user", "user", Role.USER)


class Market:
    """Owners of an experiment, searchable as in a dock."""

    def __init__(self, experiment: Experiment) -> None:
        self._owners = {f"{number:08d}": owner for number, owner in enumerate(experiment.owners, start=1)}
        # Kept as long as the market: the index maps files in it.
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        live = LiveIndex(Words(folder / "words.sqlite"), Pack.new(folder / "packs"), LocalEngine())
        for number, (learnware_id, owner) in enumerate(self._owners.items(), start=1):
            change = Change(number, _learnware(learnware_id, owner), searchable=True, specification=owner.specification)
            live.apply(change)
        self._index = live.publish()

    def search(self, task: Specification, *, top_k: int) -> Answer:
        """The answer of the search service to a specification."""
        question = Question(USER, SemanticFilter(), task, top_k, 5, Mode.CERTIFIED, frozenset(), None)
        return search(self._index, question, None, engine=LocalEngine(), time_left=lambda: math.inf, exhaustive_below=0)

    def singles(self, answer: Answer, count: int) -> list[Member]:
        """The nearest single learnwares, equally weighted."""
        return [self._member(single.entry.learnware_id, 1.0) for single in answer.singles[:count]]

    def mixture(self, answer: Answer) -> list[Member]:
        """The mixture where the answer has one, else the best single."""
        if answer.blend is None:
            return self.singles(answer, 1)
        pairs = zip(answer.blend.members, answer.blend.weights, strict=True)
        return [self._member(member.placed.entry.learnware_id, weight) for member, weight in pairs]

    def _member(self, learnware_id: str, weight: float) -> Member:
        owner = self._owners[learnware_id]
        return Member(owner.model, owner.specification, owner.semantic, weight, learnware_id)


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
