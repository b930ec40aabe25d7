"""Reuse strategies against answers worked out by hand."""

from __future__ import annotations

import threading
from typing import Never

import numpy as np
from numpy.typing import NDArray
import pytest
from sklearn.base import clone

from learndock.errors import InvalidInput, Reason, Unavailable
from learndock.learnware import FeatureSpace, SemanticSpecification
from learndock.reuse.average import AverageReuser
from learndock.reuse.job_selector import JobSelectorReuser
from learndock.reuse.member import Member
from learndock.reuse.outputs import OutputKind
from learndock.reuse.strategy import Strategy, check, choose, make_reuser
from learndock.reuse.top1 import Top1Reuser
from learndock.rkme.specification import Specification

ROWS = np.array([[0.0, 0.0], [10.0, 10.0], [0.1, 0.2]])


class Constant:
    """Answers the same to every row, and remembers how many it saw."""

    def __init__(self, answer: object) -> None:
        self.answer = answer
        self.seen = 0

    def predict(self, X: NDArray[np.float64]) -> NDArray[np.generic]:
        self.seen += len(X)
        return np.array([self.answer] * len(X))


class Broken:
    def predict(self, X: NDArray[np.float64]) -> Never:
        raise RuntimeError("out of\norder")


class Hanging:
    def __init__(self) -> None:
        self.released = threading.Event()

    def predict(self, X: NDArray[np.float64]) -> NDArray[np.generic]:
        self.released.wait(60)
        return np.zeros(len(X))


def semantic(task: str = "Regression", outputs: int = 1, inputs: int = 2, data: str = "Table") -> SemanticSpecification:
    return SemanticSpecification(
        "name",
        "description",
        data,
        task,
        "Others",
        ("Others",),
        input=FeatureSpace(inputs),
        output=FeatureSpace(outputs),
    )


CLASSIFIES = semantic("Classification", 3)


def around(*centre: float, encoder: str = "") -> Specification:
    """Specification of a small cloud."""
    atoms = np.array(centre) + np.random.default_rng(0).normal(0, 0.5, (20, len(centre)))
    return Specification(atoms=atoms, weights=np.full(20, 1 / 20), encoder=encoder)


def member(
    model: object,
    weight: float = 1.0,
    *,
    meaning: SemanticSpecification | None = None,
    specification: Specification | None = None,
    name: str = "one",
) -> Member:
    return Member(model, specification, meaning or semantic(), weight, name)


class TestTop1:
    def test_gives_the_first_members_output_untouched(self) -> None:
        second = Constant(7.0)
        reuser = Top1Reuser([member(Constant([5.0])), member(second)]).fit()
        prediction = reuser.answer(ROWS)
        assert prediction.outputs.tolist() == [[5.0], [5.0], [5.0]]
        assert prediction.member_index.tolist() == [0, 0, 0]
        assert not prediction.degraded
        assert second.seen == 0

    def test_says_why_when_it_fails(self) -> None:
        with pytest.raises(Unavailable, match="one: out of order") as caught:
            Top1Reuser([member(Broken())]).fit().answer(ROWS)
        assert caught.value.reason is Reason.NO_MEMBER_LEFT


