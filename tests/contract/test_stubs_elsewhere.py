"""The contract is portable: stubs for Go and TypeScript come out of it, and the latter compile.

The tools come from Debian and npm, see `.ci/run`; Go's stubs are compiled too where its compiler is at hand.
"""

from __future__ import annotations

import os
from pathlib import Path
import shutil
import subprocess
import sys

import pytest

from tools import stubs

ROOT = Path(__file__).resolve().parents[2]
NODE_TOOLS = ROOT / "build" / "typescript"
SERVICES = ("Identity", "Reuse", "Search", "Specification", "Storage", "Validator")


def missing(what: str) -> None:
    """Skip for want of a tool, which in CI is a failure."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing; .ci/run installs it")
    pytest.skip(f"needs {what}; see install_packages in .ci/run")


def generate(*options: str) -> None:
    sources = sorted(str(path) for path in (stubs.PROTOS / stubs.STUBS).glob("*.proto"))
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{stubs.PROTOS}", *options, *sources]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_go(tmp_path: Path) -> None:
    for plugin in ("protoc-gen-go", "protoc-gen-go-grpc"):
        if shutil.which(plugin) is None:
            missing(plugin)
    names = [path.name for path in (stubs.PROTOS / stubs.STUBS).glob("*.proto")]
    mapped = ",".join(f"Mlearndock/v1/{name}=learndock/v1" for name in names)
    generate(f"--go_out={tmp_path}", f"--go_opt={mapped}", f"--go-grpc_out={tmp_path}", f"--go-grpc_opt={mapped}")
    code = "\n".join(path.read_text() for path in tmp_path.rglob("*.go"))
    for service in SERVICES:
        assert f"type {service}ServiceClient interface" in code
    assert "func (c *searchServiceClient) Search(ctx context.Context, in *SearchRequest" in code
    if shutil.which("go") and Path("/usr/share/gocode/src/google.golang.org/grpc").exists():
        compile_go(tmp_path)


def compile_go(folder: Path) -> None:
    source = folder / "src" / "learndock" / "v1"
    source.mkdir(parents=True)
    for path in folder.glob("learndock/v1/*.go"):
        path.rename(source / path.name)
    environment = {**os.environ, "GO111MODULE": "off", "GOPATH": f"{folder}:/usr/share/gocode", "GOCACHE": str(folder)}
    done = subprocess.run(["go", "build", "learndock/v1"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


PROGRAM = """
import { create, toBinary, fromBinary, type DescService } from "@bufbuild/protobuf";
import { SearchService, SearchRequestSchema } from "./learndock/v1/search_service_pb.js";
import { StorageService } from "./learndock/v1/storage_service_pb.js";

const request = create(SearchRequestSchema, { topK: 3, filter: { text: "wine" } });
const again = fromBinary(SearchRequestSchema, toBinary(SearchRequestSchema, request));
const services: DescService[] = [SearchService, StorageService];
console.log(again.topK, again.filter?.text, SearchService.method.search.name, services.length);
"""


def test_typescript(tmp_path: Path) -> None:
    plugin = NODE_TOOLS / "node_modules" / ".bin" / "protoc-gen-es"
    if not plugin.exists() or shutil.which("node") is None:
        missing("@bufbuild/protoc-gen-es in build/typescript")
    generate(f"--plugin=protoc-gen-es={plugin}", f"--es_out={tmp_path}", "--es_opt=target=ts,import_extension=js")
    (tmp_path / "program.ts").write_text(PROGRAM)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "node_modules").symlink_to(NODE_TOOLS / "node_modules")
    compiler = NODE_TOOLS / "node_modules" / ".bin" / "tsc"
    options = ["--strict", "--target", "es2022", "--module", "nodenext", "--skipLibCheck"]
    compiled = subprocess.run([compiler, *options, "program.ts"], cwd=tmp_path, capture_output=True, text=True)
    assert compiled.returncode == 0, compiled.stdout
    ran = subprocess.run(["node", "program.js"], cwd=tmp_path, capture_output=True, text=True)
    assert ran.stdout.split() == ["3", "wine", "Search", "2"], ran.stderr
