"""Named points at which a test lets a process die, as a power cut would; nothing happens unless one is named.

`LEARNDOCK_FAULT_POINT` names the point, `LEARNDOCK_FAULT_AFTER` how often it is reached before. Both are for tests:
no dock that anybody uses sets them.
"""

from __future__ import annotations

from itertools import count
import os
import signal

_reached = count()


def reach(point: str) -> None:
    """Die here, without a chance to clean up, if this is the point that the environment names."""
    if os.environ.get("LEARNDOCK_FAULT_POINT") != point:
        return
    if next(_reached) >= int(os.environ.get("LEARNDOCK_FAULT_AFTER", "0")):
        os.kill(os.getpid(), signal.SIGKILL)
