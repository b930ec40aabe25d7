"""A plain gRPC server for tests of callers: servicers that do exactly what a test says, no interceptors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NoReturn

import grpc
from grpc_status import rpc_status

from learndock.errors import LearndockError
from learndock.status import to_status

Register = Callable[[grpc.Server], None]


@contextmanager
def bare_server(*register: Register, credentials: grpc.ServerCredentials | None = None) -> Iterator[str]:
    """Serve until the block ends; gives the address."""
    server = grpc.server(ThreadPoolExecutor(8))
    for add in register:
        add(server)
    if credentials is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


def fail(context: grpc.ServicerContext, error: LearndockError) -> NoReturn:
    """End a call with an error, as the dock's services do."""
    context.abort_with_status(rpc_status.to_status(to_status(error)))
    raise AssertionError("abort_with_status raises")


def registered(add: Callable[[Any, grpc.Server], None], servicer: object) -> Register:
    """Registration of a servicer."""
    return lambda server: add(servicer, server)
