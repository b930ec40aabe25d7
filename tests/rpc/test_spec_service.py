"""SpecificationService on a real channel."""

from __future__ import annotations

from collections.abc import Iterator
import json
import logging
import threading

import numpy as np
from numpy.typing import NDArray
from pydantic import SecretStr
import pytest

from learndock import errors
from learndock.account import Role
from learndock.errors import Reason
from learndock.rkme.discrepancy import compare
from learndock.rkme.fit import BuildOptions, build_specification
from learndock.rkme.sample import herd
from learndock.rkme.specification import Specification
from learndock.v1 import spec_service_pb2 as pb
from learndock.v1 import types_pb2
from learndock.v1.spec_service_pb2_grpc import SpecificationServiceStub
from learndock.wire import specification_from_message, specification_to_message, tensor_from_message, tensor_to_message
from services.spec.config import Settings
from services.spec.wiring import build
from tests.support.serving import SERVICE_TOKEN, Served, serve

ROWS = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
Request = pb.BuildSpecificationRequest


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serve(build(Settings(service_token=SecretStr(SERVICE_TOKEN), max_row_bytes=2**20))) as running:
        yield running


@pytest.fixture
def stub(served: Served) -> SpecificationServiceStub:
    return SpecificationServiceStub(served.channel_as(Role.USER))


def rows_message(rows: NDArray[np.generic]) -> Request:
    return Request(rows=tensor_to_message(rows))


def options_message(**options: int) -> Request:
    return Request(options=pb.BuildOptions(**options))


def small() -> Specification:
    return Specification(np.array([[0.0, 0.0], [1.0, 2.0]]), np.array([0.5, 0.5]))


def test_it_builds_the_same_bytes_as_the_library(stub: SpecificationServiceStub) -> None:
    chunks = [options_message(atom_count=12, seed=5), *(rows_message(part) for part in np.split(ROWS, 6))]
    answer = stub.BuildSpecification(iter(chunks)).specification
    expected = build_specification(ROWS, options=BuildOptions(atom_count=12, seed=5))
    assert answer.SerializeToString(deterministic=True) == specification_to_message(expected).SerializeToString(
        deterministic=True
    )


def test_options_may_be_left_out_and_items_may_have_axes(stub: SpecificationServiceStub) -> None:
    answer = stub.BuildSpecification(iter([rows_message(ROWS.reshape(-1, 2, 2).astype(np.float64))])).specification
    assert tuple(answer.item_shape) == (2, 2)
    assert answer.row_count == 300
    assert answer.fidelity.mmd2 > 0
    assert answer.privacy.min_rows_per_atom >= 5


def not_a_number() -> NDArray[np.float32]:
    rows = ROWS.copy()
    rows[3, 1] = np.nan
    return rows


def cut_short() -> Request:
    message = rows_message(ROWS)
    message.rows.data = message.rows.data[:-1]
    return message


@pytest.mark.parametrize(
    ("chunks", "reason", "field"),
    [
        ([], Reason.TOO_FEW_ROWS, "rows"),
        ([options_message()], Reason.TOO_FEW_ROWS, "rows"),
        ([rows_message(ROWS[:39])], Reason.TOO_FEW_ROWS, "rows"),
        ([rows_message(not_a_number())], Reason.NOT_FINITE, "rows"),
        ([cut_short()], Reason.SHAPE_MISMATCH, "rows.data"),
        ([rows_message(ROWS[:, 0])], Reason.SHAPE_MISMATCH, "rows"),
        ([rows_message(ROWS[:, :0])], Reason.SHAPE_MISMATCH, "rows"),
        ([rows_message(ROWS.astype(np.int32))], Reason.SHAPE_MISMATCH, "rows"),
        ([rows_message(ROWS), rows_message(ROWS[:, :3])], Reason.SHAPE_MISMATCH, "rows"),
        ([rows_message(ROWS), rows_message(ROWS.astype(np.float64))], Reason.SHAPE_MISMATCH, "rows"),
        ([options_message(), options_message(), rows_message(ROWS)], Reason.FIELD_INVALID, "options"),
        ([rows_message(ROWS), options_message()], Reason.FIELD_INVALID, "options"),
        ([Request(), rows_message(ROWS)], Reason.FIELD_INVALID, "part"),
        ([options_message(atom_count=2000), rows_message(ROWS)], Reason.FIELD_INVALID, "options.atom_count"),
        ([options_message(atom_count=301), rows_message(ROWS)], Reason.FIELD_INVALID, "options.atom_count"),
        ([options_message(iterations=501), rows_message(ROWS)], Reason.FIELD_INVALID, "options.iterations"),
    ],
)
def test_what_cannot_be_built_is_refused_by_name(
    stub: SpecificationServiceStub, chunks: list[Request], reason: Reason, field: str
) -> None:
    with pytest.raises(errors.InvalidInput) as caught:
        stub.BuildSpecification(iter(chunks))
    assert caught.value.reason is reason
    assert caught.value.field == field


def test_few_rows_take_a_flag(stub: SpecificationServiceStub) -> None:
    answer = stub.BuildSpecification(iter([options_message(allow_few_rows=True), rows_message(ROWS[:10])]))
    assert answer.specification.row_count == 10


