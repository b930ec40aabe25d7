"""The images: built without a registry or a network, run without root or a writable root, each service in its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from learndock.client.dock import Dock
from learndock.rkme.fit import build_specification
from tests.support.containers import BASE, PORTS, ContainerDock, container_dock
from tests.support.learnwares import Digits, digits_package
from tests.support.visitor import Client
from tools import images

pytestmark = [pytest.mark.docker, pytest.mark.containers, pytest.mark.timeout(1800)]
LABELS = ((0, 1, 2), (3, 4, 5))


@pytest.fixture(scope="module")
def dock() -> Iterator[ContainerDock]:
    images.build(list(images.EXTRAS), BASE, "test")
    with container_dock() as running:
        yield running


@pytest.mark.parametrize("service", PORTS)
def test_it_runs_as_nobody_special_on_a_root_that_cannot_be_written(dock: ContainerDock, service: str) -> None:
    assert dock.run_in(service, "id", "-u").strip() == "65532"
    found = dock.inspect(service)
    assert found["HostConfig"]["ReadonlyRootfs"]
    assert found["HostConfig"]["CapDrop"] == ["ALL"]
    status = dict(
        line.split(":\t") for line in dock.run_in(service, "cat", "/proc/1/status").splitlines() if ":\t" in line
    )
    assert int(status["CapBnd"], 16) == 0
    with pytest.raises(RuntimeError, match="Read-only file system"):
        dock.run_in(service, "touch", "/app/anything")


@pytest.mark.parametrize("service", PORTS)
def test_it_holds_no_other_service(dock: ContainerDock, service: str) -> None:
    held = dock.run_in(service, "ls", "/app/services").split()
    assert held == ["__init__.py", service]


def test_torch_is_only_where_specifications_are_built_or_read_and_columns_understood(dock: ContainerDock) -> None:
    look = ("python", "-c", "import importlib.util; print(importlib.util.find_spec('torch') is not None)")
    assert {service: dock.run_in(service, *look).strip() for service in PORTS} == {
        service: str(service in ("spec", "search", "console")) for service in PORTS
    }


def test_the_story(dock: ContainerDock, tmp_path: Path) -> None:
    with Dock(dock.addresses, dock.admin_token) as user:
        ids = {labels: user.submit(digits_package(tmp_path, labels)).learnware_id for labels in LABELS}
        for learnware_id in ids.values():
            validation = user.wait_until_validated(learnware_id)
            assert validation.passed, validation
        mine = Digits.of(LABELS[0], half=1)
        found = user.search(build_specification(mine.X), min_sequence=user.summary().latest_sequence)
        assert found.best is not None
        assert found.best.learnware_id == ids[LABELS[0]]
        with user.reuse(found) as model:
            predicted = np.asarray(model.predict(mine.X))
        assert (predicted.ravel() == mine.y).mean() > 0.9
        assert user.check_integrity(read_packages=True) == ()
    visitor = Client(f"http://{dock.address_of('console')}").sign_in(dock.admin_token)
    code, _, page = visitor.send("GET", f"/learnwares/{ids[LABELS[0]]}")
    assert code == 200
    assert ids[LABELS[0]] in page
