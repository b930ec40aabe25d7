"""Across feature spaces: whether learnwares of other columns are found, and beat a model of the labels alone.

Owners and users describe their columns in different words and units and in another order. `gain` is by how much the
loss of HETERO_ALIGN is below that of a model trained on the labels alone: of ridge regression, which is what
FeatureAugment becomes without members, of boosted trees and of randomised trees; all are told. `schema_first` is the
share of searches whose first answer is of the user's own kind of data.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.hetero import air, play, reference, sales, schemas
from benchmarks.hetero.market import Market
from benchmarks.reuse import data
from benchmarks.reuse.experiment import Experiment, Owner, User

SELF = ("self_ridge", "self_boosted", "self_trees")
_BAYESM = Path("usr/lib/R/site-library/bayesm/data")


def main() -> int:
    """Run all parts; print tables and write figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the air-quality data")
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/hetero.json"), help="where figures go")
    parser.add_argument("--reference", type=Path, metavar="PYTHON", help="Python in which the reference is installed")
    parser.add_argument("--small", action="store_true", help="few stations and stores, to try")
    arguments = parser.parse_args()
    figures = run(arguments.data, arguments.reference, small=arguments.small)
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


def run(given: Path, python: Path | None, *, small: bool) -> dict[str, Any]:
    """All figures, also of the reference if a `python` has it; `small` takes a part of the places and stores."""
    folder = data.from_package("r-cran-bayesm", _BAYESM)
    places = air.experiment(given / data.AIR, stations=2 if small else 12)
    stores = sales.orange_juice(folder / "orangeJuice.rda", stores=8 if small else 83)
    retailers = sales.cheese(folder / "cheese.rda")[: 8 if small else 88]
    cheese = Experiment("cheese", "Cheese by orange juice", stores.owners, retailers, 0, (10, 30), len(retailers))
    figures: dict[str, Any] = {"small": small}
    for experiment in (places, stores, cheese):
        figures[experiment.name] = _show(experiment, _played(experiment))
    for experiment in (places, stores) if python else ():
        figures[experiment.name]["reference"] = reference.losses(experiment, python.absolute())
        Console().print(f"{experiment.title}, the reference:", figures[experiment.name]["reference"])
    figures |= _air_gains(figures["air"])
    figures["juice_above_best"] = (
        figures["orange_juice"]["unlabelled"]["default"] / (figures["orange_juice"]["unlabelled"]["best"]) - 1.0
    )
    figures |= _kinds(places, stores, retailers, folder, small=small)
    return figures


def _played(experiment: Experiment) -> list[dict[str, Any]]:
    """What each user gets, users shared among the processors."""
    global _PLAYING  # what forked workers inherit instead of having it sent
    _PLAYING = experiment, Market(experiment.owners)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        return list(track(pool.map(_play, range(len(experiment.users))), experiment.title, total=len(experiment.users)))


_PLAYING: tuple[Experiment, Market]


def _play(number: int) -> dict[str, Any]:
    experiment, market = _PLAYING
    user = experiment.users[number]
    return {
        "unlabelled": play.unlabelled(experiment, market, user),
        "labelled": list(play.labelled(experiment, market, number, user)) if number < experiment.labelled_users else [],
    }


def _show(experiment: Experiment, played: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    unlabelled = _means([one["unlabelled"] for one in played if one["unlabelled"]])
    answered = sum(bool(one["unlabelled"]) for one in played)
    rows = [pair for one in played for pair in one["labelled"]]
    curves = {count: _means([losses for each, losses in rows if each == count]) for count in experiment.label_counts}
    table = Table("losses", *map(str, curves), title=f"{experiment.title}: {answered} of {len(played)} users answered")
    for name in next(iter(curves.values()), {}):
        table.add_row(name, *(f"{losses[name]:.3f}" if name in losses else "" for losses in curves.values()))
    Console().print(table, {name: round(loss, 4) for name, loss in unlabelled.items()})
    return {
        "answered": answered,
        "users": len(played),
        "labelled_users": min(experiment.labelled_users, len(played)),
        "unlabelled": unlabelled,
        "labelled": curves,
    }


def _means(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([row[name] for row in rows if name in row])) for name in (rows[0] if rows else ())}


def _air_gains(figures: Mapping[str, Any]) -> dict[str, float]:
    gains = {}
    for count, losses in figures["labelled"].items():
        for name in SELF:
            gains[f"air_gain_n{count}_{name}"] = 1.0 - losses["HETERO_ALIGN"] / losses[name]
        gains[f"air_gain_n{count}"] = gains[f"air_gain_n{count}_self_ridge"]
    return gains


def _kinds(
    places: Experiment, stores: Experiment, retailers: Sequence[User], folder: Path, *, small: bool
) -> dict[str, Any]:
    """Searches in a market of all kinds: whose first answer is of the user's kind, and who lost by there being more."""
    kinds: dict[str, tuple[list[Owner], list[User]]] = {
        "air": (list(places.owners), list(places.users)),
        "orange juice": (list(stores.owners), list(stores.users)),
        "cheese": (sales.cheese_owners(folder / "cheese.rda", retailers=5 if small else 20), list(retailers[:20])),
    }
    kinds |= {name: (owners, users) for name, owners, users in schemas.tables()}
    everybody = [owner for owners, _ in kinds.values() for owner in owners]
    kind_of = {id(owner): name for name, (owners, _) in kinds.items() for owner in owners}
    market = Market(everybody)
    right: dict[str, list[bool]] = {name: [] for name in kinds}
    for name, (_, users) in kinds.items():
        for user in users:
            found = market.search(user.specification, top_k=1)
            first = market.owner(found[0].entry.learnware_id) if found else None
            right[name].append(kind_of.get(id(first)) == name)
    table = Table("kind", "learnwares", "searches", "right kind first", title=f"{len(everybody)} learnwares")
    for name, (owners, users) in kinds.items():
        table.add_row(name, str(len(owners)), str(len(users)), f"{np.mean(right[name]):.0%}")
    Console().print(table)
    return {
        "learnwares": len(everybody),
        "schema_first": float(np.mean([one for ones in right.values() for one in ones])),
        "schema_first_by_kind": {name: float(np.mean(ones)) for name, ones in right.items()},
        "homogeneous_answers_changed": _changed(stores, market),
    }


def _changed(stores: Experiment, market: Market) -> int:
    """Users with the stores' own columns whose best ten differ once there are other kinds in the market."""
    alone = Market(stores.owners)
    changed = 0
    for owner in stores.owners[:10]:
        task = replace(owner.specification)
        changed += [m.name for m in alone.alike(task)] != [m.name for m in market.alike(task)]
    return changed


if __name__ == "__main__":
    raise SystemExit(main())
