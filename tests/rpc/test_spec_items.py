"""Images, texts and p values of SpecificationService on a real channel."""

from __future__ import annotations

from collections.abc import Iterator
import json
import logging

import numpy as np
from pydantic import SecretStr
import pytest

from learndock import errors
from learndock.account import Role
from learndock.encoders.registry import encoder
from learndock.encoders.specify import encode_specification
from learndock.errors import Reason
from learndock.rkme.specification import Specification
from learndock.v1 import spec_service_pb2 as pb
from learndock.v1 import types_pb2
from learndock.v1.spec_service_pb2_grpc import SpecificationServiceStub
from learndock.wire import specification_to_message, tensor_to_message
from services.spec.config import Settings
from services.spec.wiring import build
from tests.support.serving import SERVICE_TOKEN, serve

IMAGES = np.random.default_rng(0).integers(256, size=(60, 9, 9), dtype=np.uint8)
TEXTS = [f"the {word} is number {n}" for n in range(30) for word in ("cat", "car")]
Request = pb.BuildSpecificationRequest


@pytest.fixture(scope="module")
def stub() -> Iterator[SpecificationServiceStub]:
    with serve(build(Settings(service_token=SecretStr(SERVICE_TOKEN), max_row_bytes=2**20))) as running:
        yield SpecificationServiceStub(running.channel_as(Role.USER))


def options(modality: types_pb2.Modality, encoder: str = "") -> Request:
    return Request(options=pb.BuildOptions(modality=modality, encoder=encoder))


def texts(values: list[str]) -> Request:
    return Request(texts=pb.Texts(values=values))


def bytes_of(specification: Specification) -> bytes:
    return specification_to_message(specification).SerializeToString(deterministic=True)


def test_images_come_to_the_same_bytes_as_in_the_library(stub: SpecificationServiceStub) -> None:
    chunks = [Request(rows=tensor_to_message(part)) for part in np.split(IMAGES, 3)]
    answer = stub.BuildSpecification(iter([options(types_pb2.MODALITY_IMAGE), *chunks])).specification
    expected = encode_specification(IMAGES, encoder("learndock/random-conv"))
    assert answer.SerializeToString(deterministic=True) == bytes_of(expected)


def test_texts_come_to_the_same_bytes_as_in_the_library(stub: SpecificationServiceStub) -> None:
    chunks = [options(types_pb2.MODALITY_TEXT, "glove-6b-50d"), texts(TEXTS[:20]), texts(TEXTS[20:])]
    answer = stub.BuildSpecification(iter(chunks)).specification
    assert answer.SerializeToString(deterministic=True) == bytes_of(
        encode_specification(TEXTS, encoder("glove-6b-50d"))
    )
    assert list(answer.languages) == ["en"]


@pytest.mark.parametrize(
    ("chunks", "reason", "field"),
    [
        ([texts(TEXTS)], Reason.FIELD_INVALID, "texts"),
        ([options(types_pb2.MODALITY_TEXT)], Reason.TOO_FEW_ROWS, "texts"),
        ([options(types_pb2.MODALITY_TEXT), Request(rows=tensor_to_message(IMAGES))], Reason.FIELD_INVALID, "rows"),
        ([options(types_pb2.MODALITY_TEXT, "learndock/random-conv"), texts(TEXTS)], Reason.FIELD_INVALID, "encoder"),
        ([options(types_pb2.MODALITY_TEXT, "none"), texts(TEXTS)], Reason.FIELD_INVALID, "encoder"),
        ([options(types_pb2.MODALITY_TEXT, "x" * 101), texts(TEXTS)], Reason.FIELD_INVALID, "options.encoder"),
        ([options(77), texts(TEXTS)], Reason.FIELD_INVALID, "options.modality"),  # type: ignore[arg-type]
        ([options(types_pb2.MODALITY_TEXT, "glove-6b-50d"), texts(["a", " "])], Reason.FIELD_INVALID, "items"),
    ],
)
def test_what_cannot_be_built_is_refused_by_name(
    stub: SpecificationServiceStub, chunks: list[Request], reason: Reason, field: str
) -> None:
    with pytest.raises(errors.InvalidInput) as caught:
        stub.BuildSpecification(iter(chunks))
    assert (caught.value.reason, caught.value.field) == (reason, field)


def test_texts_are_bounded_and_not_logged(stub: SpecificationServiceStub, caplog: pytest.LogCaptureFixture) -> None:
    many = texts(["confidential " * 1000])
    with caplog.at_level(logging.DEBUG), pytest.raises(errors.ResourceExhausted) as caught:
        stub.BuildSpecification(iter([options(types_pb2.MODALITY_TEXT), *[many] * 30]))
    assert caught.value.reason is Reason.MESSAGE_TOO_LARGE
    assert "confidential" not in caplog.text + str(caught.value)


def test_p_values(stub: SpecificationServiceStub) -> None:
    sides = [Specification(np.random.default_rng(0).normal(size=(20, 2)) + s, np.full(20, 0.05)) for s in (0, 5)]
    a, b = map(specification_to_message, sides)
    pairs = [pb.SpecificationPair(first=a, second=b), pb.SpecificationPair(first=a, second=a)]
    answer = stub.CompareSpecifications(pb.CompareSpecificationsRequest(pairs=pairs, permutations=199))
    assert list(answer.p_values) == [pytest.approx(1 / 200), 1.0]
    assert not stub.CompareSpecifications(pb.CompareSpecificationsRequest(pairs=pairs)).p_values
    with pytest.raises(errors.InvalidInput) as caught:
        stub.CompareSpecifications(pb.CompareSpecificationsRequest(pairs=pairs, permutations=10_001))
    assert caught.value.field == "permutations"


def test_pictures_of_the_reference_come_back_encoded(stub: SpecificationServiceStub) -> None:
    pictures = np.random.default_rng(0).normal(size=(2, 1, 32, 32)).tolist()
    data = json.dumps({"z": pictures, "beta": [0.5, 0.5], "type": "RKMEImageSpecification"}).encode()
    found = stub.ImportSpecification(pb.ImportSpecificationRequest(json=data)).specification
    assert (found.encoder, tuple(found.item_shape)) == ("learndock/random-conv", (512,))
