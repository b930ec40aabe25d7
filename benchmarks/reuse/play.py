"""What users get from a market, without labels and with some."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.reuse.experiment import Array, Experiment, User, taken
from benchmarks.reuse.market import Market, owner_number
from learndock.client.result import NEAREST, presumed_for
from learndock.reuse.features import Features
from learndock.reuse.gathering import Outputs
from learndock.reuse.labels import Labelled
from learndock.reuse.learning import own_linear, own_trees
from learndock.reuse.member import Member
from learndock.reuse.outputs import OutputKind, one_hot
from learndock.reuse.reuser import Reuser
from learndock.reuse.strategy import Strategy, make_reuser

FIXED = (
    Strategy.TOP1,
    Strategy.AVERAGE,
    Strategy.ENSEMBLE_PRUNING,
    Strategy.FEATURE_AUGMENT,
    Strategy.STACKING,
)
Losses = dict[str, float]


@dataclass
class Unlabelled:
    """What users got without labels.

    Attributes
    ----------
    losses
        Of each user, by method.
    outputs
        What all owners' models say of each user's rows, [m, n, c].
    members
        Owners that the default asked, for each user.
    """

    losses: list[Losses] = field(default_factory=list)
    outputs: list[Array] = field(default_factory=list)
    members: list[list[int]] = field(default_factory=list)


def unlabelled(experiment: Experiment, market: Market) -> Unlabelled:
    """Play every user without labels."""
    played = Unlabelled()
    for user in experiment.users:
        found = market.search(user.specification, top_k=len(experiment.owners))
        outputs = market.outputs(user.rows)
        every = [experiment.loss(_answer(experiment, said), user.truth) for said in outputs]
        members, strategy = market.default(found)
        nearest = market.nearest(found, 10)
        played.losses.append(
            {
                "random": float(np.mean(every)),
                "best": float(np.min(every)),
                "top1": every[owner_number(nearest[0])],
                "average_of_10": _loss(experiment, user, nearest, Strategy.AVERAGE),
                "mixture": _loss(experiment, user, market.members(found, Strategy.JOB_SELECTOR), None),
                "default_not_adapted": _loss(experiment, user, members, strategy),
                "default": _loss(experiment, user, members, strategy, adapted=True),
            }
        )
        played.outputs.append(outputs.astype(np.float32))
        played.members.append([owner_number(member) for member in members])
        market.forget()
    return played


def _answer(experiment: Experiment, said: Array) -> Array:
    return said.argmax(axis=1) if experiment.classes else said


def _loss(
    experiment: Experiment,
    user: User,
    members: Sequence[Member],
    strategy: Strategy | None,
    *,
    adapted: bool = False,
) -> float:
    return experiment.loss(_predicted(make_reuser(strategy, members), user, adapted=adapted), user.truth)


def _predicted(reuser: Reuser, user: User, *, adapted: bool) -> Array:
    """Predictions for the user's rows; `adapted` to them where there are classes, as `unlabelled` of `Dock.reuse`."""
    if adapted and reuser.members[0].classifies:
        reuser.adapt(user.rows)
    return np.asarray(reuser.predict(user.rows))


def labelled(experiment: Experiment, market: Market, count: int) -> Iterator[Losses]:
    """Losses of the first users by method, with `count` labelled rows; users with fewer are passed over."""
    for number, user in enumerate(experiment.users[: experiment.labelled_users]):
        if len(user.pool_truth) < count:
            continue
        chosen = np.random.default_rng([number, count]).permutation(len(user.pool_truth))[:count]
        known = Labelled(taken(user.pool_rows, chosen), user.pool_truth[chosen])
        found = market.search(user.specification, top_k=NEAREST)
        members, strategy = market.default(found)
        presumed = presumed_for(found)
        losses = {"DEFAULT": _loss(experiment, user, members, strategy, adapted=True)}
        for one in (*_fixed(experiment), Strategy.AUTO):
            reuser = make_reuser(one, members, labelled=known if one.needs_labels else None, presumed=presumed)
            predicted = _predicted(reuser, user, adapted=one is Strategy.AUTO)
            losses[one.value] = experiment.loss(predicted, user.truth)
        market.forget()
        yield losses | {"SELF_TRAINED": self_trained(experiment, user, known)}


def _fixed(experiment: Experiment) -> tuple[Strategy, ...]:
    """Strategies to hold AUTO against; JOB_SELECTOR compares rows with atoms in the units of the input."""
    plain = not experiment.owners[0].specification.encoder
    return (*FIXED, Strategy.JOB_SELECTOR) if plain else FIXED


def self_trained(experiment: Experiment, user: User, known: Labelled) -> float:
    """Loss of the better of the two models of the labels alone that AUTO has, chosen in hindsight."""
    kind = OutputKind.PROBABILITIES if experiment.classes else OutputKind.VALUES
    truth = one_hot(known.truth, experiment.classes) if experiment.classes else known.truth.reshape(-1, 1)
    features = Features.fit(known.inputs)

    def nobody(count: int) -> Outputs:
        return Outputs(np.zeros((1, count, truth.shape[1])), np.zeros(1, dtype=bool), kind, ())

    losses = []
    for fit in (own_linear, own_trees):
        model = fit(nobody(len(truth)), features.of(known.inputs), truth.astype(float), np.ones(1))
        said: Array = model.combine(nobody(len(user.truth)), features.of(user.rows))
        losses.append(experiment.loss(_answer(experiment, said), user.truth))
    return min(losses)
