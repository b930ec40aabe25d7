"""Every executor that can be tried on this machine."""

from __future__ import annotations

from functools import partial

import pytest

from learndock.sandbox.bubblewrap import BubblewrapExecutor
from learndock.sandbox.docker import DockerExecutor

EXECUTORS = [
    pytest.param(BubblewrapExecutor, id="bubblewrap"),
    pytest.param(DockerExecutor, id="docker", marks=pytest.mark.docker),
    pytest.param(partial(DockerExecutor, runtime="runsc"), id="gvisor", marks=pytest.mark.gvisor),
]
