"""Air of Beijing: a model for each of 12 stations and 4 seasons, and the same places in later years."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor

from benchmarks.reuse.experiment import Experiment, Owner, User, meaning
from learndock.rkme.fit import build_specification

PAST = pd.Timestamp("2015-03-01")
COLUMNS = ("SO2", "NO2", "CO", "O3", "TEMP", "PRES", "DEWP", "RAIN", "WSPM", "hour_sin", "hour_cos")
LABEL_COUNTS = (10, 30, 100, 300, 1000, 2000)
LABELLED_USERS = 16
ROWS_OF_USER = 1500


def experiment(path: Path, *, stations: int) -> Experiment:
    """Of the parquet file."""
    readings = table(path)
    owners, users = [], []
    for place, (station, season) in enumerate(_places(readings, stations)):
        mine = readings[(readings.station == station) & (readings.season == season)]
        past, later = mine[mine.time < PAST], mine[mine.time >= PAST]
        name = f"{station} {season}"
        owners.append(_owner(name, past))
        users.append(_user(name, later, place))
    title = f"Beijing air, {len(owners)} places"
    return Experiment("air_quality", title, owners, users, 0, LABEL_COUNTS, LABELLED_USERS)


def _places(readings: pd.DataFrame, stations: int) -> list[tuple[str, int]]:
    return [(station, season) for station in sorted(readings.station.unique())[:stations] for season in range(4)]


def table(path: Path) -> pd.DataFrame:
    """Readings with their time, season and target, the logarithm of PM2.5."""
    read = pd.read_parquet(path)
    read["time"] = pd.to_datetime(read[["year", "month", "day", "hour"]])
    read["season"] = read.month % 12 // 3
    read["hour_sin"] = np.sin(2 * np.pi * read.hour / 24)
    read["hour_cos"] = np.cos(2 * np.pi * read.hour / 24)
    read["target"] = np.log(read["PM2.5"])
    kept = ["station", "season", "time", "target", *COLUMNS]
    return read[kept].dropna()


def _owner(name: str, past: pd.DataFrame) -> Owner:
    rows = past[list(COLUMNS)].to_numpy(dtype=np.float64)
    model = HistGradientBoostingRegressor(max_iter=150, random_state=0).fit(rows, past.target.to_numpy())
    return Owner(name, model, build_specification(rows), meaning(name, "Table", 0, COLUMNS))


def _user(name: str, later: pd.DataFrame, seed: int) -> User:
    rows, target = later[list(COLUMNS)].to_numpy(dtype=np.float64), later.target.to_numpy()
    order = np.random.default_rng(seed).permutation(len(rows))
    own, pool = order[:ROWS_OF_USER], order[ROWS_OF_USER : ROWS_OF_USER + max(LABEL_COUNTS)]
    return User(name, rows[own], target[own], rows[pool], target[pool], build_specification(rows[own]))
