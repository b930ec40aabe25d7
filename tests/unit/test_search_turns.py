"""Who computes, who waits, and who is refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
import threading
import time

import pytest

from learndock.errors import DeadlineExceeded, Reason, ResourceExhausted
from learndock.serving import caller
from services.search.turns import Turns
from tests.support.patience import eventually


def test_no_more_compute_at_a_time_than_may() -> None:
    turns, lock, at_work, most = Turns(2, 20), threading.Lock(), 0, 0

    def compute(_: int) -> None:
        nonlocal at_work, most
        with turns.admitted(), turns.turn():
            with lock:
                at_work += 1
                most = max(most, at_work)
            time.sleep(0.005)
            with lock:
                at_work -= 1

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(compute, range(60)))
    assert (most, at_work) == (2, 0)


def test_beyond_those_inside_everybody_is_refused_at_once_and_told_when_to_return() -> None:
    turns, ended = Turns(1, 3), threading.Event()
    entered: list[int] = []

    def wait(number: int) -> None:
        with turns.admitted():
            entered.append(number)
            with turns.turn():
                ended.wait(60.0)

    with ThreadPoolExecutor(3) as pool:
        running = [pool.submit(wait, number) for number in range(3)]
        assert eventually(lambda: len(entered) == 3)
        with pytest.raises(ResourceExhausted) as caught, turns.admitted():
            pass
        ended.set()
        for future in running:
            future.result()
    assert caught.value.reason is Reason.TOO_MANY_REQUESTS
    assert caught.value.retry_after
    with turns.admitted(), turns.turn():  # there is room again
        pass


def test_a_search_whose_time_is_over_gets_no_turn() -> None:
    turns = Turns(1, 3)
    caller.enter(replace(caller.served(), ends_at=time.monotonic() + 0.05))
    try:
        with turns.turn(), turns.admitted(), pytest.raises(DeadlineExceeded), turns.turn():
            pytest.fail("there is one turn only")
    finally:
        caller.enter(caller.ServedCall())
    with turns.turn():
        pass


def test_what_fails_gives_its_turn_back() -> None:
    turns = Turns(1, 1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), turns.admitted(), turns.turn():
            raise ZeroDivisionError
