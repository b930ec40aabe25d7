"""What users get across feature spaces, without labels and with some."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.hetero.market import Market
from benchmarks.reuse.experiment import Array, Experiment, User
from learndock.reuse.labels import Labelled
from learndock.reuse.mapped import Mapped
from learndock.reuse.member import Inputs, Member, Predictor
from learndock.reuse.strategy import Strategy, make_reuser

LABELLED = (Strategy.HETERO_ALIGN, Strategy.STACKING, Strategy.FEATURE_AUGMENT, Strategy.AUTO)
DRAWS = 2
_RIDGES = (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)


@dataclass(frozen=True, eq=False)
class Remembering:
    """A model that is asked about each row once, for one that is fitted on many draws of the same rows."""

    model: Predictor
    known: dict[bytes, Array] = field(default_factory=dict)

    def predict(self, X: Inputs) -> NDArray[np.generic]:
        """See `Predictor`."""
        rows = np.ascontiguousarray(X, dtype=np.float64)
        keys = [row.tobytes() for row in rows]
        new = [i for i, key in enumerate(keys) if key not in self.known]
        if new:
            self.known.update(zip((keys[i] for i in new), self.model.predict(rows[new]), strict=True))
        return np.array([self.known[key] for key in keys])


def unlabelled(experiment: Experiment, market: Market, user: User) -> dict[str, float]:
    """Losses of a user without labels; all learnwares are given the task by the same assignment of columns."""
    members = market.members(user.specification)
    losses = [_loss(experiment, user, [member], Strategy.TOP1) for member in market.everybody(user.specification)]
    if not members:
        return {}
    return {
        "random": float(np.mean(losses)),
        "best": float(np.min(losses)),
        "top1": losses[0],
        "default": _loss(experiment, user, members, Strategy.AVERAGE),
    }


def _loss(experiment: Experiment, user: User, members: list[Member], strategy: Strategy) -> float:
    return experiment.loss(make_reuser(strategy, members).predict(user.rows), user.truth)


def labelled(experiment: Experiment, market: Market, number: int, user: User) -> Iterator[tuple[int, dict[str, float]]]:
    """Losses of a user with labels, by their count, one for each draw."""
    found = market.members(user.specification)
    members = [_remembering(one) for one in found]
    filled = [_mean_filled(market, one) for one in found]
    for count, known in draws(experiment, number, user):
        losses = _self_trained(experiment, user, known)
        if not members:  # nothing fits: what is left is a model of one's own
            losses |= {strategy.value: losses["self_ridge"] for strategy in LABELLED}
            yield count, losses
            continue
        for strategy in LABELLED:
            reuser = make_reuser(strategy, members, labelled=known)
            losses[strategy.value] = experiment.loss(reuser.predict(user.rows), user.truth)
        reuser = make_reuser(Strategy.FEATURE_AUGMENT, filled, labelled=known)
        losses["mean_filled"] = experiment.loss(reuser.predict(user.rows), user.truth)
        yield count, losses


def draws(experiment: Experiment, number: int, user: User) -> Iterator[tuple[int, Labelled]]:
    """Labelled rows that the user of this number is given, by their count."""
    for count in experiment.label_counts:
        for draw in range(DRAWS):
            if len(user.pool_truth) < count:
                continue
            chosen = np.random.default_rng([number, count, draw]).permutation(len(user.pool_truth))[:count]
            yield count, Labelled(user.pool_rows[chosen], user.pool_truth[chosen])


def _self_trained(experiment: Experiment, user: User, known: Labelled) -> dict[str, float]:
    models: Mapping[str, object] = {
        "self_ridge": make_pipeline(StandardScaler(), RidgeCV(_RIDGES)),
        "self_boosted": HistGradientBoostingRegressor(random_state=0),
        "self_trees": ExtraTreesRegressor(100, min_samples_leaf=2, random_state=0),
    }
    losses = {}
    for name, model in models.items():
        said = model.fit(known.inputs, known.truth).predict(user.rows)  # type: ignore[attr-defined]
        losses[name] = experiment.loss(said, user.truth)
    return losses


def _remembering(member: Member) -> Member:
    if not isinstance(member.model, Mapped):
        return replace(member, model=Remembering(member.model))
    return replace(member, model=replace(member.model, model=Remembering(member.model.model)))


@dataclass(frozen=True, eq=False)
class _MeanFilled:
    """The plain way to fill columns, to compare with: every row gets the mean of the learnware's specification."""

    found: Mapped
    mean: NDArray[np.float64]

    def predict(self, X: Inputs) -> NDArray[np.generic]:
        rows = np.tile(self.mean, (len(X), 1))
        rows[:, self.found.assignment.learnware_columns] = self.found.assignment.converted(np.asarray(X))
        return self.found.model.predict(rows)


def _mean_filled(market: Market, member: Member) -> Member:
    if not isinstance(member.model, Mapped):
        return member
    specification = market.owner(member.learnware_id).specification
    mean = specification.weights @ specification.atoms.astype(np.float64)
    return replace(member, model=Remembering(_MeanFilled(member.model, mean)))
