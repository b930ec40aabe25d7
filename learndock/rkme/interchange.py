"""Specification files of the reference engine, read and written.

A file of ours is one of theirs with one more key, `learndock`, which the reference passes over: what it does not
know (encoder, fidelity, privacy, meaning of the columns) is kept there, so that what was written reads back the same.
"""

from __future__ import annotations

from collections.abc import Mapping
import json
import re

import numpy as np
from numpy.typing import NDArray

from learndock.errors import InvalidInput, Reason
from learndock.learnware import Modality
from learndock.rkme.annotations import annotations_of, read_annotations
from learndock.rkme.json_keys import Keys
from learndock.rkme.specification import WEIGHT_TOLERANCE, Specification

MAX_BYTES = 64 * 2**20
MAX_DEPTH = 32
EXTRA_KEY = "learndock"

_TABLE_TYPE = "RKMETableSpecification"
_MODALITIES: Mapping[str, Modality] = {
    _TABLE_TYPE: Modality.TABLE,
    "RKMEStatSpecification": Modality.TABLE,  # its name in 2023
    "RKMETextSpecification": Modality.TEXT,
    "RKMEImageSpecification": Modality.IMAGE,
}
_TYPES = {
    Modality.TABLE: _TABLE_TYPE,
    Modality.TEXT: "RKMETextSpecification",
    Modality.IMAGE: "RKMEImageSpecification",
}

REFERENCE_PIXELS = "reference-pixels"
"""Name of the space in which the reference engine's image files live."""

# The spaces in which the reference's own specifications live: (encoder, revision).
_REFERENCE_ENCODERS = {
    Modality.TABLE: ("", ""),
    Modality.TEXT: ("reference-minilm", "paraphrase-multilingual-MiniLM-L12-v2"),
    Modality.IMAGE: (REFERENCE_PIXELS, "1"),
}
# What the reference compares with, whatever the data; it knows no other.
_REFERENCE_GAMMA = 0.1
_IMAGE_MODEL = {"k": 2, "mu": 0, "sigma": None, "net_width": 128, "net_depth": 3}
_IMAGE_MODEL_COUNT = 16

# Interior-point solvers leave weights this little below zero, as a share of the largest.
_ROUNDING = 1e-6
_STRING = re.compile(rb'(?s)"(?:[^"\\]|\\.)*"')


def read_reference(json_bytes: bytes) -> Specification:
    """Specification of a table, text, image or legacy (2023) file of the reference engine, or of one of ours.

    Unknown keys are passed over, weights renormalised. A kernel parameter that a file brings is not kept.

    Raises
    ------
    InvalidInput
        Not UTF-8 JSON, above 64 MiB or deeper than 32, or a key that is missing or malformed; the error names it.
    """
    keys = parse_object(json_bytes)
    modality = _modality(keys)
    atoms = _atoms(keys)
    encoder, revision = _REFERENCE_ENCODERS[modality]
    specification = Specification(
        atoms=atoms.reshape(len(atoms), -1),  # type: ignore[arg-type]  # cast and checked there
        weights=_weights(keys, len(atoms)),
        modality=modality,
        encoder=encoder,
        encoder_revision=revision,
        row_count=keys.count("num_points"),
        item_shape=atoms.shape[1:],
        languages=keys.words("language"),
    )
    extra = keys.section(EXTRA_KEY)
    return read_annotations(extra, specification) if extra else specification


def write_reference(specification: Specification) -> bytes:
    """UTF-8 JSON file of a specification, of the type that the reference engine has for its modality.

    Numbers are written with all their digits: atoms and weights read back exactly.
    """
    document: dict[str, object] = {
        "z": specification.atoms.astype(np.float64).reshape(-1, *specification.item_shape).tolist(),
        "beta": specification.weights.tolist(),
    }
    if specification.modality is Modality.IMAGE:
        document |= {"RKME_IMAGE_VERSION": 1, "msg": None, "n_models": _IMAGE_MODEL_COUNT, "model_config": _IMAGE_MODEL}
    else:
        document |= {"gamma": _REFERENCE_GAMMA, "num_points": specification.row_count}
    if specification.modality is Modality.TEXT:
        document["language"] = list(specification.languages)
    document["type"] = _TYPES[specification.modality]
    document[EXTRA_KEY] = annotations_of(specification)
    return json.dumps(document, separators=(",", ":"), allow_nan=False, ensure_ascii=False).encode()


def parse_object(json_bytes: bytes) -> Keys:
    """The one object that a specification file holds.

    Raises
    ------
    InvalidInput
        Not a UTF-8 JSON object, above 64 MiB or deeper than 32.
    """
    if len(json_bytes) > MAX_BYTES:
        raise _invalid(f"The file exceeds {MAX_BYTES >> 20} MiB.", "json")
    if _depth(json_bytes) > MAX_DEPTH:
        raise _invalid(f"The file is nested deeper than {MAX_DEPTH}.", "json")
    try:
        document = json.loads(json_bytes.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except ValueError as error:  # also bytes that are not UTF-8, and integers of thousands of digits
        raise _invalid("The file is not UTF-8 JSON.", "json") from error
    if not isinstance(document, dict):
        raise _invalid("The file is not one JSON object.", "json")
    return Keys(document)


def _refuse_constant(word: str) -> float:
    raise InvalidInput(Reason.NOT_FINITE, f"The file holds {word}.", field="json")


def _depth(json_bytes: bytes) -> int:
    """Deepest nesting, found before the parser recurses."""
    signs = np.frombuffer(_STRING.sub(b"", json_bytes), dtype=np.uint8)
    opening = np.isin(signs, np.frombuffer(b"[{", dtype=np.uint8))
    closing = np.isin(signs, np.frombuffer(b"]}", dtype=np.uint8))
    steps = opening[opening | closing].astype(np.int32) * 2 - 1
    return int(steps.cumsum().max(initial=0))


def _modality(keys: Keys) -> Modality:
    name = keys.word("type", default=_TABLE_TYPE)  # legacy files have none
    if name not in _MODALITIES:
        raise _invalid(f"Type {name!r} is not one that can be read; known are {', '.join(_MODALITIES)}.", "type")
    return _MODALITIES[name]


def _atoms(keys: Keys) -> NDArray[np.float64]:
    atoms = keys.numbers("z")
    if atoms.ndim < 2 or not atoms.size:
        raise InvalidInput(Reason.SHAPE_MISMATCH, f"z must be [K, ...], not {list(atoms.shape)}.", field="z")
    return atoms


def _weights(keys: Keys, count: int) -> NDArray[np.float64]:
    weights = keys.numbers("beta")
    if weights.shape != (count,):
        raise InvalidInput(
            Reason.SHAPE_MISMATCH,
            f"beta must hold one weight for each of {count} atoms, not {list(weights.shape)}.",
            field="beta",
        )
    largest = weights.max()
    if largest <= 0 or weights.min() < -_ROUNDING * largest:
        raise _invalid("beta must hold no negative weight, and one above zero.", "beta")
    weights = np.maximum(weights, 0.0)
    total = weights.sum()
    # Weights that are fine are left alone, digit for digit.
    return weights if abs(total - 1.0) <= WEIGHT_TOLERANCE else weights / total


def _invalid(message: str, field: str) -> InvalidInput:
    return InvalidInput(Reason.FIELD_INVALID, message, field=field)
