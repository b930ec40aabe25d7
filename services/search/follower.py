"""The worker that keeps the index in step with the catalogue."""

from __future__ import annotations

from dataclasses import dataclass
import time

from learndock.errors import LearndockError, OutOfRange, Reason, Unavailable
from learndock.serving import caller, telemetry
from learndock.serving.following import StreamFollower
from services.search.index import DockIndex
from services.search.live import LiveIndex
from services.search.source import CatalogueSource, News

# While the catalogue is ahead, changes are published in batches: each costs a new index of the islands it touches.
_BATCH = 512
_PUBLISH_SECONDS = 1.0


@dataclass(frozen=True)
class FollowerStatus:
    """How far the index has followed.

    Attributes
    ----------
    applied
        Last change that searches see.
    latest
        Newest change known in the catalogue.
    following
        Whether the catalogue can be reached.
    """

    applied: int
    latest: int
    following: bool

    @property
    def lag(self) -> int:
        """Changes that searches do not see yet."""
        return self.latest - self.applied


class Follower(StreamFollower):
    """Applies the catalogue's changes to the index in a thread, for ever.

    Parameters
    ----------
    live
        The index.
    source
        The catalogue.
    """

    def __init__(self, live: LiveIndex, source: CatalogueSource) -> None:
        super().__init__("search-follower")
        self._live = live
        self._source = source
        self._latest = 0
        self._following = self._caught_up = False
        self._published_at = time.monotonic()

    def status(self) -> FollowerStatus:
        """How far the index has followed."""
        applied = self._live.current.sequence
        return FollowerStatus(applied, max(applied, self._latest), self._following)

    def check_caught_up(self) -> None:
        """Raise `Unavailable` until the index has once held all that the catalogue knew; later lag is no reason."""
        if not self._caught_up:
            raise Unavailable(Reason.SERVICE_UNAVAILABLE, "The index has not followed the catalogue yet.")

    def rebuild(self) -> DockIndex:
        """Make the index anew from the whole catalogue; the old one answers, and follows, until the new one is ready.

        Raises
        ------
        Unavailable
            The catalogue cannot be reached.
        """
        return self._remade(even_behind=False)

    def _remade(self, *, even_behind: bool) -> DockIndex:
        fresh = self._live.beginning()
        stream = self._source.changes(fresh)
        try:
            for news in stream:
                caller.check_active()
                if news.change is not None:
                    fresh.apply(news.change)
                if fresh.applied >= news.latest:
                    fresh.publish()  # fits its islands, while the old index still follows
                    if self._live.adopt(fresh, even_behind=even_behind):
                        return self._live.current
        finally:
            stream.cancel()
        raise Unavailable(Reason.SERVICE_UNAVAILABLE, "The catalogue ended the stream of changes.", retry_after=1.0)

    def _follow(self) -> None:
        """Follow one stream to its end. Raises when it ended before it told anything; then waits grow."""
        told = False
        try:
            for news in self._opened(self._source.changes(self._live)):
                told = self._following = True
                self._take(news)
        except OutOfRange:  # the catalogue was set back, or no longer knows changes that old
            self._remade(even_behind=True)
        except LearndockError:
            if not told:
                raise
        finally:
            self._following = False
            self._live.publish()

    def _take(self, news: News) -> None:
        if news.change is not None:
            self._live.apply(news.change)
        self._latest = max(self._live.applied, news.latest)
        now = time.monotonic()
        behind = self._live.applied < news.latest
        self._caught_up = self._caught_up or not behind
        if self._live.pending >= _BATCH or not behind or now - self._published_at > _PUBLISH_SECONDS:
            self._live.publish()
            self._published_at = now
            telemetry.INDEX_LAG.set(self.status().lag)
