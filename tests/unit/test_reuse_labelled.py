"""Strategies that learn from labelled rows, against answers worked out by hand or by enumeration."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray
import pytest

from learndock.errors import InvalidInput, Reason
from learndock.learnware import FeatureSpace, SemanticSpecification
from learndock.reuse import learning
from learndock.reuse.auto import AutoReuser
from learndock.reuse.columns import aligned
from learndock.reuse.explanation import explain
from learndock.reuse.labelled import FeatureAugmentReuser, LabelledReuser, PruningReuser, StackingReuser
from learndock.reuse.labels import Labelled
from learndock.reuse.member import Member
from learndock.reuse.strategy import Strategy, check, choose, make_reuser
from learndock.rkme.specification import Specification

Array = NDArray[np.float64]
LEARNERS = (StackingReuser, PruningReuser, FeatureAugmentReuser, AutoReuser)


class Linear:
    """Predicts X @ weights + shift, or which side of 0 that lies on."""

    def __init__(self, *weights: float, shift: float = 0.0, classifies: bool = False) -> None:
        self.weights, self.shift, self.classifies = np.array(weights), shift, classifies
        self.broken = False

    def predict(self, X: Array) -> Array:
        if self.broken:
            raise RuntimeError("broken")
        scores = np.asarray(X) @ self.weights + self.shift
        return (scores > 0).astype(int) if self.classifies else scores


def member(model: object, weight: float = 1.0, *, columns: tuple[str, ...] = (), name: str = "one") -> Member:
    classifies = getattr(model, "classifies", False)
    semantic = SemanticSpecification(
        "name",
        "",
        "Table",
        "Classification" if classifies else "Regression",
        "Others",
        ("Others",),
        input=FeatureSpace(3, dict(enumerate(columns))),
        output=FeatureSpace(2 if classifies else 1),
    )
    atoms = np.random.default_rng(0).normal(size=(20, 3))
    return Member(model, Specification(atoms=atoms, weights=np.full(20, 1 / 20)), semantic, weight, name)


def rows(count: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=(count, 3))


TRUTH = np.array([1.0, -2.0, 0.5])


def regression() -> list[Member]:
    return [
        member(Linear(1, -2, 0.5, shift=1.0), 1.0, name="high"),
        member(Linear(1, -2, 0.5, shift=-1.0), 1.0, name="low"),
        member(Linear(-1, 2, 3), 1.0, name="wrong"),
    ]


class TestStacking:
    def test_finds_the_combination_that_is_right(self) -> None:
        X = rows(300)
        reuser = StackingReuser(regression()).fit(X, X @ TRUTH)
        assert reuser.contributions_ == pytest.approx([0.5, 0.5, 0.0], abs=0.1)
        new = rows(50, seed=1)
        assert reuser.predict(new) == pytest.approx(new @ TRUTH, abs=0.6)

    def test_with_labels_that_tell_nothing_it_keeps_the_shares(self) -> None:
        members = [member(Linear(1, 0, 0), 3.0), member(Linear(1, 0, 0), 1.0)]
        reuser = StackingReuser(members).fit(rows(5), np.arange(5.0))
        assert reuser.contributions_ == pytest.approx([0.75, 0.25])

    def test_weights_are_those_of_a_grid_search(self) -> None:
        rng = np.random.default_rng(3)
        values, truth = rng.normal(size=(2, 30, 1)), rng.normal(size=(30, 1))
        prior, strength = np.array([0.3, 0.7]), 10.0
        found = learning.stacked(values, truth, prior, strength)
        shifted = values - np.tensordot(prior, values, axes=1)
        unit = float((shifted**2).sum()) / (2 * 30)

        def objective(w: float) -> float:
            weights = np.array([w, 1 - w])
            error = ((truth - np.tensordot(weights, values, axes=1)) ** 2).sum()
            return float(error + strength * unit * ((weights - prior) ** 2).sum())

        grid = np.linspace(0, 1, 10_001)
        assert found[0] == pytest.approx(grid[np.argmin([objective(w) for w in grid])], abs=1e-3)


class TestPruning:
    def test_keeps_the_members_that_are_right_together(self) -> None:
        X = rows(100)
        reuser = PruningReuser(regression()).fit(X, X @ TRUTH)
        assert reuser.contributions_.tolist() == [0.5, 0.5, 0.0]

    @pytest.mark.parametrize("seed", range(5))
    def test_subsets_are_those_of_enumeration(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        values, truth = rng.normal(size=(5, 20, 2)), rng.normal(size=(20, 2))
        for size, found in enumerate(learning._best_subsets(values, truth), start=1):
            errors = {c: ((values[list(c)].mean(axis=0) - truth) ** 2).sum() for c in combinations(range(5), size)}
            assert tuple(found) == min(errors, key=errors.__getitem__)

    def test_many_members_are_added_one_by_one(self) -> None:
        rng = np.random.default_rng(0)
        path = learning._best_subsets(rng.normal(size=(14, 30, 1)), rng.normal(size=(30, 1)))
        assert [len(chosen) for chosen in path] == list(range(1, 15))


class TestAuto:
    def test_takes_the_members_where_labels_are_few(self) -> None:
        X = rows(12)
        reuser = AutoReuser(regression()[:1]).fit(X, X @ TRUTH + 1.0)
        assert reuser.contributions_.sum() > 0.5
        assert reuser.expected_error_ is not None
        assert reuser.expected_error_ < 0.5

    def test_takes_a_model_of_the_labels_where_members_know_nothing(self) -> None:
        X, new = rows(200), rows(100, seed=1)
        members = [member(Linear(9, 9, 9), name="a"), member(Linear(-9, 9, 0), name="b")]
        reuser = AutoReuser(members).fit(X, X @ TRUTH)
        assert np.abs(reuser.predict(new) - new @ TRUTH).mean() < 0.3
        assert "Cross-validated errors" in explain(reuser, ["a", "b"], reuser.contributions_)

    def test_classes(self) -> None:
        X, new = rows(60), rows(200, seed=1)
        members = [member(Linear(1, -2, 0.5, classifies=True)), member(Linear(-1, 2, 1, classifies=True))]
        reuser = AutoReuser(members).fit(X, (X @ TRUTH > 0).astype(int))
        assert (reuser.predict(new) == (new @ TRUTH > 0)).mean() > 0.9
        assert reuser.predict_proba(new).sum(axis=1) == pytest.approx(np.ones(200))


@pytest.mark.parametrize("learner", LEARNERS)
class TestAll:
    def test_a_member_that_fails_later_is_left_out(self, learner: type[LabelledReuser]) -> None:
        members, X = regression(), rows(60)
        reuser = learner(members).fit(X, X @ TRUTH)
        members[2].model.broken = True  # type: ignore[attr-defined]
        prediction = reuser.answer(X)
        assert prediction.degraded
        assert np.abs(prediction.outputs - X @ TRUTH).mean() < 1.5

    def test_a_class_that_no_member_knows(self, learner: type[LabelledReuser]) -> None:
        X = rows(40)
        y = np.where(X[:, 0] > 1, 2, X @ TRUTH > 0).astype(int)
        reuser = learner([member(Linear(1, -2, 0.5, classifies=True))]).fit(X, y)
        assert reuser.predict(X).shape == (40,)

    def test_one_class_only(self, learner: type[LabelledReuser]) -> None:
        X = rows(6)
        reuser = learner([member(Linear(0, 0, 0, shift=1.0, classifies=True))]).fit(X, np.ones(6, dtype=int))
        assert reuser.predict(X).tolist() == [1] * 6

    def test_one_label(self, learner: type[LabelledReuser]) -> None:
        reuser = learner(regression()).fit(rows(1), np.zeros(1))
        assert np.isfinite(reuser.predict(rows(3))).all()

    def test_labels_must_fit(self, learner: type[LabelledReuser]) -> None:
        for y in (None, np.zeros(3), np.full(5, np.nan), np.zeros((5, 2)), np.array(list("abcde"))):
            with pytest.raises(InvalidInput):
                learner(regression()).fit(rows(5), y)


class TestMaking:
    def test_labels_choose_auto(self) -> None:
        assert choose(regression(), labelled=True) is Strategy.AUTO
        X = rows(20)
        made = make_reuser(None, regression(), labelled=Labelled(X, X @ TRUTH))
        assert isinstance(made, AutoReuser)

    @pytest.mark.parametrize("strategy", [strategy for strategy in Strategy if strategy.needs_labels])
    def test_without_labels_there_is_nothing_to_learn(self, strategy: Strategy) -> None:
        with pytest.raises(InvalidInput) as caught:
            check(strategy, regression())
        assert (caught.value.reason, caught.value.field) == (Reason.STRATEGY_UNSUITABLE, "labelled")

    def test_columns_in_another_order_are_rearranged(self) -> None:
        first = member(Linear(1, 2, 3), columns=("a", "b", "c"))
        second = member(Linear(3, 1, 2), columns=("C", "a", "b"), name="two")
        X = rows(10)
        members = aligned([first, second])
        assert members[1].model.predict(X) == pytest.approx(first.model.predict(X))
        assert second.specification is not None
        assert members[1].specification is not None
        assert members[1].specification.atoms[:, 0] == pytest.approx(second.specification.atoms[:, 1])
        assert make_reuser(Strategy.AVERAGE, [first, second]).predict(X) == pytest.approx(X @ [1, 2, 3])

    def test_rows_that_no_member_knows_are_reported(self) -> None:
        reuser = make_reuser(Strategy.AVERAGE, regression())
        far = np.concatenate([rows(50, seed=2), np.full((2, 3), 50.0)])
        outside = reuser.outside(far)
        assert outside is not None
        assert outside[-2:].all()
        assert outside[:50].mean() < 0.1
