"""A service as a process: settings, logs, workers, server, signals, drain."""

from __future__ import annotations

from collections.abc import Callable
import logging
import signal
import sys
import threading
from typing import TypeVar

from learndock.serving import server, telemetry, tracing
from learndock.serving.application import Application
from learndock.serving.audit import RemoteAuditLog
from learndock.serving.authentication import RemoteAuthenticator
from learndock.serving.config import ServiceSettings, load
from learndock.serving.readiness import Readiness

_Settings = TypeVar("_Settings", bound=ServiceSettings)

_TURN_SECONDS = 0.0005

_log = logging.getLogger("learndock.process")


def take_short_turns() -> None:
    """Let threads of this process take turns ten times as often as Python does by itself.

    Whoever waits for an answer from outside, such as a model's, needs the interpreter for a moment again and again, and
    each time would wait 5 ms for a thread at work: a validation beside it made predictions take several times as long.
    It costs a busy process two hundredths of its speed.
    """
    sys.setswitchinterval(_TURN_SECONDS)


def run(
    name: str, settings_class: type[_Settings], build: Callable[[_Settings], Application], *, computes: bool = False
) -> None:
    """Run a service until it is told to stop (SIGTERM or SIGINT).

    Parameters
    ----------
    name
        Its name.
    settings_class
        Its settings.
    build
        Makes it of them.
    computes
        Whether its threads compute and wait for nobody outside: then they take turns as rarely as Python has it.
    """
    if not computes:
        take_short_turns()
    settings = load(settings_class)
    telemetry.configure_logging()
    tracing.configure(name, settings.trace_endpoint, settings.trace_ratio)
    application = build(settings)
    identity = settings.peer(settings.identity_address)
    sender = RemoteAuditLog(identity)
    running = server.start(
        [application],
        listen=settings.listen,
        authenticator=application.authenticator or RemoteAuthenticator(identity, settings.secret),
        audit=application.audit or sender,
        terms=settings.terms,
    )
    workers = (*application.workers, sender, Readiness(running, application.dependencies))
    telemetry.serve_metrics(settings.metrics_listen)
    for worker in workers:
        worker.start()
    print(f"learndock {name} at {running.address}", file=sys.stderr, flush=True)
    _log.info("started", extra={"service": name, "address": running.address})
    wait_for_signal()
    running.drain()
    running.stop(settings.drain_seconds)
    for worker in workers:
        worker.stop(settings.drain_seconds)
    application.close()
    identity.close()
    _log.info("stopped", extra={"service": name})


def wait_for_signal() -> None:
    """Block until SIGTERM or SIGINT."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    stopped.wait()
