"""Exits with 0 when the service of this container says that it serves."""

import os
import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

SECONDS = 4


def main() -> int:
    """Ask the port that the service listens on."""
    (listen,) = (value for name, value in os.environ.items() if name.endswith("_LISTEN") and "METRICS" not in name)
    with grpc.insecure_channel(f"127.0.0.1:{listen.rpartition(':')[2]}") as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=SECONDS)
    return int(answer.status != health_pb2.HealthCheckResponse.SERVING)


sys.exit(main())