class TestAverage:
    def test_weighs_numbers(self) -> None:
        reuser = AverageReuser([member(Constant(1.0), 3.0), member(Constant([5.0]), 1.0)]).fit()
        prediction = reuser.answer(ROWS)
        assert prediction.outputs.tolist() == [2.0, 2.0, 2.0]  # 3/4 * 1 + 1/4 * 5, in the first one's shape
        assert prediction.member_index.tolist() == [-1, -1, -1]
        assert prediction.kind is OutputKind.VALUES

    def test_labels_vote_with_their_weight(self) -> None:
        votes = [(0, 0.4), (2, 0.3), (2, 0.3)]
        reuser = AverageReuser([member(Constant(label), w, meaning=CLASSIFIES) for label, w in votes]).fit()
        assert reuser.answer(ROWS).outputs.tolist() == [2, 2, 2]
        assert reuser.predict(ROWS).tolist() == [2, 2, 2]
        assert reuser.predict_proba(ROWS[:1]) == pytest.approx(np.array([[0.0, 0.0, 1.0]]))

    def test_labels_and_probabilities_mix_to_probabilities(self) -> None:
        reuser = AverageReuser(
            [
                member(Constant([0.1, 0.2, 0.7]), 0.5, meaning=CLASSIFIES),
                member(Constant(0), 0.5, meaning=CLASSIFIES),
            ]
        ).fit()
        assert reuser.answer(ROWS[:1]).outputs == pytest.approx(np.array([[0.55, 0.1, 0.35]]))
        assert reuser.predict(ROWS).tolist() == [0, 0, 0]

    def test_a_failing_member_is_left_out_and_the_weights_are_renormalised(self) -> None:
        reuser = AverageReuser(
            [
                member(Constant(1.0), 0.2, name="low"),
                member(Broken(), 0.6, name="broken"),
                member(Constant(5.0), 0.2, name="high"),
            ]
        ).fit()
        prediction = reuser.answer(ROWS)
        assert prediction.outputs == pytest.approx(np.full(3, 3.0))
        assert prediction.degraded
        assert [(fault.learnware_id, fault.message) for fault in prediction.faults] == [("broken", "out of order")]

    def test_one_that_is_left_is_named(self) -> None:
        reuser = AverageReuser([member(Broken()), member(Constant(1.0))]).fit()
        assert reuser.answer(ROWS).member_index.tolist() == [1, 1, 1]

    def test_a_member_of_another_width_is_left_out(self) -> None:
        reuser = AverageReuser([member(Constant(1.0)), member(Constant([1.0, 2.0]), name="wide")]).fit()
        prediction = reuser.answer(ROWS)
        assert prediction.outputs.tolist() == [1.0, 1.0, 1.0]
        assert [fault.learnware_id for fault in prediction.faults] == ["wide"]

    def test_a_member_that_hangs_is_left_out_at_its_deadline(self) -> None:
        hanging = Hanging()
        reuser = AverageReuser([member(hanging, name="slow"), member(Constant(1.0))], timeout=0.2).fit()
        prediction = reuser.answer(ROWS)
        hanging.released.set()
        assert prediction.outputs.tolist() == [1.0, 1.0, 1.0]
        assert prediction.faults[0].message == "did not answer within 0.2 s"

    def test_fails_only_when_none_is_left(self) -> None:
        reuser = AverageReuser([member(Broken(), name="a"), member(Constant(np.nan), name="b")]).fit()
        with pytest.raises(Unavailable, match="a: out of order; b: gave NaN"):
            reuser.answer(ROWS)


