"""How much Gaussian noise makes the release of a vector differentially private."""

from __future__ import annotations

from dataclasses import dataclass
from math import erfc, exp, isfinite, sqrt

from learndock.errors import InvalidInput, Reason

MAX_EPSILON = 100.0
MIN_DELTA = 1e-15
_HALVINGS = 50


@dataclass(frozen=True)
class PrivacyBudget:
    """What a release may give away: replacing a row makes nothing e^epsilon times as likely, but for delta.

    Attributes
    ----------
    epsilon
        Above 0, at most 100; about 1 is usual, above 10 protects hardly anything.
    delta
        1e-15 to below 1; it must be well below 1 / rows.

    Raises
    ------
    InvalidInput
        A number is out of bounds; the error names the field.
    """

    epsilon: float
    delta: float

    def __post_init__(self) -> None:
        if not (isfinite(self.epsilon) and 0 < self.epsilon <= MAX_EPSILON):
            raise _invalid("epsilon", f"It must be above 0 and at most {MAX_EPSILON:g}.")
        if not MIN_DELTA <= self.delta < 1:
            raise _invalid("delta", f"It must be at least {MIN_DELTA:g} and below 1.")

    def noise_for(self, sensitivity: float) -> float:
        """Least standard deviation of independent Gaussian noise on each number of a vector of this L2 sensitivity.

        Exact for every epsilon, unlike the classical sqrt(2 ln(1.25 / delta)) / epsilon, which holds below 1 only.
        Source: Balle and Wang, Improving the Gaussian mechanism for differential privacy, ICML (2018), theorem 8.
        """
        low = high = 1.0
        while self._delta_at(low) < self.delta:
            low /= 2.0
        while self._delta_at(high) > self.delta:
            high *= 2.0
        for _ in range(_HALVINGS):
            middle = (low + high) / 2.0
            low, high = (middle, high) if self._delta_at(middle) > self.delta else (low, middle)
        return sensitivity * high

    def _delta_at(self, noise: float) -> float:
        """Least delta at sensitivity 1 and this noise."""
        near, far = 0.5 / noise, self.epsilon * noise
        return _normal(near - far) - exp(self.epsilon) * _normal(-near - far)


def sensitivity_of_mean(count: int) -> float:
    """How far a mean of `count` vectors of length 1 moves at most if one of them is replaced: 2 / count."""
    return 2.0 / count


def deviation_of_squared_distance(noise: float, width: int, squared_distance: float) -> float:
    """Standard deviation of |a + z - b|^2 with z Gaussian noise of so many numbers and |a - b|^2 as given."""
    return noise * sqrt(2.0 * width * noise * noise + 4.0 * squared_distance)


def _normal(x: float) -> float:
    """Distribution function of the standard normal; the complement keeps its lower tail's digits."""
    return 0.5 * erfc(-x / sqrt(2.0))


def _invalid(field: str, message: str) -> InvalidInput:
    return InvalidInput(Reason.FIELD_INVALID, message, field=f"private.{field}")
