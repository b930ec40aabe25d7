"""Data on which nothing was chosen, to see whether the default without labels holds there, too.

Made families and other targets of given data, half or more of whose users have rows of two owners' kinds; played as
the evaluation is. `mean_of_ours` is the plain mean of the members that the default asks.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import replace
import json
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.base import BaseEstimator
from sklearn.datasets import load_digits
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from benchmarks.reuse import air_quality, data, fashion, play
from benchmarks.reuse.experiment import Array, Experiment, Owner, User, meaning
from benchmarks.reuse.market import Market
from learndock.encoders.random_convolution import RandomConvolutionEncoder
from learndock.encoders.specify import encode_specification
from learndock.rkme.fit import build_specification

Truth = Callable[[Array], Array]
RESULTS = Path("benchmarks/results/reuse_families.json")
ROWS_OF_USER = 600
HALF = ROWS_OF_USER // 2


def main() -> None:
    """Play the families and write what users lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the data that is given")
    parser.add_argument("--json", type=Path, default=RESULTS, help=f"where figures go; {RESULTS}")
    parser.add_argument("--only", nargs="*", default=[], help="names of families to play")
    arguments = parser.parse_args()
    found = {
        name: played(build())
        for name, build in families(arguments.data).items()
        if name in arguments.only or not arguments.only
    }
    arguments.json.write_text(json.dumps(found, indent=2) + "\n")


def families(given: Path) -> dict[str, Callable[[], Experiment]]:
    """The families by name."""
    return {
        "places": lambda: places("places", forest, bent, noise=2.0),
        "curves": lambda: places("curves", straight, wavy, noise=0.3),
        "digits": digits,
        "air_no2": lambda: air(given / data.AIR, "NO2"),
        "air_o3": lambda: air(given / data.AIR, "O3"),
        "fashion_encoded": fashion_encoded,
    }


def played(experiment: Experiment) -> dict[str, float]:
    """Mean losses by method and the gap that each closes, printed, too."""
    users = play.unlabelled(experiment, Market(experiment))
    losses = {name: float(np.mean([one[name] for one in users.losses])) for name in users.losses[0]}
    parts = zip(users.outputs, users.members, experiment.users, strict=True)
    plain = [_loss(experiment, said[asked].mean(axis=0), user) for said, asked, user in parts]
    losses["mean_of_ours"] = float(np.mean(plain))
    _print(experiment.name, losses)
    return losses


def _loss(experiment: Experiment, said: Array, user: User) -> float:
    return experiment.loss(said.argmax(axis=1) if experiment.classes else said, user.truth)


def _print(name: str, losses: Mapping[str, float]) -> None:
    table = Table("method", "loss", "gap closed", title=name)
    gap = losses["random"] - losses["best"]
    for method, loss in losses.items():
        table.add_row(method, f"{loss:.4f}", f"{(losses['random'] - loss) / gap:.3f}")
    Console().print(table)


def bent(X: Array) -> Array:
    """After Friedman (1991)."""
    return np.asarray(10 * np.sin(np.pi * X[:, 0] * X[:, 1] / 2) + 5 * X[:, 2] ** 2 + 4 * X[:, 3] + 3 * X[:, 4])


def wavy(X: Array) -> Array:
    """What straight lines fit only near where they were fitted."""
    return np.asarray(3 * np.sin(X[:, 0]) + X[:, 1] * X[:, 2] / 2 + np.abs(X[:, 3]))


def forest(_number: int) -> BaseEstimator:
    """Knows a constant beyond its rows."""
    return RandomForestRegressor(30, random_state=0)


def straight(number: int) -> BaseEstimator:
    """Says anything beyond its rows."""
    return make_pipeline(PolynomialFeatures(1 + number % 2), LinearRegression())


def places(name: str, model: Callable[[int], BaseEstimator], truth: Truth, *, noise: float) -> Experiment:
    """Owners at places of a plain; users beside one, between two, or of two."""
    generator = np.random.default_rng(3)
    dimension, columns = 8, [f"column {i}" for i in range(8)]
    centres = generator.normal(0, 1.5, (40, dimension))

    def near(centre: Array, count: int) -> Array:
        return centre + generator.normal(0, 0.8, (count, dimension))

    owners, users = [], []
    for number, centre in enumerate(centres):
        rows = near(centre, int(generator.integers(150, 1200)))
        fitted = model(number).fit(rows, truth(rows) + generator.normal(0, noise, len(rows)))
        owners.append(Owner(f"owner {number}", fitted, build_specification(rows), meaning(name, "Table", 0, columns)))
    for number in range(30):
        one, other = centres[generator.choice(40, 2, replace=False)]
        rows = [
            lambda one=one: near(one + generator.normal(0, 0.3, dimension), ROWS_OF_USER),
            lambda one=one, other=other: near((one + other) / 2, ROWS_OF_USER),
            lambda one=one, other=other: np.vstack([near(one, HALF), near(other, HALF)]),
        ][number % 3]()  # type: ignore[misc]
        users.append(_user(number, rows, truth(rows) + generator.normal(0, noise, len(rows))))
    return Experiment(name, name, owners, users, 0, (), 0)


