"""Geometry of the charts, which the templates draw as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from learndock.errors import InvalidInput, Reason
from learndock.rkme.specification import MAX_ATOMS, Specification

WIDTH, HEIGHT, MARGIN = 480.0, 320.0, 14.0
_LEAST_RADIUS, _RADIUS = 2.0, 9.0


@dataclass(frozen=True)
class Dot:
    """An atom: its place in the picture and a radius after its weight."""

    x: float
    y: float
    radius: float


@dataclass(frozen=True)
class Scatter:
    """Specifications in two dimensions.

    Attributes
    ----------
    groups
        Atoms of each specification.
    shares
        Parts of the variance along the two directions, 0 to 1.
    """

    groups: tuple[tuple[Dot, ...], ...]
    shares: tuple[float, float]
    width: float = WIDTH
    height: float = HEIGHT


def scatter(*specifications: Specification) -> Scatter:
    """Atoms on the two directions along which all of them together vary most, areas after their weights.

    Raises
    ------
    InvalidInput
        The specifications live in different spaces (NOT_COMPARABLE).
    """
    first = specifications[0]
    if any((s.dimension, s.encoder) != (first.dimension, first.encoder) for s in specifications):
        raise InvalidInput(Reason.NOT_COMPARABLE, "The two have other columns or another encoder: no common picture.")
    parts = [_heaviest(each, MAX_ATOMS // len(specifications)) for each in specifications]
    atoms = np.concatenate([part.atoms for part in parts]).astype(np.float64)
    weights = np.concatenate([part.weights for part in parts]) / len(parts)
    places, shares = _principal_places(atoms, weights)
    ends = np.cumsum([part.atom_count for part in parts])[:-1]
    groups = (
        _dots(found, part.weights) for found, part in zip(np.split(_in_picture(places), ends), parts, strict=True)
    )
    return Scatter(tuple(groups), shares)


@dataclass(frozen=True)
class Bar:
    """A named number and its length, 0 to 100, beside the longest."""

    label: str
    value: float
    length: float


def bars(numbers: Mapping[str, float]) -> tuple[Bar, ...]:
    """Numbers as bars, in the order given."""
    longest = max(numbers.values(), default=0) or 1
    return tuple(Bar(label, value, round(100 * value / longest, 2)) for label, value in numbers.items())


def histogram(values: NDArray[np.float64], count: int = 16) -> tuple[Bar, ...]:
    """How many numbers lie in each of some equal ranges."""
    numbers, edges = np.histogram(values, bins=count)
    labels = [f"{low:.4g} … {high:.4g}" for low, high in pairwise(edges)]
    return bars(dict(zip(labels, map(float, numbers), strict=True)))


def _heaviest(specification: Specification, most: int) -> Specification:
    if specification.atom_count <= most:
        return specification
    kept = np.sort(np.argsort(-specification.weights, kind="stable")[:most])
    weights = specification.weights[kept]
    return replace(specification, atoms=specification.atoms[kept], weights=weights / weights.sum())


def _principal_places(
    atoms: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """Places [K, 2] on the two directions of largest weighted variance of the standardised columns, and their shares.

    Not robustly scaled, as `learndock.rkme.plot` is: in a small picture a few far atoms would press the rest together.
    """
    centred = atoms - weights @ atoms
    deviations = np.sqrt(weights @ centred**2)
    scaled = centred / np.where(deviations > 0, deviations, 1.0)
    _, lengths, directions = np.linalg.svd(scaled * np.sqrt(weights)[:, None], full_matrices=False)
    count = min(2, len(lengths))
    places = np.zeros((len(atoms), 2))
    places[:, :count] = scaled @ directions[:count].T
    shares = np.zeros(2)
    shares[:count] = lengths[:count] ** 2 / max(float((lengths**2).sum()), 1e-300)
    return places, (float(shares[0]), float(shares[1]))


def _in_picture(places: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = places.min(axis=0), places.max(axis=0)
    span = np.where(high > low, high - low, 1.0)
    room = np.array([WIDTH, HEIGHT]) - 2 * (MARGIN + _RADIUS)
    inside = MARGIN + _RADIUS + (places - low) / span * room
    return np.column_stack([inside[:, 0], HEIGHT - inside[:, 1]])


def _dots(places: NDArray[np.float64], weights: Sequence[float] | NDArray[np.float64]) -> tuple[Dot, ...]:
    sizes = np.sqrt(np.asarray(weights) / max(np.max(weights), 1e-12))
    radii = _LEAST_RADIUS + (_RADIUS - _LEAST_RADIUS) * sizes
    return tuple(Dot(round(x, 1), round(y, 1), round(r, 1)) for (x, y), r in zip(places, radii, strict=True))
