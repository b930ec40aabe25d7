"""Many callers at once, by asyncio: as many as are wanted at a time, or as many a second whatever comes back."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count, cycle
import random
import time

import grpc

from learndock.calls import channel_options
from learndock.v1 import search_service_pb2 as pb

USERS = 50
PATIENCE_SECONDS = 10.0
_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 4.0


@dataclass(frozen=True)
class Outcome:
    """What many calls came to.

    Attributes
    ----------
    seconds
        How long it went on.
    latencies
        Seconds of each call that was answered.
    codes
        How many calls ended with which status code.
    sent_seconds
        How long it took to send them all.
    processor_share
        Share of a processor that the callers took.
    """

    seconds: float
    latencies: tuple[float, ...]
    codes: Counter[str]
    sent_seconds: float
    processor_share: float

    @property
    def goodput(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    @property
    def calls_per_second(self) -> float:
        """Calls sent a second."""
        return self.codes.total() / self.sent_seconds


class Callers:
    """Users who search, each with a token of their own.

    Parameters
    ----------
    target
        What gRPC resolves to one or several replicas.
    requests
        What they ask, in turns.
    """

    def __init__(self, target: str, requests: Sequence[pb.SearchRequest]) -> None:
        self._channel = grpc.aio.insecure_channel(target, options=channel_options())
        # Messages stay bytes: what callers compute is not what is measured.
        self._search = self._channel.unary_unary("/learndock.v1.SearchService/Search")
        self._requests = cycle([request.SerializeToString() for request in requests])
        self._numbers = count()
        self._latencies: list[float] = []
        self._last_sent = 0.0
        self._codes: Counter[str] = Counter()

    async def close(self) -> None:
        """Close the connections."""
        await self._channel.close()

    async def at_a_time(self, callers: int, seconds: float) -> Outcome:
        """Callers who ask again as soon as they are answered."""
        until = time.monotonic() + seconds

        async def ask() -> None:
            while time.monotonic() < until:
                await self._call()

        return await self._measured(lambda: _together([ask() for _ in range(callers)]))

    async def a_second(self, rate: float, seconds: float) -> Outcome:
        """So many calls every second, whatever becomes of the ones before."""

        async def send() -> None:
            calls, began = [], time.monotonic()
            for number in range(round(rate * seconds)):
                await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
                calls.append(asyncio.create_task(self._call()))
            await _together(calls)

        return await self._measured(send)

    async def at_once(self, callers: int) -> Outcome:
        """So many calls in the same moment, each tried again until it is answered when it is refused for load."""
        waited: list[float] = []

        async def insist() -> None:
            began, pause = time.monotonic(), _PAUSE_SECONDS
            while (code := await self._call()) == grpc.StatusCode.RESOURCE_EXHAUSTED.name:
                await asyncio.sleep(pause * random.uniform(0.5, 1.5))
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            if code == grpc.StatusCode.OK.name:
                waited.append(time.monotonic() - began)

        outcome = await self._measured(lambda: _together([insist() for _ in range(callers)]))
        return replace(outcome, latencies=tuple(waited))

    async def _measured(self, work: Callable[[], Awaitable[None]]) -> Outcome:
        self._latencies, self._codes = [], Counter()
        began, computed = time.monotonic(), time.process_time()
        await work()
        seconds = time.monotonic() - began
        share = (time.process_time() - computed) / seconds
        return Outcome(seconds, tuple(self._latencies), self._codes, self._last_sent - began, share)

    async def _call(self) -> str:
        token = f"Bearer user{next(self._numbers) % USERS}"
        self._last_sent = began = time.monotonic()
        try:
            await self._search(next(self._requests), timeout=PATIENCE_SECONDS, metadata=(("authorization", token),))
        except grpc.aio.AioRpcError as error:
            code = error.code().name
        else:
            code = grpc.StatusCode.OK.name
            self._latencies.append(time.monotonic() - began)
        self._codes[code] += 1
        return code


async def _together(calls: Sequence[Awaitable[object]]) -> None:
    await asyncio.gather(*calls)
