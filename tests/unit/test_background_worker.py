"""A worker's one thread, from start to end."""

from __future__ import annotations

import threading

from learndock.serving.background import BackgroundWorker


class Counting(BackgroundWorker):
    """Counts until it is stopped."""

    def __init__(self) -> None:
        super().__init__("counting")
        self.begun, self.ended = threading.Event(), threading.Event()

    def _run(self) -> None:
        self.begun.set()
        self._stopping.wait()
        self.ended.set()


def test_it_works_from_start_to_stop() -> None:
    worker = Counting()
    worker.start()
    assert worker.begun.wait(10)
    assert not worker.ended.is_set()
    worker.stop(10)
    assert worker.ended.is_set()
    assert "counting" not in [thread.name for thread in threading.enumerate()]


def test_one_that_never_started_can_be_stopped() -> None:
    Counting().stop(10)


def test_a_stop_waits_no_longer_than_it_may() -> None:
    class Deaf(Counting):
        def _run(self) -> None:
            released.wait(60)

    released, worker = threading.Event(), Deaf()
    worker.start()
    worker.stop(0.01)
    released.set()
