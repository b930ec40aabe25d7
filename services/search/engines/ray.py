"""Shards on Ray: actors that Ray places, watches and starts again. The only module that imports Ray."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
import math
import os
from typing import Any

# Read when Ray is imported: no telemetry, and no cluster beyond what is asked for.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")

import ray
from ray.exceptions import GetTimeoutError, RayError, RayTaskError

from learndock.errors import Reason, Unavailable
from services.search.engines.local import local_engine
from services.search.engines.replica import Replica, ShardLostError
from services.search.engines.shard import Holdings, NotHeldError, Record, Shard, ShardQuestion, ShardRanking
from services.search.engines.sharded import ShardedEngine

_LOOPBACK = "127.0.0.1"
# How long a shard may take to start, or to take in one message, in seconds.
_PATIENCE = 120.0
# Questions that a shard answers at a time; more wait in its queue.
_AT_ONCE = 8


@dataclass(frozen=True)
class RaySettings:
    """What the engine asks of Ray.

    Attributes
    ----------
    address
        Of a Ray cluster, as `ray.init` takes it; empty to start one on this machine, on loopback.
    shards
        Parts that the islands are divided into.
    replicas
        Copies of each.
    cpus, gpus
        What Ray reserves for each copy.
    device
        Torch device of each copy; empty for none.
    """

    address: str
    shards: int
    replicas: int
    cpus: float
    gpus: float
    device: str


class RayEngine(ShardedEngine):
    """Shards as Ray's actors.

    Parameters
    ----------
    settings
        What is asked of Ray.

    Attributes
    ----------
    actors
        The shards, each once, and then their further copies.
    """

    def __init__(self, settings: RaySettings) -> None:
        _connect(settings.address)
        self.actors: Sequence[Any] = [_actor(settings) for _ in range(settings.shards * settings.replicas)]
        replicas = [Replica(ActorShard(actor), i % settings.shards) for i, actor in enumerate(self.actors)]
        super().__init__("ray", [replicas[shard :: settings.shards] for shard in range(settings.shards)])

    def close(self) -> None:
        """End the actors, and the connection to Ray."""
        super().close()
        for actor in self.actors:
            ray.kill(actor)
        ray.shutdown()


def _connect(address: str) -> None:
    if address:
        ray.init(address=address, configure_logging=False, log_to_driver=False)
    else:
        ray.init(
            "local",  # and never one that happens to run here
            _node_ip_address=_LOOPBACK,
            include_dashboard=False,
            configure_logging=False,
            log_to_driver=False,
        )


def _actor(settings: RaySettings) -> Any:  # noqa: ANN401  # Ray makes the class
    # Ray starts an actor that died again, wherever there is room; what it held is sent once more by its replica.
    shard = ray.remote(ShardActor).options(
        num_cpus=settings.cpus,
        num_gpus=settings.gpus,
        max_restarts=-1,
        max_concurrency=_AT_ONCE,
        scheduling_strategy="SPREAD",
    )
    return shard.remote(settings.device)


class ShardActor(Shard):
    """A shard in a process of Ray's."""

    def __init__(self, device: str) -> None:
        super().__init__(local_engine(device))


class ActorShard:
    """A shard that is an actor."""

    def __init__(self, actor: Any) -> None:  # noqa: ANN401  # Ray makes the class
        self._actor = actor

    def take(self, records: Sequence[Record]) -> None:
        """See `Shard.take`."""
        self._done(self._actor.take.remote(records))

    def hold(self, holdings: Holdings) -> None:
        """See `Shard.hold`."""
        self._done(self._actor.hold.remote(holdings))

    def rank(self, question: ShardQuestion) -> Callable[[], ShardRanking]:
        """Ask, and return what waits for the answer."""
        reference = self._actor.rank.remote(question)
        seconds = question.terms.seconds if math.isfinite(question.terms.seconds) else None
        return lambda: self._ranking(reference, seconds)

    def _ranking(self, reference: Any, seconds: float | None) -> ShardRanking:  # noqa: ANN401
        try:
            ranking: ShardRanking = _result(reference, seconds)
        except GetTimeoutError as error:
            raise Unavailable(
                Reason.SERVICE_UNAVAILABLE, "Part of the index does not answer in time.", retry_after=1.0
            ) from error
        return ranking

    def _done(self, reference: Any) -> None:  # noqa: ANN401
        try:
            _result(reference, _PATIENCE)
        except GetTimeoutError as error:
            raise ShardLostError(repr(error)) from error


def _result(reference: Any, seconds: float | None) -> Any:  # noqa: ANN401  # whatever the actor returns
    try:
        return ray.get(reference, timeout=seconds)
    except NotHeldError as error:
        raise ShardLostError(repr(error)) from error
    except (GetTimeoutError, RayTaskError):  # too slow, or a fault of ours
        raise
    except RayError as error:
        raise ShardLostError(repr(error)) from error
