"""Callers at work on a dock: what each of them does, again and again, and which of its calls failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
import threading
import time

from learndock.client.channel import Addresses, Connection
from learndock.client.dock import Dock
from learndock.learnware import Visibility
from learndock.rkme.fit import build_specification
from learndock.rkme.specification import Specification
from learndock.tls import TlsFiles
from learndock.v1 import spec_service_pb2 as pb
from learndock.v1.spec_service_pb2_grpc import SpecificationServiceStub
from learndock.wire import specification_to_message
from tests.support.cluster import Cluster
from tests.support.learnwares import Digits
from tests.support.storage import package

_PAUSE_SECONDS = 0.1
_CALL_SECONDS = 120.0  # of patience on a busy machine
# Each submission is validated in a sandbox: more of them measure only those.
_SUBMISSION_SECONDS = 0.5


class Load:
    """One thread for each kind of call.

    Attributes
    ----------
    done
        Calls answered, by kind.
    failures
        What calls failed with.
    """

    def __init__(self, kinds: Mapping[str, Callable[[], object]]) -> None:
        self.done: Counter[str] = Counter()
        self.failures: list[str] = []
        self._ends = threading.Event()
        self._threads = [threading.Thread(target=self._repeat, args=item) for item in kinds.items()]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let each finish the call at work."""
        self._ends.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, each: int) -> None:
        """Wait until every kind was answered so often since now, or failed."""
        before, failed = Counter(self.done), len(self.failures)
        while any(self.done[kind] - before[kind] < each for kind in self.kinds) and len(self.failures) == failed:
            time.sleep(_PAUSE_SECONDS)

    @property
    def kinds(self) -> list[str]:
        """Names of what is called."""
        return [str(thread.name) for thread in self._threads]

    def _repeat(self, kind: str, act: Callable[[], object]) -> None:
        threading.current_thread().name = kind
        while not self._ends.wait(_PAUSE_SECONDS):
            try:
                act()
            except Exception as error:  # whatever it is, it is what the caller saw
                self.failures.append(f"{kind}: {error!r}")
            else:
                self.done[kind] += 1


@contextmanager
def load_on(cluster: Cluster, learnware_id: str, folder: Path) -> Iterator[Load]:
    """Callers of every service of a cluster that holds a verified learnware; they stop when the block ends."""
    mine = Digits.of((0, 1, 2), half=1)
    specification = build_specification(mine.X[:50])
    with (
        Dock(cluster.addresses, cluster.admin_token, timeout=_CALL_SECONDS) as dock,
        dock.reuse([learnware_id]) as model,
    ):
        kinds = {
            "identity": dock.whoami,
            "spec": _describing(cluster, specification),
            "search": lambda: dock.search(specification),
            "list": lambda: next(dock.list()),
            "submit": _submitting(dock, folder),
            "download": lambda: dock.download(learnware_id, folder),
            "validation": lambda: dock.validation(learnware_id),
            "predict": lambda: model.predict(mine.X[:10]),
        }
        load = Load(kinds)
        load.start()
        try:
            yield load
        finally:
            load.stop()


def _describing(cluster: Cluster, specification: Specification) -> Callable[[], object]:
    connection = Connection(
        Addresses(cluster.addresses["spec"]), cluster.admin_token, timeout=_CALL_SECONDS, tls=TlsFiles()
    )
    stub = SpecificationServiceStub(connection.channel("spec"))
    request = pb.DescribeSpecificationRequest(specification=specification_to_message(specification))
    return lambda: stub.DescribeSpecification(request)


def _submitting(dock: Dock, folder: Path) -> Callable[[], object]:
    numbers = count()

    def submit() -> object:
        path = folder / "submitted.zip"
        time.sleep(_SUBMISSION_SECONDS)
        path.write_bytes(package(f"number {next(numbers)} of {folder}"))
        return dock.submit(path, visibility=Visibility.PRIVATE)

    return submit
