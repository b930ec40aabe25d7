"""What is to be built: of what kind of items, by which encoder, how."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from learndock.encoders.encoder import Items
from learndock.encoders.registry import encoder_for
from learndock.encoders.specify import encode_specification
from learndock.errors import InvalidInput, Reason
from learndock.learnware import Modality
from learndock.rkme.fit import BuildOptions, build_specification
from learndock.rkme.gaussian_mechanism import PrivacyBudget
from learndock.rkme.private import PrivateSpecification, specify_privately
from learndock.rkme.random_features import DEFAULT_FREQUENCIES, FeatureMap
from learndock.rkme.specification import Specification
from learndock.v1 import spec_service_pb2 as pb
from learndock.v1 import types_pb2
from learndock.wire import tensor_from_message

_LONGEST_NAME = 100
_MODALITIES: Mapping[int, Modality] = {
    types_pb2.MODALITY_UNSPECIFIED: Modality.TABLE,
    types_pb2.MODALITY_TABLE: Modality.TABLE,
    types_pb2.MODALITY_IMAGE: Modality.IMAGE,
    types_pb2.MODALITY_TEXT: Modality.TEXT,
}


@dataclass(frozen=True)
class PrivateOrder:
    """How to release a differentially private specification: with which budget, through which map."""

    budget: PrivacyBudget
    feature_map: FeatureMap


@dataclass(frozen=True)
class Order:
    """A build as a caller wants it.

    Attributes
    ----------
    options
        How to reduce.
    modality
        What the items are.
    encoder
        Who turns images or texts into vectors; empty for the usual one.
    private
        How to keep a table differentially private; None to publish atoms.
    """

    options: BuildOptions = field(default_factory=BuildOptions)
    modality: Modality = Modality.TABLE
    encoder: str = ""
    private: PrivateOrder | None = None

    def build(self, items: Items, progress: Callable[[str, float], None]) -> Specification | PrivateSpecification:
        """The specification of the items.

        Raises
        ------
        InvalidInput
            The items cannot be summarised so.
        FailedPrecondition
            The encoder is not installed here (EXTRA_MISSING).
        """
        if self.private is not None:
            progress("release", 0.0)
            return specify_privately(items, budget=self.private.budget, feature_map=self.private.feature_map)  # type: ignore[arg-type]
        if self.modality is Modality.TABLE:
            return build_specification(items, options=self.options, progress=progress)  # type: ignore[arg-type]
        encoder = encoder_for(self.modality, self.encoder)
        return encode_specification(items, encoder, options=self.options, progress=progress)


def order_from_message(message: pb.BuildOptions) -> Order:
    """The order of build options; zero means the default.

    Raises
    ------
    InvalidInput
        A number is out of bounds, or there is no such modality or encoder.
    """
    if message.modality not in _MODALITIES:
        raise InvalidInput(Reason.FIELD_INVALID, "There is no such modality.", field="options.modality")
    if len(message.encoder) > _LONGEST_NAME:
        raise InvalidInput(Reason.FIELD_INVALID, "The name is too long.", field="options.encoder")
    private = message.HasField("private")
    if private and _MODALITIES[message.modality] is not Modality.TABLE:
        raise InvalidInput(Reason.FIELD_INVALID, "Only tables have private specifications.", field="options.modality")
    return Order(
        BuildOptions(
            atom_count=message.atom_count or None,
            iterations=message.iterations or BuildOptions.iterations,
            seed=message.seed,
            allow_few_rows=message.allow_few_rows,
        ),
        _MODALITIES[message.modality],
        message.encoder,
        _private_order(message.private) if private else None,
    )


def _private_order(message: pb.PrivateOptions) -> PrivateOrder:
    feature_map = FeatureMap.of_ranges(
        tensor_from_message(message.ranges, "private.ranges"),
        frequency_count=message.frequency_count or DEFAULT_FREQUENCIES,
        seed=message.seed,
    )
    return PrivateOrder(PrivacyBudget(message.epsilon, message.delta), feature_map)
