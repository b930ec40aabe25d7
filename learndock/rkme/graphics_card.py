"""Kernel sums on a graphics card, where there is one and the work is worth the way to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

Float32Rows = NDArray[np.float32]

# Multiplications of one evaluation, m K d, from which a card is looked for: below, a core does it within 0.1 s.
_WORTHWHILE = 2**29
# Driver files; torch, which takes seconds to import, is asked only where one exists.
_DRIVERS = (Path("/dev/nvidia0"), Path("/dev/dxg"))


def card_for(rows: Float32Rows, atom_count: int) -> str | None:
    """Name of the device that should sum kernel values of `rows` [m, d] and K atoms; None for the processor."""
    if rows.size * atom_count < _WORTHWHILE or not any(driver.exists() for driver in _DRIVERS):
        return None
    import torch

    return "cuda" if torch.cuda.is_available() else None


class DeviceMoments:
    """mean_n k(z_i, x_n) and mean_n k(z_i, x_n) x_n on a device of torch, in true float32, sums in float64.

    Parameters
    ----------
    rows
        float32 [m, d].
    gamma
        Parameter of the Gaussian kernel.
    device
        Device by torch's name, such as "cuda".
    """

    def __init__(self, rows: Float32Rows, gamma: float, device: str) -> None:
        import torch

        torch.backends.cuda.matmul.allow_tf32 = False  # ten bits would drown the discrepancies of interest
        self._rows = torch.from_numpy(np.ascontiguousarray(rows)).to(device)
        self._norms = self._norm2(self._rows)
        self._gamma = gamma

    def __call__(self, atoms: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The two moments of atoms [K, d]: float64 [K] and [K, d]."""
        import torch

        z = torch.from_numpy(atoms.astype(np.float32)).to(self._rows.device)
        d2 = self._norm2(z)[:, None] + self._norms[None, :] - 2.0 * (z @ self._rows.T)
        values = torch.exp(-self._gamma * d2.clamp_(min=0.0))
        count = len(self._rows)
        mass = values.sum(dim=1, dtype=torch.float64) / count
        moment = (values @ self._rows).to(torch.float64) / count
        return mass.cpu().numpy(), moment.cpu().numpy()

    @staticmethod
    def _norm2(rows: torch.Tensor) -> torch.Tensor:
        return (rows * rows).sum(dim=1)
