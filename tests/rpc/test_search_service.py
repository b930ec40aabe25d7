"""SearchService on real channels, following a real storage service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
import hashlib
from pathlib import Path

import numpy as np
import pytest

from learndock.account import Role
from learndock.errors import (
    FailedPrecondition,
    InvalidInput,
    LearndockError,
    NotFound,
    PermissionDenied,
    Reason,
    Unauthenticated,
    Unavailable,
)
from learndock.rkme.fit import build_specification
from learndock.rkme.gaussian_mechanism import PrivacyBudget
from learndock.rkme.private import specify_privately
from learndock.rkme.random_features import FeatureMap
from learndock.v1 import search_service_pb2 as pb
from learndock.v1 import storage_service_pb2 as storage_pb
from learndock.v1 import types_pb2
from learndock.v1.search_service_pb2_grpc import SearchServiceStub
from learndock.v1.storage_service_pb2_grpc import StorageServiceStub
from learndock.wire import specification_to_message, tensor_to_message
from learndock.wire_private import private_to_message
from services.search import wiring as search
from services.search.config import Settings
from services.storage import wiring as storage
from services.storage.config import Settings as StorageSettings
from tests.support.learnwares import Digits, digits_package
from tests.support.serving import SERVICE_TOKEN, Served, serve

LOW, HIGH, FEW = range(5), range(5, 10), range(3)


def task_of(labels: range) -> types_pb2.Specification:
    """Specification of a user's digits."""
    return specification_to_message(build_specification(Digits.of(list(labels), half=1).X))


@dataclass(frozen=True)
class Dock:
    """A storage service, and a search service that follows it."""

    storage: Served
    search: Served

    def owner(self) -> StorageServiceStub:
        return StorageServiceStub(self.storage.channel_as(Role.USER, "owner"))

    def stub(self, role: Role = Role.USER, user_id: str = "user") -> SearchServiceStub:
        return SearchServiceStub(self.search.channel_as(role, user_id))

    def submit(self, package: Path, *, private: bool = False, learnware_id: str = "", verified: bool = True) -> str:
        owner, data = self.owner(), package.read_bytes()
        request = storage_pb.StartUploadRequest(size_bytes=len(data), learnware_id=learnware_id)
        upload = owner.StartUpload(request).upload
        owner.WriteUpload(iter([storage_pb.WriteUploadRequest(upload_id=upload.upload_id, offset=0, data=data)]))
        visibility = types_pb2.VISIBILITY_PRIVATE if private else types_pb2.VISIBILITY_PUBLIC
        digest = hashlib.sha256(data).hexdigest()
        version = owner.FinishUpload(
            storage_pb.FinishUploadRequest(upload_id=upload.upload_id, sha256=digest, visibility=visibility)
        ).version
        if verified:
            self.judge(version, types_pb2.VERSION_STATE_VERIFIED)
        return version.learnware_id

    def judge(self, version: types_pb2.LearnwareVersion, state: types_pb2.VersionState.ValueType) -> None:
        service = StorageServiceStub(self.storage.channel(SERVICE_TOKEN))
        for step in (types_pb2.VERSION_STATE_VALIDATING, state):
            service.RecordVerdict(
                storage_pb.RecordVerdictRequest(
                    learnware_id=version.learnware_id,
                    version=version.version,
                    state=step,
                    validation_id="validation",
                    fence=1,
                    format_class=types_pb2.FORMAT_CLASS_CODE,
                )
            )

    def latest(self) -> int:
        """Newest change of the catalogue."""
        administrator = StorageServiceStub(self.storage.channel_as(Role.ADMIN))
        return administrator.GetCatalogueSummary(storage_pb.GetCatalogueSummaryRequest()).latest_sequence

    def ask(self, user_id: str = "user", **request: object) -> pb.SearchResponse:
        """Answer that knows everything that has happened."""
        return self.stub(user_id=user_id).Search(pb.SearchRequest(min_sequence=self.latest(), **request))

    def found(self, user_id: str = "user", **request: object) -> list[str]:
        return [single.learnware_id for single in self.ask(user_id, **request).singles]


