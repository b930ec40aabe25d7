"""How long lists take on a catalogue of many learnwares, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import statistics
import time

from sqlalchemy import insert, text

from learndock.learnware import VersionState, Visibility
from learndock.serving.sql import Database, now
from learndock.v1 import storage_service_pb2 as pb
from learndock.v1.storage_service_pb2_grpc import StorageServiceStub
from learndock.wire import semantic_to_message
from services.storage.models import CounterRow, LearnwareRow, VersionRow
from tests.support.databases import DATABASES
from tests.support.storage import SEMANTIC, served_storage

QUERIES = (
    {"page_size": 100},
    {"page_size": 100, "filter": 'task = "Regression" AND library = "Others"'},
    {"page_size": 100, "filter": 'name : "learnware 4242"'},
    {"page_size": 100, "filter": 'text : "toy 4242"'},
    {"page_size": 100, "order_by": "create_time desc"},
)
CALLS = 11
BATCH = 2000


def list_milliseconds(folder: Path, count: int) -> dict[str, object]:
    """The p50 over calls of all queries on the slower database, and of each query on each."""
    found: dict[str, list[list[float]]] = {}
    for kind, make in DATABASES.items():
        (folder / kind).mkdir()
        url = make(folder / kind)
        with served_storage(folder / kind, database_url=url) as storage:
            fill(url, count)
            found[kind] = [milliseconds(storage.ann, query) for query in QUERIES]
    mixed = {kind: statistics.median([each for calls in lists for each in calls]) for kind, lists in found.items()}
    by_query = {kind: [statistics.median(calls) for calls in lists] for kind, lists in found.items()}
    return {"list_p50_ms_n1e5": max(mixed.values()), "list_p50_ms": mixed, "list_p50_ms_by_query": by_query}


def milliseconds(stub: StorageServiceStub, query: dict[str, object]) -> list[float]:
    """How long each of some calls takes."""
    found = []
    for _ in range(CALLS):
        begun = time.perf_counter()
        stub.ListLearnwares(pb.ListLearnwaresRequest(**query))
        found.append(1000 * (time.perf_counter() - begun))
    return found


def fill(url: str, count: int) -> None:
    """Enter public VERIFIED learnwares, as many submissions would."""
    database = Database(url)
    semantic = semantic_to_message(SEMANTIC).SerializeToString()
    for begin in range(1, count + 1, BATCH):
        numbers = range(begin, min(begin + BATCH, count + 1))
        with database.write() as session:
            session.execute(insert(LearnwareRow), list(learnware_rows(numbers, semantic)))
            session.execute(insert(VersionRow), list(version_rows(numbers)))
    with database.write() as session:
        session.merge(CounterRow(name="learnware", value=count))
        session.execute(text("ANALYZE"))  # as the databases do by themselves after a while
    database.close()


def learnware_rows(numbers: range, semantic: bytes) -> Iterator[dict[str, object]]:
    """Rows of learnwares of many owners and tasks."""
    for number in numbers:
        yield {
            "learnware_id": f"{number:08d}", "owner_id": f"user{number % 100}", "name": f"learnware {number}",
            "data": "Table", "task": ("Classification", "Regression")[number % 2],
            "library": ("Scikit-learn", "PyTorch", "Others")[number % 3], "license": "MIT", "semantic": semantic,
            "words": f"learnware {number}\nA toy.",
            "visibility": Visibility.PUBLIC.value, "current_version": 1, "create_time": now(), "update_time": now(),
            "delete_time": None, "revision": 1,
        }  # fmt: skip


def version_rows(numbers: range) -> Iterator[dict[str, object]]:
    """Their only versions."""
    for number in numbers:
        yield {
            "learnware_id": f"{number:08d}", "version": 1, "state": VersionState.VERIFIED.value,
            "sha256": f"{number:064x}", "size_bytes": 1, "format_class": None, "create_time": now(),
            "validation_id": "v", "state_reason": "", "fence": 1,
        }  # fmt: skip