class TestJobSelector:
    def members(self, first: object | None = None, second: object | None = None) -> list[Member]:
        return [
            member(first or Constant(1.0), specification=around(0, 0), name="near"),
            member(second or Constant(2.0), specification=around(10, 10), name="far"),
        ]

    def test_sends_each_row_to_the_member_that_knows_it(self) -> None:
        reuser = JobSelectorReuser(self.members()).fit()
        prediction = reuser.answer(ROWS)
        assert prediction.outputs.tolist() == [1.0, 2.0, 1.0]
        assert prediction.member_index.tolist() == [0, 1, 0]
        assert prediction.member_index.dtype == np.int32

    def test_where_it_cannot_be_told_whose_a_row_is_the_answer_is_the_mean(self) -> None:
        same = around(0, 0)
        members = [member(Constant(1.0), 3.0, specification=same), member(Constant(2.0), specification=same)]
        rows = np.random.default_rng(1).normal(0, 0.5, (300, 2))
        prediction = JobSelectorReuser(members).fit().answer(rows)
        assert prediction.outputs.mean() == pytest.approx(1.4, abs=0.15)
        assert prediction.outputs.std() < 0.1

    def test_whoever_is_a_tenth_as_likely_counts_for_nothing(self) -> None:
        router = JobSelectorReuser(self.members()).fit().router_
        rows = np.random.default_rng(1).uniform(-1, 11, (500, 2))
        shares = router.shares(rows, np.array([True, True]))
        assert shares.sum(axis=1) == pytest.approx(1.0)
        assert shares[shares > 0].min() >= 0.1 / 1.1
        assert router.shares(rows, np.array([False, True])).tolist() == [[0.0, 1.0]] * len(rows)

    def test_votes_where_all_give_labels(self) -> None:
        first, second = self.members(Constant(1), Constant(2))
        members = [
            member(one.model, specification=one.specification, meaning=CLASSIFIES, name=one.learnware_id)
            for one in (first, second)
        ]
        prediction = JobSelectorReuser(members).fit().answer(ROWS)
        assert prediction.kind is OutputKind.LABELS
        assert prediction.outputs.tolist() == [1, 2, 1]

    def test_the_others_share_the_rows_of_one_that_failed(self) -> None:
        members = [*self.members(second=Broken()), member(Constant(3.0), specification=around(9, 9), name="middle")]
        prediction = JobSelectorReuser(members).fit().answer(ROWS)
        assert prediction.outputs == pytest.approx([1.0, 3.0, 1.0], abs=0.3)
        assert prediction.member_index.tolist() == [0, 2, 0]
        assert [fault.learnware_id for fault in prediction.faults] == ["far"]

    def test_fails_only_when_none_is_left(self) -> None:
        with pytest.raises(Unavailable) as caught:
            JobSelectorReuser(self.members(Broken(), Broken())).fit().answer(ROWS)
        assert caught.value.reason is Reason.NO_MEMBER_LEFT

    def test_labels_and_probabilities_are_put_together(self) -> None:
        near, far = self.members(Constant(1), Constant([0.1, 0.2, 0.7]))
        members = [
            member(near.model, specification=near.specification, meaning=CLASSIFIES),
            member(far.model, specification=far.specification, meaning=CLASSIFIES),
        ]
        reuser = JobSelectorReuser(members).fit()
        assert reuser.answer(ROWS).outputs.tolist() == [[0, 1, 0], [0.1, 0.2, 0.7], [0, 1, 0]]
        assert reuser.predict(ROWS).tolist() == [1, 2, 1]

    def test_same_seed_same_answer(self) -> None:
        rows = np.random.default_rng(1).uniform(0, 10, (200, 2))
        first, second = (JobSelectorReuser(self.members(), seed=3).fit().answer(rows) for _ in range(2))
        assert first.member_index.tolist() == second.member_index.tolist()

    def test_the_last_digits_of_weights_change_nothing(self) -> None:
        """They are lost on the way to a dock or into a package; atoms on a grid have many splits that are as good."""
        rng = np.random.default_rng(0)
        atoms = [rng.integers(0, 3, (40, 16)).astype(np.float32) for _ in range(2)]
        known = [Specification(one, rng.dirichlet(np.ones(40))) for one in atoms]
        rows = rng.integers(0, 3, (200, 16)).astype(float)

        def shares(first: float) -> NDArray[np.float64]:
            members = [member(Constant(1.0), first, specification=known[0])]
            members.append(member(Constant(2.0), 1.0 - first, specification=known[1]))
            return JobSelectorReuser(members).fit().router_.shares(rows, np.array([True, True]))

        for weight in (0.5113496820213825, 0.3, 0.7):
            assert np.array_equal(shares(weight), shares(np.nextafter(weight, 1.0)))

    def test_heavier_members_get_more_of_the_doubtful_rows(self) -> None:
        rows = np.random.default_rng(1).normal(0, 0.5, (300, 2))

        def share(weight: float) -> float:
            members = [
                member(Constant(1.0), weight, specification=around(0, 0)),
                member(Constant(2.0), 1.0, specification=around(0.2, 0.2)),
            ]
            return (JobSelectorReuser(members).fit().answer(rows).member_index == 0).mean()

        assert share(20.0) > share(0.05)

    @pytest.mark.parametrize("rows", [np.zeros((0, 2)), np.zeros(2), np.array([["a", "b"]])])
    def test_refuses_what_is_not_rows_of_numbers(self, rows: NDArray[np.generic]) -> None:
        with pytest.raises(InvalidInput):
            JobSelectorReuser(self.members()).fit().answer(rows)

    def test_beats_every_single_member_on_a_mixed_task(self) -> None:
        rng = np.random.default_rng(0)
        first, second = rng.normal(0, 1, (200, 5)), rng.normal(4, 1, (200, 5))
        rows = np.concatenate([first, second])
        truth = np.concatenate([first.sum(axis=1) > 0, second.sum(axis=1) < 20]).astype(int)

        class Sum:
            def __init__(self, threshold: float, sign: int) -> None:
                self.threshold, self.sign = threshold, sign

            def predict(self, X: NDArray[np.float64]) -> NDArray[np.generic]:
                return ((X.sum(axis=1) - self.threshold) * self.sign > 0).astype(int)

        meaning = semantic("Classification", 2, inputs=5)
        members = [
            member(Sum(0, 1), specification=around(0, 0, 0, 0, 0), meaning=meaning),
            member(Sum(20, -1), specification=around(4, 4, 4, 4, 4), meaning=meaning),
        ]
        accuracy = [(make_reuser(Strategy.TOP1, [one]).predict(rows) == truth).mean() for one in members]
        selected = (make_reuser(Strategy.JOB_SELECTOR, members).predict(rows) == truth).mean()
        assert selected > 0.97
        assert max(accuracy) < 0.8


