"""The code keeps the rules of the house."""

from collections.abc import Iterator
from pathlib import Path
import subprocess
import sys

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
LONGEST_FILE = 400
GENERATED = (ROOT / "learndock" / "v1", ROOT / "requirements.lock", ROOT / "LICENSE")
REFERENCE_NAMES = ROOT / "learndock" / "sandbox" / "guest" / "shim"  # its modules bear the reference engine's names
VAGUE_NAMES = {"common", "utils", "helpers", "misc", "core", "base", "manager", "factory"}
FORBIDDEN_WORDS = ("/work/", "/opt/wheels", "TODO", "FIXME", "XXX")


def files() -> Iterator[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in listing.stdout.splitlines():
        path = ROOT / name
        if path.is_file() and not any(path.is_relative_to(generated) for generated in GENERATED):
            yield path


def texts() -> Iterator[tuple[Path, str]]:
    for path in files():
        try:
            yield path.relative_to(ROOT), path.read_text()
        except UnicodeDecodeError:  # an archive or a picture
            continue


@pytest.mark.parametrize(
    "command",
    [["ruff", "format", "--check", "."], ["ruff", "check", "."], ["mypy"], ["lint-imports"]],
    ids=["layout", "style", "types", "imports"],
)
def test_checker_finds_nothing(command: list[str]) -> None:
    found = subprocess.run([BIN / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr


def test_files_are_short() -> None:
    lengths = {str(path): text.count("\n") for path, text in texts() if path.suffix == ".py"}
    assert {path: lines for path, lines in lengths.items() if lines > LONGEST_FILE} == {}


def test_no_module_has_a_vague_name() -> None:
    modules = [path for path in files() if path.suffix == ".py" and not path.is_relative_to(REFERENCE_NAMES)]
    relative = [path.relative_to(ROOT) for path in modules]
    vague = [str(path) for path in relative if VAGUE_NAMES & {path.stem, *path.parts[:-1]}]
    assert vague == []


@pytest.mark.parametrize("word", FORBIDDEN_WORDS)
def test_no_file_holds(word: str) -> None:
    elsewhere = ((path, text) for path, text in texts() if path != Path(__file__).relative_to(ROOT))
    assert [str(path) for path, text in elsewhere if word in text] == []
