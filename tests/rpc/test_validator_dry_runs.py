"""CheckPackage on real channels: packages that are sent along, of which nothing is kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import threading

import pytest

from learndock.account import Role
from learndock.errors import (
    FailedPrecondition,
    InvalidInput,
    LearndockError,
    Reason,
    ResourceExhausted,
)
from learndock.examination.report import CHECKS
from learndock.v1 import types_pb2
from learndock.v1 import validator_service_pb2 as pb
from learndock.wire import semantic_to_message
from tests.support.models import model_package, semantic
from tests.support.serving import Served
from tests.support.validation import PATIENCE, Dock, refusal, storing, stub


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


def pieces(
    package: Path, semantic_message: types_pb2.SemanticSpecification | None = None
) -> list[pb.CheckPackageRequest]:
    data = package.read_bytes()
    size = 1000
    parts = [pb.CheckPackageRequest(data=data[start : start + size]) for start in range(0, len(data), size)]
    first = [pb.CheckPackageRequest(semantic_specification=semantic_message)] if semantic_message else []
    return first + parts


@pytest.fixture(scope="module")
def served(environments: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A validator that takes one package of at most 1 MiB at a time."""
    folder = tmp_path_factory.mktemp("dry")
    with storing(folder, environments) as dock, dock.validator(dry_runs=1, max_package_bytes=2**20) as validating:
        yield validating
        assert list((folder / "validator" / "dry-runs").iterdir()) == []


class TestDryRuns:
    def test_a_good_package_passes_and_nothing_is_published(self, served: Served, packages: Path) -> None:
        answer = stub(served).CheckPackage(iter(pieces(model_package(packages))))
        assert answer.state == pb.VALIDATION_STATE_VERIFIED
        assert [line.name for line in answer.report.checks] == list(CHECKS)
        assert not stub(served, Role.ADMIN).ListValidations(pb.ListValidationsRequest()).validations

    def test_a_faulty_one_is_told_which_check_failed(self, served: Served, packages: Path) -> None:
        package = model_package(packages, predict="return np.zeros((1, 2))")
        answer = stub(served).CheckPackage(iter(pieces(package)))
        assert answer.state == pb.VALIDATION_STATE_REJECTED
        assert answer.reason.startswith("output_length: ")

    def test_another_semantic_specification_may_come_with_it(self, served: Served, packages: Path) -> None:
        package = model_package(packages)
        changed = semantic_to_message(semantic(input=None))
        answer = stub(served).CheckPackage(iter(pieces(package, changed)))
        assert answer.reason.startswith("semantic: ")
        late = [*pieces(package), pb.CheckPackageRequest(semantic_specification=changed)]
        assert isinstance(refusal(stub(served).CheckPackage, iter(late)), InvalidInput)

    @pytest.mark.parametrize("data", [b"", b"no zip", b"PK\x03\x04" + bytes(100)])
    def test_what_is_no_package_is_refused(self, served: Served, data: bytes) -> None:
        caught = refusal(stub(served).CheckPackage, iter([pb.CheckPackageRequest(data=data)]))
        assert isinstance(caught, InvalidInput)
        assert caught.reason is Reason.PACKAGE_INVALID

    def test_no_message_is_no_package(self, served: Served) -> None:
        assert refusal(stub(served).CheckPackage, iter([])).reason is Reason.PACKAGE_INVALID

    def test_what_is_too_large_is_refused(self, served: Served) -> None:
        parts = [pb.CheckPackageRequest(data=bytes(2**19))] * 3
        caught = refusal(stub(served).CheckPackage, iter(parts))
        assert isinstance(caught, ResourceExhausted)
        assert caught.reason is Reason.PACKAGE_TOO_LARGE

    def test_one_too_many_is_refused_at_once(self, served: Served, packages: Path) -> None:
        begun, go_on = threading.Event(), threading.Event()
        data = model_package(packages).read_bytes()

        def held() -> Iterator[pb.CheckPackageRequest]:
            yield pb.CheckPackageRequest(data=data[:100])
            begun.set()
            go_on.wait(PATIENCE)
            yield pb.CheckPackageRequest(data=data[100:])

        answers: list[pb.CheckPackageResponse] = []
        first = threading.Thread(target=lambda: answers.append(stub(served).CheckPackage(held())))
        first.start()
        assert begun.wait(PATIENCE)
        try:
            caught = _refused_in_the_end(served, packages)
        finally:
            go_on.set()
            first.join(PATIENCE)
        assert caught.reason is Reason.TOO_MANY_REQUESTS
        assert [answer.state for answer in answers] == [pb.VALIDATION_STATE_VERIFIED]

    def test_without_a_sandbox_it_says_so(self, dock: Dock, packages: Path) -> None:
        with dock.validator(executor="none") as served:
            caught = refusal(stub(served).CheckPackage, iter(pieces(model_package(packages))))
        assert isinstance(caught, FailedPrecondition)
        assert caught.reason is Reason.NO_SANDBOX


def _refused_in_the_end(served: Served, packages: Path) -> LearndockError:
    """The refusal of a second dry run; the first may need a moment to take its place."""
    for _ in range(20):
        try:
            stub(served).CheckPackage(iter(pieces(model_package(packages, name="second"))))
        except LearndockError as error:
            return error
    raise AssertionError("never refused")
