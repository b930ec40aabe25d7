"""Inspecting a stranger's package in a short-lived process that has little memory and time."""

from __future__ import annotations

import os
from pathlib import Path
import resource
import subprocess
import sys

from learndock.errors import InvalidInput, LearndockError, Reason
from learndock.learnware import SemanticSpecification
from learndock.package.inspection import Inspection, inspect_package
from learndock.package.record import dump_error, dump_inspection, load_inspection
from learndock.package.semantic import check_semantic, parse_semantic, semantic_json

MEMORY_BYTES = 2**30
CPU_SECONDS = 30
WALL_SECONDS = 90

_ROOT = Path(__file__).parents[2]
_START = "import sys; sys.path.insert(0, sys.argv[1]); from learndock.package import confined; confined.main()"


def inspect_confined(path: Path, semantic: SemanticSpecification | None = None) -> Inspection:
    """What `inspect_package` answers, found in a process that holds no secret and is killed at its limits.

    Raises
    ------
    LearndockError
        As `inspect_package` does; also InvalidInput (PACKAGE_INVALID) for a package that takes more than 1 GiB of
        memory or 30 s of processor time to inspect.
    """
    if semantic is not None:
        check_semantic(semantic)
    try:
        process = subprocess.run(  # noqa: S603  # our own interpreter and module; the path is an argument, not a word
            [sys.executable, "-I", "-c", _START, str(_ROOT), str(path.resolve())],
            input=semantic_json(semantic) if semantic else b"",
            capture_output=True,
            timeout=WALL_SECONDS,
            env={"LANG": "C.UTF-8", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            cwd="/",
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _beyond_limits() from None
    if process.returncode != 0:
        raise _beyond_limits()
    return load_inspection(process.stdout)


def main() -> None:
    """The confined process: takes the path as its last argument and the semantic specification on standard input."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    given = sys.stdin.buffer.read()
    try:
        answer = dump_inspection(inspect_package(Path(sys.argv[-1]), parse_semantic(given) if given else None))
    except LearndockError as error:
        answer = dump_error(error)
    except MemoryError:
        os._exit(1)
    sys.stdout.buffer.write(answer)


def _beyond_limits() -> InvalidInput:
    return InvalidInput(
        Reason.PACKAGE_INVALID, "The package cannot be inspected within the dock's limits.", field="package"
    )
