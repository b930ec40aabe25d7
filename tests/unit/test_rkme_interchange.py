"""Files of the reference engine: what is read, what is refused, and that ours come back the same."""

from __future__ import annotations

from dataclasses import fields
import json
from pathlib import Path
import zipfile

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
import numpy as np
import pytest

from learndock.errors import InvalidInput, Reason
from learndock.learnware import FeatureSpace, Modality
from learndock.rkme import interchange
from learndock.rkme.interchange import read_reference, write_reference
from learndock.rkme.specification import Fidelity, PrivacyReport, Specification

TABLE: dict[str, object] = {
    "z": [[0.07, -1.9, -1.9], [-0.26, 0.47, 0.07]],
    "beta": [0.45, 0.55],
    "gamma": 0.1,
    "num_points": 10000,
    "type": "RKMETableSpecification",
}


def file_with(**changes: object) -> bytes:
    return json.dumps({**TABLE, **changes}, separators=(",", ":")).encode()


def file_without(key: str) -> bytes:
    return json.dumps({name: value for name, value in TABLE.items() if name != key}).encode()


def equal(a: Specification, b: Specification) -> bool:
    """Whether all parts are the same, numbers to the last bit."""
    return all(
        np.array_equal(getattr(a, field.name), getattr(b, field.name))
        if field.name in ("atoms", "weights")
        else getattr(a, field.name) == getattr(b, field.name)
        for field in fields(Specification)
    )


def test_a_table() -> None:
    specification = read_reference(file_with())
    assert specification.modality is Modality.TABLE
    assert specification.atoms == pytest.approx(np.array(TABLE["z"]))
    assert specification.weights == pytest.approx([0.45, 0.55])
    assert specification.row_count == 10000
    assert specification.item_shape == (3,)
    assert specification.encoder == ""


def test_a_legacy_table_has_no_type_and_more_keys() -> None:
    legacy = json.loads(file_without("type")) | {"cuda_idx": 0, "device": "gpu"}
    assert equal(read_reference(json.dumps(legacy).encode()), read_reference(file_with()))
    assert equal(read_reference(file_with(type="RKMEStatSpecification")), read_reference(file_with()))


def test_a_text() -> None:
    specification = read_reference(file_with(type="RKMETextSpecification", language=["en", "zh-cn"]))
    assert specification.modality is Modality.TEXT
    assert specification.languages == ("en", "zh-cn")
    assert specification.encoder == "reference-minilm"
    assert specification.encoder_revision


def test_an_image_keeps_its_shape() -> None:
    pixels = np.arange(2 * 3 * 32 * 32).reshape(2, 3, 32, 32) / 1000
    document = {
        "RKME_IMAGE_VERSION": 1,
        "msg": None,
        "z": pixels.tolist(),
        "beta": [0.5, 0.5],
        "n_models": 16,
        "model_config": {"k": 2, "mu": 0, "sigma": None, "net_width": 128, "net_depth": 3},
        "type": "RKMEImageSpecification",
    }
    specification = read_reference(json.dumps(document).encode())
    assert specification.modality is Modality.IMAGE
    assert specification.item_shape == (3, 32, 32)
    assert specification.encoder == "reference-pixels"
    assert specification.atoms.reshape(pixels.shape) == pytest.approx(pixels)
    written = json.loads(write_reference(specification))
    assert {key: written[key] for key in document if key != "z"} == {k: v for k, v in document.items() if k != "z"}
    assert written["z"] == pixels.astype(np.float32).tolist()


@pytest.mark.parametrize("weights", [[0.2, 0.2], [3, 1], [1.0, -1e-9], [1, 0]])
def test_weights_are_renormalised(weights: list[float]) -> None:
    read = read_reference(file_with(beta=weights)).weights
    assert read.sum() == pytest.approx(1)
    assert read == pytest.approx(np.array(weights) / np.sum(weights), abs=1e-8)


def test_what_is_written_has_the_keys_of_the_reference() -> None:
    written = json.loads(write_reference(read_reference(file_with())))
    assert {key: written[key] for key in ("gamma", "num_points", "type", "beta")} == {
        key: TABLE[key] for key in ("gamma", "num_points", "type", "beta")
    }
    assert set(written) - set(TABLE) == {"learndock"}


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
numbers = st.floats(0, 1e300)


@st.composite
def specifications(draw: st.DrawFn) -> Specification:
    count = draw(st.integers(1, 6))
    item_shape = tuple(draw(st.lists(st.integers(1, 3), min_size=1, max_size=3)))
    dimension = int(np.prod(item_shape))
    atoms = draw(arrays.arrays(np.float32, (count, dimension), elements=st.floats(-1e6, 1e6, width=32)))
    weights = draw(arrays.arrays(np.float64, count, elements=st.floats(1e-3, 1)))
    privacy = st.builds(PrivacyReport, numbers, st.integers(0, 100), st.none() | st.floats(0, 1), st.integers(0, 9))
    described = st.builds(FeatureSpace, st.just(dimension), st.dictionaries(st.integers(0, 9999), texts, max_size=3))
    return Specification(
        atoms=atoms,
        weights=weights / weights.sum(),
        modality=draw(st.sampled_from(Modality)),
        encoder=draw(texts),
        encoder_revision=draw(texts),
        row_count=draw(st.integers(0, 2**40)),
        item_shape=item_shape,
        input=draw(st.none() | described),
        languages=tuple(draw(st.lists(texts, max_size=2))),
        fidelity=draw(st.none() | st.builds(Fidelity, numbers, numbers)),
        privacy=draw(st.none() | privacy),
    )


