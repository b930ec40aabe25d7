"""How much a server takes on: places for calls shared fairly among callers, and calls per second of each."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
import hashlib
import threading
import time
from typing import Any, TypeVar

from learndock.account import Principal, Role
from learndock.errors import Reason, ResourceExhausted

_MAX_BUCKETS = 10_000
# A place is free again about this soon; callers spread out by trying again after it.
RETRY_SECONDS = 0.5

_Result = TypeVar("_Result")


class _Places:
    """A bounded number of places, of which no caller holds more than are left free.

    These are dynamic thresholds (Choudhury and Hahne, 1998): a single greedy caller has half of the places, two a third
    each, and whoever comes next still finds room.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._taken_by: dict[bytes, int] = {}
        self._lock = threading.Lock()
        self.taken = 0

    def room_for(self, caller: bytes) -> bool:
        with self._lock:
            return self._taken_by.get(caller, 0) < self._number - self.taken

    def take(self, caller: bytes) -> None:
        with self._lock:
            self.taken += 1
            self._taken_by[caller] = self._taken_by.get(caller, 0) + 1

    def leave(self, caller: bytes) -> None:
        with self._lock:
            self.taken -= 1
            self._taken_by[caller] -= 1
            if not self._taken_by[caller]:
                del self._taken_by[caller]


class FairPool(ThreadPoolExecutor):
    """Threads that serve calls, with a bounded number of places: those being served, and some that wait.

    No caller holds more places than are left free, and whoever comes next still finds room.

    Parameters
    ----------
    threads
        Calls served at a time.
    places
        Calls served and waiting.
    own_places
        Fewer places for the calls of some methods, by ``/package.Service/Method``; they share them in the same way.
    """

    def __init__(self, threads: int, places: int, own_places: Mapping[str, int] | None = None) -> None:
        super().__init__(threads, thread_name_prefix="rpc")
        self._all = _Places(places)
        self._own = {method: _Places(number) for method, number in (own_places or {}).items()}
        self._arriving = threading.local()

    def admits(self, credential: str, method: str) -> bool:
        """Whether there is a place for a caller; the next `submit` of this thread takes it.

        gRPC asks and submits in one thread, one call after the other.
        """
        caller = hashlib.sha256(credential.encode()).digest()
        wanted = (self._all, self._own[method]) if method in self._own else (self._all,)
        self._arriving.call = caller, wanted
        return all(places.room_for(caller) for places in wanted)

    def submit(self, fn: Callable[..., _Result], /, *args: Any, **kwargs: Any) -> Future[_Result]:
        """Serve a call once a thread is free; its place is free again when it ends, however it does."""
        caller, wanted = vars(self._arriving).pop("call", (b"", (self._all,)))
        for places in wanted:
            places.take(caller)
        future = super().submit(fn, *args, **kwargs)
        future.add_done_callback(lambda _: _leave(wanted, caller))
        return future

    @property
    def taken(self) -> int:
        """Places that are taken."""
        return self._all.taken


def _leave(taken: tuple[_Places, ...], caller: bytes) -> None:
    for places in taken:
        places.leave(caller)


class InPlace(ThreadPoolExecutor):
    """Runs what it is given in the thread that gives it, for work that is quicker than another thread's start."""

    def submit(self, fn: Callable[..., _Result], /, *args: Any, **kwargs: Any) -> Future[_Result]:
        """Run it, and give what it came to."""
        future: Future[_Result] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # as any executor does: it belongs to whoever asks for the result
            future.set_exception(error)
        return future


@dataclass(frozen=True)
class Rate:
    """How often somebody may call.

    Attributes
    ----------
    per_second
        Calls per second over time; 0 for any number.
    burst
        Calls at once after a pause.
    """

    per_second: float
    burst: int


UNLIMITED = Rate(0.0, 1)


class RateLimit:
    """A token bucket for each user, and one for each address of callers without a credential.

    The dock's own services are not counted: they act for users who are.
    """

    def __init__(self, users: Rate, anonymous: Rate) -> None:
        self._users = users
        self._anonymous = anonymous
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, principal: Principal, peer: str) -> None:
        """Count a call.

        Raises
        ------
        ResourceExhausted
            TOO_MANY_REQUESTS, with the time after which one more is admitted.
        """
        if principal.role is Role.SERVICE:
            return
        anonymous = principal.role is Role.ANONYMOUS
        rate = self._anonymous if anonymous else self._users
        if not rate.per_second:
            return
        wait = self._wait(f"peer {_host(peer)}" if anonymous else f"user {principal.user_id}", rate)
        if wait > 0:
            raise ResourceExhausted(
                Reason.TOO_MANY_REQUESTS,
                f"More than {rate.per_second:g} calls a second; try again in {wait:.2f} s.",
                retry_after=wait,
            )

    def _wait(self, who: str, rate: Rate) -> float:
        """Take from a bucket, or tell in how many seconds there will be something in it."""
        moment = time.monotonic()
        with self._lock:
            left, looked = self._buckets.get(who, (float(rate.burst), moment))
            left = min(float(rate.burst), left + (moment - looked) * rate.per_second)
            taken = left >= 1.0
            self._buckets[who] = (left - 1.0 if taken else left, moment)
            self._buckets.move_to_end(who)
            while len(self._buckets) > _MAX_BUCKETS:
                self._buckets.popitem(last=False)
        return 0.0 if taken else (1.0 - left) / rate.per_second


def too_busy() -> ResourceExhausted:
    """The refusal of a call for which there is no place."""
    return ResourceExhausted(
        Reason.TOO_MANY_REQUESTS,
        "The service has as many calls as it can serve, or you hold your share of them; try again soon.",
        retry_after=RETRY_SECONDS,
    )


def _host(peer: str) -> str:
    """Address of a peer without its port: ``ipv4:10.0.0.1:4711``."""
    return peer.rpartition(":")[0]
