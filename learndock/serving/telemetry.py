"""Metrics and logs of every server."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path
import sys

from prometheus_client import Counter, Gauge, Histogram, start_http_server
from pythonjsonlogger.json import JsonFormatter

CALLS = Counter("learndock_rpc_calls", "Calls answered, by method and status code.", ["method", "code"])
SECONDS = Histogram("learndock_rpc_seconds", "Time to answer a call, in seconds, by method.", ["method"])
IN_FLIGHT = Gauge("learndock_rpc_in_flight", "Calls being answered, by method.", ["method"])
BYTES = Counter("learndock_rpc_bytes", "Bytes of messages, by method and direction (in, out).", ["method", "direction"])
READY = Gauge("learndock_ready", "1 while what the service needs answers, else 0, by what it is.", ["dependency"])
AUDIT_LOST = Counter(
    "learndock_audit_lost", "Audit entries in the log only, as the identity service was away too long."
)
INDEX_LAG = Gauge("learndock_search_index_lag", "Changes of the catalogue that searches do not see yet.")
SEARCHES_INSIDE = Gauge("learndock_searches_inside", "Searches that compute, or wait for their turn.")
SHARDS_LOST = Gauge("learndock_search_shards_lost", "Copies of shards of the index that cannot answer.")
SEARCH_SCORED = Histogram(
    "learndock_search_scored", "Candidates scored exactly for one search.", buckets=[0, 1, 10, 100, 1e3, 1e4, 1e5, 1e6]
)
SEARCH_ADMITTED = Histogram(
    "learndock_search_admitted",
    "Learnwares that the filter and the caller's rights admit, for one search.",
    buckets=[0, 1, 10, 100, 1e3, 1e4, 1e5, 1e6],
)
SEARCH_UNCERTIFIED = Counter("learndock_search_uncertified", "Searches that ended before the answer was proven.")
VALIDATIONS_WAITING = Gauge("learndock_validations_waiting", "Validations that wait for a worker.")
VALIDATION_SECONDS = Histogram(
    "learndock_validation_seconds",
    "Time of a worker for one validation, in seconds, by its state in the end.",
    ["state"],
    buckets=[1, 2, 5, 10, 20, 60, 120, 300, 600, 1800],
)
SANDBOX_VERDICTS = Counter(
    "learndock_sandbox_verdicts", "Results of single checks, by check and verdict.", ["check", "verdict"]
)
BLOB_BYTES = Counter("learndock_blob_bytes", "Bytes of packages taken in and given out.", ["direction"])
PACKAGES_SCRUBBED = Counter(
    "learndock_storage_packages_scrubbed", "Packages read back and compared with their SHA-256."
)
PACKAGES_DAMAGED = Counter("learndock_storage_packages_damaged", "Packages found damaged and put aside.")

_LOG_BYTES = 16 * 2**20


def record(method: str, code: str, seconds: float) -> None:
    """Count one answered call."""
    CALLS.labels(method, code).inc()
    SECONDS.labels(method).observe(seconds)


def configure_logging(file: Path | None = None) -> None:
    """JSON lines to standard error, or to a file of bounded size."""
    handler: logging.Handler
    if file is None:
        handler = logging.StreamHandler(sys.stderr)
    else:
        file.parent.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(file, maxBytes=_LOG_BYTES, backupCount=3)
    handler.setFormatter(
        JsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s", rename_fields={"message": "event"})
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def serve_metrics(listen: str) -> None:
    """Serve Prometheus metrics at ``host:port``; nothing for an empty string."""
    if listen:
        host, _, port = listen.rpartition(":")
        start_http_server(int(port), addr=host)
