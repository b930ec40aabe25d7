"""How quick one stream of gRPC is between two processes that do nothing with its bytes: the limit of any service.

``python -m benchmarks.grpc_stream`` serves, and prints its port.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
import subprocess
import sys

import grpc

MIB = 2**20
PIECE = bytes(MIB)
_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


def main() -> None:
    """Serve until killed."""
    server = grpc.server(ThreadPoolExecutor(2), options=_UNLIMITED)
    handlers = {
        "Give": grpc.unary_stream_rpc_method_handler(_give),
        "Take": grpc.stream_unary_rpc_method_handler(_take),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("stream", handlers),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    server.wait_for_termination()


def _give(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
    for _ in range(int(request)):
        yield PIECE


def _take(pieces: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
    return str(sum(len(piece) for piece in pieces)).encode()


@contextmanager
def bare_streams() -> Iterator[BareStreams]:
    """A running server, and its caller."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.grpc_stream"], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None  # noqa: S101  # asked for
            address = f"127.0.0.1:{process.stdout.readline().strip()}"
            with grpc.insecure_channel(address, options=_UNLIMITED) as channel:
                yield BareStreams(channel)
        finally:
            process.kill()


class BareStreams:
    """Moves bytes that nobody looks at."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._give = channel.unary_stream("/stream/Give")
        self._take = channel.stream_unary("/stream/Take")

    def download(self, mib: int) -> None:
        """Receive so many MiB."""
        for _ in self._give(str(mib).encode()):
            pass

    def upload(self, mib: int) -> None:
        """Send so many MiB."""
        self._take(PIECE for _ in range(mib))


if __name__ == "__main__":
    main()
