"""What a connection to a dock does with many packages at once, and how much of them may be kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
import zipfile

from learndock.client import transfer
from learndock.client.accounts import Accounts
from learndock.client.catalogue import Catalogue
from learndock.client.transfer import Progress
from learndock.learnware import Visibility
from learndock.quota import Allowance, Quota

if TYPE_CHECKING:
    from learndock.client.importing import Imported


class KeepingMethods:
    """The part of `learndock.Dock` on keeping packages, beside submitting and downloading one."""

    def quota(self, user: str = "") -> Quota:
        """What the caller may keep and how much of it is used; another user's, told by id or name, for admins."""
        return self._catalogue.quota(self._accounts.get_user(user).user_id if user else "")

    def set_quota(self, user: str, limit: Allowance) -> Quota:
        """Give a user, told by id or name, other limits; 0 is the dock's own; for admins."""
        return self._catalogue.set_quota(self._accounts.get_user(user).user_id, limit)

    def import_packages(
        self,
        path: str | PathLike[str],
        *,
        visibility: Visibility = Visibility.PUBLIC,
        parallel: int = 4,
    ) -> Iterator[Imported]:
        """Submit every package of a reference dock's folder, and tell what became of each.

        What broke off is run again: packages that are there already are not sent again.

        Parameters
        ----------
        path
            See `learndock.client.importing.find_packages`.
        visibility
            Who may see the learnwares.
        parallel
            How many are sent at a time.
        """
        from learndock.client.importing import find_packages, import_packages

        return import_packages(self._catalogue, find_packages(Path(path)), visibility=visibility, parallel=parallel)

    def download_together(
        self, ids: Sequence[str], path: str | PathLike[str], *, progress: Progress = transfer.silent
    ) -> Path:
        """Fetch the packages of several learnwares as one archive of them, each verified; nothing is left of a failure.

        Parameters
        ----------
        ids
            The learnwares, each once.
        path
            The archive to make; its members are named ``ID-vVERSION.zip``.
        progress
            Told the bytes done and in all, of one package after the other.
        """
        target = Path(path)
        with TemporaryDirectory(prefix="learndock-", dir=target.parent) as scratch:
            made = Path(scratch) / "together"
            with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
                for learnware_id in dict.fromkeys(ids):
                    package = self._catalogue.download(learnware_id, Path(scratch), version=0, progress=progress)
                    archive.write(package, package.name)
                    package.unlink()
            made.replace(target)
        return target

    def export(self, learnware_id: str, folder: str | PathLike[str], *, progress: Progress = transfer.silent) -> Path:
        """Fetch a learnware as a package of the reference's format, with its id and all that the dock knows it is for.

        Returns
        -------
        Path
            The archive, ``ID.zip`` in `folder`.
        """
        from learndock.package.reference import export_reference

        learnware = self._catalogue.get(learnware_id)
        target = Path(folder) / f"{learnware_id}.zip"
        with TemporaryDirectory(prefix="learndock-", dir=folder) as scratch:
            version = learnware.current_version.version
            package = self._catalogue.download(learnware_id, Path(scratch), version=version, progress=progress)
            made = Path(scratch) / "exported"
            export_reference(package, made, learnware_id=learnware_id, semantic=learnware.semantic_specification)
            made.replace(target)
        return target

    @property
    def _catalogue(self) -> Catalogue:
        raise NotImplementedError

    @property
    def _accounts(self) -> Accounts:
        raise NotImplementedError
