"""Values to messages and back, each way in one place.

Reading a message checks it: what comes out is complete and within bounds, or `InvalidInput` names the field.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
import math
from typing import Protocol, TypeVar

from google.protobuf.timestamp_pb2 import Timestamp
import numpy as np
from numpy.typing import NDArray

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
from learndock.schema.assignment import Match
from learndock.schema.units import Conversion
from learndock.v1 import types_pb2 as pb

MAX_AXES = 8

_Word = TypeVar("_Word", bound=StrEnum)
_Number = TypeVar("_Number", bound=int)


class ProtoEnum(Protocol[_Number]):
    """What a generated enum class offers."""

    def Value(self, name: str) -> _Number:  # noqa: D102, N802
        ...

    def Name(self, number: _Number) -> str:  # noqa: D102, N802
        ...

    def values(self) -> list[_Number]:  # noqa: D102
        ...


def _dtype(code: str) -> np.dtype[np.generic]:
    return np.dtype(code)


_DTYPES: dict[pb.DataType.ValueType, np.dtype[np.generic]] = {
    pb.DATA_TYPE_FLOAT32: _dtype("<f4"),
    pb.DATA_TYPE_FLOAT64: _dtype("<f8"),
    pb.DATA_TYPE_INT32: _dtype("<i4"),
    pb.DATA_TYPE_INT64: _dtype("<i8"),
    pb.DATA_TYPE_UINT8: _dtype("u1"),
    pb.DATA_TYPE_BOOL: _dtype("?"),
}
_DTYPE_NUMBERS = {dtype: number for number, dtype in _DTYPES.items()}


def tensor_to_message(array: NDArray[np.generic]) -> pb.Tensor:
    """A tensor message of `array`; float16 and small integers are widened to the next type that the wire has."""
    array = np.asarray(array)
    dtype = array.dtype.newbyteorder("<")
    if dtype not in _DTYPE_NUMBERS:
        dtype = _widened(array.dtype)
    return pb.Tensor(
        dtype=_DTYPE_NUMBERS[dtype], shape=array.shape, data=np.ascontiguousarray(array, dtype=dtype).tobytes()
    )


def _widened(dtype: np.dtype[np.generic]) -> np.dtype[np.generic]:
    for wide in ("<f4", "<i4", "<i8", "<f8"):
        if np.can_cast(dtype, wide):
            return np.dtype(wide)
    raise InvalidInput(Reason.SHAPE_MISMATCH, f"Arrays of {dtype} cannot be sent.", field="dtype")


def tensor_from_message(message: pb.Tensor, field: str) -> NDArray[np.generic]:
    """The array of a tensor message, read-only, sharing its bytes.

    Parameters
    ----------
    message
        The message.
    field
        What to call it in an error.

    Raises
    ------
    InvalidInput
        Unknown type, too many axes, or a byte length that does not fit the shape.
    """
    dtype = _DTYPES.get(message.dtype)
    if dtype is None:
        raise InvalidInput(Reason.SHAPE_MISMATCH, "Element type is missing or unknown.", field=f"{field}.dtype")
    if len(message.shape) > MAX_AXES:
        raise InvalidInput(Reason.SHAPE_MISMATCH, f"More than {MAX_AXES} axes.", field=f"{field}.shape")
    shape = tuple(message.shape)
    expected = math.prod(shape) * dtype.itemsize  # Python integers: no overflow, nothing allocated yet
    if expected != len(message.data):
        raise InvalidInput(
            Reason.SHAPE_MISMATCH,
            f"Shape {list(shape)} of {dtype.name} takes {expected} bytes, not {len(message.data)}.",
            field=f"{field}.data",
        )
    return np.frombuffer(message.data, dtype=dtype).reshape(shape)


def time_to_message(time: datetime | None) -> Timestamp | None:
    """The timestamp of an aware time; None stays unset."""
    if time is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(time.astimezone(UTC))
    return stamp


def time_from_message(stamp: Timestamp) -> datetime:
    """The time of a timestamp, in UTC."""
    return stamp.ToDatetime(tzinfo=UTC)


def enum_to_message(word: StrEnum | None, enum: ProtoEnum[_Number], prefix: str) -> _Number:
    """Number of `PREFIX_WORD`, or of `PREFIX_UNSPECIFIED` for None."""
    return enum.Value(f"{prefix}_{word.value if word is not None else 'UNSPECIFIED'}")


def enum_from_message(number: _Number, enum: ProtoEnum[_Number], prefix: str, words: type[_Word]) -> _Word | None:
    """The word of an enum's number; None for unspecified, and for numbers that this version does not know."""
    if number == 0 or number not in enum.values():
        return None
    return words(enum.Name(number).removeprefix(f"{prefix}_"))


def format_class_to_message(word: FormatClass | None) -> pb.FormatClass.ValueType:
    """Message enum of a format class."""
    return enum_to_message(word, pb.FormatClass, "FORMAT_CLASS")


