"""Several rankings of disjoint candidates become one."""

from __future__ import annotations

from collections.abc import Sequence

from services.search.certified import Ranking
from services.search.tally import Scored


def merged(rankings: Sequence[Ranking], k: int) -> Ranking:
    """One ranking of many: its best k are among the best k of each, so it is certified when all of them are."""
    best: list[Scored] = []
    others: list[Scored] = []
    for ranking in rankings:
        best += ranking.scored[:k]
        others += ranking.scored[k:]
    best.sort(key=lambda one: one.order)
    others = sorted((*best[k:], *others), key=lambda one: one.order)
    return Ranking((*best[:k], *others), certified=all(ranking.certified for ranking in rankings))
