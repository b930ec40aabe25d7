"""The memory of a process and all its descendants, for machines where the kernel keeps no account of it."""

from __future__ import annotations

from pathlib import Path

_COUNTED = ("RssAnon:", "RssShmem:")


def tree_memory_bytes(pid: int) -> int:
    """Resident memory of a process and its descendants that is not backed by files, in bytes."""
    return sum(_memory_bytes(member) for member in _tree(pid))


def _tree(pid: int) -> list[int]:
    found = [pid]
    for member in found:  # grows while it is walked
        try:
            threads = list(Path("/proc", str(member), "task").iterdir())
            children = [(thread / "children").read_text().split() for thread in threads]
        except OSError:
            continue
        found += [int(child) for group in children for child in group]
    return found


def _memory_bytes(pid: int) -> int:
    try:
        lines = Path("/proc", str(pid), "status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(_COUNTED))
