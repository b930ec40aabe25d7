"""Files of differentially private specifications."""

from __future__ import annotations

import json

from learndock.errors import InvalidInput, Reason
from learndock.rkme.gaussian_mechanism import PrivacyBudget
from learndock.rkme.interchange import parse_object
from learndock.rkme.json_keys import Keys
from learndock.rkme.private import PrivateSpecification
from learndock.rkme.random_features import FeatureMap

_TYPE = "PrivateSpecification"


def is_private(json_bytes: bytes) -> bool:
    """Whether a specification file holds a private one.

    Raises
    ------
    InvalidInput
        It is no JSON object, or too large.
    """
    return parse_object(json_bytes).document.get("type") == _TYPE


def write_private(specification: PrivateSpecification) -> bytes:
    """UTF-8 JSON file of a private specification; numbers keep all their digits."""
    features = specification.feature_map
    document = {
        "type": _TYPE,
        "mean": specification.mean.tolist(),
        "epsilon": specification.budget.epsilon,
        "delta": specification.budget.delta,
        "row_count": specification.row_count,
        "features": {
            "center": features.center.tolist(),
            "scale": features.scale.tolist(),
            "gammas": list(features.gammas),
            "frequency_count": features.frequency_count,
            "seed": features.seed,
        },
    }
    return json.dumps(document, separators=(",", ":"), allow_nan=False).encode()


def read_private(json_bytes: bytes) -> PrivateSpecification:
    """Private specification of such a file.

    Raises
    ------
    InvalidInput
        The file is malformed or a bound is broken; the error names the key or the field.
    """
    keys = parse_object(json_bytes)
    features = keys.section("features")
    if keys.word("type") != _TYPE or features is None:
        raise InvalidInput(Reason.FIELD_INVALID, f"The file is no {_TYPE} with features.", field="features")
    budget = PrivacyBudget(keys.number("epsilon"), keys.number("delta"))
    return PrivateSpecification(_feature_map(features), keys.numbers("mean"), budget, keys.count("row_count"))


def _feature_map(keys: Keys) -> FeatureMap:
    return FeatureMap(
        center=keys.numbers("center"),
        scale=keys.numbers("scale"),
        gammas=tuple(float(gamma) for gamma in keys.numbers("gammas").reshape(-1)),
        frequency_count=keys.count("frequency_count"),
        seed=keys.count("seed"),
    )
