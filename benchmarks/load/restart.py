"""A rolling restart of a whole dock, two processes of every service, under load: which calls its callers saw fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from learndock.client.dock import Dock
from tests.support.cluster import Cluster, cluster
from tests.support.learnwares import digits_package
from tests.support.load import load_on
from tests.support.processes import SERVICES

_LABELS = (0, 1, 2)


def rolling_restart(folder: Path) -> dict[str, Any]:
    """Restart every replica of every service in turn while callers of all of them are at work; what became of calls."""
    with cluster(folder) as running:
        learnware_id = _verified_learnware(running, folder)
        with load_on(running, learnware_id, folder) as load:
            load.wait_for(1)
            for service in SERVICES:
                running.restart(service)
                load.wait_for(1)
    return {
        "failed_calls_during_rolling_restart": len(load.failures),
        "failures_during_rolling_restart": load.failures[:20],
        "calls_during_rolling_restart": dict(load.done),
    }


def _verified_learnware(running: Cluster, folder: Path) -> str:
    with Dock(running.addresses, running.admin_token) as owner:
        learnware_id = owner.submit(digits_package(folder, _LABELS)).learnware_id
        validation = owner.wait_until_validated(learnware_id)
        if not validation.passed:
            raise RuntimeError(f"the learnware of the benchmark was refused: {validation}")
        owner.wait_until_searchable(learnware_id)
    return learnware_id