def _user(number: int, rows: Array, truth: Array) -> User:
    return User(f"user {number}", rows, truth, rows, truth, build_specification(rows))


def air(path: Path, target: str) -> Experiment:
    """Another pollutant at the places of the evaluation; every second user has rows of two places."""
    table = air_quality.table(path).drop(columns="target")
    columns = [column for column in air_quality.COLUMNS if column != target]
    table["target"] = np.log1p(table[target])
    owners, parts = [], []
    for (station, season), mine in table.groupby(["station", "season"]):
        past, later = (part for _, part in mine.groupby(mine.time >= air_quality.PAST))
        rows = past[columns].to_numpy(dtype=float)
        model = HistGradientBoostingRegressor(max_iter=60, random_state=0).fit(rows, past.target)
        name = f"{station} {season}"
        owners.append(Owner(name, model, build_specification(rows), meaning(name, "Table", 0, columns)))
        parts.append(later[[*columns, "target"]].to_numpy(dtype=float))
    users = []
    for number, part in enumerate(parts):
        generator = np.random.default_rng(number)
        mine = np.vstack([part, parts[int(generator.integers(len(parts)))]]) if number % 2 else part
        mine = generator.permutation(mine)[:ROWS_OF_USER]
        users.append(_user(number, mine[:, :-1], mine[:, -1]))
    return Experiment(f"air_{target.lower()}", "", owners, users, 0, (), 0)


def digits() -> Experiment:
    """Owners of some digits as they are, inverted, turned, noisy or mirrored; most users have two such kinds."""
    images, labels = load_digits(return_X_y=True)
    generator = np.random.default_rng(5)
    order = generator.permutation(len(images))
    images, labels = images[order].reshape(-1, 8, 8) / 16, labels[order]
    changes: list[Truth] = [
        lambda images: images,
        lambda images: images,
        lambda images: 1 - images,
        lambda images: np.rot90(images, 1, (1, 2)),
        lambda images: np.clip(images + generator.normal(0, 0.25, images.shape), 0, 1),
        lambda images: images[:, :, ::-1],
    ]

    def drawn(part: slice, most_classes: int, count: int) -> tuple[Array, Array]:
        classes = generator.choice(10, int(generator.integers(3, most_classes + 1)), replace=False)
        chosen = generator.permutation(np.flatnonzero(np.isin(labels[part], classes)))[:count]
        change = changes[int(generator.integers(len(changes)))]
        return change(images[part][chosen]).reshape(len(chosen), 64), labels[part][chosen]

    owners, users = [], []
    for number in range(40):
        rows, truth = drawn(slice(0, 1000), 10, 300)
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
        fitted = (RandomForestClassifier(40, random_state=0) if number % 2 else model).fit(rows, truth)
        described = meaning(f"owner {number}", "Table", 10, [f"pixel {i}" for i in range(64)])
        owners.append(Owner(f"owner {number}", fashion.Whole(fitted), build_specification(rows), described))
    for number in range(30):
        parts = [drawn(slice(1000, None), 7, 150) for _ in range(1 + (number % 3 > 0))]
        users.append(_user(number, np.vstack([X for X, _ in parts]), np.concatenate([y for _, y in parts])))
    return Experiment("digits", "digits", owners, users, 10, (), 0)


def fashion_encoded() -> Experiment:
    """Images as images: owners and users of the evaluation, specified by the image encoder instead of by pixels."""
    plain = fashion.experiment(data.from_package("dataset-fashion-mnist", data.FASHION), owners=30, users=15)
    encoder = RandomConvolutionEncoder()
    train = fashion.part(data.from_package("dataset-fashion-mnist", data.FASHION), "train")
    owners = [
        replace(
            owner,
            model=_Flat(owner.model),
            specification=encode_specification(
                fashion.owned(number, *train)[0][:ROWS_OF_USER].reshape(-1, 14, 14), encoder
            ),
        )
        for number, owner in enumerate(plain.owners)
    ]
    users = []
    for user in plain.users:
        rows = np.asarray(user.rows).reshape(-1, 14, 14)
        users.append(replace(user, rows=rows, specification=encode_specification(rows[:ROWS_OF_USER], encoder)))
    return replace(plain, name="fashion_encoded", owners=owners, users=users)


class _Flat:
    """A model of flat rows that is given images."""

    def __init__(self, model: fashion.Whole) -> None:
        self._model = model

    def predict(self, X: Array) -> Array:
        return self._model.predict(X.reshape(len(X), -1))


if __name__ == "__main__":
    main()
