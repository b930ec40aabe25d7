"""Encoders compared: what encoded specifications tell of the data behind them, and what encoding costs.

Images (scikit-learn's digits, and Fashion-MNIST where its folder is given): 50 learnwares of four classes (.4, .4, .1,
.1) and 50 users of six classes in equal parts, summarised in 30 atoms each and compared as a dock compares them.
*Correlation* is Spearman's, of MMD2 with the squared distance of the class proportions, the mean over users. *Nearest*
is the mean accuracy that the learnware of smallest MMD2 has for a user, beside the mean and the best learnware's;
learnwares are ridge classifiers on pixels, whatever the vectors are.

Texts (20 newsgroups, where the file is given; headers left out): users with 50 test posts of a group meet the training
posts of all groups. *Own* is how often the nearest group is the user's own, *kin* how often the nearest of the others
is of its superclass, *AUC* the chance that a group of the same superclass is nearer than one of another.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
import gzip
from itertools import pairwise
import json
import lzma
from pathlib import Path
import time

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.stats import spearmanr
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifier
import torch
from torch.nn.functional import avg_pool2d, conv2d, pad

from learndock.encoders import registry
from learndock.encoders.encoder import Vectors
from learndock.encoders.images import Images
from learndock.rkme.discrepancy import mmd2
from learndock.rkme.fit import BuildOptions, build_specification
from learndock.rkme.specification import Specification
from services.search import profile

Array = NDArray[np.generic]

OPTIONS = BuildOptions(atom_count=30)
CLASSES = 10
LEARNWARES = USERS = 50
OWNED, WANTED = (0.4, 0.4, 0.1, 0.1), (1 / 6,) * 6
POSTS_OF_GROUP, POSTS_OF_USER, USERS_OF_GROUP = 100, 50, 2
TEXT_ENCODERS = ("glove-6b-50d", "all-minilm-l6-v2")


@dataclass(frozen=True)
class Labelled:
    """Images [n, H, W] with their classes [n]."""

    images: Array
    classes: Array

    def drawn(
        self, shares: Sequence[float], count: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Positions of about `count` images, shares of them of random classes; and the proportions of all classes."""
        proportions = np.zeros(CLASSES)
        proportions[rng.permutation(CLASSES)[: len(shares)]] = shares
        positions = [
            rng.choice(np.flatnonzero(self.classes == label), round(share * count), replace=False)
            for label, share in enumerate(proportions)
        ]
        return np.concatenate(positions), proportions


@dataclass(frozen=True)
class ImageFigures:
    """What vectors of images are worth."""

    data: str
    vectors: str
    dimension: int
    correlation: float
    nearest: float
    mean: float
    best: float
    images_per_second: int


@dataclass(frozen=True)
class TextFigures:
    """What vectors of texts are worth."""

    vectors: str
    dimension: int
    own: float
    kin: float
    auc: float
    texts_per_second: int


def discrepancies(owners: Sequence[Specification], users: Sequence[Specification]) -> NDArray[np.float64]:
    """MMD2 [owners, users] in the kernel of a dock that holds the owners'."""
    fitted = profile.fit(owners, number=1, fit_time=datetime.now(tz=UTC))
    a, b = (
        [replace(one, atoms=fitted.scaler.transform(one.atoms).astype(np.float32)) for one in side]
        for side in (owners, users)
    )
    return np.array([[mmd2(owner, user, fitted.kernel) for user in b] for owner in a])


def specified(vectors: Vectors) -> Specification:
    """Specification of vectors, in few atoms."""
    return build_specification(vectors, options=OPTIONS)


