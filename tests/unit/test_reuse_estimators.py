"""scikit-learn's own checks of estimators, those that apply to what is given its members when it is made.

Left out are checks that want an estimator without arguments, or data of other widths than the members take, or a fit
that refuses what a member may well accept.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
import pytest
from sklearn.base import clone
from sklearn.utils import estimator_checks as checks

from learndock.learnware import FeatureSpace, SemanticSpecification
from learndock.reuse.catalogue import ESTIMATORS
from learndock.reuse.job_selector import JobSelectorReuser
from learndock.reuse.member import Member
from learndock.reuse.reuser import Reuser
from learndock.rkme.specification import Specification

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


def specification(shift: float) -> Specification:
    """Of rows of 3 columns, as the checks of probabilities take."""
    atoms = np.random.default_rng(0).uniform(0, 3, (8, 3)) + shift
    return Specification(atoms=atoms, weights=np.full(8, 1 / 8))


def classifier(factor: float) -> Member:
    semantic = SemanticSpecification("name", "", "Table", "Classification", "Others", ("Others",))
    return Member(Sign(factor), None, semantic, 1.0, f"factor {factor}")


def member(factor: float) -> Member:
    semantic = SemanticSpecification("name", "", "Table", "Regression", "Others", ("Others",), output=FeatureSpace(1))
    return Member(RowSum(factor), None, semantic, 1.0, f"factor {factor}")


def with_specifications(estimator: type[Reuser], members: tuple[Member, ...]) -> tuple[Member, ...]:
    """The members, with the specifications that only JOB_SELECTOR cannot do without."""
    if estimator is not JobSelectorReuser:
        return members
    return tuple(replace(one, specification=specification(shift)) for shift, one in enumerate(members))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
@pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=lambda kind: kind.__name__)
def test_passes_the_check(estimator: type[Reuser], check: object) -> None:
    made = estimator(with_specifications(estimator, (member(1.0), member(-2.0))))
    check(estimator.__name__, clone(made))  # type: ignore[operator]


@pytest.mark.parametrize("check", CLASSIFIER_CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
@pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=lambda kind: kind.__name__)
def test_passes_the_check_with_probabilities(estimator: type[Reuser], check: object) -> None:
    made = estimator(with_specifications(estimator, (classifier(1.0), classifier(2.0))))
    check(estimator.__name__, made)  # type: ignore[operator]
