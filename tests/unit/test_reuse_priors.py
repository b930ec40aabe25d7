"""Class priors: probabilities brought to known frequencies."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from learndock.errors import InvalidInput, Reason
from learndock.learnware import FeatureSpace, SemanticSpecification
from learndock.reuse.member import Member
from learndock.reuse.outputs import OutputKind
from learndock.reuse.prediction import Prediction
from learndock.reuse.priors import prediction_with_priors, with_priors
from learndock.reuse.strategy import Strategy, make_reuser


def probabilities(rows: int = 200, classes: int = 4) -> np.ndarray:
    return np.random.default_rng(0).dirichlet(np.full(classes, 0.5), rows)


def test_the_mean_is_what_is_known_and_rows_stay_in_proportion() -> None:
    given, wanted = probabilities(), np.array([0.1, 0.2, 0.3, 0.4])
    found = with_priors(given, 10 * wanted)
    assert found.sum(axis=1) == pytest.approx(np.ones(len(given)))
    assert found.mean(axis=0) == pytest.approx(wanted, abs=1e-5)
    odds = (found[:, 0] / found[:, 1]) / (given[:, 0] / given[:, 1])
    assert odds == pytest.approx(np.full(len(given), odds[0])), "one factor for each class, the same for all rows"


def test_frequencies_as_they_are_change_nothing() -> None:
    given = probabilities()
    assert with_priors(given, given.mean(axis=0)) == pytest.approx(given)


def test_what_is_sure_stays_sure() -> None:
    sure = np.eye(3)[[0, 0, 1, 2]]
    assert with_priors(sure, [0.1, 0.1, 0.8]) == pytest.approx(sure)


@pytest.mark.parametrize("priors", [[0.5, 0.5], [0.5, -0.1, 0.3, 0.3], [0, 0, 0, 0], [1, 1, 1, np.nan]])
def test_what_are_no_frequencies_is_refused(priors: list[float]) -> None:
    with pytest.raises(InvalidInput) as refused:
        with_priors(probabilities(), priors)
    assert (refused.value.reason, refused.value.field) == (Reason.SHAPE_MISMATCH, "priors")


def test_labels_alone_cannot_be_corrected() -> None:
    answer = Prediction(np.array([0, 1]), OutputKind.LABELS, np.zeros(2, dtype=np.int32))
    with pytest.raises(InvalidInput) as refused:
        prediction_with_priors(answer, [0.5, 0.5])
    assert refused.value.reason is Reason.STRATEGY_UNSUITABLE


class Scores:
    """A model that gives probabilities."""

    def __init__(self, model: LogisticRegression) -> None:
        self._model = model

    def predict(self, X: np.ndarray) -> np.ndarray:
        return np.asarray(self._model.predict_proba(X))


def test_it_helps_where_classes_are_rarer_than_in_training() -> None:
    generator = np.random.default_rng(1)

    def drawn(count: int, share: float) -> tuple[np.ndarray, np.ndarray]:
        y = (generator.random(count) < share).astype(int)
        return generator.normal(y[:, None] * 1.5, 1.0, (count, 2)), y

    model = Scores(LogisticRegression().fit(*drawn(2000, 0.5)))
    semantic = SemanticSpecification(
        "m", "", "Table", "Classification", "Scikit-learn", ("Others",), input=FeatureSpace(2), output=FeatureSpace(2)
    )
    reuser = make_reuser(Strategy.AVERAGE, [Member(model, None, semantic, 1.0, "m")])
    X, y = drawn(2000, 0.05)
    plain = (reuser.predict(X) == y).mean()
    corrected = (reuser.predict(X, priors=[0.95, 0.05]) == y).mean()
    assert corrected > plain + 0.05
    assert reuser.predict_proba(X, priors=[0.95, 0.05]).mean(axis=0) == pytest.approx([0.95, 0.05], abs=1e-4)
