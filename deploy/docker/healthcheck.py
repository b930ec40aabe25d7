"""Exits with 0 when the service of this container says that it serves."""

import os
import sys
import urllib.request

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

SECONDS = 4


def main() -> int:
    """Ask the port that the service listens on; the console speaks HTTP, all others gRPC."""
    settings = {name: value for name, value in os.environ.items() if name.endswith("_LISTEN") and "METRICS" not in name}
    ((name, listen),) = settings.items()
    address = f"127.0.0.1:{listen.rpartition(':')[2]}"
    return int(not (answers(address) if name == "LEARNDOCK_CONSOLE_LISTEN" else serves(address)))


def answers(address: str) -> bool:
    """Whether a web server is well; raises where none is."""
    with urllib.request.urlopen(f"http://{address}/healthz", timeout=SECONDS) as answer:
        return bool(answer.status == 200)


def serves(address: str) -> bool:
    """Whether a gRPC server says that it serves; raises where none is."""
    with grpc.insecure_channel(address) as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=SECONDS)
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


sys.exit(main())
