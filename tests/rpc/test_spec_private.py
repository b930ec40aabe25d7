"""Differentially private builds on a real channel."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydantic import SecretStr
import pytest

from learndock import errors
from learndock.account import Role
from learndock.rkme.gaussian_mechanism import PrivacyBudget
from learndock.v1 import spec_service_pb2 as pb
from learndock.v1 import types_pb2
from learndock.v1.spec_service_pb2_grpc import SpecificationServiceStub
from learndock.wire import tensor_to_message
from learndock.wire_private import private_from_message
from services.spec.config import Settings
from services.spec.wiring import build
from tests.support.serving import SERVICE_TOKEN, serve

ROWS = np.random.default_rng(0).normal(size=(20_000, 3))
RANGES = np.array([[-4.0, 4.0]] * 3)


@pytest.fixture(scope="module")
def stub() -> Iterator[SpecificationServiceStub]:
    with serve(build(Settings(service_token=SecretStr(SERVICE_TOKEN)))) as served:
        yield SpecificationServiceStub(served.channel_as(Role.USER))


def built(stub: SpecificationServiceStub, **options: object) -> pb.BuildSpecificationResponse:
    asked = pb.BuildSpecificationRequest(options=pb.BuildOptions(**options))
    return stub.BuildSpecification(iter([asked, pb.BuildSpecificationRequest(rows=tensor_to_message(ROWS))]))


def private(*, epsilon: float = 1.0, delta: float = 1e-6, columns: int = 3) -> pb.PrivateOptions:
    return pb.PrivateOptions(epsilon=epsilon, delta=delta, ranges=tensor_to_message(RANGES[:columns]))


def test_a_release_has_no_atoms_and_is_near_its_rows(stub: SpecificationServiceStub) -> None:
    answer = built(stub, private=private())
    assert not answer.HasField("specification")
    release = private_from_message(answer.private_specification)
    assert (release.row_count, release.budget) == (20_000, PrivacyBudget(1.0, 1e-6))
    weights = np.full(len(ROWS), 1 / len(ROWS))
    assert abs(release.squared_distance(ROWS, weights)) < 6 * release.expected_error()
    assert release.squared_distance(ROWS + 1.0, weights) > 100 * release.expected_error()


def test_each_release_has_noise_of_its_own(stub: SpecificationServiceStub) -> None:
    first, second = (built(stub, private=private()).private_specification for _ in range(2))
    assert first.features == second.features
    assert first.mean != second.mean


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"private": private(epsilon=0)}, "private.epsilon"),
        ({"private": private(delta=0.1)}, "private.delta"),
        ({"private": private(columns=2)}, "private.ranges"),
        ({"private": pb.PrivateOptions(epsilon=1, delta=1e-6)}, "private.ranges.dtype"),
        ({"private": private(), "modality": types_pb2.MODALITY_IMAGE}, "options.modality"),
    ],
)
def test_what_cannot_be_kept_private_is_refused_by_name(
    stub: SpecificationServiceStub, options: dict[str, object], field: str
) -> None:
    with pytest.raises(errors.InvalidInput) as caught:
        built(stub, **options)
    assert caught.value.field == field
