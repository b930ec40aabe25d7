"""Differentially private specifications to messages and back."""

from __future__ import annotations

import numpy as np

from learndock.rkme.gaussian_mechanism import PrivacyBudget
from learndock.rkme.private import PrivateSpecification
from learndock.rkme.random_features import FeatureMap
from learndock.v1 import types_pb2 as pb
from learndock.wire import tensor_from_message, tensor_to_message

_FIELD = "private_specification"


def private_to_message(specification: PrivateSpecification) -> pb.PrivateSpecification:
    """Message of a private specification."""
    features = specification.feature_map
    return pb.PrivateSpecification(
        features=pb.RandomFeatures(
            center=tensor_to_message(features.center),
            scale=tensor_to_message(features.scale),
            gammas=features.gammas,
            frequency_count=features.frequency_count,
            seed=features.seed,
        ),
        mean=tensor_to_message(specification.mean),
        epsilon=specification.budget.epsilon,
        delta=specification.budget.delta,
        row_count=specification.row_count,
    )


def private_from_message(message: pb.PrivateSpecification) -> PrivateSpecification:
    """Private specification of a message.

    Raises
    ------
    InvalidInput
        A bound of `PrivateSpecification` or of its parts is broken; the error names the field.
    """
    features = message.features
    return PrivateSpecification(
        FeatureMap(
            center=tensor_from_message(features.center, f"{_FIELD}.features.center").astype(np.float64),
            scale=tensor_from_message(features.scale, f"{_FIELD}.features.scale").astype(np.float64),
            gammas=tuple(features.gammas),
            frequency_count=features.frequency_count,
            seed=features.seed,
        ),
        tensor_from_message(message.mean, f"{_FIELD}.mean").astype(np.float64),
        PrivacyBudget(message.epsilon, message.delta),
        message.row_count,
    )