class Market:
    """Learnwares and users of one set of images, the same for whatever vectors are tried."""

    def __init__(self, owned: Labelled, wanted: Labelled, images_each: int) -> None:
        rng = np.random.default_rng(0)
        self.owned, self.wanted = owned, wanted
        owners = [owned.drawn(OWNED, images_each, rng) for _ in range(LEARNWARES)]
        users = [wanted.drawn(WANTED, images_each, rng) for _ in range(USERS)]
        self.owners, self.users = [rows for rows, _ in owners], [rows for rows, _ in users]
        self.unlike = np.array([[np.sum((p - q) ** 2) for _, q in users] for _, p in owners])
        self.accuracy = np.array([self._accuracies(rows) for rows in self.owners])

    def _accuracies(self, rows: NDArray[np.intp]) -> list[float]:
        x, y = (labelled.images.reshape(len(labelled.images), -1) for labelled in (self.owned, self.wanted))
        model = RidgeClassifier(alpha=float(x.var()) * 1000).fit(x[rows], self.owned.classes[rows])
        right = model.predict(y) == self.wanted.classes
        return [float(right[positions].mean()) for positions in self.users]

    def judge(self, data: str, name: str, vectorise: Callable[[Array], Vectors]) -> ImageFigures:
        """Figures of one way to make vectors of images."""
        start = time.perf_counter()
        of_owners, of_users = vectorise(self.owned.images), vectorise(self.wanted.images)
        seconds = time.perf_counter() - start
        nearness = discrepancies(
            [specified(of_owners[rows]) for rows in self.owners], [specified(of_users[rows]) for rows in self.users]
        )
        correlations = [spearmanr(nearness[:, user], self.unlike[:, user]).statistic for user in range(USERS)]
        return ImageFigures(
            data=data,
            vectors=name,
            dimension=of_owners.shape[1],
            correlation=float(np.mean(correlations)),
            nearest=float(self.accuracy[nearness.argmin(axis=0), np.arange(USERS)].mean()),
            mean=float(self.accuracy.mean()),
            best=float(self.accuracy.max(axis=0).mean()),
            images_per_second=round((len(of_owners) + len(of_users)) / seconds),
        )


def raw(images: Array) -> Vectors:
    """Pixels as they are."""
    return images.reshape(len(images), -1).astype(np.float32)


