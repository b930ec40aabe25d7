"""A learnware submitted, found by words and reused through the generated stubs alone.

What a caller in another language does: it needs the protos, a gRPC library and a way to hash a file.
"""

from __future__ import annotations

from collections.abc import Iterator
import hashlib
import os
from pathlib import Path
import sys
import time

import grpc
import numpy as np

from learndock.v1 import reuse_service_pb2 as reuse
from learndock.v1 import search_service_pb2 as search
from learndock.v1 import storage_service_pb2 as storage
from learndock.v1 import types_pb2 as types
from learndock.v1 import validator_service_pb2 as validator
from learndock.v1.reuse_service_pb2_grpc import ReuseServiceStub
from learndock.v1.search_service_pb2_grpc import SearchServiceStub
from learndock.v1.storage_service_pb2_grpc import StorageServiceStub
from learndock.v1.validator_service_pb2_grpc import ValidatorServiceStub

CHUNK_BYTES = 2**20
TOKEN = (("authorization", f"Bearer {os.environ.get('LEARNDOCK_TOKEN', '')}"),)


def submit(channel: grpc.Channel, package: Path) -> types.Learnware:
    """Upload in chunks, and enter the package in the catalogue."""
    stub = StorageServiceStub(channel)
    content = package.read_bytes()
    started = stub.StartUpload(storage.StartUploadRequest(size_bytes=len(content)), metadata=TOKEN, timeout=30)

    def pieces() -> Iterator[storage.WriteUploadRequest]:
        for offset in range(0, len(content), CHUNK_BYTES):
            data = content[offset : offset + CHUNK_BYTES]
            yield storage.WriteUploadRequest(upload_id=started.upload.upload_id, offset=offset, data=data)

    stub.WriteUpload(pieces(), metadata=TOKEN, timeout=300)
    finish = storage.FinishUploadRequest(upload_id=started.upload.upload_id, sha256=hashlib.sha256(content).hexdigest())
    return stub.FinishUpload(finish, metadata=TOKEN, timeout=300).learnware


def wait_until_verified(channel: grpc.Channel, learnware_id: str) -> None:
    """Follow the validation to its end."""
    request = validator.WatchValidationRequest(learnware_id=learnware_id)
    state = validator.VALIDATION_STATE_UNSPECIFIED
    for answer in ValidatorServiceStub(channel).WatchValidation(request, metadata=TOKEN, timeout=600):
        state = answer.validation.state
        print(f"{answer.validation.percent:3d} % {answer.validation.phase}")
    if state != validator.VALIDATION_STATE_VERIFIED:
        raise SystemExit(f"{learnware_id} is {validator.ValidationState.Name(state)}")


def find(channel: grpc.Channel, words: str) -> search.SingleResult:
    """The learnware that fits some words best; a new one is found a moment after its validation."""
    stub = SearchServiceStub(channel)
    request = search.SearchRequest(filter=types.SemanticFilter(text=words))
    for _ in range(50):
        answer = stub.Search(request, metadata=TOKEN, timeout=30)
        if answer.singles:
            return answer.singles[0]
        time.sleep(0.2)
    raise SystemExit(f"Nothing is said to be about {words!r}")


def predict(channel: grpc.Channel, found: search.SingleResult, rows: np.ndarray) -> np.ndarray:
    """Outputs of a learnware for some rows."""
    stub = ReuseServiceStub(channel)
    member = reuse.ReuserMember(learnware_id=found.learnware_id, version=found.version)
    made = stub.CreateReuser(reuse.CreateReuserRequest(members=[member]), metadata=TOKEN, timeout=30).reuser
    watch = reuse.WatchReuserRequest(reuser_id=made.reuser_id)
    for answer in stub.WatchReuser(watch, metadata=TOKEN, timeout=300):
        made = answer.reuser
    if made.state != reuse.REUSER_STATE_READY:
        raise SystemExit(f"The reuser failed: {made.reason}")
    tensor = types.Tensor(dtype=types.DATA_TYPE_FLOAT64, shape=rows.shape, data=rows.astype("<f8").tobytes())
    request = reuse.PredictRequest(reuser_id=made.reuser_id, rows=tensor)
    outputs = stub.Predict(request, metadata=TOKEN, timeout=60).outputs
    stub.DeleteReuser(reuse.DeleteReuserRequest(reuser_id=made.reuser_id), metadata=TOKEN, timeout=30)
    dtypes = {types.DATA_TYPE_FLOAT32: "<f4", types.DATA_TYPE_FLOAT64: "<f8", types.DATA_TYPE_INT64: "<i8"}
    return np.frombuffer(outputs.data, dtypes[outputs.dtype]).reshape(tuple(outputs.shape))


def main() -> int:
    """Submit PACKAGE, find it, predict for the rows of X.npy; returns the exit code."""
    if len(sys.argv) != 3:
        print("usage: python examples/stubs_only.py PACKAGE X.npy", file=sys.stderr)
        return 2
    package, rows = Path(sys.argv[1]), np.load(sys.argv[2], allow_pickle=False)
    with grpc.insecure_channel(os.environ.get("LEARNDOCK_ADDRESS", "127.0.0.1:7450")) as channel:
        try:
            learnware = submit(channel, package)
            wait_until_verified(channel, learnware.learnware_id)
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.ALREADY_EXISTS:
                print(f"{error.code().name}: {error.details()}", file=sys.stderr)
                return 1
        outputs = predict(channel, find(channel, "wine cultivar"), rows)
    print(f"{len(outputs)} predictions of shape {outputs.shape[1:]}, the first: {outputs[0]}")
    return 0 if len(outputs) == len(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
