"""A build ends when its caller gives up."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydantic import SecretStr
import pytest

from learndock.rkme.threads import one_thread
from learndock.v1 import spec_service_pb2 as pb
from learndock.v1.spec_service_pb2_grpc import SpecificationServiceStub
from learndock.wire import tensor_to_message
from services.spec.config import Settings
from services.spec.wiring import build
from tests.support.patience import eventually
from tests.support.serving import SERVICE_TOKEN, serve

# Far less than 500 rounds with so many rows and atoms take: about 40 on a quiet machine.
PATIENCE = 15.0
ROWS = np.random.default_rng(0).normal(size=(16_000, 40))


class _BusyError(Exception):
    pass


def at_work() -> bool:
    """Whether a build of this process has its turn."""

    def refuse() -> None:
        raise _BusyError

    try:
        with one_thread(waiting=refuse):
            return False
    except _BusyError:
        return True


@pytest.fixture
def stub() -> Iterator[SpecificationServiceStub]:
    with serve(build(Settings(service_token=SecretStr(SERVICE_TOKEN)))) as served:
        yield SpecificationServiceStub(served.raw)


def test_a_running_build_stops_when_its_caller_gives_up(stub: SpecificationServiceStub) -> None:
    options = pb.BuildOptions(atom_count=800, iterations=500)
    parts = [pb.BuildSpecificationRequest(options=options)]
    parts += [pb.BuildSpecificationRequest(rows=tensor_to_message(part)) for part in np.split(ROWS, 10)]
    call = stub.BuildSpecification.future(iter(parts), metadata=(("authorization", "Bearer USER:someone"),))
    assert eventually(at_work)
    call.cancel()
    assert eventually(lambda: not at_work())
    assert call.cancelled()
