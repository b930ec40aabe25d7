"""A thousand randomised trials of certified search against the definition, while the dock changes."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from services.search.engines.local import LocalEngine
from services.search.search import search
from tests.support.search import empty_index
from tests.support.search_trials import brute_force, disturb, random_question

TRIALS = 1000


def test_certified_answers_are_those_of_the_definition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "bank._DIRECT_BELOW": 8,
        "bank._FIRST": 4,
        "bank.SHORT": 6,
        "certified._STEP": 3,
        "growth._SMALL": 6,
        "growth._YOUNG": 8,
    }.items():
        monkeypatch.setattr(f"services.search.{name}", value)
    generator = np.random.default_rng(0)
    live, truth, sequence, proven_early = empty_index(tmp_path), {}, 0, 0
    while sequence < 60:
        sequence += 1
        live.apply(disturb(truth, generator, sequence))
    for _ in range(TRIALS):
        for _ in range(int(generator.integers(0, 3))):
            sequence += 1
            live.apply(disturb(truth, generator, sequence))
        live.refit()
        index, asked = live.publish(), random_question(generator)
        answer = search(index, asked, None, engine=LocalEngine(), time_left=lambda: math.inf, exhaustive_below=0)
        wanted = brute_force(index.islands["table-d2"].profile, truth, asked)
        found = [(single.mmd2, single.entry.learnware_id) for single in answer.singles]
        assert answer.certified
        assert answer.admitted == len(wanted)
        assert [name for _, name in found] == [name for _, name in wanted[: asked.top_k]]
        assert [value for value, _ in found] == pytest.approx([value for value, _ in wanted[: asked.top_k]], abs=2e-10)
        proven_early += answer.scored < answer.admitted
    assert proven_early > TRIALS / 10
