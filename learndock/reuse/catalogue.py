"""The estimator of each strategy."""

from __future__ import annotations

from learndock.reuse.auto import AutoReuser
from learndock.reuse.average import AverageReuser
from learndock.reuse.job_selector import JobSelectorReuser
from learndock.reuse.labelled import FeatureAugmentReuser, HeteroAlignReuser, PruningReuser, StackingReuser
from learndock.reuse.reuser import Reuser
from learndock.reuse.strategy import Strategy
from learndock.reuse.top1 import Top1Reuser

ESTIMATORS: dict[Strategy, type[Reuser]] = {
    Strategy.TOP1: Top1Reuser,
    Strategy.AVERAGE: AverageReuser,
    Strategy.JOB_SELECTOR: JobSelectorReuser,
    Strategy.ENSEMBLE_PRUNING: PruningReuser,
    Strategy.FEATURE_AUGMENT: FeatureAugmentReuser,
    Strategy.STACKING: StackingReuser,
    Strategy.AUTO: AutoReuser,
    Strategy.HETERO_ALIGN: HeteroAlignReuser,
}
