"""Manifests render in every combination, and are what the cluster's schemas and checkov accept."""

from __future__ import annotations

from collections.abc import Iterator
import json
from pathlib import Path
import subprocess

import kubernetes_validate
import pytest
import yaml

from tests.support.dock import ROOT
from tests.support.manifests import K8S, OVERLAYS, Manifest, combinations, combined, overlay

VERSIONS = tuple(f"1.{minor}" for minor in range(30, 38))
CHECKOV = ROOT / "build" / "checkov-venv" / "bin" / "checkov"
# Defined by extensions of a cluster, so that the cluster's own schemas say nothing of them.
EXTENSIONS = {"Gateway", "GRPCRoute", "HTTPRoute", "BackendTLSPolicy", "RayCluster", "Issuer", "Certificate"}


def distinct() -> Iterator[Manifest]:
    """Every manifest of every combination once."""
    seen = set()
    sets = [overlay(name) for name in OVERLAYS] + [combined(components) for components in combinations()]
    for manifest in (manifest for manifests in sets for manifest in manifests):
        text = json.dumps(manifest, sort_keys=True)
        if text not in seen:
            seen.add(text)
            yield manifest


def test_every_component_is_part_of_a_combination() -> None:
    tried = {component for components in combinations() for component in components}
    assert tried == {path.name for path in (K8S / "components").iterdir()}


@pytest.mark.parametrize("version", VERSIONS)
def test_schemas_accept_all(version: str) -> None:
    for manifest in distinct():
        if manifest["kind"] not in EXTENSIONS:
            kubernetes_validate.validate(manifest, version, strict=True)


def test_names_are_unique() -> None:
    for components in combinations():
        names = [(m["kind"], m["metadata"].get("namespace"), m["metadata"]["name"]) for m in combined(components)]
        assert len(names) == len(set(names)), components


def test_checkov_finds_nothing_but_what_is_explained(tmp_path: Path) -> None:
    for name in OVERLAYS:
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump_all(overlay(name)))
    options = ["--directory", tmp_path, "--config-file", K8S / "tests" / "checkov.yaml"]
    done = subprocess.run([CHECKOV, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Passed checks" in done.stdout


def test_every_exception_for_checkov_is_explained() -> None:
    lines = (K8S / "tests" / "checkov.yaml").read_text().splitlines()
    for number, line in enumerate(lines):
        if line.strip().startswith("- CKV"):
            assert lines[number - 1].strip().startswith("#"), line