@contextmanager
def search_service(folder: Path, stored: Served) -> Iterator[Served]:
    settings = Settings(data_dir=folder / "search", storage_address=stored.address, service_token=SERVICE_TOKEN)
    with serve(search.build(settings)) as served:
        yield served


@pytest.fixture
def dock(tmp_path: Path) -> Iterator[Dock]:
    settings = StorageSettings(data_dir=tmp_path / "storage", service_token=SERVICE_TOKEN)
    with serve(storage.build(settings)) as stored, search_service(tmp_path, stored) as searching:
        yield Dock(stored, searching)


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("packages")
    return {name: digits_package(folder, labels) for name, labels in (("low", LOW), ("high", HIGH), ("few", FEW))}


def refusal(call: object, *arguments: object) -> LearndockError:
    with pytest.raises(LearndockError) as caught:
        call(*arguments)  # type: ignore[operator]
    return caught.value


class TestFollowing:
    def test_a_verified_learnware_is_found_and_others_are_not(self, dock: Dock, packages: dict[str, Path]) -> None:
        low = dock.submit(packages["low"])
        dock.submit(packages["high"], verified=False)
        answer = dock.ask(specification=task_of(LOW))
        assert [single.learnware_id for single in answer.singles] == [low]
        single = answer.singles[0]
        assert (single.rank, single.version, single.owner_id) == (1, 1, "owner")
        assert single.format_class == types_pb2.FORMAT_CLASS_CODE
        assert single.semantic_specification.name == "digits_01234"
        assert single.explanation
        assert (answer.certificate.certified, answer.certificate.admitted, answer.certificate.scored) == (True, 1, 1)
        assert (answer.island_id, answer.profile) == ("table-d64", 1)
        assert answer.as_of_sequence == dock.latest()

    def test_deletion_restoration_and_new_versions(self, dock: Dock, packages: dict[str, Path]) -> None:
        low = dock.submit(packages["low"])
        dock.owner().DeleteLearnware(storage_pb.DeleteLearnwareRequest(learnware_id=low))
        assert dock.found(specification=task_of(LOW)) == []
        dock.owner().UndeleteLearnware(storage_pb.UndeleteLearnwareRequest(learnware_id=low))
        assert dock.found(specification=task_of(LOW)) == [low]
        # A version that is not verified yet leaves the old one in service.
        dock.submit(packages["few"], learnware_id=low, verified=False)
        assert dock.ask(specification=task_of(LOW)).singles[0].version == 1
        dock.judge(types_pb2.LearnwareVersion(learnware_id=low, version=2), types_pb2.VERSION_STATE_VERIFIED)
        assert dock.ask(specification=task_of(LOW)).singles[0].version == 2

    def test_a_change_of_visibility_is_followed(self, dock: Dock, packages: dict[str, Path]) -> None:
        low = dock.submit(packages["low"])
        hidden = types_pb2.Learnware(learnware_id=low, visibility=types_pb2.VISIBILITY_PRIVATE)
        request = storage_pb.UpdateLearnwareRequest(learnware=hidden)
        request.update_mask.paths.append("visibility")
        dock.owner().UpdateLearnware(request)
        assert dock.found(specification=task_of(LOW)) == []
        assert dock.found("owner", specification=task_of(LOW)) == [low]

    def test_a_restart_answers_from_its_snapshot_and_follows_on(
        self, tmp_path: Path, packages: dict[str, Path]
    ) -> None:
        settings = StorageSettings(data_dir=tmp_path / "storage", service_token=SERVICE_TOKEN)
        with serve(storage.build(settings)) as stored:
            with search_service(tmp_path, stored) as searching:
                dock = Dock(stored, searching)
                low = dock.submit(packages["low"])
                assert dock.found(specification=task_of(LOW)) == [low]
            high = dock.submit(packages["high"])
            with search_service(tmp_path, stored) as searching:
                again = Dock(stored, searching)
                first = again.stub().Search(pb.SearchRequest(specification=task_of(LOW)))
                assert [single.learnware_id for single in first.singles][:1] == [low]
                assert set(again.found(specification=task_of(LOW))) == {low, high}

    def test_admins_learn_how_many_searches_were_answered_over_a_restart(self, tmp_path: Path) -> None:
        settings = StorageSettings(data_dir=tmp_path / "storage", service_token=SERVICE_TOKEN)
        with serve(storage.build(settings)) as stored:
            with search_service(tmp_path, stored) as searching:
                user = Dock(stored, searching).stub()
                user.Search(pb.SearchRequest(specification=task_of(LOW)))
                user.Search(pb.SearchRequest(filter=types_pb2.SemanticFilter(text="digits")))
                user.Search(pb.SearchRequest())
                assert not user.GetIndexStatus(pb.GetIndexStatusRequest()).HasField("searches")
            with search_service(tmp_path, stored) as searching:
                admin = SearchServiceStub(searching.channel_as(Role.ADMIN))
                searches = admin.GetIndexStatus(pb.GetIndexStatusRequest()).searches
        assert [(day.by_specification, day.by_filter) for day in searches.days] == [(1, 1)]
        assert searches.replica
        assert searches.since.ToDatetime(tzinfo=UTC) <= datetime.now(UTC)

    def test_it_answers_while_the_catalogue_is_away(self, tmp_path: Path, packages: dict[str, Path]) -> None:
        settings = StorageSettings(data_dir=tmp_path / "storage", service_token=SERVICE_TOKEN)
        with serve(storage.build(settings)) as stored:
            with search_service(tmp_path, stored) as searching:
                low = Dock(stored, searching).submit(packages["low"])
                assert Dock(stored, searching).found(specification=task_of(LOW)) == [low]
            address = stored.address
        lonely = Settings(data_dir=tmp_path / "search", storage_address=address, service_token=SERVICE_TOKEN)
        with serve(search.build(lonely)) as searching:
            stub = SearchServiceStub(searching.channel_as(Role.USER))
            assert [s.learnware_id for s in stub.Search(pb.SearchRequest(specification=task_of(LOW))).singles] == [low]
            status = stub.GetIndexStatus(pb.GetIndexStatusRequest())
            assert not status.following
            assert status.applied_sequence == status.latest_sequence > 0
            administrator = SearchServiceStub(searching.channel_as(Role.ADMIN))
            assert isinstance(refusal(administrator.RebuildIndex, pb.RebuildIndexRequest()), Unavailable)


