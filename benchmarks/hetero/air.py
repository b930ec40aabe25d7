"""Air of Beijing by blocks of columns: owners have three of four, users two, in other words and other units."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor

from benchmarks.hetero.words import AIR_OWNERS, AIR_UNITS, AIR_USERS
from benchmarks.reuse.experiment import Experiment, Owner, User, meaning
from learndock.learnware import FeatureSpace
from learndock.rkme.fit import build_specification

BLOCKS = (
    ("SO2", "NO2"),
    ("CO", "O3"),
    ("TEMP", "PRES", "DEWP", "RAIN"),
    ("WSPM", "wind_sin", "wind_cos", "hour_sin", "hour_cos"),
)
LABEL_COUNTS = (10, 30, 100)
LABELLED_USERS = 24
_PAST = pd.Timestamp("2015-03-01")
_ROWS_OF_USER, _ROWS_OF_POOL = 1500, 2000
_WINDS = ["N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW"]


def experiment(path: Path, *, stations: int) -> Experiment:
    """Of the parquet file: a learnware for each station and season, and the same places in later years."""
    table = _table(path)
    generator = np.random.default_rng(0)
    pairs = list(combinations(range(len(BLOCKS)), 2))
    owners, users = [], []
    for station in sorted(table.station.unique())[:stations]:
        for season in range(4):
            mine = table[(table.station == station) & (table.season == season)]
            past, later = mine[mine.time < _PAST], mine[mine.time >= _PAST]
            missing, had = int(generator.integers(len(BLOCKS))), pairs[int(generator.integers(len(pairs)))]
            name = f"{station} {season}"
            owners.append(_owner(name, past, [c for i, block in enumerate(BLOCKS) if i != missing for c in block]))
            users.append(_user(name, later, [column for i in had for column in BLOCKS[i]], generator))
    return Experiment("air", f"Beijing air, {len(owners)} places", owners, users, 0, LABEL_COUNTS, LABELLED_USERS)


def _table(path: Path) -> pd.DataFrame:
    table = pd.read_parquet(path)
    table["time"] = pd.to_datetime(table[["year", "month", "day", "hour"]])
    table["season"] = table.month % 12 // 3
    hours = 2 * np.pi * table.hour / 24
    winds = {wind: 2 * np.pi * number / len(_WINDS) for number, wind in enumerate(_WINDS)}
    angles = table.wd.astype(str).map(winds).astype(float)
    table = table.assign(
        hour_sin=np.sin(hours),
        hour_cos=np.cos(hours),
        wind_sin=np.sin(angles),
        wind_cos=np.cos(angles),
        target=np.log(table["PM2.5"]),
    )
    return table[["station", "season", "time", "target", *(c for block in BLOCKS for c in block)]].dropna()


def _owner(name: str, past: pd.DataFrame, columns: list[str]) -> Owner:
    rows = past[columns].to_numpy(dtype=np.float64)
    model = HistGradientBoostingRegressor(max_iter=150, random_state=0).fit(rows, past.target.to_numpy())
    words = [AIR_OWNERS[column] for column in columns]
    space = FeatureSpace(len(words), dict(enumerate(words)))
    return Owner(name, model, build_specification(rows, input=space), meaning(name, "Table", 0, words))


def _user(name: str, later: pd.DataFrame, columns: list[str], generator: np.random.Generator) -> User:
    columns = [columns[i] for i in generator.permutation(len(columns))]
    rows = np.stack([_in_users_unit(later[column].to_numpy(dtype=np.float64), column) for column in columns], axis=1)
    target = later.target.to_numpy()
    order = generator.permutation(len(rows))
    own, pool = order[:_ROWS_OF_USER], order[_ROWS_OF_USER : _ROWS_OF_USER + _ROWS_OF_POOL]
    space = FeatureSpace(len(columns), {i: AIR_USERS[column] for i, column in enumerate(columns)})
    task = build_specification(rows[own], input=space)
    return User(name, rows[own], target[own], rows[pool], target[pool], task)


def _in_users_unit(values: np.ndarray, column: str) -> np.ndarray:
    offset, factor = AIR_UNITS.get(column, (0.0, 1.0))
    return (values - offset) * factor
