"""The dock on a single machine: no secret has a default, variables are settings, no container has needless rights."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from learndock.client.channel import Addresses
from tests.support.dock import ROOT
from tools.images import EXTRAS
from tools.settings import service_names, settings_class

FILE = ROOT / "deploy" / "compose.yaml"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text())
SERVICES = sorted(EXTRAS)


def test_every_service_and_what_keeps_its_data_is_there() -> None:
    assert sorted(COMPOSE["services"]) == sorted([*SERVICES, "postgres", "minio"])


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_a_container_has_no_rights_that_it_does_not_need(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert not service.get("privileged")
    assert not any("docker.sock" in volume for volume in service.get("volumes", ()))
    assert (len(service["security_opt"]) > 1) == (name in ("validator", "reuse"))


def test_secrets_come_from_outside_and_have_no_default() -> None:
    for service in COMPOSE["services"].values():
        for name, value in service["environment"].items():
            if re.search("TOKEN|PASSWORD|SECRET|KEY|USER$|DATABASE_URL", name) and name != "POSTGRES_USER":
                assert re.search(r"\$\{\w+:\?", value), name
    with_default = re.findall(r"\$\{(\w+):-", FILE.read_text())
    assert set(with_default) == {"LEARNDOCK_TAG", "LEARNDOCK_BIND"}


@pytest.mark.parametrize("name", SERVICES)
def test_variables_are_settings_and_addresses_are_services(name: str) -> None:
    assert name in service_names()
    settings = settings_class(name)
    fields = {f"LEARNDOCK_{name.upper()}_{field.upper()}" for field in settings.model_fields}
    service = COMPOSE["services"][name]
    assert set(service["environment"]) <= fields
    port = default_port(name)
    assert service["ports"] == [f"${{LEARNDOCK_BIND:-127.0.0.1}}:{port}:{port}"]
    for variable, value in service["environment"].items():
        if variable.endswith("_ADDRESS"):
            addresses = Addresses.parse(value)
            for called in (addresses.default, *addresses.by_service.values()):
                assert not called or is_listened_at(called)
            for peer, called in addresses.by_service.items():
                assert called.rpartition(":")[2] == default_port(peer)


def is_listened_at(address: str) -> bool:
    """Whether a service listens there by default, as seen from other containers or from this machine."""
    host, _, port = address.partition(":")
    return port in map(default_port, SERVICES) if host == "127.0.0.1" else port == default_port(host)


def default_port(service: str) -> str:
    """Number of the port that a service listens on unless told otherwise."""
    return str(settings_class(service).model_fields["listen"].default.rpartition(":")[2])
