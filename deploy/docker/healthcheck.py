"""Exits with 0 when the service of this container says that it serves, or one gRPC service of it that is named."""

import os
from pathlib import Path
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
    if name == "LEARNDOCK_CONSOLE_LISTEN":
        return int(not answers(address))
    return int(not serves(address, name.removesuffix("LISTEN") + "TLS_", "".join(sys.argv[1:])))


def answers(address: str) -> bool:
    """Whether a web server is well; raises where none is."""
    with urllib.request.urlopen(f"http://{address}/healthz", timeout=SECONDS) as answer:
        return bool(answer.status == 200)


def serves(address: str, prefix: str, service: str) -> bool:
    """Whether a gRPC server says that it serves, over TLS where its settings say so; raises where none is."""
    with channel(address, prefix) as opened:
        stub = health_pb2_grpc.HealthStub(opened)
        answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=SECONDS)
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def channel(address: str, prefix: str) -> grpc.Channel:
    """Connection to a server, which is trusted by its own certificate's names and shown that certificate."""
    files = [os.environ.get(prefix + name) for name in ("CA_FILE", "KEY_FILE", "CERTIFICATE_FILE")]
    ca, key, certificate = (Path(file).read_bytes() if file else None for file in files)
    if certificate is None:
        return grpc.insecure_channel(address)
    name = prefix.split("_")[1].lower()
    credentials = grpc.ssl_channel_credentials(ca or certificate, key, certificate)
    return grpc.secure_channel(address, credentials, [("grpc.ssl_target_name_override", name)])


sys.exit(main())
