"""Pictures of specifications, for people."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from learndock.errors import InvalidInput, Reason
from learndock.extras import module_of
from learndock.rkme.kernel import RobustScaler
from learndock.rkme.specification import Specification

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg")

_MOST_PICTURES = 100
_LARGEST_AREA = 400.0
_COLOURS = (3, 4)


def draw(specification: Specification) -> Figure:
    """Figure of a specification; a notebook shows it as it is.

    Atoms that are pictures (their items have the shape [H, W], [C, H, W] or [H, W, C]) are shown as such, the heaviest
    first. Others are points on the first two principal directions of the robustly scaled atoms, with areas after
    their weights.

    Raises
    ------
    FailedPrecondition
        matplotlib is not installed (EXTRA_MISSING).
    """
    figure: Figure = module_of("plot", "matplotlib.figure").Figure(figsize=(7, 6), layout="constrained")
    if len(specification.item_shape) in (2, 3):
        _draw_pictures(specification, figure)
    else:
        _draw_points(specification, figure)
    return figure


def save_plot(specification: Specification, path: str | Path) -> None:
    """Draw a specification into a .png or .svg file.

    Raises
    ------
    InvalidInput
        The file is to be of another kind.
    FailedPrecondition
        matplotlib is not installed (EXTRA_MISSING).
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise InvalidInput(Reason.FIELD_INVALID, f"{Path(path).name} is none of {', '.join(SUFFIXES)}.", field="path")
    # The backend is chosen by the file's kind; no display is needed.
    draw(specification).savefig(path, format=suffix[1:], dpi=150)


def principal_directions(specification: Specification) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places of the atoms on the two directions of largest weighted variance, [K, 2], and their shares of it, [2]."""
    atoms = RobustScaler.fit(specification.atoms).transform(specification.atoms)
    centred = (atoms - specification.weights @ atoms) * np.sqrt(specification.weights)[:, None]
    _, lengths, directions = np.linalg.svd(centred, full_matrices=False)
    places = np.zeros((len(atoms), 2))
    shares = np.zeros(2)
    count = min(2, len(lengths))
    places[:, :count] = (atoms - specification.weights @ atoms) @ directions[:count].T
    total = float((lengths**2).sum())
    shares[:count] = lengths[:count] ** 2 / total if total else 0.0
    return places, shares


def _draw_points(specification: Specification, figure: Figure) -> None:
    places, shares = principal_directions(specification)
    axes = figure.add_subplot()
    areas = _LARGEST_AREA * specification.weights / specification.weights.max()
    axes.scatter(places[:, 0], places[:, 1], s=areas, alpha=0.6, edgecolors="black", linewidths=0.4)
    for name, share in zip("xy", shares, strict=True):
        axes.set(**{f"{name}label": f"principal direction ({share:.0%} of the variance)"})
    axes.set_title(f"{specification.atom_count} atoms of {specification.dimension} dimensions; areas: weights")


def _draw_pictures(specification: Specification, figure: Figure) -> None:
    heaviest = np.argsort(-specification.weights, kind="stable")[:_MOST_PICTURES]
    side = math.ceil(math.sqrt(len(heaviest)))
    for position, index in enumerate(heaviest):
        axes = figure.add_subplot(math.ceil(len(heaviest) / side), side, position + 1)
        axes.imshow(_picture(specification.atoms[index].reshape(specification.item_shape)), cmap="gray")
        axes.set_axis_off()
    figure.suptitle(f"{len(heaviest)} heaviest of {specification.atom_count} atoms")


def _picture(atom: NDArray[np.float32]) -> NDArray[np.float64]:
    """Grey [H, W] or colours [H, W, 3] in 0 to 1."""
    values = atom.astype(np.float64)
    if values.ndim == 3 and values.shape[2] not in _COLOURS and values.shape[0] in (1, *_COLOURS):
        values = np.moveaxis(values, 0, 2)
    if values.ndim == 3:
        values = values[:, :, :3] if values.shape[2] in _COLOURS else values.mean(axis=2)
    span = np.ptp(values)
    return np.asarray((values - values.min()) / span if span else np.zeros_like(values))
