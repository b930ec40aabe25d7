"""Whether the members of a reuser may still be used: a learnware can be deleted or made private after it was found."""

from __future__ import annotations

import threading
import time

from learndock.errors import LearndockError, NotFound
from services.reuse.catalogue import Catalogue
from services.reuse.record import ReuserRecord


class Access:
    """Looks members up as the caller, not more often than every so many seconds for one reuser.

    Parameters
    ----------
    catalogue
        Learnwares as the caller sees them.
    seconds
        How long a look holds.
    """

    def __init__(self, catalogue: Catalogue, seconds: float) -> None:
        self._catalogue = catalogue
        self._seconds = seconds
        self._lock = threading.Lock()
        self._looked: dict[str, float] = {}

    def check(self, record: ReuserRecord) -> None:
        """Raise `NotFound` if the caller may no longer see a member; storage that is away changes nothing."""
        now = time.monotonic()
        with self._lock:
            if now - self._looked.get(record.reuser_id, -self._seconds) < self._seconds:
                return
        for member in record.members:
            try:
                self._catalogue.check_visible(member.learnware_id)
            except NotFound:
                raise
            except LearndockError:  # what was allowed a moment ago stays so while storage is away
                return
        with self._lock:
            self._looked[record.reuser_id] = now

    def forget(self, reuser_ids: set[str]) -> None:
        """Keep only what is known of some reusers."""
        with self._lock:
            self._looked = {one: when for one, when in self._looked.items() if one in reuser_ids}
