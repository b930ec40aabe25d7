"""Building a specification from rows: scale, reduce, protect, weigh, measure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from learndock.errors import InvalidInput, Reason
from learndock.learnware import FeatureSpace
from learndock.rkme import fidelity
from learndock.rkme.columns import PLAIN, TableSchema
from learndock.rkme.kernel import RobustScaler, median_gamma
from learndock.rkme.objective import Float32Rows, gaussian_gram
from learndock.rkme.privacy import MIN_ROWS, PrivacyGate, Reducer
from learndock.rkme.reduced_set import MIN_ROWS_PER_ATOM, Reduction
from learndock.rkme.rows import Rows, ScaledRows
from learndock.rkme.simplex import simplex_weights
from learndock.rkme.specification import MAX_ATOMS, MAX_NUMBERS, Specification
from learndock.rkme.threads import one_thread

Progress = Callable[[str, float], None]
"""Told the stage and the share of the whole that is done; stops the build by raising."""

MAX_ITERATIONS = 500

_DEFAULT_ATOMS = 100
_LEAST_ATOMS = 8
_ROWS_PER_DEFAULT_ATOM = 20
# Rows that the optimisation sees: 16,384, fewer (to 4096) where they are so wide that it would take minutes.
_SAMPLE_ROWS = (4096, 16_384)
_SAMPLE_NUMBERS = 2**22
# Weights below this share of an equal one are nothing: their atoms are left out.
_NOTHING = 1e-6


def _check_range(field: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise InvalidInput(Reason.FIELD_INVALID, f"It must be {least} to {most}, not {value}.", field=field)


@dataclass(frozen=True)
class BuildOptions:
    """How to build a specification.

    Attributes
    ----------
    atom_count
        Atoms wanted, 1 to 1024; by default min(100, rows / 20), at least 8. Fewer come out where one would stand
        for less than 5 rows, or where a membership attack on so many would succeed.
    iterations
        Rounds of optimisation, 1 to 500.
    seed
        Random seed; the same rows, options and seed give the same bytes.
    allow_few_rows
        Permits data sets below 40 rows, whose summary can hardly hide a row.

    Raises
    ------
    InvalidInput
        A number is out of bounds; the error names the field.
    """

    atom_count: int | None = None
    iterations: int = 30
    seed: int = 0
    allow_few_rows: bool = False

    def __post_init__(self) -> None:
        _check_range("options.atom_count", 1 if self.atom_count is None else self.atom_count, 1, MAX_ATOMS)
        _check_range("options.iterations", self.iterations, 1, MAX_ITERATIONS)
        _check_range("options.seed", self.seed, 0, 2**64 - 1)

    def atoms_for(self, row_count: int, dimension: int) -> int:
        """Number of atoms to aim at.

        Raises
        ------
        InvalidInput
            More atoms than rows, or more numbers than a specification holds.
        """
        wanted = self.atom_count or default_atom_count(row_count, dimension)
        if wanted > row_count:
            raise InvalidInput(
                Reason.FIELD_INVALID, f"{wanted} atoms are more than {row_count} rows.", field="options.atom_count"
            )
        if wanted * dimension > MAX_NUMBERS:
            raise InvalidInput(
                Reason.FIELD_INVALID,
                f"{wanted} atoms of {dimension} numbers are more than {MAX_NUMBERS} numbers.",
                field="options.atom_count",
            )
        return wanted


def default_atom_count(row_count: int, dimension: int) -> int:
    """A twentieth of the rows, at least 8, at most 100 - and never more than rows and bounds allow."""
    wanted = min(_DEFAULT_ATOMS, max(_LEAST_ATOMS, row_count // _ROWS_PER_DEFAULT_ATOM))
    return max(1, min(wanted, row_count // MIN_ROWS_PER_ATOM, MAX_NUMBERS // dimension))


def build_specification(
    rows: ArrayLike,
    *,
    options: BuildOptions = BuildOptions(),
    input: FeatureSpace | None = None,  # noqa: A002  # the specification's own word
    schema: TableSchema = PLAIN,
    progress: Progress | None = None,
) -> Specification:
    """Specification of the distribution that rows come from, with its fidelity and privacy measured.

    Minimises |sum_k w_k phi(z_k) - 1/n sum_n phi(x_n)|^2 over atoms z and weights w on the simplex, phi of a Gaussian
    kernel on robustly scaled columns whose width is the median rule's: k-means, then L-BFGS over both on a sample of
    16,384 rows, then exact weights for all rows. Rows are only read in blocks, never copied as a whole. The same
    rows, options and seed give the same bytes, on any number of threads; a graphics card changes
    the discrepancy reached by less than 1e-5. Builds of one process take turns.

    Parameters
    ----------
    rows
        Array [n, d] or [n, ...] (flattened, its item shape kept), nested list, torch tensor, pandas data frame or
        Arrow table.
    options
        Atom count, rounds, seed.
    input
        What the columns mean; by default what a data frame or a table tells of them.
    schema
        What the types of a data frame's columns do not tell: vocabularies, dates, gaps, units.
    progress
        Told what is done; may raise to stop.

    Returns
    -------
    Specification
        Of a table; who encodes images or texts replaces modality and encoder.

    Raises
    ------
    InvalidInput
        Rows are not finite numbers [n, d] (SHAPE_MISMATCH, NOT_FINITE, FIELD_INVALID), are too few (TOO_FEW_ROWS) or
        all the same (PRIVACY_AT_RISK), or an option does not fit them; the error names the field.
    """
    checked = Rows.of(rows, schema)
    _check_row_count(len(checked), options)
    feature_space = input or checked.feature_space
    if feature_space is not None and feature_space.dimension != checked.dimension:
        raise InvalidInput(
            Reason.SHAPE_MISMATCH,
            f"The input describes {feature_space.dimension} columns of {checked.dimension}.",
            field="input.dimension",
        )
    told = progress or _silent
    with one_thread(waiting=lambda: told("wait", 0.0)):
        return _Build(checked, options, told).run().with_input(feature_space)


@dataclass(frozen=True, eq=False)
class _Build:
    """One build: the rows, how, and who wants to know."""

    rows: Rows
    options: BuildOptions
    progress: Progress

    def run(self) -> Specification:
        """The specification, in three quarters of its atoms as long as a membership attack on more of them succeeds."""
        count = self.options.atoms_for(len(self.rows), self.rows.dimension)
        generator = np.random.default_rng(self.options.seed)
        self.progress("scale", 0.0)
        scaled, sample = self._sample(generator)
        gate = PrivacyGate.of(scaled, sample)
        gamma = median_gamma(sample, generator=generator)
        built = self._attempt(count, gate, gamma, generator)
        while built.privacy is not None and built.privacy.at_risk and built.atom_count > _LEAST_ATOMS:
            count = max(_LEAST_ATOMS, 3 * built.atom_count // 4)
            built = self._attempt(count, gate, gamma, generator)
        return built

    def _attempt(self, count: int, gate: PrivacyGate, gamma: float, generator: np.random.Generator) -> Specification:
        scaled, sample = gate.rows, gate.sample
        atoms = self._reducer("reduce", 0.1, 0.5, gamma, generator)(sample, count)
        self.progress("protect", 0.6)
        atoms, perturbed = gate.keep_distance(atoms, generator)
        self.progress("weigh", 0.7)
        atoms, weights = _weighted(atoms, scaled, gamma)
        self.progress("measure", 0.75)
        measured = fidelity.measure(scaled, atoms, weights, gamma, generator)
        shadow = self._reducer("attack", 0.85, 1.0, gamma, generator)
        return Specification(
            atoms=scaled.publish(atoms),
            weights=weights,
            row_count=len(self.rows),
            item_shape=self.rows.item_shape,
            fidelity=measured,
            privacy=gate.report(atoms, perturbed=perturbed, reduce=shadow, count=count),
        )

    def _sample(self, generator: np.random.Generator) -> tuple[ScaledRows, Float32Rows]:
        """All rows seen through their scaler, and the rows that the optimisation sees, in random order."""
        least, most = _SAMPLE_ROWS
        size = min(len(self.rows), most, max(least, _SAMPLE_NUMBERS // self.rows.dimension))
        chosen = self.rows.take(generator.choice(len(self.rows), size=size, replace=False))
        scaled = ScaledRows(self.rows, RobustScaler.fit(chosen.astype(np.float64)))
        return scaled, scaled.transform(chosen).astype(np.float32)

    def _reducer(self, stage: str, begin: float, end: float, gamma: float, generator: np.random.Generator) -> Reducer:
        def on_round(share: float) -> None:
            self.progress(stage, begin + (end - begin) * share)

        reduction = Reduction(gamma, self.options.iterations, on_round)
        return lambda rows, count: reduction.reduce(rows, count, generator)


def _weighted(
    atoms: NDArray[np.float64], rows: ScaledRows, gamma: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Atoms with their best weights for all rows, less the atoms that weigh nothing."""
    weights = simplex_weights(gaussian_gram(atoms, gamma), fidelity.embedding_target(rows, atoms, gamma))
    used = weights > _NOTHING / len(weights)
    return atoms[used], weights[used] / weights[used].sum()


def _check_row_count(count: int, options: BuildOptions) -> None:
    if count < 2:
        raise InvalidInput(Reason.TOO_FEW_ROWS, f"There must be at least two rows, not {count}.", field="rows")
    if count < MIN_ROWS and not options.allow_few_rows:
        raise InvalidInput(
            Reason.TOO_FEW_ROWS,
            f"{count} rows can hardly be summarised without giving single ones away; {MIN_ROWS} are needed,"
            " or options.allow_few_rows.",
            field="rows",
        )


def _silent(stage: str, share: float) -> None:
    """Report to nobody."""
