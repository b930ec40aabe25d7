"""Weekly sales of orange juice in 83 stores: a model of each store's past, and the same stores later."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import rdata
from sklearn.ensemble import HistGradientBoostingRegressor

from benchmarks.reuse.experiment import Array, Experiment, Owner, User, meaning
from learndock.rkme.fit import BuildOptions, build_specification

PAST = 125
LAGS = (1, 2, 3)
PRICES = tuple(f"price{brand}" for brand in range(1, 12))
LABEL_COUNTS = (10, 30, 100)
LABELLED_USERS = 40


def experiment(path: Path, *, stores: int, lags: bool = True) -> Experiment:
    """Of `orangeJuice.rda`; without the features of past sales, inputs tell nothing of a store."""
    table = _table(path)
    features = [c for c in table.columns if c not in ("store", "week", "logmove")]
    if not lags:
        features = [c for c in features if not c.startswith("sold")]
    owners, users = [], []
    for store in sorted(table.store.unique())[:stores]:
        mine = table[table.store == store]
        past, later = mine[mine.week <= PAST], mine[mine.week > PAST]
        owners.append(_owner(f"store {store}", _values(past, features), past.logmove.to_numpy(), features))
        users.append(_user(f"store {store}", _values(later, features), later.logmove.to_numpy(), int(store)))
    name = "orange_juice" if lags else "orange_juice_no_lags"
    title = f"Orange juice, {len(owners)} stores" + ("" if lags else ", without past sales")
    return Experiment(name, title, owners, users, 0, LABEL_COUNTS, LABELLED_USERS)


def _table(path: Path) -> pd.DataFrame:
    read = rdata.read_rda(path)["orangeJuice"]["yx"]
    table = pd.DataFrame({name: np.asarray(read[name], dtype=float) for name in read.columns})
    table = table.sort_values(["store", "brand", "week"])
    by_product = table.groupby(["store", "brand"])
    for lag in LAGS:
        table[f"sold{lag}"] = by_product.logmove.shift(lag)
    own = table[list(PRICES)].to_numpy()
    table["own_price"] = own[np.arange(len(table)), table.brand.astype(int) - 1]
    brands = pd.get_dummies(table.brand.astype(int), prefix="brand", dtype=float)
    kept = ["store", "week", "logmove", "own_price", "deal", "feat", *PRICES, *(f"sold{lag}" for lag in LAGS)]
    return pd.concat([table[kept], brands], axis=1).dropna()


def _values(part: pd.DataFrame, features: list[str]) -> Array:
    return np.asarray(part[features].to_numpy(dtype=np.float64))


def _owner(name: str, rows: Array, sold: Array, features: list[str]) -> Owner:
    model = HistGradientBoostingRegressor(max_iter=100, learning_rate=0.07, random_state=0).fit(rows, sold)
    return Owner(name, model, build_specification(rows, options=BuildOptions()), meaning(name, "Table", 0, features))


def _user(name: str, rows: Array, sold: Array, seed: int) -> User:
    order = np.random.default_rng(seed).permutation(len(rows))
    half = len(rows) // 2
    pool, rest = order[:half], order[half:]
    return User(name, rows[rest], sold[rest], rows[pool], sold[pool], build_specification(rows))