class TestChoice:
    def test_default(self) -> None:
        plain = member(Constant(1.0), specification=around(0, 0))
        assert choose([plain]) is Strategy.TOP1
        assert choose([plain, plain]) is Strategy.JOB_SELECTOR
        assert choose([plain, member(Constant(1.0))]) is Strategy.AVERAGE

    @pytest.mark.parametrize(
        "other",
        [
            member(Constant(1), meaning=CLASSIFIES),
            member(Constant(1), meaning=semantic(inputs=3)),
            member(Constant(1), meaning=semantic(data="Image")),
            member(Constant(1), meaning=semantic(outputs=2)),
            member(Constant(1), specification=around(0, 0, 0)),
            member(Constant(1), specification=around(0, 0, encoder="words")),
        ],
        ids=["task", "input", "data", "output", "dimension", "encoder"],
    )
    @pytest.mark.parametrize("strategy", list(Strategy))
    def test_members_must_be_of_one_task_and_input(self, strategy: Strategy, other: Member) -> None:
        with pytest.raises(InvalidInput) as caught:
            check(strategy, [member(Constant(1.0), specification=around(0, 0)), other], labelled=True)
        assert caught.value.reason is Reason.STRATEGY_UNSUITABLE
        assert caught.value.field == "members[1]"

    def test_the_job_selector_needs_atoms_in_the_units_of_the_input(self) -> None:
        encoded = member(Constant(1.0), specification=around(0, 0, encoder="words"))
        for members in ([member(Constant(1.0))], [encoded]):
            with pytest.raises(InvalidInput) as caught:
                make_reuser(Strategy.JOB_SELECTOR, members)
            assert caught.value.reason is Reason.STRATEGY_UNSUITABLE

    def test_there_must_be_a_member(self) -> None:
        with pytest.raises(InvalidInput):
            check(Strategy.TOP1, [])

    @pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
    def test_a_weight_must_be_positive(self, weight: float) -> None:
        with pytest.raises(InvalidInput):
            member(Constant(1.0), weight)


class TestScikitLearn:
    def test_clones_share_the_running_models(self) -> None:
        members = (member(Constant(1.0), specification=around(0, 0)), member(Constant(2.0), specification=around(9, 9)))
        reuser = JobSelectorReuser(members, timeout=2.0, seed=5)
        copy = clone(reuser)
        assert copy.get_params(deep=False) == {"members": members, "timeout": 2.0, "seed": 5}
        assert copy.fit().predict(ROWS).tolist() == [1.0, 2.0, 1.0]

    def test_parameters_can_be_set(self) -> None:
        assert AverageReuser([member(Constant(1.0))]).set_params(timeout=1.5).timeout == 1.5

    def test_probabilities_are_for_classifiers(self) -> None:
        with pytest.raises(InvalidInput):
            Top1Reuser([member(Constant(1.0))]).fit().predict_proba(ROWS)