@settings(deadline=None)
@given(specifications())
def test_what_is_written_reads_back_the_same(specification: Specification) -> None:
    written = write_reference(specification)
    assert equal(read_reference(written), specification)
    assert write_reference(read_reference(written)) == written


def refused_field(data: bytes) -> str | None:
    """What a refusal names, or None for a file that is read."""
    try:
        read_reference(data)
    except InvalidInput as error:
        return error.field or "none was named"
    return None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
keys = st.sampled_from(["z", "beta", "gamma", "num_points", "type", "language", "learndock"])


@settings(deadline=None, max_examples=300)
@given(keys, json_values)
def test_any_value_is_read_or_refused_by_name(key: str, value: object) -> None:
    field = refused_field(file_with(**{key: value}))
    assert field is None or field.split(".")[0] in {key, "beta", "json", "specification"}


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(["encoder", "row_count", "languages", "input", "fidelity", "privacy"]), json_values)
def test_any_extra_is_read_or_refused_by_name(key: str, value: object) -> None:
    field = refused_field(file_with(learndock={key: value}))
    assert field in {None, "json"} or str(field).startswith(f"learndock.{key}")


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        read_reference(data)


@pytest.mark.parametrize(
    ("data", "reason", "field"),
    [
        (b"", Reason.FIELD_INVALID, "json"),
        (b"[]", Reason.FIELD_INVALID, "json"),
        (b'{"z": 1', Reason.FIELD_INVALID, "json"),
        (b"\xff\xfe{}", Reason.FIELD_INVALID, "json"),
        (b'{"z":' + b"[" * 100_000 + b"]" * 100_000 + b"}", Reason.FIELD_INVALID, "json"),
        (b'{"z":[[NaN]],"beta":[1]}', Reason.NOT_FINITE, "json"),
        (b'{"z":[[-Infinity]],"beta":[1]}', Reason.NOT_FINITE, "json"),
        (b'{"z":[[1e999]],"beta":[1]}', Reason.NOT_FINITE, "z"),
        (b'{"z":[[' + b"9" * 5000 + b']],"beta":[1]}', Reason.FIELD_INVALID, "json"),
        (file_with(type="HeteroMapTableSpecification"), Reason.FIELD_INVALID, "type"),
        (file_with(type=7), Reason.FIELD_INVALID, "type"),
        (file_without("z"), Reason.FIELD_INVALID, "z"),
        (file_without("beta"), Reason.FIELD_INVALID, "beta"),
        (file_with(z=[[1, 2], [3]]), Reason.SHAPE_MISMATCH, "z"),
        (file_with(z=[1, 2]), Reason.SHAPE_MISMATCH, "z"),
        (file_with(z=[["1", "2"], ["3", "4"]]), Reason.FIELD_INVALID, "z"),
        (file_with(z=[[10**30, 1], [1, 1]]), Reason.FIELD_INVALID, "z"),
        (file_with(z=[[1e7, 1], [1, 1]]), Reason.FIELD_INVALID, "specification.atoms"),
        (file_with(beta=[0.5]), Reason.SHAPE_MISMATCH, "beta"),
        (file_with(beta=[1.5, -0.5]), Reason.FIELD_INVALID, "beta"),
        (file_with(beta=[0, 0]), Reason.FIELD_INVALID, "beta"),
        (file_with(num_points=-1), Reason.FIELD_INVALID, "num_points"),
        (file_with(num_points=1.5), Reason.FIELD_INVALID, "num_points"),
        (file_with(learndock={"fidelity": {"mmd2": "low"}}), Reason.FIELD_INVALID, "learndock.fidelity.mmd2"),
    ],
)
def test_what_is_malformed_is_refused_by_name(data: bytes, reason: Reason, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_reference(data)
    assert caught.value.reason is reason
    assert caught.value.field == field


def test_brackets_in_strings_are_no_depth() -> None:
    assert read_reference(file_with(note="[" * 100 + '"{{' * 50)).atom_count == 2


def test_files_above_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interchange, "MAX_BYTES", 100)
    with pytest.raises(InvalidInput):
        read_reference(file_with())


PACKAGES = Path(__file__).parents[2] / "../shared/data/learnwares/packages"


@pytest.mark.shared
@pytest.mark.skipif(not PACKAGES.exists(), reason="the evaluation data is not beside the checkout")
def test_files_that_the_reference_wrote() -> None:
    for package in sorted(PACKAGES.glob("*.zip")):
        with zipfile.ZipFile(package) as archive:
            data = archive.read("stat_spec.json")
        specification = read_reference(data)
        assert specification.dimension in (13, 64)
        assert specification.atoms == pytest.approx(np.array(json.loads(data)["z"]), rel=1e-6)
        assert equal(read_reference(write_reference(specification)), specification)