def pictures(images: Array, side: int = 32) -> Vectors:
    """Pixels of the small standardised pictures that the encoder sees, averaged to side x side, one channel."""
    grey = torch.from_numpy(Images.of(images).pixels(slice(None))[:, :1])
    return np.asarray(avg_pool2d(grey, 32 // side).flatten(1))


def convolution(
    widths: Sequence[int], seed: int, kernel: int = 3, *, centred: bool = True
) -> Callable[[Array], Vectors]:
    """Vectors by another random convolution: normal filters, rectified, averaged down to 4 x 4 places."""
    rng = np.random.default_rng(seed)
    layers = []
    for inputs, outputs in pairwise((3, *widths)):
        filters = rng.normal(size=(outputs, inputs, kernel, kernel))
        filters -= filters.mean(axis=(2, 3), keepdims=True) * centred
        filters /= np.sqrt((filters**2).sum(axis=(1, 2, 3), keepdims=True) / 2)
        layers.append(torch.from_numpy(filters.astype(np.float32)))
    pools = (8,) if len(widths) == 1 else (*(2,) * (len(widths) - 1), 2 ** (4 - len(widths)))

    def vectorise(images: Array) -> Vectors:
        hidden = torch.from_numpy(Images.of(images).pixels(slice(None)))
        for filters, pool in zip(layers, pools, strict=True):
            padded = pad(hidden, (kernel // 2,) * 4, mode="replicate")
            hidden = avg_pool2d(torch.relu(conv2d(padded, filters)), pool)
        return np.asarray(hidden.flatten(1))

    return in_batches(vectorise)


def in_batches(vectorise: Callable[[Array], Vectors], size: int = 500) -> Callable[[Array], Vectors]:
    """The same, with bounded memory."""
    return lambda images: np.concatenate([vectorise(images[i : i + size]) for i in range(0, len(images), size)])


IMAGE_VECTORS: Mapping[str, Callable[[Array], Vectors]] = {
    "raw pixels": raw,
    "standardised 32x32": pictures,
    "standardised 8x8": lambda images: pictures(images, 8),
    "1 layer, 32": convolution((32,), 1, 5),
    "2 layers, 32-32": convolution((32, 32), 1),
    "2 layers, 32-32, kernel 5": convolution((32, 32), 1, 5),
    "3 layers, 32-32-32": convolution((32, 32, 32), 1),
    "3 layers, another seed": convolution((32, 32, 32), 2),
    "3 layers, filters not centred": convolution((32, 32, 32), 1, centred=False),
    "3 layers, 32-64-32": convolution((32, 64, 32), 1),
    "3 layers, 32-64-16": convolution((32, 64, 16), 1),
    "learndock/random-conv": registry.encoder("learndock/random-conv").encode,
}


def digit_market() -> Market:
    """Scikit-learn's digits, half for owners and half for users."""
    digits = load_digits()
    halves = np.random.default_rng(0).permutation(len(digits.target)) % 2
    first, second = (Labelled(digits.images[halves == half], digits.target[halves == half]) for half in (0, 1))
    return Market(first, second, images_each=180)


def fashion_market(folder: Path) -> Market:
    """Fashion-MNIST's first 15,000 training images for owners, its first 6,000 test images for users."""
    owned, wanted = (
        Labelled(
            idx(folder / f"{part}-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)[:count],
            idx(folder / f"{part}-labels-idx1-ubyte.gz", 8)[:count],
        )
        for part, count in (("train", 15_000), ("t10k", 6_000))
    )
    return Market(owned, wanted, images_each=600)


def idx(file: Path, header: int) -> NDArray[np.uint8]:
    """Bytes of a compressed file in the format of MNIST, less its header."""
    return np.frombuffer(gzip.decompress(file.read_bytes()), np.uint8, offset=header)


@dataclass(frozen=True)
class Newsgroups:
    """Posts without headers, by group: those of the groups themselves, and those of users of each group."""

    groups: Sequence[str]
    of_groups: Sequence[Sequence[str]]
    of_users: Sequence[Sequence[str]]

    @classmethod
    def read(cls, file: Path) -> Newsgroups:
        """Some posts of the file of 20 newsgroups."""
        with lzma.open(file, "rt", encoding="utf-8") as lines:
            posts = [json.loads(line) for line in lines]
        bodies = [(post["split"], post["group"], post["text"].partition("\n\n")[2]) for post in posts]
        groups = sorted({group for _, group, _ in bodies})
        train, test = (
            [[text for part, of, text in bodies if part == split and of == group and text.strip()] for group in groups]
            for split in ("train", "test")
        )
        users = [
            texts[user * POSTS_OF_USER : (user + 1) * POSTS_OF_USER] for texts in test for user in range(USERS_OF_GROUP)
        ]
        return cls(groups, [texts[:POSTS_OF_GROUP] for texts in train], users)

    def superclass(self, group: int) -> str:
        """First part of a group's name; religion and politics are one."""
        first = self.groups[group].split(".")[0]
        return {"alt": "talk", "soc": "talk"}.get(first, first)

    def judge(self, name: str) -> TextFigures:
        """Figures of a sentence encoder."""
        encoder = registry.encoder(name)
        encoder.encode(["loads the weights"])
        start = time.perf_counter()
        owners, users = ([encoder.encode(texts) for texts in side] for side in (self.of_groups, self.of_users))
        seconds = time.perf_counter() - start
        nearness = discrepancies([specified(one) for one in owners], [specified(one) for one in users])
        return TextFigures(
            vectors=name,
            dimension=encoder.dimension,
            **self._ranked(nearness),
            texts_per_second=round(sum(map(len, (*owners, *users))) / seconds),
        )

    def _ranked(self, nearness: NDArray[np.float64]) -> dict[str, float]:
        count = len(self.groups)
        own = np.repeat(np.arange(count), USERS_OF_GROUP)
        kinship = np.array([[self.superclass(a) == self.superclass(int(b)) for b in own] for a in range(count)])
        others = np.where(np.arange(count)[:, None] == own, np.inf, nearness)
        with_kin = kinship.sum(axis=0) > 1
        kin, strangers = nearness[kinship & np.isfinite(others)], nearness[~kinship]
        return {
            "own": float((nearness.argmin(axis=0) == own).mean()),
            "kin": float(kinship[others.argmin(axis=0), np.arange(len(own))][with_kin].mean()),
            "auc": float((kin[:, None] < strangers).mean()),
        }


def show(title: str, rows: Sequence[ImageFigures | TextFigures]) -> None:
    """Print figures as a table."""
    table = Table(title=title)
    for field in fields(rows[0]):
        table.add_column(field.name.replace("_", " "), justify="left" if field.type == "str" else "right")
    for row in rows:
        table.add_row(*(f"{value:.3f}" if isinstance(value, float) else str(value) for value in asdict(row).values()))
    Console(width=120).print(table)


def main() -> None:
    """Measure what there is data for, print it, and write it down."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--fashion-mnist", type=Path, help="folder of the four files of Fashion-MNIST")
    arguments.add_argument("--newsgroups", type=Path, help="20news_bydate.jsonl.xz")
    arguments.add_argument("--json", type=Path, default=Path("build/encoders.json"), help="where figures go")
    given = arguments.parse_args()
    figures: dict[str, Sequence[ImageFigures | TextFigures]] = {}
    markets = {"digits": digit_market()}
    if given.fashion_mnist:
        markets["fashion-mnist"] = fashion_market(given.fashion_mnist)
    for data, market in markets.items():
        figures[data] = [market.judge(data, name, vectorise) for name, vectorise in IMAGE_VECTORS.items()]
        show(data, figures[data])
    if given.newsgroups:
        newsgroups = Newsgroups.read(given.newsgroups)
        figures["newsgroups"] = [newsgroups.judge(name) for name in TEXT_ENCODERS]
        show("20 newsgroups", figures["newsgroups"])
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps({data: [asdict(row) for row in rows] for data, rows in figures.items()}, indent=1))


if __name__ == "__main__":
    main()