class TestAnswers:
    def test_the_nearest_comes_first_and_a_mixture_where_it_helps(self, dock: Dock, packages: dict[str, Path]) -> None:
        low, high = dock.submit(packages["low"]), dock.submit(packages["high"])
        assert dock.found(specification=task_of(LOW))[0] == low
        assert dock.found(specification=task_of(HIGH))[0] == high
        both = dock.ask(specification=task_of(range(10)))
        assert {member.learnware_id for member in both.mixture.members} == {low, high}
        assert sum(member.weight for member in both.mixture.members) == pytest.approx(1.0)
        assert both.mixture.mmd2 < both.singles[0].mmd2
        assert 0 < both.mixture.improvement < 1
        assert both.mixture.explanation
        alone = dock.ask(specification=task_of(range(10)), max_mixture_members=1)
        assert not alone.HasField("mixture")

    def test_a_private_task_finds_its_like_and_nothing_is_certified(
        self, dock: Dock, packages: dict[str, Path]
    ) -> None:
        low, high = dock.submit(packages["low"]), dock.submit(packages["high"])
        rows = np.repeat(Digits.of(list(HIGH), half=1).X, 10, axis=0)
        task = private_to_message(
            specify_privately(rows, budget=PrivacyBudget(1.0, 1e-5), feature_map=FeatureMap.of_ranges([(0, 16)] * 64))
        )
        answer = dock.ask(private_specification=task)
        assert [single.learnware_id for single in answer.singles] == [high, low]
        assert not answer.HasField("mixture")
        assert (answer.certificate.certified, answer.certificate.scored) == (False, 2)
        assert "differentially private" in answer.certificate.remark
        both = pb.SearchRequest(specification=task_of(LOW), private_specification=task)
        assert isinstance(refusal(dock.stub().Search, both), InvalidInput)

    def test_words_and_tags_without_a_specification(self, dock: Dock, packages: dict[str, Path]) -> None:
        low, high = dock.submit(packages["low"]), dock.submit(packages["high"])
        named = dock.ask(filter=types_pb2.SemanticFilter(text="digits_56789"))
        assert [single.learnware_id for single in named.singles] == [high]
        assert (named.certificate.certified, named.certificate.admitted, named.island_id) == (False, 1, "")
        assert dock.found(filter=types_pb2.SemanticFilter(text="handwritten")) == [low, high]
        assert dock.found(filter=types_pb2.SemanticFilter(tasks=["Regression"])) == []
        narrowed = dock.ask(
            specification=task_of(LOW), filter=types_pb2.SemanticFilter(text="digits", learnware_ids=[high])
        )
        assert [single.learnware_id for single in narrowed.singles] == [high]
        assert narrowed.certificate.admitted == 1
        assert dock.found(specification=task_of(LOW), exclude_learnware_ids=[low]) == [high]

    def test_private_learnwares_are_for_owner_and_admins(self, dock: Dock, packages: dict[str, Path]) -> None:
        low = dock.submit(packages["low"], private=True)
        stranger = dock.ask(specification=task_of(LOW))
        assert not stranger.singles
        assert stranger.advice == pb.SEARCH_ADVICE_NO_COMPARABLE_LEARNWARE
        assert not dock.stub().ListIslands(pb.ListIslandsRequest()).islands
        assert isinstance(refusal(dock.stub().GetIsland, pb.GetIslandRequest(island_id="table-d64")), NotFound)
        assert dock.found("owner", specification=task_of(LOW)) == [low]
        island = dock.stub(user_id="owner").GetIsland(pb.GetIslandRequest(island_id="table-d64")).island
        assert (island.learnwares, island.dimension) == (1, 64)

    def test_data_unlike_any_is_told(self, dock: Dock, packages: dict[str, Path]) -> None:
        dock.submit(packages["low"])
        strange = np.random.default_rng(0).normal(loc=40.0, size=(200, 64))
        answer = dock.ask(specification=specification_to_message(build_specification(strange)))
        assert answer.advice == pb.SEARCH_ADVICE_LIKELY_NOTHING_FITS
        other = specification_to_message(build_specification(strange[:, :7]))
        assert dock.ask(specification=other).advice == pb.SEARCH_ADVICE_NO_COMPARABLE_LEARNWARE


