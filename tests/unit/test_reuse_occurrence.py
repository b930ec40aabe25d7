"""Classes that hardly occur among a task's rows are held back, by factors worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
import pytest

from learndock.learnware import FeatureSpace, SemanticSpecification
from learndock.reuse.auto import AutoReuser
from learndock.reuse.gathering import gather
from learndock.reuse.labels import Labelled
from learndock.reuse.member import Member
from learndock.reuse.occurrence import Occurrence
from learndock.reuse.outputs import OutputKind
from learndock.reuse.prediction import Prediction
from learndock.reuse.strategy import Strategy, make_reuser
from learndock.rkme.specification import Specification

# 200 rows of class 0, 100 of class 1, none of class 2; a row that is nearly torn between 1 and 2.
TASK = np.array([[0.8, 0.1, 0.1]] * 200 + [[0.1, 0.6, 0.3]] * 100)
TORN = np.array([[0.0, 0.4, 0.6]])


def prediction(outputs: NDArray[np.generic], kind: OutputKind = OutputKind.PROBABILITIES) -> Prediction:
    return Prediction(outputs, kind, np.zeros(len(outputs), dtype=np.int32))


def occurrence(task: NDArray[np.float64]) -> Occurrence:
    found = Occurrence.of(prediction(task))
    assert found is not None
    return found


class Echo:
    """Takes its rows for probabilities."""

    def predict(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(X)


def member(task: str = "Classification", weight: float = 1.0) -> Member:
    semantic = SemanticSpecification(
        "name", "", "Table", task, "Others", ("Others",), input=FeatureSpace(3), output=FeatureSpace(3)
    )
    return Member(Echo(), Specification(atoms=TASK[:1], weights=np.ones(1)), semantic, weight, "id")


class TestFactors:
    def test_follow_from_the_rows_that_each_class_wins(self) -> None:
        shares = np.array([201, 101, 1]) / 201
        assert occurrence(TASK).factors == pytest.approx(shares / (shares + 0.05))

    def test_are_counted_again_until_they_stay(self) -> None:
        # The torn row is class 2's at first; once it is held back, class 1 wins it, and nothing is class 2's.
        task = np.vstack([TASK, TORN])
        shares = np.array([201, 102, 1]) / 201
        assert occurrence(task).factors == pytest.approx(shares / (shares + 0.05))

    def test_of_few_rows_are_near_each_other(self) -> None:
        factors = occurrence(TASK[:1]).factors
        assert factors.min() > 0.95 * factors.max()

    def test_of_classes_as_frequent_are_equal(self) -> None:
        assert np.ptp(occurrence(np.repeat(np.eye(3), 100, axis=0)).factors) == 0

    def test_there_are_none_without_probabilities_or_rows(self) -> None:
        assert Occurrence.of(prediction(np.zeros(3), OutputKind.LABELS)) is None
        assert Occurrence.of(prediction(np.zeros(3), OutputKind.VALUES)) is None
        assert Occurrence.of(prediction(np.zeros((0, 3)))) is None


class TestWeighing:
    def test_multiplies_and_makes_rows_sum_to_one(self) -> None:
        found = occurrence(TASK)
        expected = TORN * found.factors
        assert found.weighed(prediction(TORN)).outputs == pytest.approx(expected / expected.sum())

    def test_a_member_that_is_sure_is_believed(self) -> None:
        sure = np.array([[0.0, 0.0, 1.0]])
        assert occurrence(TASK).weighed(prediction(sure)).outputs == pytest.approx(sure)

    def test_leaves_other_answers_as_they_are(self) -> None:
        found = occurrence(TASK)
        for other in (prediction(np.eye(4)), prediction(np.zeros(3), OutputKind.LABELS)):
            assert found.weighed(other) is other


class TestReuser:
    @pytest.mark.parametrize("strategy", [Strategy.TOP1, Strategy.AVERAGE, Strategy.JOB_SELECTOR, Strategy.STACKING])
    def test_every_strategy_adapts_and_answers_rows_one_by_one_as_all(self, strategy: Strategy) -> None:
        labelled = Labelled(TASK, TASK.argmax(axis=1)) if strategy.needs_labels else None
        reuser = make_reuser(strategy, (member(), member(weight=2.0)), labelled=labelled)
        before = reuser.predict_proba(TORN)
        task = np.vstack([TASK, TORN])
        answers = reuser.adapt(task).outputs
        assert answers == pytest.approx(reuser.predict_proba(task))
        assert answers[-1:] == pytest.approx(reuser.predict_proba(TORN))
        assert before.argmax() == 2
        assert reuser.predict(TORN) == [1]

    def test_auto_adapts_each_of_its_parts_before_their_mean(self) -> None:
        generator = np.random.default_rng(0)
        rows = generator.dirichlet(np.ones(3), 40)
        labelled = Labelled(rows, np.where(generator.random(40) < 0.3, 2, rows.argmax(axis=1)))
        reuser = make_reuser(Strategy.AUTO, (member(),), labelled=labelled)
        assert isinstance(reuser, AutoReuser)
        plain = [replace(reuser.combiner_, combiners=(one,), shares=np.ones(1)) for one in reuser.combiner_.combiners]
        assert len(plain) > 1
        outputs, _ = gather(reuser.members, reuser.class_set_, TASK, None)
        parts = [one.combine(outputs, reuser.features_.of(TASK)) for one in plain]
        answer = reuser.adapt(TASK).outputs
        adapted = np.stack([occurrence(said).weigh(said) for said in parts])
        assert answer == pytest.approx(np.tensordot(reuser.combiner_.shares, adapted, axes=1))
        assert answer == pytest.approx(reuser.adapt(TASK).outputs)
        assert answer[:1] == pytest.approx(reuser.predict_proba(TASK[:1]))

    def test_adapting_again_forgets_and_so_does_fit(self) -> None:
        reuser = make_reuser(Strategy.AVERAGE, (member(),))
        reuser.adapt(TASK)
        reuser.adapt(np.repeat(np.eye(3), 100, axis=0))
        assert reuser.predict_proba(TORN) == pytest.approx(TORN)
        reuser.adapt(TASK)
        assert reuser.fit().predict_proba(TORN) == pytest.approx(TORN)

    def test_numbers_stay_numbers(self) -> None:
        reuser = make_reuser(Strategy.AVERAGE, (member("Regression"),))
        assert reuser.adapt(TASK).outputs == pytest.approx(TASK)
        assert reuser.predict(TORN) == pytest.approx(TORN)
