"""Fashion-MNIST: owners who saw four classes, users with six."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.reuse.experiment import Array, Experiment, Owner, User, meaning
from learndock.rkme.fit import build_specification

CLASSES = 10
OWNED = (0.4, 0.4, 0.1, 0.1)
ROWS_OF_OWNER, ROWS_OF_USER = 2000, 1000
LABEL_COUNTS = (10, 30, 100, 300, 1000, 2000)
LABELLED_USERS = 12


def experiment(folder: Path, *, owners: int = 50, users: int = 50) -> Experiment:
    """Of the four files of the data set; images are halved to 14 x 14 pixels between 0 and 1."""
    train, test = part(folder, "train"), part(folder, "t10k")
    return Experiment(
        "fashion_mnist",
        f"Fashion-MNIST, {owners} owners of 4 classes, {users} users of 6",
        [_owner(i, *train) for i in range(owners)],
        [_user(i, *test) for i in range(users)],
        CLASSES,
        LABEL_COUNTS,
        LABELLED_USERS,
    )


def part(folder: Path, name: str) -> tuple[Array, Array]:
    """Images [n, 196] and classes of one part of the data set, "train" or "t10k"."""
    with gzip.open(folder / f"{name}-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)) / 255
    with gzip.open(folder / f"{name}-labels-idx1-ubyte.gz") as file:
        return images.reshape(len(images), -1), np.frombuffer(file.read(), np.uint8, offset=8).astype(np.int64)


def _drawn(classes: Array, wanted: dict[int, int], generator: np.random.Generator) -> Array:
    parts = [generator.choice(np.flatnonzero(classes == c), size=n, replace=False) for c, n in wanted.items()]
    return generator.permutation(np.concatenate(parts))


def owned(number: int, images: Array, classes: Array) -> tuple[Array, Array]:
    """Rows of an owner, and their classes."""
    generator = np.random.default_rng(number)
    known = generator.choice(CLASSES, size=len(OWNED), replace=False)
    wanted = {int(c): int(share * ROWS_OF_OWNER) for c, share in zip(known, OWNED, strict=True)}
    chosen = _drawn(classes, wanted, generator)
    return images[chosen], classes[chosen]


def _owner(number: int, images: Array, classes: Array) -> Owner:
    rows, truth = owned(number, images, classes)
    model = Whole(
        make_pipeline(StandardScaler(), PCA(40, random_state=0), LogisticRegression(max_iter=300)).fit(rows, truth)
    )
    return Owner(f"owner {number}", model, build_specification(rows), meaning(f"owner {number}", "Image", CLASSES, ()))


class Whole:
    """A classifier that gives a probability to each of all classes."""

    def __init__(self, model: ClassifierMixin) -> None:
        self._model = model

    def predict(self, X: Array) -> Array:
        """Probabilities, float64 [n, 10]."""
        probabilities = np.zeros((len(X), CLASSES))
        probabilities[:, self._model.classes_] = self._model.predict_proba(X)
        return probabilities


def _user(number: int, images: Array, classes: Array) -> User:
    generator = np.random.default_rng(1000 + number)
    wanted_classes = generator.choice(CLASSES, size=6, replace=False)
    count = (ROWS_OF_USER + max(LABEL_COUNTS)) // 6
    chosen = _drawn(classes, {int(c): count for c in wanted_classes}, generator)
    own, pool = chosen[:ROWS_OF_USER], chosen[ROWS_OF_USER:]
    rows = images[own]
    return User(f"user {number}", rows, classes[own], images[pool], classes[pool], build_specification(rows))
