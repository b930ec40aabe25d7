"""What every encoder offers: items of one modality to vectors, the same ones today and tomorrow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from learndock.learnware import Modality

Items: TypeAlias = NDArray[np.generic] | Sequence[object] | str | PathLike[str]
"""Images or texts: an array, a list, or the path of a file or folder that holds them."""

Vectors: TypeAlias = NDArray[np.float32]

Progress = Callable[[str, float], None]
"""Told the stage and the share of the whole that is done; stops the work by raising."""


class Encoder(Protocol):
    """Turns items into vectors, beside the data and with no network.

    Name and revision are part of a specification: vectors of different encoders, or of different revisions of one, are
    never compared. Whatever changes the vectors by more than rounding changes the revision.
    """

    @property
    def name(self) -> str:
        """Stable name, such as "learndock/random-conv"."""

    @property
    def revision(self) -> str:
        """Revision of weights and method."""

    @property
    def modality(self) -> Modality:
        """What the items are."""

    @property
    def dimension(self) -> int:
        """Length of the vectors, d."""

    def encode(self, items: Items, *, progress: Progress | None = None) -> Vectors:
        """Vectors float32 [n, d] of n items, in their order; the same bytes on any number of threads.

        Raises
        ------
        InvalidInput
            The items are not what the encoder reads; the error names the first one at fault.
        FailedPrecondition
            The optional package that carries the encoder's weights is not installed.
        """


def silent(stage: str, share: float) -> None:
    """Report to nobody."""
