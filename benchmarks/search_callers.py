"""Those who search, in a process of their own: nobody shares an interpreter with the service that answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
import time
from typing import TypeVar

import numpy as np

from benchmarks.load.callers import Callers
from learndock.calls import open_channel
from learndock.rkme.specification import Specification
from learndock.v1 import search_service_pb2 as pb
from learndock.v1.search_service_pb2_grpc import SearchServiceStub
from learndock.wire import specification_to_message

# Searches before the first that counts, and seconds that many callers go on, before they count and while.
_FIRST = 4
_WARM_SECONDS, _SECONDS = 1.0, 5.0
_Found = TypeVar("_Found")


@dataclass(frozen=True)
class Asked:
    """What a series of searches took.

    Attributes
    ----------
    seconds
        Of each search.
    candidates
        Learnwares scored for each.
    certified
        Whether every answer was certified.
    """

    seconds: tuple[float, ...]
    candidates: tuple[int, ...]
    certified: bool

    def percentile_ms(self, share: float) -> float:
        """Time that this share (0 to 100) of the searches kept to, in milliseconds."""
        return float(1000.0 * np.percentile(self.seconds, share))


def one_after_the_other(address: str, tasks: Sequence[Specification]) -> Asked:
    """Search for every task, after a few that do not count, through the generated stub."""
    return _elsewhere(_one_after_the_other, address, _requests(tasks))


def searches_a_second(address: str, tasks: Sequence[Specification], callers: int) -> float:
    """Answers a second to so many callers who ask again as soon as they are answered."""
    return _elsewhere(_searches_a_second, address, _requests(tasks), callers)


def _requests(tasks: Sequence[Specification]) -> list[bytes]:
    return [pb.SearchRequest(specification=specification_to_message(task)).SerializeToString() for task in tasks]


def _elsewhere(function: Callable[..., _Found], *arguments: object) -> _Found:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def _one_after_the_other(address: str, requests: Sequence[bytes]) -> Asked:
    messages = [pb.SearchRequest.FromString(request) for request in requests]
    with open_channel(address) as channel:
        stub = SearchServiceStub(channel)
        for message in messages[:_FIRST]:
            _timed(stub, message)
        answers = [_timed(stub, message) for message in messages]
    return Asked(
        seconds=tuple(seconds for seconds, _ in answers),
        candidates=tuple(answer.certificate.scored for _, answer in answers),
        certified=all(answer.certificate.certified for _, answer in answers),
    )


def _timed(stub: SearchServiceStub, message: pb.SearchRequest) -> tuple[float, pb.SearchResponse]:
    began = time.perf_counter()
    answer = stub.Search(message, timeout=600.0, metadata=(("authorization", "Bearer benchmark"),))
    return time.perf_counter() - began, answer


def _searches_a_second(address: str, requests: Sequence[bytes], callers: int) -> float:
    async def ask() -> float:
        asking = Callers(address, [pb.SearchRequest.FromString(request) for request in requests])
        await asking.at_a_time(callers, _WARM_SECONDS)
        outcome = await asking.at_a_time(callers, _SECONDS)
        await asking.close()
        return outcome.goodput

    return asyncio.run(ask())
