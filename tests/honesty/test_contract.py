"""The contract is well formed, closed by default, and its stubs are what it says."""

import filecmp
from importlib import import_module
from pathlib import Path
import subprocess
import sys

from google.protobuf.descriptor import MethodDescriptor
import pytest

from learndock.v1 import types_pb2
from tools import stubs

BUF = Path(sys.executable).with_name("buf")
SERVICES = ("Specification", "Search", "Storage", "Validator", "Reuse", "Identity")


def methods() -> list[MethodDescriptor]:
    found: list[MethodDescriptor] = []
    for path in sorted((stubs.PROTOS / stubs.STUBS).glob("*.proto")):
        file = import_module(f"learndock.v1.{path.stem}_pb2").DESCRIPTOR
        found.extend(method for service in file.services_by_name.values() for method in service.methods)
    return found


def test_stubs_are_fresh(tmp_path: Path) -> None:
    stubs.generate(tmp_path)
    made, committed = tmp_path / stubs.STUBS, stubs.ROOT / stubs.STUBS
    names = sorted(path.name for path in made.iterdir())
    assert names == sorted(path.name for path in committed.iterdir() if path.name != "__pycache__")
    _, differing, missing = filecmp.cmpfiles(made, committed, names, shallow=False)
    assert not differing + missing, "run `make protos`"


def test_buf_lint_finds_nothing() -> None:
    found = subprocess.run([BUF, "lint", stubs.PROTOS], capture_output=True, text=True)
    assert found.returncode == 0, found.stdout


def test_protos_are_formatted() -> None:
    found = subprocess.run([BUF, "format", "--diff", "--exit-code", stubs.PROTOS], capture_output=True, text=True)
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize("method", methods(), ids=lambda method: method.full_name)
def test_every_method_says_who_may_call_it(method: MethodDescriptor) -> None:
    access = method.GetOptions().Extensions[types_pb2.access]
    assert access.least_role != types_pb2.ROLE_UNSPECIFIED


@pytest.mark.parametrize("method", methods(), ids=lambda method: method.full_name)
def test_every_method_for_people_says_what_scope_it_takes(method: MethodDescriptor) -> None:
    access = method.GetOptions().Extensions[types_pb2.access]
    assert access.scope != types_pb2.SCOPE_UNSPECIFIED or access.least_role == types_pb2.ROLE_SERVICE


def test_every_service_has_methods() -> None:
    found = {method.containing_service.name for method in methods()}
    assert found == {f"{name}Service" for name in SERVICES}