def test_rows_above_the_bound_are_refused_and_their_memory_is_given_back(stub: SpecificationServiceStub) -> None:
    half_a_mebibyte = np.zeros((2**17, 1), dtype=np.float32)
    for _ in range(3):
        with pytest.raises(errors.ResourceExhausted) as caught:
            stub.BuildSpecification(iter([rows_message(half_a_mebibyte)] * 3))
        assert caught.value.reason is Reason.MESSAGE_TOO_LARGE


def test_builds_share_the_bound(stub: SpecificationServiceStub) -> None:
    refused: list[errors.LearndockError] = []
    settled = threading.Event()

    def build(requests: Iterator[Request]) -> None:
        try:
            stub.BuildSpecification(requests)
        except errors.ResourceExhausted as error:
            refused.append(error)
        settled.set()

    def second() -> Iterator[Request]:
        yield rows_message(np.resize(ROWS, (2**15, 4)))
        settled.wait(10)  # the rows of the first may come to be read after these

    def first() -> Iterator[Request]:
        yield rows_message(np.resize(ROWS, (2**15 + 2**14, 4)))
        build(second())

    build(first())
    assert [error.reason for error in refused] == [Reason.TOO_MANY_REQUESTS]
    assert refused[0].retry_after


def test_no_value_is_logged(stub: SpecificationServiceStub, caplog: pytest.LogCaptureFixture) -> None:
    rows = ROWS.copy()
    rows[5, 2] = 987654.25
    rows[6, 2] = np.inf
    with caplog.at_level(logging.DEBUG), pytest.raises(errors.InvalidInput) as caught:
        stub.BuildSpecification(iter([rows_message(rows)]))
    assert "987654" not in caplog.text + str(caught.value)


def test_it_describes(stub: SpecificationServiceStub) -> None:
    answer = stub.DescribeSpecification(
        pb.DescribeSpecificationRequest(specification=specification_to_message(small()))
    )
    assert (answer.atom_count, answer.dimension, answer.effective_atom_count) == (2, 2, 2.0)
    assert tensor_from_message(answer.column_means, "means").tolist() == [0.5, 1.0]
    assert tensor_from_message(answer.column_deviations, "deviations").tolist() == [0.5, 1.0]


def test_it_compares_pairs(stub: SpecificationServiceStub) -> None:
    a, b = small(), build_specification(ROWS[:, :2])
    pair = pb.SpecificationPair(first=specification_to_message(a), second=specification_to_message(b))
    same = pb.SpecificationPair(first=specification_to_message(a), second=specification_to_message(a))
    answer = stub.CompareSpecifications(pb.CompareSpecificationsRequest(pairs=[pair, same]))
    assert list(answer.mmd2) == [compare(a, b), pytest.approx(0, abs=1e-12)]


def test_pairs_that_cannot_be_compared_are_refused(stub: SpecificationServiceStub) -> None:
    wide = specification_to_message(build_specification(ROWS))
    pair = pb.SpecificationPair(first=specification_to_message(small()), second=wide)
    with pytest.raises(errors.InvalidInput) as caught:
        stub.CompareSpecifications(pb.CompareSpecificationsRequest(pairs=[pair]))
    assert caught.value.reason is Reason.NOT_COMPARABLE
    for pairs in ([], [pair] * 257):
        with pytest.raises(errors.InvalidInput) as caught:
            stub.CompareSpecifications(pb.CompareSpecificationsRequest(pairs=pairs))
        assert caught.value.field == "pairs"


def test_it_samples(stub: SpecificationServiceStub) -> None:
    request = pb.SampleSpecificationRequest(specification=specification_to_message(small()), count=7, seed=3)
    points = tensor_from_message(stub.SampleSpecification(request).points, "points")
    assert np.array_equal(points, herd(small(), 7, np.random.default_rng(3)))
    request.count = 0
    with pytest.raises(errors.InvalidInput) as caught:
        stub.SampleSpecification(request)
    assert caught.value.field == "count"


def test_it_writes_and_reads_files_of_the_reference(stub: SpecificationServiceStub) -> None:
    built = specification_to_message(build_specification(ROWS))
    data = stub.ExportSpecification(pb.ExportSpecificationRequest(specification=built)).json
    assert json.loads(data)["type"] == "RKMETableSpecification"
    assert stub.ImportSpecification(pb.ImportSpecificationRequest(json=data)).specification == built
    with pytest.raises(errors.InvalidInput) as caught:
        stub.ImportSpecification(pb.ImportSpecificationRequest(json=b'{"z":[[1]]}'))
    assert caught.value.field == "beta"


def test_bounds_of_a_specification_are_checked(stub: SpecificationServiceStub) -> None:
    message = specification_to_message(small())
    message.weights.CopyFrom(tensor_to_message(np.array([0.5, 0.6])))
    with pytest.raises(errors.InvalidInput) as caught:
        specification_from_message(stub.DescribeSpecification(pb.DescribeSpecificationRequest(specification=message)))
    assert caught.value.field == "specification.weights"
    message.atoms.shape[:] = [2**63, 2**63]
    with pytest.raises(errors.InvalidInput) as caught:
        stub.DescribeSpecification(pb.DescribeSpecificationRequest(specification=message))
    assert caught.value.field == "specification.atoms.data"


def test_a_token_is_needed(served: Served) -> None:
    with pytest.raises(errors.Unauthenticated):
        SpecificationServiceStub(served.channel()).DescribeSpecification(
            pb.DescribeSpecificationRequest(specification=types_pb2.Specification())
        )
