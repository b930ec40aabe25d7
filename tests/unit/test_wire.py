"""Values to messages and back: nothing is lost, and bad bytes are refused by name."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_strategies
import numpy as np
from numpy.typing import NDArray
import pytest

from learndock import wire
from learndock.errors import InvalidInput, Reason
from learndock.learnware import (
    FeatureSpace,
    FormatClass,
    Learnware,
    LearnwareVersion,
    Modality,
    SemanticFilter,
    SemanticSpecification,
    VersionState,
    Visibility,
)
from learndock.rkme.specification import Fidelity, PrivacyReport, Specification
from learndock.v1 import types_pb2 as pb

SEMANTIC = SemanticSpecification(
    name="wine",
    description="Cultivars.",
    data="Table",
    task="Classification",
    library="Scikit-learn",
    scenarios=("Agriculture",),
    license="MIT",
    input=FeatureSpace(2, {0: "alcohol"}),
    output=FeatureSpace(3),
)
VERSION = LearnwareVersion(
    learnware_id="00000001",
    version=2,
    state=VersionState.VERIFIED,
    sha256="0" * 64,
    size_bytes=7,
    create_time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    format_class=FormatClass.CODE,
    validation_id="v",
)


def a_specification(**changes: object) -> Specification:
    parts: dict[str, object] = {"atoms": np.eye(2, dtype=np.float32), "weights": np.array([0.25, 0.75]), **changes}
    return Specification(**parts)  # type: ignore[arg-type]


@given(
    numpy_strategies.arrays(
        st.sampled_from(["<f4", "<f8", "<i4", "<i8", "u1", "?"]), numpy_strategies.array_shapes(max_dims=4, max_side=4)
    )
)
def test_tensors_come_back_as_they_were(array: NDArray[np.generic]) -> None:
    back = wire.tensor_from_message(wire.tensor_to_message(array), "rows")
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)


@pytest.mark.parametrize(("given_", "sent"), [("<f2", "<f4"), ("<i2", "<f4"), ("<u4", "<i8"), (">f8", "<f8")])
def test_other_numbers_are_widened(given_: str, sent: str) -> None:
    back = wire.tensor_from_message(wire.tensor_to_message(np.arange(3).astype(given_)), "rows")
    np.testing.assert_array_equal(back, np.arange(3))
    assert np.can_cast(given_, back.dtype) or back.dtype == np.dtype(sent)


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (pb.Tensor(shape=[1], data=b"1234"), "rows.dtype"),
        (pb.Tensor(dtype=pb.DATA_TYPE_FLOAT32, shape=[2], data=b"1234"), "rows.data"),
        (pb.Tensor(dtype=pb.DATA_TYPE_FLOAT32, shape=[2**63, 2**63], data=b""), "rows.data"),
        (pb.Tensor(dtype=pb.DATA_TYPE_FLOAT32, shape=[1] * 9, data=b"1234"), "rows.shape"),
    ],
    ids=["no type", "too short", "overflowing shape", "too many axes"],
)
def test_bad_tensors_are_refused_by_name(message: pb.Tensor, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        wire.tensor_from_message(message, "rows")
    assert caught.value.field == field
    assert caught.value.reason is Reason.SHAPE_MISMATCH


def test_learnwares_come_back_as_they_were() -> None:
    learnware = Learnware(
        learnware_id="00000001",
        owner_id="ada",
        semantic_specification=SEMANTIC,
        visibility=Visibility.PRIVATE,
        current_version=VERSION,
        create_time=VERSION.create_time,
        update_time=VERSION.create_time,
        etag="e",
    )
    assert wire.learnware_from_message(wire.learnware_to_message(learnware)) == learnware


def test_filters_come_back_as_they_were() -> None:
    filter_ = SemanticFilter(
        data=("Table",),
        format_classes=(FormatClass.SAFE,),
        text="wine",
        visibilities=(Visibility.PRIVATE,),
        inputs=("width",),
        outputs=("stop",),
    )
    assert wire.filter_from_message(wire.filter_to_message(filter_)) == filter_


def test_specifications_come_back_as_they_were() -> None:
    specification = a_specification(
        modality=Modality.TEXT,
        encoder="glove",
        encoder_revision="1",
        row_count=9,
        languages=("en",),
        input=FeatureSpace(2, {1: "b"}),
        fidelity=Fidelity(0.1, 2.0),
        privacy=PrivacyReport(1.5, 5, 0.55, 3),
    )
    back = wire.specification_from_message(wire.specification_to_message(specification))
    assert back.atoms.tobytes() == specification.atoms.tobytes()
    assert back.weights.tobytes() == specification.weights.tobytes()
    for name in ("modality", "encoder", "encoder_revision", "row_count", "languages", "input", "fidelity", "privacy"):
        assert getattr(back, name) == getattr(specification, name)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"atoms": np.array([[np.nan, 0.0], [0.0, 1.0]])}, "specification.atoms"),
        ({"atoms": np.full((2, 2), 1e7)}, "specification.atoms"),
        ({"atoms": np.zeros((0, 2))}, "specification.atoms"),
        ({"weights": np.array([1.5, -0.5])}, "specification.weights"),
        ({"weights": np.array([0.5, 0.6])}, "specification.weights"),
        ({"weights": np.array([1.0])}, "specification.weights"),
        ({"item_shape": (3,)}, "specification.item_shape"),
    ],
    ids=["NaN", "huge", "empty", "negative", "sum", "count", "shape"],
)
def test_bad_specifications_are_refused_by_name(changes: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        a_specification(**changes)
    assert caught.value.field == field


def test_a_specification_without_modality_is_refused() -> None:
    message = wire.specification_to_message(a_specification())
    message.ClearField("modality")
    with pytest.raises(InvalidInput) as caught:
        wire.specification_from_message(message)
    assert caught.value.field == "specification.modality"
