"""Batches side by side on all cores, each on one thread: parallel, and yet the same bytes on any machine size."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
import os
from typing import TypeVar

import numpy as np
import torch

from learndock.encoders.encoder import Progress, Vectors
from learndock.rkme.threads import one_thread

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
        Told the stage "encode" and the share that is done (and "wait" while others have the cores); may raise to stop.
    """
    with one_thread(waiting=lambda: progress("wait", 0.0)):
        return np.concatenate(list(_in_order(batches, encode, count=count, progress=progress)))


def _in_order(
    batches: Iterable[_Batch], encode: Callable[[_Batch], Vectors], *, count: int, progress: Progress
) -> Iterator[Vectors]:
    workers = os.cpu_count() or 1
    pool = ThreadPoolExecutor(workers, thread_name_prefix="encode")
    pending: deque[Future[Vectors]] = deque()
    remaining, done = iter(batches), 0
    try:
        while True:
            for batch in islice(remaining, workers + 1 - len(pending)):
                pending.append(pool.submit(_without_gradients, encode, batch))
            if not pending:
                return
            yield (vectors := pending.popleft().result())
            done += len(vectors)
            progress("encode", done / count)
    finally:
        pool.shutdown(cancel_futures=True)


def _without_gradients(encode: Callable[[_Batch], Vectors], batch: _Batch) -> Vectors:
    with torch.inference_mode():
        return encode(batch)