class TestIndex:
    def test_islands_status_entries_and_rebuild(self, dock: Dock, packages: dict[str, Path]) -> None:
        low = dock.submit(packages["low"])
        before = dock.ask(specification=task_of(LOW))
        islands = dock.stub().ListIslands(pb.ListIslandsRequest()).islands
        assert [(island.island_id, island.learnwares, island.profile) for island in islands] == [("table-d64", 1, 1)]
        assert islands[0].modality == types_pb2.MODALITY_TABLE
        assert islands[0].gammas
        assert islands[0].landmarks > 0
        status = dock.stub().GetIndexStatus(pb.GetIndexStatusRequest())
        assert status.following
        assert status.applied_sequence == status.latest_sequence == dock.latest()
        assert status.lag == 0
        assert [(one.island_id, one.profile) for one in status.profiles] == [("table-d64", 1)]
        assert (status.engine.name, status.engine.parts, status.engine.ready) == ("local", 1, 1)
        rebuilt = dock.stub(Role.ADMIN).RebuildIndex(pb.RebuildIndexRequest())
        assert (rebuilt.applied_sequence, rebuilt.learnwares) == (dock.latest(), 1)
        entries = list(dock.stub(Role.ADMIN).ListIndexEntries(pb.ListIndexEntriesRequest()))
        assert [(entry.learnware_id, entry.version, entry.island_id) for entry in entries] == [(low, 1, "table-d64")]
        after = dock.ask(specification=task_of(LOW))
        assert after.singles[0].mmd2 == before.singles[0].mmd2
        assert after.profile > before.profile
        high = dock.submit(packages["high"])  # the rebuilt index follows on
        assert dock.found(specification=task_of(HIGH))[0] == high


