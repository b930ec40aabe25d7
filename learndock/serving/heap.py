"""How the C library keeps memory that was freed."""

from __future__ import annotations

_KEPT_BYTES = 16 * 2**20


def keep_freed_blocks() -> None:
    """Have blocks of up to 16 MiB used again once they are freed, and not given back to the system each time.

    A block that is given back costs a page fault for each 4 KiB when the next one is written: for pieces of a package,
    as much time as everything else that is done with them. glibc keeps what is no larger than the largest block that
    was freed before (`M_MMAP_THRESHOLD` in mallopt(3)); the one that is freed here is never written to.
    """
    bytes(_KEPT_BYTES)
