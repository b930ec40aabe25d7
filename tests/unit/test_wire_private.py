"""Differentially private specifications on the wire."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from learndock.errors import InvalidInput
from learndock.rkme.gaussian_mechanism import PrivacyBudget
from learndock.rkme.private import PrivateSpecification
from learndock.rkme.random_features import FeatureMap
from learndock.v1 import types_pb2 as pb
from learndock.wire import tensor_to_message
from learndock.wire_private import private_from_message, private_to_message


def example() -> PrivateSpecification:
    features = FeatureMap.of_ranges([(0.0, 1.0), (-5.0, 5.0)], frequency_count=3, seed=7)
    return PrivateSpecification(features, np.linspace(-1, 1, 6), PrivacyBudget(0.5, 1e-6), 1000)


def test_what_is_sent_comes_back() -> None:
    sent = example()
    read = private_from_message(private_to_message(sent))
    assert (read.budget, read.row_count, read.noise) == (sent.budget, sent.row_count, sent.noise)
    np.testing.assert_array_equal(read.mean, sent.mean)
    rows = np.array([[0.2, 1.0]])
    np.testing.assert_array_equal(read.feature_map.features(rows), sent.feature_map.features(rows))


def _without_frequencies(message: pb.PrivateSpecification) -> None:
    message.features.frequency_count = 0


def _with_too_many(message: pb.PrivateSpecification) -> None:
    message.features.frequency_count = 2**31


def _with_a_wide_delta(message: pb.PrivateSpecification) -> None:
    message.delta = 0.01


def _with_a_gamma_below_zero(message: pb.PrivateSpecification) -> None:
    message.features.gammas[0] = -1.0


def _with_a_scale_of_zero(message: pb.PrivateSpecification) -> None:
    message.features.scale.CopyFrom(tensor_to_message(np.array([1.0, 0.0])))


def _with_a_mean_that_is_none(message: pb.PrivateSpecification) -> None:
    message.mean.CopyFrom(tensor_to_message(np.full(6, np.nan)))


@pytest.mark.parametrize(
    ("spoil", "field"),
    [
        (_without_frequencies, "private.frequency_count"),
        (_with_too_many, "private.frequency_count"),
        (_with_a_wide_delta, "private.delta"),
        (_with_a_gamma_below_zero, "private.gammas"),
        (_with_a_scale_of_zero, "private.scale"),
        (_with_a_mean_that_is_none, "private.mean"),
        (pb.PrivateSpecification.Clear, "private_specification.features.center.dtype"),
    ],
)
def test_bounds_are_checked(spoil: Callable[[pb.PrivateSpecification], None], field: str) -> None:
    message = private_to_message(example())
    spoil(message)
    with pytest.raises(InvalidInput) as caught:
        private_from_message(message)
    assert caught.value.field == field
