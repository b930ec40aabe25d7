"""What a fitted reuser did with its labels, in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from learndock.reuse.auto import AutoReuser
from learndock.reuse.labelled import LabelledReuser

_LEAST_SHARE = 0.005


def explain(reuser: LabelledReuser, names: Sequence[str], contributions: NDArray[np.float64]) -> str:
    """A few lines: what AUTO chose and what to expect of each candidate, and who counts how much."""
    lines = _choice(reuser) if isinstance(reuser, AutoReuser) else []
    counting = sorted(
        ((share, name) for share, name in zip(contributions, names, strict=True) if share >= _LEAST_SHARE), reverse=True
    )
    if counting:
        lines.append("Shares: " + ", ".join(f"{name} {share:.0%}" for share, name in counting) + ".")
    else:
        lines.append("No member counts: a model of the labelled rows alone does better.")
    return "\n".join(lines)


def _choice(reuser: AutoReuser) -> list[str]:
    ranked = sorted(reuser.expected_errors_.items(), key=lambda pair: pair[1])
    errors = ", ".join(f"{name} {error:.4g}" for name, error in ranked)
    return [
        f"AUTO took {' and '.join(reuser.choice_)}; error to expect {reuser.expected_error_:.4g}.",
        f"Cross-validated errors: {errors}.",
    ]
