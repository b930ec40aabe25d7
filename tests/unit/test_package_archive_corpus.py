"""The corpus of archives at fault: every kind is refused for what is wrong with it, within little memory and time."""

from __future__ import annotations

from collections.abc import Mapping
import json
from pathlib import Path
import subprocess
import sys

import pytest

from tests.support.archives import REFUSED

ROOT = Path(__file__).parents[2]
READER = """
import json, resource, sys
from pathlib import Path
from learndock.errors import LearndockError
from learndock.package.archive import PackageArchive

pages = int(Path("/proc/self/statm").read_text().split()[0])
most = pages * resource.getpagesize() + 64 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (most, most))
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
told = {}
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        with PackageArchive.open(path) as archive:
            for name in archive.names:
                for _ in archive.chunks(name):
                    pass
        told[path.stem] = ["", "taken"]
    except LearndockError as error:
        told[path.stem] = [error.reason.value, error.message]
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[str]]:
    """What a process with 64 MiB of memory to spare, and a minute of processor time, says of each archive."""
    folder = tmp_path_factory.mktemp("corpus")
    for number, (_, build) in enumerate(REFUSED.values()):
        (folder / f"{number}.zip").write_bytes(build())
    command = [sys.executable, "-c", READER, str(folder)]
    reader = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert reader.returncode == 0, reader.stderr
    found = json.loads(reader.stdout)
    return {name: found[str(number)] for number, name in enumerate(REFUSED)}


def test_the_corpus_has_sixty_kinds() -> None:
    assert len(REFUSED) >= 60


@pytest.mark.parametrize("kind", REFUSED)
def test_each_kind_is_refused_for_what_is_wrong_with_it(told: Mapping[str, list[str]], kind: str) -> None:
    reason, message = told[kind]
    assert reason == "PACKAGE_INVALID"
    assert REFUSED[kind][0] in message