class TestBadInput:
    @pytest.mark.parametrize(
        ("change", "field", "reason"),
        [
            ({"top_k": 101}, "top_k", Reason.FIELD_INVALID),
            ({"max_mixture_members": 17}, "max_mixture_members", Reason.FIELD_INVALID),
            ({"exclude_learnware_ids": ["1"] * 1001}, "exclude_learnware_ids", Reason.FIELD_INVALID),
            ({"filter": types_pb2.SemanticFilter(text="a" * 1001)}, "filter.text", Reason.FIELD_INVALID),
        ],
    )
    def test_bounds_are_told_by_field(self, dock: Dock, change: dict[str, object], field: str, reason: Reason) -> None:
        error = refusal(dock.stub().Search, pb.SearchRequest(**change))
        assert isinstance(error, InvalidInput)
        assert (error.field, error.reason) == (field, reason)

    @pytest.mark.parametrize(
        ("atoms", "weights", "field"),
        [
            (np.zeros((0, 2)), np.zeros(0), "specification.atoms"),
            (np.full((1, 2), np.nan), np.ones(1), "specification.atoms"),
            (np.full((1, 2), 1e7), np.ones(1), "specification.atoms"),
            (np.zeros((2, 2)), np.array([1.5, -0.5]), "specification.weights"),
            (np.zeros((2, 2)), np.array([0.5, 0.6]), "specification.weights"),
            (np.zeros((2, 2)), np.ones(1), "specification.weights"),
        ],
    )
    def test_a_bad_specification_is_refused(
        self, dock: Dock, atoms: np.ndarray, weights: np.ndarray, field: str
    ) -> None:
        message = types_pb2.Specification(
            modality=types_pb2.MODALITY_TABLE, atoms=tensor_to_message(atoms), weights=tensor_to_message(weights)
        )
        error = refusal(dock.stub().Search, pb.SearchRequest(specification=message))
        assert isinstance(error, InvalidInput)
        assert error.field == field

    def test_a_wrong_byte_length_is_refused(self, dock: Dock) -> None:
        message = task_of(LOW)
        message.atoms.data = message.atoms.data[:-1]
        error = refusal(dock.stub().Search, pb.SearchRequest(specification=message))
        assert (error.field, error.reason) == ("specification.atoms.data", Reason.SHAPE_MISMATCH)

    def test_a_change_that_never_comes_ends_the_wait(self, dock: Dock) -> None:
        with pytest.raises(FailedPrecondition) as caught:
            dock.stub().Search(pb.SearchRequest(min_sequence=10**6), timeout=1.0)
        assert caught.value.reason is Reason.INDEX_BEHIND
        assert caught.value.retry_after

    def test_roles(self, dock: Dock) -> None:
        assert isinstance(refusal(dock.stub().RebuildIndex, pb.RebuildIndexRequest()), PermissionDenied)
        entries = dock.stub().ListIndexEntries(pb.ListIndexEntriesRequest())
        assert isinstance(refusal(next, entries), PermissionDenied)
        anonymous = SearchServiceStub(dock.search.channel())
        assert isinstance(refusal(anonymous.Search, pb.SearchRequest()), Unauthenticated)
