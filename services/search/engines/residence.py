"""A bank on a torch device, scanned as a whole in single precision with a bound of the error.

Rounding is bounded by the usual worst case: a sum of n products in single precision is wrong by at most n u times the
sum of their magnitudes, whatever the order (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section
3.1), u being 2^-24. Atoms are kept scaled, from the profile's centre: the farther a learnware or a task lies from it,
the wider is the bound. float32 is true float32: TF32 is never allowed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
import torch

from learndock.rkme.kernel import Kernel
from services.search.bank import Bank
from services.search.profile import Profile
from services.search.scoring import Task

_UNIT = 2.0**-24
# Roundings on the way from atoms to a squared distance, beside its products, and from that to a kernel's value.
_ROUNDINGS = 12
_VALUE_ROUNDINGS = 6
# Kernel values computed at a time: 256 MB of them on a graphics card, 1 MB where there is a cache instead.
_CARD_VALUES = 2**26
_PROCESSOR_VALUES = 2**18
# Learnwares read from disk at a time while a bank is taken in.
_READ = 4096


@dataclass(frozen=True, eq=False)
class Residence:
    """A bank's specifications on a device.

    Attributes
    ----------
    kernel
        The profile's kernel.
    atoms
        All atoms, scaled, float32 [R, d].
    squares
        |a|^2 of each, float32 [R].
    weights
        Their weights, float32 [R].
    ends
        Where each learnware's atoms end, int64 [n].
    norms
        |mu|^2 of each learnware, float64 [n].
    spreads
        Weighted mean of |a|^2 of each learnware, float64 [n].
    """

    kernel: Kernel
    atoms: torch.Tensor
    squares: torch.Tensor
    weights: torch.Tensor
    ends: NDArray[np.int64]
    norms: torch.Tensor
    spreads: torch.Tensor

    @classmethod
    def of(cls, bank: Bank, profile: Profile, device: torch.device) -> Residence:
        """Take in a bank of an island under its profile; reads all of its specifications."""
        specifications = [placed.specification for placed in bank.learnwares]
        counts = np.array([specification.atom_count for specification in specifications], dtype=np.int64)
        total, width = int(counts.sum()), len(profile.scaler.scale)
        atoms = torch.empty((total, width), dtype=torch.float32, device=device)
        squares, weights = (torch.empty(total, dtype=torch.float32, device=device) for _ in range(2))
        start = 0
        for first in range(0, len(specifications), _READ):
            part = specifications[first : first + _READ]
            rows = profile.scaler.transform(np.concatenate([one.atoms for one in part]))
            here = slice(start, start + len(rows))
            atoms[here] = torch.from_numpy(rows.astype(np.float32))
            squares[here] = torch.from_numpy(np.einsum("ij,ij->i", rows, rows).astype(np.float32))
            weights[here] = torch.from_numpy(np.concatenate([one.weights for one in part]).astype(np.float32))
            start += len(rows)
        norms = torch.tensor([placed.norm for placed in bank.learnwares], dtype=torch.float64, device=device)
        ends = np.cumsum(counts)
        return cls.holding(profile.kernel, atoms, squares, weights, ends, norms)

    @classmethod
    def holding(
        cls,
        kernel: Kernel,
        atoms: torch.Tensor,
        squares: torch.Tensor,
        weights: torch.Tensor,
        ends: NDArray[np.int64],
        norms: torch.Tensor,
    ) -> Residence:
        """A residence of what is on the device already; see the attributes."""
        spreads = _sums(weights.double() * squares.double(), _counts(ends).to(atoms.device))
        return cls(kernel, atoms, squares, weights, ends, norms, spreads)

    def __len__(self) -> int:
        return len(self.ends)

    def scan(self, tasks: Sequence[Task]) -> tuple[torch.Tensor, torch.Tensor]:
        """MMD2 of every learnware to each task, nearly, and how far that may be off at most, both float64 [n, B].

        Tasks are scanned together: the atoms are read once for all of them. O(n K^2 d B).
        """
        asked = _Columns.of(tasks, self.atoms.device)
        products = torch.cat([self._products(asked, learnwares) for learnwares in self._blocks(len(asked.weights))])
        norms = torch.tensor([task.norm for task in tasks], dtype=torch.float64, device=self.atoms.device)
        values = self.norms[:, None] - 2.0 * products + norms
        mean_gamma = float(np.mean(self.kernel.gammas))
        longest = max(len(task.weights) for task in tasks)
        per_square = 8.0 * (2 * self.atoms.shape[1] + _ROUNDINGS) * _UNIT * mean_gamma
        whatever = 2.0 * _UNIT * (longest + _VALUE_ROUNDINGS * (1.0 + mean_gamma / min(self.kernel.gammas)))
        return values, whatever + per_square * (self.spreads[:, None] + asked.spreads)

    def _blocks(self, columns: int) -> Iterator[slice]:
        """Learnwares whose kernel values fit into the memory for them; one at least."""
        values = _CARD_VALUES if self.atoms.is_cuda else _PROCESSOR_VALUES
        first = 0
        while first < len(self):
            begin = int(self.ends[first - 1]) if first else 0
            last = int(np.searchsorted(self.ends, begin + max(1, values // columns), side="right"))
            yield slice(first, max(last, first + 1))
            first = max(last, first + 1)

    def _products(self, asked: _Columns, learnwares: slice) -> torch.Tensor:
        """Inner products of some learnwares with the tasks, float64 [m, B]."""
        begin = int(self.ends[learnwares.start - 1]) if learnwares.start else 0
        rows = slice(begin, int(self.ends[learnwares.stop - 1]))
        d2 = torch.addmm(asked.squares[None, :], self.atoms[rows], asked.atoms, alpha=-2.0)
        d2 += self.squares[rows, None]
        kernel = _kernel_values(self.kernel, d2.clamp_(min=0.0))
        per_atom = (kernel @ asked.weights).double() * self.weights[rows, None].double()
        counts = _counts(self.ends[learnwares], begin).to(self.atoms.device)
        return _sums(per_atom, counts)


@dataclass(frozen=True, eq=False)
class _Columns:
    """The atoms of several tasks side by side.

    Attributes
    ----------
    atoms
        float32 [d, S].
    squares
        |b|^2 of each, float32 [S].
    weights
        Those of each task in a column of its own, float32 [S, B].
    spreads
        Weighted mean of |b|^2 of each task, float64 [B].
    """

    atoms: torch.Tensor
    squares: torch.Tensor
    weights: torch.Tensor
    spreads: torch.Tensor

    @classmethod
    def of(cls, tasks: Sequence[Task], device: torch.device) -> _Columns:
        atoms = np.concatenate([task.atoms for task in tasks])
        squares = np.einsum("ij,ij->i", atoms, atoms)
        weights = np.zeros((len(atoms), len(tasks)))
        start = 0
        for number, task in enumerate(tasks):
            weights[start : start + len(task.weights), number] = task.weights
            start += len(task.weights)
        return cls(
            torch.from_numpy(atoms.T.astype(np.float32)).to(device),
            torch.from_numpy(squares.astype(np.float32)).to(device),
            torch.from_numpy(weights.astype(np.float32)).to(device),
            torch.from_numpy(squares @ weights).to(device),
        )


def _kernel_values(kernel: Kernel, d2: torch.Tensor) -> torch.Tensor:
    """Kernel values of squared distances; takes their memory."""
    total = torch.zeros_like(d2)
    values = torch.empty_like(d2)
    for gamma, squarings in kernel.steps:
        if squarings is None:
            torch.mul(d2, -gamma, out=values).exp_()
        else:
            for _ in range(squarings):
                values.square_()
        total += values
    return total.mul_(1.0 / len(kernel.gammas))


def _counts(ends: NDArray[np.int64], begin: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.diff(ends, prepend=begin))


def _sums(per_atom: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """Sums over the atoms of each learnware; in a fixed order, so that they are the same each time."""
    return torch.segment_reduce(per_atom, "sum", lengths=counts, axis=0, unsafe=True)
