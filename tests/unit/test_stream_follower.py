"""Following a stream again and again, until it is told to stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
import threading

from learndock.serving.following import StreamFollower
from tests.support.patience import eventually


class Endless:
    """A stream that tells nothing until it is cancelled."""

    def __init__(self) -> None:
        self._cancelled = threading.Event()

    def __iter__(self) -> Iterator[int]:
        self._cancelled.wait()
        return iter(())

    def cancel(self) -> None:
        self._cancelled.set()


class Follower(StreamFollower):
    """Follows what `open_stream` gives."""

    def __init__(self, open_stream: Callable[[int], Endless]) -> None:
        super().__init__("following-in-a-test")
        self._open_stream = open_stream
        self.tries = 0

    def _follow(self) -> None:
        self.tries += 1
        for _ in self._opened(self._open_stream(self.tries)):
            pass


def test_a_stream_is_opened_again_after_a_failure_and_given_up_at_the_end() -> None:
    def opened(number: int) -> Endless:
        if number < 3:
            raise RuntimeError("away")
        return Endless()

    follower = Follower(opened)
    follower.start()
    assert eventually(lambda: follower.tries == 3)
    follower.stop(10)
    assert not follower._thread.is_alive()


def test_one_that_is_opened_after_the_stop_is_given_up_too() -> None:
    opening, stopping = threading.Event(), threading.Event()

    def opened(_number: int) -> Endless:
        opening.set()
        stopping.wait()
        return Endless()

    follower = Follower(opened)
    follower.start()
    opening.wait()
    follower.stop(0)
    stopping.set()
    assert eventually(lambda: not follower._thread.is_alive())


def test_one_that_fails_for_ever_can_be_stopped() -> None:
    def opened(_number: int) -> Endless:
        raise RuntimeError("away")

    follower = Follower(opened)
    follower.start()
    assert eventually(lambda: follower.tries > 1)
    follower.stop(10)
    assert not follower._thread.is_alive()
