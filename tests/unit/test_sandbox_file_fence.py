"""Installers reach no file beyond those that they need, whatever a requirement or a wheel would have them do."""

from __future__ import annotations

from contextlib import suppress
import os
from pathlib import Path
import subprocess
import zipfile

import pytest

from learndock.errors import LearndockError
from learndock.sandbox.file_fence import fenced, version
from learndock.sandbox.installer import Installer

SYSTEM = tuple(map(Path, ("/usr", "/bin", "/lib", "/lib64")))


def shell(script: str, *, read: tuple[Path, ...] = (), write: tuple[Path, ...] = ()) -> list[str]:
    """Words that a fenced script prints."""
    command = fenced(["/bin/sh", "-c", script], read=(*SYSTEM, *read), write=(*write, Path("/dev/null")))
    return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout.split()


@pytest.fixture(autouse=True)
def fence() -> None:
    assert version(), "this kernel has no Landlock"


def test_only_what_is_named_is_read(tmp_path: Path) -> None:
    for name in ("named", "other"):
        (tmp_path / name).write_text(name + "\n")
    script = (
        f"cat {tmp_path}/named; cat {tmp_path}/other || echo refused; cat /proc/{os.getpid()}/environ || echo refused"
    )
    assert shell(script, read=(tmp_path / "named", Path("/proc/self"))) == ["named", "refused", "refused"]


def test_only_what_is_named_is_written_and_nothing_there_runs(tmp_path: Path) -> None:
    for name in ("cache", "target", "other"):
        (tmp_path / name).mkdir()
    script = f"""
        cd {tmp_path}
        echo '#!/bin/sh' >cache/program && chmod 755 cache/program && ln cache/program target/linked && echo linked
        echo x 2>&1 >other/file || echo refused
        rm -r other 2>&1 || echo refused
        ln cache/program other/linked || echo refused
        target/linked || echo refused
    """
    writable = (tmp_path / "cache", tmp_path / "target")
    words = shell(script, write=writable)
    assert (words[0], words.count("refused")) == ("linked", 4)
    assert list((tmp_path / "other").iterdir()) == []


def test_a_fence_holds_for_children_and_cannot_be_widened(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    again = " ".join(f"'{word}'" for word in fenced(["/bin/cat", f"{tmp_path}/secret"], read=[tmp_path], write=[]))
    assert shell(f"({again}) || echo refused", read=(Path(__file__).parents[2],)) == ["refused"]


@pytest.mark.parametrize("line", ["-r {secret}", "-c {secret}", "stolen @ file://{secret}", "-e {folder}", "{secret}"])
def test_a_requirement_reads_no_file_of_the_dock(tmp_path: Path, line: str) -> None:
    """Such lines are refused before; this is what the installer does with one that slipped through."""
    secret = tmp_path / "dock" / "secret.txt"
    secret.parent.mkdir()
    secret.write_text("token-of-the-dock==1\n")
    (secret.parent / "setup.py").write_text(f"open({str(tmp_path / 'executed')!r}, 'w').close()\n")
    installer = Installer(tmp_path / "environments", ())
    with pytest.raises(LearndockError) as caught:
        installer.resolve((line.format(secret=secret, folder=secret.parent),), lambda: None)
    assert "token-of-the-dock" not in caught.value.message
    assert not (tmp_path / "executed").exists()
    assert list((tmp_path / "environments").iterdir()) == []


def test_a_wheel_writes_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheels, dock = tmp_path / "wheels", tmp_path / "environments" / "others"
    wheels.mkdir()
    dock.mkdir(parents=True)
    with zipfile.ZipFile(wheels / "evil-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("../others/module.py", "")
        wheel.writestr("evil.pth", f"import os; open({str(tmp_path / 'executed')!r}, 'w')")
        wheel.writestr("evil-1.0.data/data/../../../others/data.py", "")
        wheel.writestr("evil-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n")
        wheel.writestr("evil-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("evil-1.0.dist-info/RECORD", "../others/module.py,,\nevil.pth,,\n")
    monkeypatch.setenv("UV_FIND_LINKS", str(wheels))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    installer = Installer(tmp_path / "environments", ())
    with suppress(LearndockError):  # as well: uv may see through it
        installer.install(("evil==1.0",), tmp_path / "environments" / "draft", lambda: None)
    assert list(dock.iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"wheels", "environments", "cache"}
