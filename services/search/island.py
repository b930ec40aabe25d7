"""Islands: all that can be compared with one another."""

from __future__ import annotations

from dataclasses import dataclass

from learndock.learnware import Modality
from learndock.rkme.private import PrivateSpecification
from learndock.rkme.specification import Specification


@dataclass(frozen=True, order=True)
class IslandKey:
    """What specifications must share to be comparable.

    Attributes
    ----------
    modality
        Kind of rows before encoding.
    encoder
        Encoder that made the vectors; empty for tables.
    encoder_revision
        Its revision.
    dimension
        Dimension of the atoms.
    """

    modality: Modality
    encoder: str
    encoder_revision: str
    dimension: int

    @classmethod
    def of(cls, specification: Specification) -> IslandKey:
        """Island where a specification belongs."""
        return cls(
            specification.modality, specification.encoder, specification.encoder_revision, specification.dimension
        )

    @classmethod
    def of_private(cls, specification: PrivateSpecification) -> IslandKey:
        """Island whose learnwares a private specification can be compared with: a table of as many columns."""
        return cls(Modality.TABLE, "", "", specification.dimension)

    @property
    def encoder_name(self) -> str:
        """Encoder and revision in one word; empty for tables."""
        return f"{self.encoder}@{self.encoder_revision}" if self.encoder else ""

    @property
    def island_id(self) -> str:
        """The key as one word, such as ``table-d64`` or ``text-minilm@2-d384``."""
        parts = (self.modality.value.lower(), self.encoder_name, f"d{self.dimension}")
        return "-".join(part for part in parts if part)
