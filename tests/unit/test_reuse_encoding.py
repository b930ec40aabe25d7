"""JOB_SELECTOR over texts and images: rows are compared in the space of the specifications' encoder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
import pytest

from learndock.encoders.encoder import Encoder
from learndock.encoders.glove import GloveEncoder
from learndock.encoders.random_convolution import RandomConvolutionEncoder
from learndock.encoders.specify import encode_specification
from learndock.errors import InvalidInput, Reason
from learndock.learnware import FeatureSpace, SemanticSpecification
from learndock.reuse.job_selector import JobSelectorReuser
from learndock.reuse.member import Inputs, Member
from learndock.reuse.saving import save
from learndock.reuse.strategy import Strategy, choose, make_reuser
from learndock.rkme.fit import BuildOptions
from learndock.rkme.specification import Specification

TOPICS = (
    (
        ["horse", "stable", "rider", "saddle", "gallop", "meadow"],
        ["apple", "bread", "butter", "cheese", "kitchen", "dinner"],
    ),
    (
        ["engine", "voltage", "circuit", "battery", "motor", "wire"],
        ["senate", "vote", "law", "court", "minister", "party"],
    ),
)


def texts(topic: int, count: int, seed: int) -> list[str]:
    generator = np.random.default_rng(seed)
    subjects = TOPICS[topic]
    return [" ".join(generator.choice(subjects[int(generator.integers(2))], 5)) for _ in range(count)]


def pictures(count: int, seed: int, *, upright: bool) -> NDArray[np.float64]:
    """Stripes, upright or level, in noise."""
    generator = np.random.default_rng(seed)
    stripes = np.tile(np.arange(16) // 2 % 2, (16, 1)).astype(float)
    return (stripes if upright else stripes.T) + generator.normal(0, 0.3, (count, 16, 16))


class Always:
    def __init__(self, answer: float) -> None:
        self.answer = answer

    def predict(self, X: Inputs) -> NDArray[np.generic]:
        return np.full(len(X), self.answer)


def specified(items: object, encoder: Encoder) -> Specification:
    return encode_specification(items, encoder, options=BuildOptions(allow_few_rows=True))  # type: ignore[arg-type]


def members(data: str, *specifications: Specification) -> list[Member]:
    semantic = SemanticSpecification("name", "", data, "Regression", "Others", ("Others",), output=FeatureSpace(1))
    return [Member(Always(i), one, semantic, 1.0, str(i)) for i, one in enumerate(specifications)]


@pytest.fixture(scope="module")
def of_texts() -> list[Member]:
    return members("Text", *(specified(texts(topic, 80, topic), GloveEncoder()) for topic in (0, 1)))


@pytest.fixture(scope="module")
def of_pictures() -> list[Member]:
    encoder = RandomConvolutionEncoder()
    return members("Image", *(specified(pictures(60, 1, upright=upright), encoder) for upright in (True, False)))


def test_texts_go_to_whoever_knows_their_subject(of_texts: list[Member]) -> None:
    assert choose(of_texts) is Strategy.JOB_SELECTOR
    rows = texts(0, 40, 7) + texts(1, 40, 8)
    answer = make_reuser(None, of_texts).predict(rows)
    assert ((answer > 0.5) == (np.arange(80) >= 40)).mean() > 0.95


def test_pictures_go_to_whoever_knows_their_kind(of_pictures: list[Member]) -> None:
    rows = np.concatenate([pictures(30, 2, upright=True), pictures(30, 3, upright=False)])
    answer = make_reuser(Strategy.JOB_SELECTOR, of_pictures).predict(rows)
    assert ((answer > 0.5) == (np.arange(60) >= 30)).mean() > 0.95


def test_what_the_encoder_cannot_read_gets_the_mean_of_all(of_pictures: list[Member]) -> None:
    flat = pictures(5, 2, upright=True).reshape(5, -1)
    prediction = JobSelectorReuser(of_pictures).fit().answer(flat)
    assert prediction.outputs.tolist() == [0.5] * 5
    assert prediction.member_index.tolist() == [-1] * 5


@pytest.mark.parametrize("change", [{"encoder": "nobody/knows-it"}, {"encoder_revision": "another"}])
def test_an_encoder_that_is_not_here_leaves_the_mean(of_texts: list[Member], change: dict[str, str]) -> None:
    strange = [replace(one, specification=replace(one.specification, **change)) for one in of_texts]  # type: ignore[type-var]
    assert choose(strange) is Strategy.AVERAGE
    with pytest.raises(InvalidInput, match="encoder that is installed here") as caught:
        make_reuser(Strategy.JOB_SELECTOR, strange)
    assert caught.value.reason is Reason.STRATEGY_UNSUITABLE


def test_two_revisions_do_not_mix(of_texts: list[Member]) -> None:
    first, second = of_texts
    other = replace(second, specification=replace(second.specification, encoder_revision="x"))  # type: ignore[type-var]
    with pytest.raises(InvalidInput, match="space of their specifications"):
        make_reuser(Strategy.AVERAGE, [first, other])


def test_a_package_holds_no_encoder(of_texts: list[Member], tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="use AVERAGE"):
        save(tmp_path / "saved.zip", make_reuser(Strategy.JOB_SELECTOR, of_texts), [])
