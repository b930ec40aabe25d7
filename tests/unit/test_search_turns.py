"""Who computes, and who waits."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
import threading
import time

import faiss
import pytest

from learndock.errors import DeadlineExceeded
from learndock.serving import caller
from services.search.turns import Turns


def test_no_more_compute_at_a_time_than_may() -> None:
    turns, lock, at_work, most = Turns(2), threading.Lock(), 0, 0

    def compute(_: int) -> None:
        nonlocal at_work, most
        with turns.turn():
            with lock:
                at_work += 1
                most = max(most, at_work)
            time.sleep(0.005)
            with lock:
                at_work -= 1

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(compute, range(60)))
    assert (most, at_work) == (2, 0)


def test_a_search_whose_time_is_over_gets_no_turn() -> None:
    turns = Turns(1)
    caller.enter(replace(caller.served(), ends_at=time.monotonic() + 0.05))
    try:
        with turns.turn(), pytest.raises(DeadlineExceeded), turns.turn():
            pytest.fail("there is one turn only")
    finally:
        caller.enter(caller.ServedCall())
    with turns.turn():
        pass


def test_who_computes_keeps_no_other_processor_busy() -> None:
    def processors() -> tuple[int, int]:
        faiss.omp_set_num_threads(2)  # as each new thread finds it on two processors
        before = faiss.omp_get_max_threads()
        with Turns(1).turn():
            return before, faiss.omp_get_max_threads()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(processors).result() == (2, 1)


def test_what_fails_gives_its_turn_back() -> None:
    turns = Turns(1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), turns.turn():
            raise ZeroDivisionError
