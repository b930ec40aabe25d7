"""ValidatorService on real channels, with a real storage service and a real sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from learndock.account import Role
from learndock.errors import (
    Aborted,
    InvalidInput,
    NotFound,
    PermissionDenied,
    Reason,
)
from learndock.examination.report import CHECKS
from learndock.serving.sql import Database
from learndock.v1 import storage_service_pb2 as storage_pb
from learndock.v1 import types_pb2
from learndock.v1 import validator_service_pb2 as pb
from learndock.v1.storage_service_pb2_grpc import StorageServiceStub
from learndock.wire import tensor_from_message
from services.validator import queue, store
from services.validator.record import Subject
from tests.support.models import ATOMS, model_package, semantic
from tests.support.serving import SERVICE_TOKEN
from tests.support.validation import PATIENCE, Dock, refusal, running, storing, stub, watched

LOOP = "while True: pass"


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("environments")


@pytest.fixture
def dock(tmp_path: Path, environments: Path) -> Iterator[Dock]:
    with storing(tmp_path, environments) as made:
        yield made


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    folder = tmp_path / "packages"
    folder.mkdir()
    return folder


class TestValidating:
    def test_a_good_package_is_verified(self, dock: Dock, packages: Path) -> None:
        with dock.validator() as served:
            learnware_id = dock.submit(model_package(packages))
            seen = watched(stub(served), learnware_id)
        end = seen[-1]
        assert end.state == pb.VALIDATION_STATE_VERIFIED, end
        assert [line.name for line in end.report.checks] == list(CHECKS)
        assert {line.verdict for line in end.report.checks} == {pb.CHECK_VERDICT_PASSED}
        assert end.report.format_class == types_pb2.FORMAT_CLASS_SAFE
        assert (end.report.executor, end.attempts, end.percent, end.phase) == ("bubblewrap", 1, 100, "")
        assert end.HasField("end_time")
        assert len({validation.validation_id for validation in seen}) == 1
        version = dock.version(learnware_id)
        assert version.state == types_pb2.VERSION_STATE_VERIFIED
        assert version.validation_id == end.validation_id
        service = StorageServiceStub(dock.storage.channel(SERVICE_TOKEN))
        kept = service.GetSpecification(storage_pb.GetSpecificationRequest(learnware_id=learnware_id))
        assert tensor_from_message(kept.atom_outputs, "atom_outputs").shape == (ATOMS, 2)

    def test_a_faulty_package_is_rejected_with_its_reason_and_log(self, dock: Dock, packages: Path) -> None:
        package = model_package(packages, predict="print('so far')\nraise ValueError('and no further')")
        with dock.validator() as served:
            learnware_id = dock.submit(package)
            end = watched(stub(served), learnware_id)[-1]
        assert end.state == pb.VALIDATION_STATE_REJECTED
        assert end.reason == "predicts_atoms: RAISED: ValueError: and no further"
        assert end.report.log_tail.startswith("so far\n")
        version = dock.version(learnware_id)
        assert (version.state, version.state_reason) == (types_pb2.VERSION_STATE_REJECTED, end.reason)

    def test_one_that_loops_does_not_hold_up_the_others(self, dock: Dock, packages: Path) -> None:
        with dock.validator(workers=True, predict_seconds=8.0) as served:
            slow = dock.submit(model_package(packages, name="slow", predict=LOOP))
            good = [dock.submit(model_package(packages, name=f"good {number}")) for number in range(3)]
            ends = [watched(stub(served), learnware_id)[-1] for learnware_id in good]
            states = {end.state for end in ends}
            assert states == {pb.VALIDATION_STATE_VERIFIED}
            last = watched(stub(served), slow)[-1]
        assert last.state == pb.VALIDATION_STATE_REJECTED
        assert "TIMED_OUT" in last.reason
        assert all(end.end_time.ToSeconds() <= last.end_time.ToSeconds() for end in ends)

    def test_what_was_uploaded_before_it_started_is_validated(self, dock: Dock, packages: Path) -> None:
        learnware_id = dock.submit(model_package(packages))
        with dock.validator() as served:
            assert watched(stub(served), learnware_id)[-1].state == pb.VALIDATION_STATE_VERIFIED

    def test_nothing_is_left_on_disk(self, dock: Dock, packages: Path) -> None:
        with dock.validator() as served:
            for predict in ("return np.zeros((len(X), 2))", "os._exit(1)"):
                watched(stub(served), dock.submit(model_package(packages, predict=predict, name=predict[:6])))
        for folder in ("packages", "work"):
            assert list((dock.folder / "validator" / folder).iterdir()) == []


class TestFaultsOfTheDock:
    def test_without_a_sandbox_a_validation_fails_clearly(self, dock: Dock, packages: Path) -> None:
        with dock.validator(executor="none") as served:
            learnware_id = dock.submit(model_package(packages))
            end = watched(stub(served), learnware_id)[-1]
            assert end.state == pb.VALIDATION_STATE_FAILED
            assert end.reason.startswith("NO_SANDBOX: ")
            assert dock.version(learnware_id).state == types_pb2.VERSION_STATE_UPLOADED
            everything = stub(served, Role.ADMIN).ListValidations(pb.ListValidationsRequest()).validations
            assert len(everything) == 1, "what was given back is not taken again by itself"
        with dock.validator() as served:
            request = pb.CreateValidationRequest(learnware_id=learnware_id)
            made = stub(served).CreateValidation(request).validation
            end = watched(stub(served), learnware_id)[-1]
            assert (end.validation_id, end.state) == (made.validation_id, pb.VALIDATION_STATE_VERIFIED)

    def test_an_index_out_of_reach_ends_after_three_faults(
        self, dock: Dock, packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
        monkeypatch.setenv("UV_NO_CACHE", "1")
        monkeypatch.setenv("UV_HTTP_RETRIES", "0")
        with dock.validator(environments_dir=tmp_path / "none") as served:
            end = watched(stub(served), dock.submit(model_package(packages)))[-1]
        assert (end.state, end.attempts) == (pb.VALIDATION_STATE_FAILED, 3)
        assert "Packages cannot be installed" in end.reason

    def test_a_restart_goes_on_and_ends_it_once(self, dock: Dock, packages: Path) -> None:
        slow = f"import time\nif len(X) == {ATOMS}: time.sleep(4)\nreturn np.zeros((len(X), 2))"
        learnware_id = dock.submit(model_package(packages, predict=slow))
        with dock.validator() as served:
            begun = running(stub(served), learnware_id, "predicts_atoms")
        with dock.validator() as served:
            end = watched(stub(served), learnware_id)[-1]
            found = stub(served).ListValidations(pb.ListValidationsRequest()).validations
        assert (end.validation_id, end.state) == (begun.validation_id, pb.VALIDATION_STATE_VERIFIED)
        assert end.attempts == 2
        assert len(found) == 1

    def test_a_late_verdict_of_a_lost_lease_is_refused(self, dock: Dock, packages: Path) -> None:
        learnware_id = dock.submit(model_package(packages))
        with dock.validator() as served:
            end = watched(stub(served), learnware_id)[-1]
        service = StorageServiceStub(dock.storage.channel(SERVICE_TOKEN))
        late = storage_pb.RecordVerdictRequest(
            learnware_id=learnware_id,
            version=1,
            state=types_pb2.VERSION_STATE_REJECTED,
            validation_id=end.validation_id,
            fence=1,
        )
        assert isinstance(refusal(service.RecordVerdict, late), Aborted)

    def test_one_that_kills_its_worker_each_time_is_given_up(self, dock: Dock, packages: Path) -> None:
        with dock.validator(workers=False):
            pass  # makes the database
        learnware_id = dock.submit(model_package(packages))
        database = Database(dock.settings().database)
        with database.write() as session:
            sha256 = dock.version(learnware_id).sha256
            queue.enqueue(session, Subject(learnware_id, 1, "owner", sha256, semantic()))
            store.set_counter(session, store.CHANGE, 1)  # the upload was heard of
        for _ in range(4):  # workers that took it and were not seen again
            with database.write() as session:
                assert queue.take(session, "elsewhere~1~1", -1.0) is not None
        database.close()
        with dock.validator(max_faults=3) as served:
            end = watched(stub(served), learnware_id)[-1]
        assert (end.state, end.attempts) == (pb.VALIDATION_STATE_FAILED, 5)
        assert "Given up" in end.reason
        assert dock.version(learnware_id).state == types_pb2.VERSION_STATE_UPLOADED


class TestCalling:
    def test_a_version_can_be_validated_again_and_a_repeated_request_has_one_effect(
        self, dock: Dock, packages: Path
    ) -> None:
        with dock.validator() as served:
            learnware_id = dock.submit(model_package(packages))
            first = watched(stub(served), learnware_id)[-1]
            request = pb.CreateValidationRequest(learnware_id=learnware_id, version=1, request_id="once")
            second = stub(served).CreateValidation(request).validation
            assert second.validation_id != first.validation_id
            assert watched(stub(served), learnware_id)[-1].state == pb.VALIDATION_STATE_VERIFIED
            assert stub(served).CreateValidation(request).validation == second
            found = stub(served).ListValidations(pb.ListValidationsRequest()).validations
            assert [validation.validation_id for validation in found] == [second.validation_id, first.validation_id]
            other = pb.CreateValidationRequest(learnware_id=learnware_id, version=0, request_id="once")
            assert refusal(stub(served).CreateValidation, other).reason is Reason.REQUEST_ID_REUSED

    def test_only_the_owner_and_admins_may_ask(self, dock: Dock, packages: Path) -> None:
        with dock.validator() as served:
            learnware_id = dock.submit(model_package(packages))
            hidden = dock.submit(model_package(packages, name="hidden"), private=True)
            watched(stub(served), learnware_id)
            watched(stub(served), hidden)
            ask = pb.CreateValidationRequest(learnware_id=learnware_id)
            stranger = stub(served, user_id="stranger")
            assert isinstance(refusal(stranger.CreateValidation, ask), PermissionDenied)
            for unknown in (hidden, "99999999", ""):
                request = pb.CreateValidationRequest(learnware_id=unknown)
                assert isinstance(refusal(stranger.CreateValidation, request), NotFound)
            ask.version = 9
            assert isinstance(refusal(stub(served).CreateValidation, ask), NotFound)
            ask.version = 1
            assert stub(served, Role.ADMIN, "admin").CreateValidation(ask).validation.learnware_id == learnware_id

    def test_validations_of_others_are_not_found(self, dock: Dock, packages: Path) -> None:
        with dock.validator() as served:
            learnware_id = dock.submit(model_package(packages))
            mine = watched(stub(served), learnware_id)[-1]
            stranger = stub(served, user_id="stranger")
            get = pb.GetValidationRequest(validation_id=mine.validation_id)
            assert stub(served).GetValidation(get).validation == mine
            assert stub(served, Role.ADMIN, "admin").GetValidation(get).validation == mine
            assert isinstance(refusal(stranger.GetValidation, get), NotFound)
            cancel = pb.CancelValidationRequest(validation_id=mine.validation_id)
            assert isinstance(refusal(stranger.CancelValidation, cancel), NotFound)
            watch = pb.WatchValidationRequest(validation_id=mine.validation_id)
            assert isinstance(refusal(lambda: list(stranger.WatchValidation(watch))), NotFound)
            by_learnware = pb.WatchValidationRequest(learnware_id=learnware_id)
            assert isinstance(refusal(lambda: list(stranger.WatchValidation(by_learnware))), NotFound)
            assert not stranger.ListValidations(pb.ListValidationsRequest()).validations
            assert len(stub(served, Role.ADMIN, "admin").ListValidations(pb.ListValidationsRequest()).validations) == 1

    def test_lists_are_paged_and_filtered_and_hold_no_logs(self, dock: Dock, packages: Path) -> None:
        with dock.validator(workers=True) as served:
            ids = [
                dock.submit(model_package(packages, name="one", predict="print('x')\nreturn np.zeros((len(X), 2))")),
                dock.submit(model_package(packages, name="two", predict="raise ValueError")),
                dock.submit(model_package(packages, name="three")),
            ]
            for learnware_id in ids:
                watched(stub(served), learnware_id)
            owner = stub(served)
            first = owner.ListValidations(pb.ListValidationsRequest(page_size=2))
            assert [validation.learnware_id for validation in first.validations] == [ids[2], ids[1]]
            rest = owner.ListValidations(pb.ListValidationsRequest(page_size=2, page_token=first.next_page_token))
            assert [validation.learnware_id for validation in rest.validations] == [ids[0]]
            assert rest.next_page_token == ""
            assert rest.validations[0].report.log_tail == ""
            rejected = pb.ListValidationsRequest(state=pb.VALIDATION_STATE_REJECTED)
            assert [found.learnware_id for found in owner.ListValidations(rejected).validations] == [ids[1]]
            one = owner.ListValidations(pb.ListValidationsRequest(learnware_id=ids[0])).validations
            assert [found.learnware_id for found in one] == [ids[0]]
            forged = pb.ListValidationsRequest(page_token="forged")
            assert refusal(owner.ListValidations, forged).reason is Reason.PAGE_TOKEN_INVALID
            moved = pb.ListValidationsRequest(page_token=first.next_page_token, learnware_id=ids[0])
            assert refusal(owner.ListValidations, moved).reason is Reason.PAGE_TOKEN_INVALID

    def test_a_validation_can_be_cancelled_while_it_runs(self, dock: Dock, packages: Path) -> None:
        with dock.validator() as served:
            learnware_id = dock.submit(model_package(packages, predict=LOOP))
            begun = running(stub(served), learnware_id, "predicts_atoms")
            request = pb.CancelValidationRequest(validation_id=begun.validation_id)
            cancelled = stub(served).CancelValidation(request).validation
            assert cancelled.state == pb.VALIDATION_STATE_CANCELLED
            assert watched(stub(served), learnware_id)[-1].state == pb.VALIDATION_STATE_CANCELLED
            assert refusal(stub(served).CancelValidation, request).reason is Reason.VALIDATION_ENDED
            follows = dock.submit(model_package(packages, name="next"))
            assert watched(stub(served), follows)[-1].state == pb.VALIDATION_STATE_VERIFIED

    def test_a_deleted_learnware_is_not_validated_further(self, dock: Dock, packages: Path) -> None:
        with dock.validator() as served:
            learnware_id = dock.submit(model_package(packages, predict=LOOP))
            begun = running(stub(served), learnware_id)
            owner = StorageServiceStub(dock.storage.channel_as(Role.USER, "owner"))
            owner.DeleteLearnware(storage_pb.DeleteLearnwareRequest(learnware_id=learnware_id))
            watch = pb.WatchValidationRequest(validation_id=begun.validation_id)
            end = list(stub(served).WatchValidation(watch, timeout=PATIENCE))[-1].validation
            assert end.state == pb.VALIDATION_STATE_CANCELLED

    def test_watching_needs_a_name(self, dock: Dock) -> None:
        with dock.validator() as served:
            caught = refusal(lambda: list(stub(served).WatchValidation(pb.WatchValidationRequest())))
            assert isinstance(caught, InvalidInput)
            unknown = pb.WatchValidationRequest(learnware_id="99999999")
            assert isinstance(refusal(lambda: list(stub(served).WatchValidation(unknown))), NotFound)
