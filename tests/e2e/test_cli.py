"""The whole story from a shell: start, submit, find, reuse, look after."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
import json
import os
from pathlib import Path
import signal
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest

from tests.support.dock import ROOT
from tests.support.learnwares import Digits, digits_package

SECONDS = 280


@dataclass(frozen=True)
class Shell:
    """A user's shell, with a home of its own."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("LEARNDOCK_")}
        return {
            **inherited,
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
        }

    def run(self, *arguments: str | Path, code: int = 0) -> str:
        command = [sys.executable, "-m", "learndock.cli.main", *map(str, arguments)]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stdout

    def json(self, *arguments: str | Path, code: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", code=code))


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A shell with a dock of its own, started by `learndock up`, to which it is signed in."""
    folder = tmp_path_factory.mktemp("shell")
    shell = Shell(folder)
    command = [sys.executable, "-m", "learndock.cli.main", "up", "--data-dir", str(folder / "dock")]
    process = subprocess.Popen(
        [*command, "--listen", "127.0.0.1:0", "--json"],
        cwd=ROOT,
        env=shell.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        document = ""
        while not document.endswith("}\n") and (line := process.stdout.readline()):
            document += line
        assert (folder / "config/learndock/credentials.json").stat().st_mode & 0o777 == 0o600
        assert json.loads(document)["address"].startswith("127.0.0.1:")
        yield shell
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


@pytest.mark.timeout(3 * SECONDS)
def test_the_story_from_a_shell(shell: Shell, tmp_path: Path) -> None:
    rows = Digits.of(range(5), half=1)
    np.save(tmp_path / "X.npy", rows.X)
    submitted = shell.json("submit", digits_package(tmp_path, range(5)))
    learnware_id = submitted["learnware_id"]
    assert submitted["state"] == "VERIFIED"
    assert "is VERIFIED" in shell.run("validation", learnware_id, "--log")

    shell.run("specify", tmp_path / "X.npy", "--out", tmp_path / "task.json")
    for words in (["--data", tmp_path / "X.npy"], ["--specification", tmp_path / "task.json"], ["--text", "digits"]):
        found = shell.json("search", *words, "--task", "Classification")
        assert [single["learnware_id"] for single in found["singles"]] == [learnware_id]

    (tmp_path / "ranges.json").write_text(json.dumps([[0, 16]] * 64))
    private = ["--epsilon", "1", "--delta", "1e-5", "--ranges", tmp_path / "ranges.json"]
    shell.run("specify", tmp_path / "X.npy", *private, "--out", tmp_path / "private.json")
    found = shell.json("search", "--specification", tmp_path / "private.json")
    assert [single["learnware_id"] for single in found["singles"]] == [learnware_id]
    assert "differentially private" in found["certificate"]["remark"]
    assert "differentially private" in shell.run("search", "--specification", tmp_path / "private.json")

    for more in ([learnware_id], ["--search-data", tmp_path / "X.npy"], [learnware_id, "--local"]):
        out = tmp_path / "y.npy"
        shell.run("reuse", *more, "--data", tmp_path / "X.npy", "--out", out)
        assert np.mean(np.load(out).argmax(axis=1) == rows.y) > 0.9
        out.unlink()

    downloaded = shell.json("download", learnware_id, "--out", tmp_path / "back.zip")
    assert Path(downloaded["path"]).read_bytes() == digits_package(tmp_path, range(5)).read_bytes()
    assert shell.json("versions", learnware_id)[0]["state"] == "VERIFIED"
    assert shell.json("update", learnware_id, "--private")["visibility"] == "PRIVATE"
    shell.run("delete", learnware_id)
    assert shell.json("get", learnware_id)["delete_time"]
    assert shell.json("list") == []
    shell.run("undelete", learnware_id)
    assert [one["learnware_id"] for one in shell.json("list", "--filter", 'state = "VERIFIED"')] == [learnware_id]
    assert shell.json("fsck", "--read-packages") == []
    assert shell.json("summary")["learnwares"] == 1


@pytest.mark.timeout(SECONDS)
def test_users_and_tokens(shell: Shell, tmp_path: Path) -> None:
    shell.run("user", "create", "ada", "--email", "ada@example.org")
    made = shell.json("token", "create", "--user", "ada", "--label", "laptop", "--days", "1")
    secret = tmp_path / "ada-token"
    secret.write_text(made["secret"])
    as_ada = ("--token-file", secret)
    assert shell.json(*as_ada, "whoami")["name"] == "ada"
    shell.run(*as_ada, "user", "list", code=1)
    assert shell.json("user", "set-role", "ada", "ADMIN")["role"] == "ADMIN"
    assert {user["name"] for user in shell.json("user", "list")} >= {"ada"}
    assert shell.json("quota", "set", "ada", "--learnwares", "1")["limit"]["learnwares"] == 1
    assert shell.json(*as_ada, "quota", "show")["limit"]["learnwares"] == 1
    assert shell.json("token", "list", "--user", "ada")[0]["label"] == "laptop"
    shell.run("user", "disable", "ada")
    wait_for_refusal(shell, *as_ada)
    shell.run("user", "enable", "ada")
    shell.run("token", "revoke", made["token"]["token_id"])
    wait_for_refusal(shell, *as_ada)


@pytest.mark.timeout(SECONDS)
def test_bad_packages_are_refused_with_a_reason(shell: Shell, tmp_path: Path) -> None:
    bad = tmp_path / "bad.zip"
    bad.write_bytes(b"no zip at all")
    before = shell.json("list")
    shell.run("submit", bad, code=4)
    shell.run("check", bad, code=4)
    assert shell.json("list") == before


def wait_for_refusal(shell: Shell, *options: str | Path) -> None:
    """A revoked token works for five seconds at most, where it is still remembered."""
    command = [sys.executable, "-m", "learndock.cli.main", *map(str, options), "whoami"]
    for _ in range(20):
        if subprocess.run(command, cwd=ROOT, env=shell.environment, capture_output=True, check=False).returncode == 1:
            return
        time.sleep(0.5)
    raise AssertionError("the token still works")
