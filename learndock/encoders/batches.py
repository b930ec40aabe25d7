"""Batches side by side on all cores, each on one thread: parallel, and yet the same bytes on any machine size."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
import os
from typing import TypeVar

import numpy as np
from threadpoolctl import threadpool_limits
import torch

from learndock.encoders.encoder import Progress, Vectors

_Batch = TypeVar("_Batch")


def encode_batches(
    batches: Iterable[_Batch], encode: Callable[[_Batch], Vectors], *, count: int, progress: Progress
) -> Vectors:
    """Vectors of all batches, in order.

    As many batches are under way at a time as there are cores, so memory stays bounded however many there are.

    Parameters
    ----------
    batches
        At least one; read lazily, in the caller's thread.
    encode
        Vectors [b, d] of one batch; called from several threads.
    count
        Items in all batches together, for `progress`.
    progress
        Told the stage "encode" and the share that is done; may raise to stop.
    """
    workers = os.cpu_count() or 1
    done: list[Vectors] = []
    pending: deque[Future[Vectors]] = deque()

    def collect() -> None:
        done.append(pending.popleft().result())
        progress("encode", sum(map(len, done)) / count)

    pool = ThreadPoolExecutor(workers, thread_name_prefix="encode", initializer=_keep_to_one_thread)
    try:
        for batch in batches:
            pending.append(pool.submit(_without_gradients, encode, batch))
            if len(pending) > workers:
                collect()
        while pending:
            collect()
    finally:
        pool.shutdown(cancel_futures=True)
    return np.concatenate(done)


def _keep_to_one_thread() -> None:
    # On its first use in a thread torch sets that thread's OpenMP limit; ours must come after it.
    torch.get_num_threads()
    threadpool_limits(limits=1, user_api="openmp")


def _without_gradients(encode: Callable[[_Batch], Vectors], batch: _Batch) -> Vectors:
    with torch.inference_mode():
        return encode(batch)