def format_class_from_message(number: pb.FormatClass.ValueType) -> FormatClass | None:
    """Format class of a message enum."""
    return enum_from_message(number, pb.FormatClass, "FORMAT_CLASS", FormatClass)


def visibility_to_message(word: Visibility) -> pb.Visibility.ValueType:
    """Message enum of a visibility."""
    return enum_to_message(word, pb.Visibility, "VISIBILITY")


def visibility_from_message(number: pb.Visibility.ValueType) -> Visibility:
    """Visibility of a message enum; unspecified is public."""
    return enum_from_message(number, pb.Visibility, "VISIBILITY", Visibility) or Visibility.PUBLIC


def version_state_to_message(word: VersionState) -> pb.VersionState.ValueType:
    """Message enum of a version's state."""
    return enum_to_message(word, pb.VersionState, "VERSION_STATE")


def version_state_from_message(number: pb.VersionState.ValueType, field: str) -> VersionState:
    """State of a version; unspecified is refused."""
    word = enum_from_message(number, pb.VersionState, "VERSION_STATE", VersionState)
    if word is None:
        raise InvalidInput(Reason.FIELD_INVALID, "State is missing or unknown.", field=field)
    return word


def feature_space_to_message(space: FeatureSpace) -> pb.FeatureSpace:
    """Message of a feature space."""
    return pb.FeatureSpace(dimension=space.dimension, descriptions=dict(space.descriptions))


def feature_space_from_message(message: pb.FeatureSpace) -> FeatureSpace:
    """Feature space of a message."""
    return FeatureSpace(dimension=message.dimension, descriptions=dict(message.descriptions))


def match_to_message(match: Match) -> pb.ColumnMatch:
    """Message of a match of columns."""
    return pb.ColumnMatch(
        task_column=match.task_column,
        learnware_column=match.learnware_column,
        confidence=match.confidence,
        factor=match.conversion.factor,
        offset=match.conversion.offset,
    )


def match_from_message(message: pb.ColumnMatch, field: str = "columns") -> Match:
    """Match of a message, whose conversion must be of finite numbers."""
    factor = message.factor or 1.0
    if not (math.isfinite(factor) and math.isfinite(message.offset)):
        raise InvalidInput(Reason.NOT_FINITE, "A conversion must be of finite numbers.", field=field)
    return Match(message.task_column, message.learnware_column, message.confidence, Conversion(factor, message.offset))


def semantic_to_message(semantic: SemanticSpecification) -> pb.SemanticSpecification:
    """Message of a semantic specification."""
    return pb.SemanticSpecification(
        name=semantic.name,
        description=semantic.description,
        data=semantic.data,
        task=semantic.task,
        library=semantic.library,
        scenarios=semantic.scenarios,
        license=semantic.license,
        model=semantic.model,
        input=feature_space_to_message(semantic.input) if semantic.input else None,
        output=feature_space_to_message(semantic.output) if semantic.output else None,
    )


def semantic_from_message(message: pb.SemanticSpecification) -> SemanticSpecification:
    """Semantic specification of a message; its words are checked by `learndock.package.semantic.check_semantic`."""
    return SemanticSpecification(
        name=message.name,
        description=message.description,
        data=message.data,
        task=message.task,
        library=message.library,
        scenarios=tuple(message.scenarios),
        license=message.license or "Apache-2.0",
        model=message.model or "Others",
        input=feature_space_from_message(message.input) if message.HasField("input") else None,
        output=feature_space_from_message(message.output) if message.HasField("output") else None,
    )


def specification_to_message(specification: Specification) -> pb.Specification:
    """Message of a statistical specification."""
    fidelity, privacy = specification.fidelity, specification.privacy
    return pb.Specification(
        modality=enum_to_message(specification.modality, pb.Modality, "MODALITY"),
        atoms=tensor_to_message(specification.atoms),
        weights=tensor_to_message(specification.weights),
        encoder=specification.encoder,
        encoder_revision=specification.encoder_revision,
        row_count=specification.row_count,
        item_shape=specification.item_shape,
        input=feature_space_to_message(specification.input) if specification.input else None,
        languages=specification.languages,
        fidelity=pb.Fidelity(mmd2=fidelity.mmd2, gamma=fidelity.gamma) if fidelity else None,
        privacy=_privacy_to_message(privacy) if privacy else None,
    )


def specification_from_message(message: pb.Specification) -> Specification:
    """Statistical specification of a message.

    Raises
    ------
    InvalidInput
        A bound of `Specification` is broken; the error names the field.
    """
    modality = enum_from_message(message.modality, pb.Modality, "MODALITY", Modality)
    if modality is None:
        raise InvalidInput(Reason.FIELD_INVALID, "Modality is missing or unknown.", field="specification.modality")
    return Specification(
        atoms=tensor_from_message(message.atoms, "specification.atoms"),  # type: ignore[arg-type]  # cast and checked there
        weights=tensor_from_message(message.weights, "specification.weights"),  # type: ignore[arg-type]
        modality=modality,
        encoder=message.encoder,
        encoder_revision=message.encoder_revision,
        row_count=message.row_count,
        item_shape=tuple(message.item_shape),
        input=feature_space_from_message(message.input) if message.HasField("input") else None,
        languages=tuple(message.languages),
        fidelity=Fidelity(message.fidelity.mmd2, message.fidelity.gamma) if message.HasField("fidelity") else None,
        privacy=_privacy_from_message(message.privacy) if message.HasField("privacy") else None,
    )


