"""Generate the Python stubs of the contract, with types."""

from __future__ import annotations

from pathlib import Path
import subprocess
import sys

ROOT = Path(__file__).resolve().parents[1]
PROTOS = ROOT / "protos"
STUBS = Path("learndock", "v1")
PACKAGE = '"""Generated from protos/learndock/v1 by `make protos`; never edited."""\n'


def generate(destination: Path) -> None:
    """Write the stubs of every proto file below `destination`, in the folder `learndock/v1`."""
    binaries = Path(sys.executable).parent
    plugins = [f"--plugin={name}={binaries / name}" for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")]
    outputs = [f"--{kind}_out={destination}" for kind in ("python", "grpc_python", "mypy", "mypy_grpc")]
    sources = [str(path) for path in sorted((PROTOS / STUBS).glob("*.proto"))]
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTOS}", *plugins, *outputs, *sources]
    subprocess.run(command, check=True, capture_output=True)
    (destination / STUBS / "__init__.py").write_text(PACKAGE)


if __name__ == "__main__":
    generate(ROOT)
