"""Sales of orange juice in stores, and of cheese at retailers: engineered in one way by owners, in another by users."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import rdata
from sklearn.ensemble import HistGradientBoostingRegressor

from benchmarks.hetero.words import CHEESE_OWNERS, CHEESE_USERS, JUICE_OWNERS, JUICE_USERS
from benchmarks.reuse.experiment import Array, Experiment, Owner, User, meaning
from learndock.learnware import FeatureSpace
from learndock.rkme.fit import BuildOptions, build_specification

LABELLED_USERS = 24
_PAST_WEEK = 125
_BRANDS = range(1, 12)
_CHEESE_ROWS_TO_PREDICT = 25


def orange_juice(path: Path, *, stores: int) -> Experiment:
    """Of `orangeJuice.rda`: a model of each store's past, and the same stores later with other features."""
    table = _juice(path)
    owners, users = [], []
    for store in sorted(table.store.unique())[:stores]:
        mine = table[table.store == store]
        past, later = mine[mine.week <= _PAST_WEEK], mine[mine.week > _PAST_WEEK]
        owners.append(_owner(f"orange juice, store {store:.0f}", past, "logmove", JUICE_OWNERS))
        generator = np.random.default_rng(int(store))
        order = generator.permutation(len(later))
        half = len(later) // 2
        users.append(_user(f"store {store:.0f}", later, "logmove", JUICE_USERS, order[half:], order[:half], generator))
    return Experiment(
        "orange_juice", f"Orange juice, {len(owners)} stores", owners, users, 0, (10, 30, 100), LABELLED_USERS
    )


def cheese(path: Path) -> list[User]:
    """Of `cheese.rda`: its 88 retailers as users of about 63 rows."""
    table = _cheese(path)
    users = []
    for number, retailer in enumerate(sorted(table.retailer.unique())):
        mine = table[table.retailer == retailer]
        generator = np.random.default_rng(number)
        order = generator.permutation(len(mine))
        rest, pool = order[:_CHEESE_ROWS_TO_PREDICT], order[_CHEESE_ROWS_TO_PREDICT:]
        users.append(_user(retailer, mine, "logvolume", CHEESE_USERS, rest, pool, generator, whole=True))
    return users


def cheese_owners(path: Path, *, retailers: int) -> list[Owner]:
    """The same retailers as owners."""
    table = _cheese(path)
    chosen = sorted(table.retailer.unique())[:retailers]
    return [_owner(name, table[table.retailer == name], "logvolume", CHEESE_OWNERS) for name in chosen]


def _juice(path: Path) -> pd.DataFrame:
    read = rdata.read_rda(path)["orangeJuice"]["yx"]
    table = pd.DataFrame({name: np.asarray(read[name], dtype=float) for name in read.columns})
    table = table.sort_values(["store", "brand", "week"])
    sold = table.groupby(["store", "brand"]).logmove
    lags = {f"sold{lag}": sold.shift(lag) for lag in (1, 2, 3)}
    prices = table[[f"price{brand}" for brand in _BRANDS]].to_numpy()
    own = prices[np.arange(len(table)), table.brand.astype(int) - 1]
    others = (prices.sum(axis=1) - own) / (len(_BRANDS) - 1)
    brands = {f"brand_{brand}": (table.brand == brand).astype(float) for brand in _BRANDS}
    return table.assign(own_price=own, others=others, relative=own / others, **lags, **brands).dropna()


def _cheese(path: Path) -> pd.DataFrame:
    read = rdata.read_rda(path)["cheese"]
    table = pd.DataFrame(
        {
            "retailer": np.asarray(read["RETAILER"]).astype(str),
            "price": np.asarray(read["PRICE"], dtype=float),
            "display": np.asarray(read["DISP"], dtype=float),
            "logvolume": np.log(np.asarray(read["VOLUME"], dtype=float)),
        }
    )
    sold = table.groupby("retailer").logvolume  # the weeks of a retailer stand in their order
    return table.assign(sold1=sold.shift(1), sold2=sold.shift(2)).dropna()


def _owner(name: str, part: pd.DataFrame, target: str, words: dict[str, str]) -> Owner:
    rows = _values(part, list(words))
    model = HistGradientBoostingRegressor(max_iter=100, learning_rate=0.07, random_state=0)
    space = FeatureSpace(len(words), dict(enumerate(words.values())))
    specification = build_specification(rows, options=BuildOptions(allow_few_rows=True), input=space)
    fitted = model.fit(rows, part[target].to_numpy())
    return Owner(name, fitted, specification, meaning(name, "Table", 0, list(words.values())))


def _user(
    name: str,
    part: pd.DataFrame,
    target: str,
    words: dict[str, str],
    rest: np.ndarray,
    pool: np.ndarray,
    generator: np.random.Generator,
    *,
    whole: bool = False,
) -> User:
    """A user, its columns in an order of its own; its specification is of all its rows where these are few."""
    columns = [list(words)[i] for i in generator.permutation(len(words))]
    rows, sold = _values(part, columns), part[target].to_numpy()
    space = FeatureSpace(len(columns), {i: words[column] for i, column in enumerate(columns)})
    options = BuildOptions(allow_few_rows=True)
    task = build_specification(rows if whole else rows[rest], options=options, input=space)
    return User(name, rows[rest], sold[rest], rows[pool], sold[pool], task)


def _values(part: pd.DataFrame, columns: list[str]) -> Array:
    return np.asarray(part[columns].to_numpy(dtype=np.float64))
