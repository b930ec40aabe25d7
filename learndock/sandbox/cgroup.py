"""Control groups: the kernel's limit on the memory, processes and processors of a sandbox as a whole.

They are used where this program may make them: as root, with the groups of version 1 or 2 mounted to be written.
Elsewhere the limits of single processes and the watch over their sum must do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
import os
from pathlib import Path
import time
import uuid

from learndock.sandbox.executor import Limits
from learndock.sandbox.owner import is_dead, own_mark

ROOT = Path("/sys/fs/cgroup")
PARENT = "learndock"
_PERIOD = 100_000
_LEAVING_SECONDS = 1.0


@dataclass(frozen=True)
class ControlGroup:
    """A group of one sandbox, as the folders that stand for it; none where groups cannot be made.

    Attributes
    ----------
    folders
        One under version 2, one for each controller under version 1.
    """

    folders: tuple[Path, ...] = ()

    @classmethod
    def create(cls, limits: Limits) -> ControlGroup:
        """A new group that holds `limits`."""
        name = f"{own_mark()}~{uuid.uuid4().hex[:12]}"
        settings = _settings(limits)
        made: list[Path] = []
        for parent in _parents():
            folder = parent / name
            try:
                folder.mkdir()
                made.append(folder)
                for file, value in settings.items():
                    if (folder / file).exists():
                        (folder / file).write_text(value)
            except OSError:
                continue
        return cls(tuple(made))

    @property
    def prefix(self) -> list[str]:
        """What to put before a command so that it, and all that it starts, is in the group from the beginning."""
        if not self.folders:
            return []
        joins = "".join(f'echo 0 > "{folder}/cgroup.procs" && ' for folder in self.folders)
        return ["/bin/sh", "-c", f'{joins}exec "$@"', "sh"]

    @property
    def holds_memory(self) -> bool:
        """Whether the kernel bounds the memory of the whole group."""
        return any((folder / name).exists() for folder in self.folders for name in _MEMORY_FILES)

    def weigh(self, cpu_weight: float) -> bool:
        """Give it another part of busy processors; whether that could be done."""
        done = False
        for folder in self.folders:
            for file, value in _weights(cpu_weight).items():
                if (folder / file).exists():
                    (folder / file).write_text(value)
                    done = True
        return done

    def ran_out_of_memory(self) -> bool:
        """Whether the kernel had to end a process of the group for want of memory."""
        return any(
            line.startswith("oom_kill ") and line != "oom_kill 0"
            for folder in self.folders
            for name in ("memory.events", "memory.oom_control")
            if (folder / name).exists()
            for line in (folder / name).read_text().splitlines()
        )

    def remove(self) -> None:
        """Remove the group; its last process may take a moment to leave."""
        _removed(self.folders)

    @staticmethod
    def sweep() -> int:
        """Remove groups whose owner is dead, which their last processes may just be leaving; returns how many."""
        left = [
            folder for parent in _parents() for folder in parent.iterdir() if folder.is_dir() and is_dead(folder.name)
        ]
        return len({folder.name for folder in _removed(left)})


_MEMORY_FILES = ("memory.max", "memory.limit_in_bytes")


def _settings(limits: Limits) -> dict[str, str]:
    quota = str(int(limits.cpus * _PERIOD))
    memory = str(limits.memory_bytes)
    return {
        # Version 2
        "memory.max": memory,
        "memory.swap.max": "0",
        "memory.oom.group": "1",
        "pids.max": str(limits.pids),
        "cpu.max": f"{quota} {_PERIOD}",
        # Version 1; the sum with swap cannot be set before the memory
        "memory.limit_in_bytes": memory,
        "memory.memsw.limit_in_bytes": memory,
        "cpu.cfs_period_us": str(_PERIOD),
        "cpu.cfs_quota_us": quota,
        **_weights(limits.cpu_weight),
    }


def _weights(cpu_weight: float) -> dict[str, str]:
    return {"cpu.weight": str(max(1, int(cpu_weight * 100))), "cpu.shares": str(max(2, int(cpu_weight * 1024)))}


def _parents() -> list[Path]:
    """Folders in which groups can be made, made themselves if need be."""
    if os.geteuid() != 0:
        return []
    if (ROOT / "cgroup.controllers").exists():
        return _made(ROOT / PARENT)
    return [folder for name in ("memory", "pids", "cpu") for folder in _made(ROOT / name / PARENT)]


def _made(folder: Path) -> list[Path]:
    try:
        folder.mkdir(exist_ok=True)
        control = folder / "cgroup.subtree_control"
        if control.exists():
            control.write_text("+memory +pids +cpu")
    except OSError:
        return []
    return [folder]


def _removed(folders: Sequence[Path]) -> list[Path]:
    """Those of the groups that are gone, after a moment for their last processes to leave."""
    end = time.monotonic() + _LEAVING_SECONDS
    left = list(folders)
    while (left := [folder for folder in left if not _is_gone(folder)]) and time.monotonic() < end:
        time.sleep(0.02)
    return [folder for folder in folders if folder not in left]


def _is_gone(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
