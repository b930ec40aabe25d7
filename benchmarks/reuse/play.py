"""What users get from a market, without labels and with some."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from benchmarks.reuse.experiment import Array, Experiment, User, taken
from benchmarks.reuse.market import Market
from learndock.client.result import LEAST_WEIGHT, NEAREST, SHARPNESS
from learndock.reuse.labels import Labelled
from learndock.reuse.learning import own_linear, own_trees
from learndock.reuse.member import Member
from learndock.reuse.strategy import Strategy, make_reuser
from services.search.search import Answer

FIXED = (Strategy.AVERAGE, Strategy.ENSEMBLE_PRUNING, Strategy.FEATURE_AUGMENT, Strategy.STACKING)


def default_members(market: Market, answer: Answer) -> tuple[list[Member], Strategy | None]:
    """Members and strategy that a client takes of an answer when it is told nothing."""
    if answer.blend is not None and answer.advice == "USE_MIXTURE":
        return market.mixture(answer), None
    first = answer.singles[0].mmd2
    near = zip(market.singles(answer, NEAREST), answer.singles, strict=False)
    weighted = [replace(member, weight=(first / max(single.mmd2, 1e-12)) ** SHARPNESS) for member, single in near]
    members = [member for member in weighted if member.weight >= LEAST_WEIGHT] or market.singles(answer, 1)
    return members, Strategy.AVERAGE if len(members) > 1 else Strategy.TOP1


def unlabelled(experiment: Experiment, market: Market) -> Iterator[dict[str, float]]:
    """Losses of every user by method, without labels."""
    for user in experiment.users:
        answer = market.search(user.specification, top_k=len(experiment.owners))
        every = market.singles(answer, len(experiment.owners))
        losses = [_loss(experiment, user, [member], Strategy.TOP1) for member in every]
        members, strategy = default_members(market, answer)
        yield {
            "random": float(np.mean(losses)),
            "best": float(np.min(losses)),
            "top1": losses[0],
            "average_of_10": _loss(experiment, user, every[:10], Strategy.AVERAGE),
            "mixture": _loss(experiment, user, market.mixture(answer), None),
            "default": _loss(experiment, user, members, strategy),
        }


def _loss(experiment: Experiment, user: User, members: Sequence[Member], strategy: Strategy | None) -> float:
    return experiment.loss(make_reuser(strategy, members).predict(user.rows), user.truth)


def labelled(experiment: Experiment, market: Market, count: int) -> Iterator[dict[str, float]]:
    """Losses of every user by method, with `count` labelled rows; users with fewer are passed over."""
    for number, user in enumerate(experiment.users):
        if len(user.pool_truth) < count:
            continue
        chosen = np.random.default_rng([number, count]).permutation(len(user.pool_truth))[:count]
        known = Labelled(taken(user.pool_rows, chosen), user.pool_truth[chosen])
        members, _ = default_members(market, market.search(user.specification, top_k=NEAREST))
        losses = {}
        for strategy in (*FIXED, Strategy.AUTO):
            reuser = make_reuser(strategy, members, labelled=known if strategy.needs_labels else None)
            losses[strategy.value] = experiment.loss(reuser.predict(user.rows), user.truth)
        yield losses | {"SELF_TRAINED": self_trained(experiment, user, known)}


def self_trained(experiment: Experiment, user: User, known: Labelled) -> float:
    """Loss of the better of the two models of the labels alone that AUTO has, chosen in hindsight."""
    from learndock.reuse.features import Features
    from learndock.reuse.gathering import Outputs
    from learndock.reuse.outputs import OutputKind, one_hot

    kind = OutputKind.PROBABILITIES if experiment.classes else OutputKind.VALUES
    truth = one_hot(known.truth, experiment.classes) if experiment.classes else known.truth.reshape(-1, 1)
    features = Features.fit(known.inputs)

    def nobody(count: int) -> Outputs:
        return Outputs(np.zeros((1, count, truth.shape[1])), np.zeros(1, dtype=bool), kind, ())

    losses = []
    for fit in (own_linear, own_trees):
        model = fit(nobody(len(truth)), features.of(known.inputs), truth.astype(float), np.ones(1))
        said: Array = model.combine(nobody(len(user.truth)), features.of(user.rows))
        losses.append(experiment.loss(said.argmax(axis=1) if experiment.classes else said, user.truth))
    return min(losses)
