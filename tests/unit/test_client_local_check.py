"""A package is checked at home as in the dock."""

from __future__ import annotations

from pathlib import Path

import pytest

from learndock.cli.main import execute
from learndock.client.local_check import check_package
from learndock.examination.report import CHECKS, ValidationState
from tests.support.models import model_package


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("LEARNDOCK_ADDRESS", raising=False)


def test_a_good_package_passes_every_check(tmp_path: Path) -> None:
    told: list[str] = []
    checked = check_package(model_package(tmp_path), None, told.append)
    assert (checked.state, checked.reason) == (ValidationState.VERIFIED, "")
    assert [line.name for line in checked.report.checks] == list(CHECKS)
    assert set(told) <= set(CHECKS)


def test_a_faulty_one_is_told_why(tmp_path: Path) -> None:
    checked = check_package(model_package(tmp_path, predict="return np.full((len(X), 2), np.nan)"), None)
    assert checked.state is ValidationState.REJECTED
    assert checked.reason.startswith("finite: ")


def test_submitting_does_the_cheap_part_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.zip"
    bad.write_bytes(b"no zip")
    assert execute(["--address", "127.0.0.1:9", "submit", str(bad)]) == 4
    assert "zip" in capsys.readouterr().err


def test_the_command_needs_no_dock(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.zip"
    bad.write_bytes(b"no zip")
    assert execute(["check", str(bad)]) == 4
    assert "bad.zip is REJECTED: archive: " in capsys.readouterr().out
