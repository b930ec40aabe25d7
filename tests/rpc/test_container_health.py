"""The health check of the images, as Docker and the kubelet run it: with TLS and without, of a whole or a part."""

from __future__ import annotations

from collections.abc import Mapping
import os
from pathlib import Path
import subprocess
import sys

import pytest

from learndock.serving import server
from learndock.serving.tls import server_credentials
from services.spec.config import Settings
from services.spec.wiring import build
from tests.support.certificates import Authority
from tests.support.dock import ROOT
from tests.support.serving import RoleTokens

SERVICE = "learndock.v1.SpecificationService"


def checked(running: server.RunningServer, *arguments: str, **settings: str) -> bool:
    """Whether the health check of a container of the specification service is content."""
    own = {"LEARNDOCK_SPEC_LISTEN": running.address} | {
        f"LEARNDOCK_SPEC_{key}": value for key, value in settings.items()
    }
    environment: Mapping[str, str] = {"PATH": os.environ["PATH"], **own}
    command = [sys.executable, ROOT / "deploy" / "docker" / "healthcheck.py", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0


def started(**terms: object) -> server.RunningServer:
    return server.start(
        [build(Settings())],
        listen="127.0.0.1:0",
        authenticator=RoleTokens(),
        terms=server.Terms(**terms),  # type: ignore[arg-type]
    )


def test_health_is_that_of_the_whole_or_of_a_service_by_name() -> None:
    running = started()
    assert checked(running)
    assert checked(running, SERVICE)
    assert not checked(running, "learndock.v1.SearchService")
    running.tell_ready(ready=False)
    assert checked(running)
    assert not checked(running, SERVICE)
    running.stop(1.0)
    assert not checked(running)


@pytest.mark.parametrize("callers", [False, True])
def test_health_is_asked_over_tls_where_the_service_speaks_it(tmp_path: Path, *, callers: bool) -> None:
    authority = Authority(tmp_path)
    files = authority.issue("spec", host="spec")
    assert files.certificate_file is not None
    assert files.key_file is not None
    credentials = server_credentials(files.certificate_file, files.key_file, files.ca_file if callers else None)
    running = started(credentials=credentials)
    told = {
        "TLS_CERTIFICATE_FILE": str(files.certificate_file),
        "TLS_KEY_FILE": str(files.key_file),
        "TLS_CA_FILE": str(files.ca_file),
    }
    assert checked(running, SERVICE, **told)
    assert not checked(running, SERVICE)
    running.stop(1.0)
