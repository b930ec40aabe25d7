"""The evaluation of reuse on its small setting: real data, the market's own search, every strategy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmarks.reuse import figures
from benchmarks.reuse.evaluation import experiments, summary
from benchmarks.reuse.report import page


def test_reuse_beats_a_model_of_ones_own_in_small() -> None:
    experiment = experiments(Path("unused"), small=True)["orange_juice"]()
    found = figures.of(replace(experiment, label_counts=(10,), labelled_users=3), None, lambda _: None)
    result = summary({"orange_juice": found}, small=True)
    assert result["gap_closed_min"] >= 0.85
    assert result["auto_excess_max"] <= 0.05
    ten = found["curves"]["10"]
    assert ten["AUTO"]["mean"] < 0.75 * ten["SELF_TRAINED"]["mean"]
    overhead = {"members_seconds": 1.0, "executor": "none", "average_ratio": 1.0}
    assert found["title"] in page({**result, "overhead": overhead})
