"""scikit-learn's own checks of estimators, those that apply to what is given its members when it is made.

Left out are checks that want an estimator without arguments, or data of other widths than the members take, or a fit
that refuses what a member may well accept.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
import pytest
from sklearn.base import clone
from sklearn.utils import estimator_checks as checks

from learndock.learnware import FeatureSpace, SemanticSpecification
from learndock.reuse.auto import AutoReuser
from learndock.reuse.average import AverageReuser
from learndock.reuse.labelled import FeatureAugmentReuser, PruningReuser, StackingReuser
from learndock.reuse.member import Member
from learndock.reuse.reuser import Reuser
from learndock.reuse.top1 import Top1Reuser

ESTIMATORS = (Top1Reuser, AverageReuser, StackingReuser, PruningReuser, FeatureAugmentReuser, AutoReuser)
CHECKS = (
    checks.check_no_attributes_set_in_init,
    checks.check_get_params_invariance,
    checks.check_set_params,
    checks.check_fit_score_takes_y,
    checks.check_estimators_fit_returns_self,
    checks.check_estimators_overwrite_params,
    checks.check_fit_check_is_fitted,
)

CLASSIFIER_CHECKS = (checks.check_dict_unchanged, checks.check_methods_sample_order_invariance)


class RowSum:
    """Predicts from rows of any width."""

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def predict(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.factor * np.asarray(X).sum(axis=1)


class Sign(RowSum):
    """Tells two classes apart."""

    def predict(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        return (super().predict(X) > self.factor).astype(np.float64)


def classifier(factor: float) -> Member:
    semantic = SemanticSpecification("name", "", "Table", "Classification", "Others", ("Others",))
    return Member(Sign(factor), None, semantic, 1.0, f"factor {factor}")


def member(factor: float) -> Member:
    semantic = SemanticSpecification("name", "", "Table", "Regression", "Others", ("Others",), output=FeatureSpace(1))
    return Member(RowSum(factor), None, semantic, 1.0, f"factor {factor}")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda kind: kind.__name__)
def test_passes_the_check(estimator: type[Reuser], check: object) -> None:
    made = estimator((member(1.0), member(-2.0)))
    check(estimator.__name__, clone(made))  # type: ignore[operator]


@pytest.mark.parametrize("check", CLASSIFIER_CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda kind: kind.__name__)
def test_passes_the_check_with_probabilities(estimator: type[Reuser], check: object) -> None:
    check(estimator.__name__, estimator((classifier(1.0), classifier(2.0))))  # type: ignore[operator]
