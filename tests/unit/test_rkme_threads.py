"""One thread for numeric work, and what was set before afterwards."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from learndock.rkme.threads import one_thread


def numeric_threads() -> set[int]:
    np.eye(2) @ np.eye(2)  # BLAS is loaded
    return {pool["num_threads"] for pool in threadpool_info()}


def test_what_was_set_before_comes_back() -> None:
    with threadpool_limits(2):
        before = numeric_threads()
        with one_thread(lambda: None):
            assert numeric_threads() == {1}
        assert numeric_threads() == before


def test_those_who_need_it_take_turns_and_may_give_up() -> None:
    entered, leave = Event(), Event()

    def hold() -> None:
        with one_thread(lambda: None):
            entered.set()
            assert leave.wait(30)

    def give_up() -> None:
        raise TimeoutError

    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(hold)
        assert entered.wait(30)
        with pytest.raises(TimeoutError), one_thread(give_up):
            raise AssertionError
        leave.set()
        holding.result()
    with one_thread(give_up):
        assert numeric_threads() == {1}
