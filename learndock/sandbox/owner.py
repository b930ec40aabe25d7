"""Marks of the process that owns something, by which others tell later whether it still lives."""

from __future__ import annotations

import os
from pathlib import Path
import platform


def own_mark() -> str:
    """`host~pid~start` of this process; a later process of the same number starts at another time."""
    return f"{platform.node()}~{os.getpid()}~{_start_ticks(os.getpid())}"


def is_dead(mark: str) -> bool:
    """Whether the owner has ended for sure. One of another host is never judged, nor is what is no mark."""
    host, pid, start = (*mark.split("~"), "", "", "")[:3]
    return host == platform.node() and pid.isdigit() and start.isdigit() and _start_ticks(int(pid)) != int(start)


def _start_ticks(pid: int) -> int:
    """When a process started, in clock ticks since boot; 0 when there is none."""
    try:
        stat = Path("/proc", str(pid), "stat").read_text()
    except OSError:
        return 0
    return int(stat.rpartition(")")[2].split()[19])
