"""Delays of flights from New York in 2013: a model of each carrier's spring, and the same carriers in autumn.

What is known before a departure tells next to nothing of its delay: nobody's model helps here.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor

from benchmarks.reuse.experiment import Array, Experiment, Owner, User, meaning
from learndock.rkme.fit import build_specification

FEATURES = ("month", "weekday", "hour", "minute", "distance", "newark", "kennedy")
LABEL_COUNTS = (10, 30, 100, 300, 1000)
LABELLED_USERS = 12
PAST_MONTH, LEAST_FLIGHTS = 8, 2500
ROWS_OF_USER = 1000


def experiment(path: Path, *, carriers: int) -> Experiment:
    """Of `flights.csv.zip`; the greatest carriers first."""
    table = _table(path)
    sizes = table.carrier.value_counts()
    chosen = sizes[sizes >= LEAST_FLIGHTS].index[:carriers]
    owners, users = [], []
    for number, carrier in enumerate(chosen):
        mine = table[table.carrier == carrier]
        past, later = mine[mine.month <= PAST_MONTH], mine[mine.month > PAST_MONTH]
        owners.append(_owner(carrier, _values(past), past.delay.to_numpy()))
        users.append(_user(carrier, _values(later), later.delay.to_numpy(), number))
    title = f"Flights from New York, {len(owners)} carriers"
    return Experiment("flights", title, owners, users, 0, LABEL_COUNTS, LABELLED_USERS)


def _table(path: Path) -> pd.DataFrame:
    table = pd.read_csv(path)
    dates = pd.to_datetime(table[["year", "month", "day"]])
    return table.assign(
        weekday=dates.dt.dayofweek,
        newark=(table.origin == "EWR").astype(float),
        kennedy=(table.origin == "JFK").astype(float),
        delay=np.cbrt(table.arr_delay),  # a few flights are a day late
    ).dropna(subset=["delay", *FEATURES])


def _values(part: pd.DataFrame) -> Array:
    return np.asarray(part[list(FEATURES)].to_numpy(dtype=np.float64))


def _owner(name: str, rows: Array, delay: Array) -> Owner:
    model = HistGradientBoostingRegressor(max_iter=100, random_state=0).fit(rows, delay)
    return Owner(name, model, build_specification(rows), meaning(name, "Table", 0, FEATURES))


def _user(name: str, rows: Array, delay: Array, seed: int) -> User:
    order = np.random.default_rng(seed).permutation(len(rows))
    own, pool = order[:ROWS_OF_USER], order[ROWS_OF_USER : ROWS_OF_USER + max(LABEL_COUNTS)]
    return User(name, rows[own], delay[own], rows[pool], delay[pool], build_specification(rows[own]))
