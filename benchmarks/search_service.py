"""A search service that knows as many learnwares as wanted, behind real gRPC."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
import os
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks.search_families import Families, changes
from learndock.account import Principal, Role
from learndock.serving import server
from learndock.serving.application import Application, Servicer
from learndock.serving.peers import Peer
from learndock.v1.search_service_pb2_grpc import add_SearchServiceServicer_to_server
from services.search.config import Settings
from services.search.desk import SearchDesk
from services.search.engines.local import LocalEngine
from services.search.engines.port import ScoringEngine
from services.search.follower import Follower
from services.search.live import LiveIndex
from services.search.packs import Pack
from services.search.servicer import SearchServicer
from services.search.source import CatalogueSource
from services.search.turns import Turns, compute_on_one_processor, compute_undisturbed
from services.search.wiring import SEARCH_METHOD
from services.search.words import Words

DIMENSION, ATOMS = 30, 100
# Learnwares applied between two lines of progress.
_TOLD = 100_000
# Nobody is asked: the follower is not started, changes come from the benchmark.
_NOWHERE = "127.0.0.1:9"
_INSIDE = Settings.model_fields["max_searches"].default
_EXHAUSTIVE_BELOW = Settings.model_fields["exhaustive_below"].default


@dataclass(frozen=True)
class Everybody:
    """Takes every caller for one user."""

    def authenticate(self, token: str) -> Principal:
        """The user."""
        return Principal("user", "user", Role.USER)


@dataclass(frozen=True, eq=False)
class Filled:
    """An index that can be filled, the pack where its specifications lie, and what scores them."""

    live: LiveIndex
    pack: Pack
    engine: ScoringEngine


def empty(folder: Path) -> Filled:
    """An index that knows nothing yet."""
    pack, engine = Pack.new(folder / "packs"), LocalEngine()
    return Filled(LiveIndex(Words(folder / "words.sqlite"), pack, engine), pack, engine)


def drawn() -> Families:
    """The families of which learnwares and tasks of these benchmarks are."""
    return Families.drawn(np.random.default_rng(0), dimension=DIMENSION, atoms=ATOMS)


def fill(filled: Filled, families: Families, size: int) -> None:
    """Let an index follow the changes of a catalogue that grew to so many learnwares, as a rebuild does."""
    for number, change in enumerate(changes(families, np.random.default_rng(1), first=1, last=size), start=1):
        filled.live.apply(change)
        if number % _TOLD == 0:
            show(f"{number:,} applied")
    filled.live.publish()
    filled.pack.release()


def show(text: str) -> None:
    """A line of progress."""
    Console(stderr=True).print(text)


@contextmanager
def served(filled: Filled, *, listen: str = "127.0.0.1:0", drain_seconds: float = 1.0) -> Iterator[str]:
    """Serve an index; gives the address."""
    compute_on_one_processor()
    compute_undisturbed()
    storage = Peer(_NOWHERE, "")
    follower = Follower(filled.live, CatalogueSource(storage))
    servicer = SearchServicer(
        SearchDesk(filled.live, filled.engine, Turns(len(os.sched_getaffinity(0))), _EXHAUSTIVE_BELOW),
        follower,
    )
    application = Application(
        "search",
        (Servicer("learndock.v1.SearchService", servicer, add_SearchServiceServicer_to_server),),
        places={SEARCH_METHOD: _INSIDE},
    )
    running = server.start([application], listen=listen, authenticator=Everybody())
    try:
        yield running.address
    finally:
        running.drain()
        running.stop(drain_seconds)
        storage.close()