def _privacy_to_message(privacy: PrivacyReport) -> pb.PrivacyReport:
    return pb.PrivacyReport(
        min_distance_ratio=privacy.min_distance_ratio,
        min_rows_per_atom=privacy.min_rows_per_atom,
        membership_auc=privacy.membership_auc or 0.0,
        perturbed_atoms=privacy.perturbed_atoms,
        shared_atoms=privacy.shared_atoms,
    )


def _privacy_from_message(message: pb.PrivacyReport) -> PrivacyReport:
    return PrivacyReport(
        min_distance_ratio=message.min_distance_ratio,
        min_rows_per_atom=message.min_rows_per_atom,
        membership_auc=message.membership_auc or None,
        perturbed_atoms=message.perturbed_atoms,
        shared_atoms=message.shared_atoms,
    )


def version_to_message(version: LearnwareVersion) -> pb.LearnwareVersion:
    """Message of a version."""
    return pb.LearnwareVersion(
        learnware_id=version.learnware_id,
        version=version.version,
        state=version_state_to_message(version.state),
        sha256=version.sha256,
        size_bytes=version.size_bytes,
        format_class=format_class_to_message(version.format_class),
        create_time=time_to_message(version.create_time),
        validation_id=version.validation_id,
        state_reason=version.state_reason,
    )


def version_from_message(message: pb.LearnwareVersion) -> LearnwareVersion:
    """Version of a message."""
    return LearnwareVersion(
        learnware_id=message.learnware_id,
        version=message.version,
        state=version_state_from_message(message.state, "version.state"),
        sha256=message.sha256,
        size_bytes=message.size_bytes,
        create_time=time_from_message(message.create_time),
        format_class=format_class_from_message(message.format_class),
        validation_id=message.validation_id,
        state_reason=message.state_reason,
    )


def learnware_to_message(learnware: Learnware) -> pb.Learnware:
    """Message of a learnware."""
    return pb.Learnware(
        learnware_id=learnware.learnware_id,
        owner_id=learnware.owner_id,
        semantic_specification=semantic_to_message(learnware.semantic_specification),
        visibility=visibility_to_message(learnware.visibility),
        current_version=version_to_message(learnware.current_version),
        create_time=time_to_message(learnware.create_time),
        update_time=time_to_message(learnware.update_time),
        delete_time=time_to_message(learnware.delete_time),
        etag=learnware.etag,
    )


def learnware_from_message(message: pb.Learnware) -> Learnware:
    """Learnware of a message."""
    return Learnware(
        learnware_id=message.learnware_id,
        owner_id=message.owner_id,
        semantic_specification=semantic_from_message(message.semantic_specification),
        visibility=visibility_from_message(message.visibility),
        current_version=version_from_message(message.current_version),
        create_time=time_from_message(message.create_time),
        update_time=time_from_message(message.update_time),
        delete_time=time_from_message(message.delete_time) if message.HasField("delete_time") else None,
        etag=message.etag,
    )


def filter_to_message(filter_: SemanticFilter) -> pb.SemanticFilter:
    """Message of a semantic filter."""
    return pb.SemanticFilter(
        data=filter_.data,
        tasks=filter_.tasks,
        libraries=filter_.libraries,
        scenarios=filter_.scenarios,
        licenses=filter_.licenses,
        owner_ids=filter_.owner_ids,
        format_classes=[format_class_to_message(word) for word in filter_.format_classes],
        learnware_ids=filter_.learnware_ids,
        text=filter_.text,
        visibilities=[visibility_to_message(word) for word in filter_.visibilities],
        inputs=filter_.inputs,
        outputs=filter_.outputs,
    )


def filter_from_message(message: pb.SemanticFilter) -> SemanticFilter:
    """Semantic filter of a message; unknown formats are dropped."""
    formats = (format_class_from_message(number) for number in message.format_classes)
    return SemanticFilter(
        data=tuple(message.data),
        tasks=tuple(message.tasks),
        libraries=tuple(message.libraries),
        scenarios=tuple(message.scenarios),
        licenses=tuple(message.licenses),
        owner_ids=tuple(message.owner_ids),
        format_classes=tuple(word for word in formats if word is not None),
        learnware_ids=tuple(message.learnware_ids),
        text=message.text,
        visibilities=tuple(visibility_from_message(number) for number in message.visibilities),
        inputs=tuple(message.inputs),
        outputs=tuple(message.outputs),
    )
