"""What models give back, and how their classes are brought together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
import pytest

from learndock.learnware import FeatureSpace, SemanticSpecification
from learndock.reuse.outputs import (
    ClassSet,
    OutputInvalid,
    OutputKind,
    as_probabilities,
    check_output,
    kind_of,
    labels_of,
    one_hot,
)


def semantic(task: str, dimension: int) -> SemanticSpecification:
    return SemanticSpecification(
        "name", "description", "Table", task, "Others", ("Others",), output=FeatureSpace(dimension)
    )


CLASSIFIER = semantic("Classification", 3)


class TestKind:
    def test_tells_labels_from_probabilities(self) -> None:
        assert kind_of(CLASSIFIER, np.array([0, 2, 1])) is OutputKind.LABELS
        assert kind_of(CLASSIFIER, np.array([[0.0], [2.0]])) is OutputKind.LABELS
        assert kind_of(CLASSIFIER, np.eye(3)) is OutputKind.PROBABILITIES

    def test_takes_everything_else_for_values(self) -> None:
        assert kind_of(semantic("Regression", 1), np.array([0, 1])) is OutputKind.VALUES
        assert kind_of(semantic("Feature Extraction", 8), np.zeros((2, 8))) is OutputKind.VALUES

    @pytest.mark.parametrize(
        "output",
        [np.array([3]), np.array([-1]), np.array([0.5]), np.eye(4), np.zeros((2, 3, 3))],
        ids=["too great", "negative", "broken", "too many classes", "an image"],
    )
    def test_refuses_what_no_classifier_of_three_gives(self, output: NDArray[np.generic]) -> None:
        with pytest.raises(OutputInvalid):
            kind_of(CLASSIFIER, output)


class TestCheck:
    @pytest.mark.parametrize(
        "output",
        [np.zeros(2), np.array(1.0), np.array([0.0, np.nan, 0.0]), np.array([0.0, np.inf, 0.0]), ["a", "b", "c"], None],
        ids=["too short", "no axis", "NaN", "infinite", "texts", "nothing"],
    )
    def test_refuses_what_is_not_three_rows_of_numbers(self, output: NDArray[np.generic]) -> None:
        with pytest.raises(OutputInvalid):
            check_output(output, 3)

    def test_takes_a_list(self) -> None:
        assert check_output([1, 2, 3], 3).tolist() == [1, 2, 3]


class TestProbabilities:
    def test_keeps_probabilities(self) -> None:
        given = np.array([[0.2, 0.8], [1.0, 0.0]])
        assert as_probabilities(given).tolist() == given.tolist()

    def test_turns_scores_by_softmax(self) -> None:
        scores = np.array([[0.0, np.log(3.0)], [1000.0, -1000.0]])
        assert as_probabilities(scores) == pytest.approx(np.array([[0.25, 0.75], [1.0, 0.0]]))

    def test_one_hot_and_back(self) -> None:
        labels = np.array([[2], [0], [1]])
        assert labels_of(one_hot(labels, 3)).tolist() == [2, 0, 1]

    def test_a_tie_goes_to_the_smaller_label(self) -> None:
        assert labels_of(np.array([[0.2, 0.4, 0.4]])).tolist() == [1]


def named(*names: str) -> FeatureSpace:
    return FeatureSpace(len(names), dict(enumerate(names)))


class TestClassSet:
    def test_classes_without_names_are_known_by_index(self) -> None:
        classes = ClassSet.of([FeatureSpace(3), FeatureSpace(5)])
        assert classes.size == 5
        assert classes.spread(0, np.array([2, 0]), OutputKind.LABELS).tolist() == [[0, 0, 1, 0, 0], [1, 0, 0, 0, 0]]

    def test_shared_names_put_classes_in_the_first_members_order(self) -> None:
        classes = ClassSet.of([named("cat", "dog"), named("Dog", "bird", "cat")])
        assert classes.size == 3
        spread = classes.spread(1, np.array([[0.5, 0.3, 0.2]]), OutputKind.PROBABILITIES)
        assert spread.tolist() == [[0.2, 0.5, 0.3]]

    def test_names_may_be_shared_by_way_of_others(self) -> None:
        classes = ClassSet.of([named("cat", "dog"), named("bird", "fish"), named("fish", "dog")])
        assert classes.size == 4
        assert [positions.tolist() for positions in classes.positions] == [[0, 1], [2, 3], [3, 1]]

    def test_disjoint_names_are_other_words_for_the_same(self) -> None:
        classes = ClassSet.of([named("class 0", "class 1"), named("no", "yes")])
        assert classes.size == 2
        assert classes.spread(1, np.array([1]), OutputKind.LABELS).tolist() == [[0, 1]]

    def test_one_unnamed_class_makes_all_known_by_index(self) -> None:
        classes = ClassSet.of([named("cat", "dog"), FeatureSpace(2, {0: "dog"})])
        assert classes.spread(1, np.array([0]), OutputKind.LABELS).tolist() == [[1, 0]]

    def test_members_that_declare_nothing_are_taken_as_they_answer(self) -> None:
        classes = ClassSet.of([None])
        assert classes.spread(0, np.array([2]), OutputKind.LABELS).tolist() == [[0, 0, 1]]
