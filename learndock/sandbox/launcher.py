"""From a package to a running model: extract, install, start."""

from __future__ import annotations

from contextlib import ExitStack
import os
from pathlib import Path
import shutil
import uuid

from learndock.package.archive import PackageArchive
from learndock.package.manifest import MANIFEST_NAME, MAX_MANIFEST_BYTES, parse_manifest
from learndock.package.requirements import read_requirements
from learndock.sandbox.environment import Environment, EnvironmentCache, Progress
from learndock.sandbox.executor import Executor, Limits
from learndock.sandbox.model_process import ModelProcess
from learndock.sandbox.owner import is_dead, own_mark
from learndock.sandbox.wire import Wire


class LearnwareLauncher:
    """Starts the models of packages.

    Parameters
    ----------
    executor
        Where they run.
    environments
        What they run with.
    work_dir
        Folder in which packages are extracted for as long as they run, made when missing.
    limits
        What each may use.
    load_timeout
        Seconds that loading may take.
    """

    def __init__(
        self,
        executor: Executor,
        environments: EnvironmentCache,
        work_dir: Path,
        limits: Limits,
        *,
        load_timeout: float = 120.0,
    ) -> None:
        self._executor = executor
        self._environments = environments
        self._work_dir = work_dir.resolve()
        self._limits = limits
        self._load_timeout = load_timeout

    def environment_of(self, package: Path, progress: Progress | None = None) -> Environment:
        """What the model of a package's zip file runs with, installed if need be; errors as of `open`."""
        with PackageArchive.open(package) as archive:
            requirements = read_requirements(archive)
        return self._environments.ensure(requirements, progress)

    def open(self, package: Path, progress: Progress | None = None) -> ModelProcess:
        """The loaded model of a package's zip file; close it when done.

        Parameters
        ----------
        package
            The file.
        progress
            Told in a few words what takes long.

        Raises
        ------
        InvalidInput
            The package, its manifest or its requirements cannot be used.
        ModelFault
            The model cannot be loaded.
        Unavailable
            Packages cannot be installed, or no sandbox started, for a reason that may pass.
        """
        with ExitStack() as held, PackageArchive.open(package) as archive:
            manifest = parse_manifest(archive.read(MANIFEST_NAME, MAX_MANIFEST_BYTES))
            environment = held.enter_context(self._environments.held(read_requirements(archive), progress))
            folder = self._extracted(archive)
            held.callback(shutil.rmtree, folder, ignore_errors=True)
            wire = Wire(self._own_folder()) if self._executor.shares_kernel else None
            if wire is not None:
                held.callback(wire.close)
            return ModelProcess.start(
                self._executor,
                folder,
                manifest.model,
                environment,
                limits=self._limits,
                wire=wire,
                load_timeout=self._load_timeout,
                release=held.pop_all().close,
            )

    def sweep(self) -> None:
        """Remove what dead processes left: their sandboxes and their extracted packages."""
        self._executor.sweep()
        if self._work_dir.is_dir():
            for folder in self._work_dir.iterdir():
                if is_dead(folder.name):
                    shutil.rmtree(folder, ignore_errors=True)

    def _extracted(self, archive: PackageArchive) -> Path:
        folder = self._own_folder()
        try:
            archive.extract(folder)
            _open_to_all(folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return folder

    def _own_folder(self) -> Path:
        """Path of a folder that is swept once this process is dead; not made yet."""
        self._work_dir.mkdir(parents=True, exist_ok=True)
        return self._work_dir / f"{own_mark()}~{uuid.uuid4().hex[:12]}"


def _open_to_all(folder: Path) -> None:
    """Let the sandbox's user read what was extracted."""
    for parent, _, names in os.walk(folder):
        os.chmod(parent, 0o755)  # noqa: S103
        for name in names:
            os.chmod(os.path.join(parent, name), 0o644)
