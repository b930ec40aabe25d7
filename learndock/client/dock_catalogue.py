"""What a connection to a dock does with the learnwares that are there: read, change, delete, bring home."""

from __future__ import annotations

from collections.abc import Iterator
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from learndock.client import transfer
from learndock.client.catalogue import Catalogue
from learndock.client.transfer import Progress
from learndock.learnware import Learnware, LearnwareVersion, SemanticSpecification, Visibility
from learndock.rkme.specification import Specification


class CatalogueMethods:
    """The part of `learndock.Dock` on learnwares in the catalogue."""

    def list(
        self,
        *,
        filter: str = "",  # noqa: A002  # the API's word
        order_by: str = "",
        show_deleted: bool = False,
    ) -> Iterator[Learnware]:
        """Learnwares that the caller may see, page by page.

        Parameters
        ----------
        filter
            AIP-160 expression, such as ``task = "Regression" AND name:wine``.
        order_by
            Fields such as ``name, create_time desc``.
        show_deleted
            Shows deleted ones too, to owner and admins.
        """
        return self._catalogue.iterate(filter_=filter, order_by=order_by, show_deleted=show_deleted)

    def get(self, learnware_id: str) -> Learnware:
        """One learnware; NotFound also for one that the caller may not see."""
        return self._catalogue.get(learnware_id)

    def update(
        self,
        learnware_id: str,
        *,
        semantic: SemanticSpecification | None = None,
        visibility: Visibility | None = None,
        etag: str = "",
    ) -> Learnware:
        """Change what is given; with an etag only if nobody changed it since (else Aborted)."""
        return self._catalogue.update(learnware_id, semantic=semantic, visibility=visibility, etag=etag)

    def delete(self, learnware_id: str) -> Learnware:
        """Hide a learnware; it can be restored for a while."""
        return self._catalogue.delete(learnware_id)

    def undelete(self, learnware_id: str) -> Learnware:
        """Restore a deleted learnware."""
        return self._catalogue.undelete(learnware_id)

    def versions(self, learnware_id: str) -> tuple[LearnwareVersion, ...]:
        """Versions of a learnware, newest first."""
        return self._catalogue.versions(learnware_id)

    def specification(self, learnware_id: str, version: int = 0) -> Specification:
        """Statistical specification of a version (0: the current one)."""
        return self._catalogue.specification(learnware_id, version)

    def atom_outputs(self, learnware_id: str, version: int = 0) -> NDArray[np.generic] | None:
        """What a version's model says of each atom of its own specification, [K, ...]; None before it is validated."""
        return self._catalogue.atom_outputs(learnware_id, version)

    def download(
        self,
        learnware_id: str,
        path: str | PathLike[str],
        *,
        version: int = 0,
        progress: Progress = transfer.silent,
    ) -> Path:
        """Fetch a package to a file or into a folder; DataLoss if its bytes do not have the right SHA-256."""
        return self._catalogue.download(learnware_id, Path(path), version=version, progress=progress)

    @property
    def _catalogue(self) -> Catalogue:
        raise NotImplementedError
