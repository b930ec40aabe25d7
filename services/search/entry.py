"""What the index holds of a learnware."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learndock.learnware import Learnware, Visibility
from services.search.island import IslandKey
from services.search.packs import Stored


@dataclass(frozen=True, eq=False, slots=True)
class Entry:
    """A searchable learnware.

    Attributes
    ----------
    learnware
        The learnware with the version that is served.
    specification
        Statistical specification of that version; None where its package has none.
    sequence
        Change of the catalogue that made this entry. No two entries share one, so it also names the entry.
    """

    learnware: Learnware
    specification: Stored | None
    sequence: int

    @property
    def learnware_id(self) -> str:
        """Id of the learnware."""
        return self.learnware.learnware_id

    @property
    def version(self) -> int:
        """Version that is served."""
        return self.learnware.current_version.version

    @property
    def private(self) -> bool:
        """Whether only its owner and those who look after the dock may see it."""
        return self.learnware.visibility is Visibility.PRIVATE

    @property
    def answer(self) -> tuple[str, int | None]:
        """What it answers with: its task and number of outputs, which is None for classes, since these are aligned."""
        semantic = self.learnware.semantic_specification
        if semantic.task == "Classification" or semantic.output is None:
            return semantic.task, None
        return semantic.task, semantic.output.dimension

    @property
    def island(self) -> IslandKey | None:
        """Where it can be compared."""
        return self.specification.key if self.specification is not None else None


@dataclass(frozen=True, eq=False, slots=True)
class Placed:
    """An entry with its coordinates under a profile.

    Attributes
    ----------
    entry
        The entry; it has a specification.
    row
        Embedding [e, r], float32 [D + 1], see `services.search.embedding`.
    norm
        |mu|^2, exact.
    """

    entry: Entry
    row: NDArray[np.float32]
    norm: float

    @property
    def specification(self) -> Stored:
        """The entry's statistical specification."""
        if self.entry.specification is None:
            raise ValueError(f"Learnware {self.entry.learnware_id} has no statistical specification.")
        return self.entry.specification
