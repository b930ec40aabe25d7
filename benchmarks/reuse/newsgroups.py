"""20 newsgroups: owners who read three of five superclasses, users who read two."""

from __future__ import annotations

from itertools import combinations
import json
import lzma
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline

from benchmarks.reuse.experiment import Array, Experiment, Owner, User, meaning
from learndock.encoders.glove import GloveEncoder
from learndock.encoders.specify import encode_specification
from learndock.rkme.specification import Specification

SUPERCLASSES = ("comp", "rec", "sci", "misc", "talk")
WITHIN = {"alt": "talk", "soc": "talk"}
LABEL_COUNTS = (10, 30, 100, 300)
LABELLED_USERS = 10
SHARE_OF_OWNER = 0.3
POSTS_OF_USER = 600


def experiment(path: Path, *, owners: int = 50) -> Experiment:
    """Of the file of posts; headers are left out."""
    texts, groups, supers, training = _posts(path)
    names = sorted(set(groups))
    labels = np.array([names.index(group) for group in groups])
    owned = list(combinations(range(5), 3))
    made = [_owner(i, owned[i % 10], texts, labels, supers, training, len(names)) for i in range(owners)]
    users = [_user(i, pair, texts, labels, supers, ~training) for i, pair in enumerate(combinations(range(5), 2))]
    return Experiment(
        "newsgroups",
        f"20 newsgroups, {owners} owners of 3 superclasses, 10 users of 2",
        made,
        users,
        20,
        LABEL_COUNTS,
        LABELLED_USERS,
    )


def _posts(path: Path) -> tuple[Array, list[str], Array, Array]:
    with lzma.open(path, "rt") as file:
        posts = [json.loads(line) for line in file]
    texts = np.array([post["text"].partition("\n\n")[2].strip() or post["text"] for post in posts], dtype=object)
    groups = [post["group"] for post in posts]
    tops = [group.partition(".")[0] for group in groups]
    supers = np.array([SUPERCLASSES.index(WITHIN.get(top, top)) for top in tops])
    return texts, groups, supers, np.array([post["split"] == "train" for post in posts])


def _specified(texts: Array) -> Specification:
    return encode_specification(list(texts), GloveEncoder())


def _owner(
    number: int, known: tuple[int, ...], texts: Array, labels: Array, supers: Array, training: Array, classes: int
) -> Owner:
    generator = np.random.default_rng(number)
    possible = np.flatnonzero(training & np.isin(supers, known))
    chosen = generator.choice(possible, size=int(SHARE_OF_OWNER * len(possible)), replace=False)
    pipeline = make_pipeline(TfidfVectorizer(stop_words="english", sublinear_tf=True), MultinomialNB(alpha=0.05))
    model = _Whole(pipeline.fit(list(texts[chosen]), labels[chosen]), classes)
    name = f"owner {number}"
    return Owner(name, model, _specified(texts[chosen]), meaning(name, "Text", classes, ()))


class _Whole:
    """A classifier that gives a probability to each of all classes."""

    def __init__(self, model: MultinomialNB, classes: int) -> None:
        self._model, self._classes = model, classes

    def predict(self, X: list[str]) -> Array:
        probabilities = np.zeros((len(X), self._classes))
        probabilities[:, self._model.classes_] = self._model.predict_proba(X)
        return probabilities


def _user(number: int, pair: tuple[int, ...], texts: Array, labels: Array, supers: Array, testing: Array) -> User:
    order = np.random.default_rng(1000 + number).permutation(np.flatnonzero(testing & np.isin(supers, pair)))
    own, pool = order[:POSTS_OF_USER], order[POSTS_OF_USER : POSTS_OF_USER + max(LABEL_COUNTS)]
    return User(
        f"user {number}", list(texts[own]), labels[own], list(texts[pool]), labels[pool], _specified(texts[own])
    )
