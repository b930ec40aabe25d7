"""Air of Beijing: a model for each of 12 stations and 4 seasons, and the same places in later years."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor

from benchmarks.reuse.experiment import Experiment, Owner, User, meaning
from learndock.rkme.fit import build_specification

PAST = pd.Timestamp("2015-03-01")
POLLUTANTS, WEATHER = ("SO2", "NO2", "CO", "O3"), ("TEMP", "PRES", "DEWP", "RAIN", "WSPM")
TIMES = ("hour_sin", "hour_cos")
LABEL_COUNTS = (10, 30, 100, 300, 1000, 2000)
LABELLED_USERS = 16
ROWS_OF_USER = 1500


def experiment(path: Path, *, stations: int, blocks: bool = False) -> Experiment:
    """Of the parquet file; with `blocks`, every owner lacks a group of columns, and every user another."""
    table = _table(path)
    owners, users = [], []
    for place, (station, season) in enumerate(_places(table, stations)):
        mine = table[(table.station == station) & (table.season == season)]
        past, later = mine[mine.time < PAST], mine[mine.time >= PAST]
        name = f"{station} {season}"
        owners.append(_owner(name, past, _columns(place if blocks else None, 0)))
        users.append(_user(name, later, _columns(place if blocks else None, 1), place))
    name = "air_quality_blocks" if blocks else "air_quality"
    title = f"Beijing air, {len(owners)} places" + (", blocks of columns missing" if blocks else "")
    return Experiment(name, title, owners, users, 0, LABEL_COUNTS, LABELLED_USERS)


def _places(table: pd.DataFrame, stations: int) -> list[tuple[str, int]]:
    return [(station, season) for station in sorted(table.station.unique())[:stations] for season in range(4)]


def _columns(place: int | None, side: int) -> list[str]:
    everything = [*POLLUTANTS, *WEATHER, *TIMES]
    if place is None:
        return everything
    missing = (("SO2", "O3"), ("TEMP", "DEWP"), ("NO2",), ("PRES", "WSPM"))[(place + side) % 4]
    return [column for column in everything if column not in missing]


def _table(path: Path) -> pd.DataFrame:
    table = pd.read_parquet(path)
    table["time"] = pd.to_datetime(table[["year", "month", "day", "hour"]])
    table["season"] = table.month % 12 // 3
    table["hour_sin"] = np.sin(2 * np.pi * table.hour / 24)
    table["hour_cos"] = np.cos(2 * np.pi * table.hour / 24)
    table["target"] = np.log(table["PM2.5"])
    kept = ["station", "season", "time", "target", *POLLUTANTS, *WEATHER, *TIMES]
    return table[kept].dropna()


def _owner(name: str, past: pd.DataFrame, columns: list[str]) -> Owner:
    rows = past[columns].to_numpy(dtype=np.float64)
    model = HistGradientBoostingRegressor(max_iter=150, random_state=0).fit(rows, past.target.to_numpy())
    return Owner(name, model, build_specification(rows), meaning(name, "Table", 0, columns))


def _user(name: str, later: pd.DataFrame, columns: list[str], seed: int) -> User:
    rows, target = later[columns].to_numpy(dtype=np.float64), later.target.to_numpy()
    order = np.random.default_rng(seed).permutation(len(rows))
    own, pool = order[:ROWS_OF_USER], order[ROWS_OF_USER : ROWS_OF_USER + max(LABEL_COUNTS)]
    return User(name, rows[own], target[own], rows[pool], target[pool], build_specification(rows[own]))
