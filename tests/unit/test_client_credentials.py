"""Where address and token come from."""

from pathlib import Path

import pytest

from learndock.client import credentials
from learndock.client.credentials import Credentials
from learndock.errors import InvalidInput


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    path = credentials.credentials_file()
    credentials.write(Credentials("stored:1", "stored-secret", "/ca.pem"), path)
    return path


def test_written_credentials_are_for_their_owner_only(stored: Path) -> None:
    assert stored.stat().st_mode & 0o777 == 0o600
    assert credentials.read(stored) == Credentials("stored:1", "stored-secret", "/ca.pem")
    credentials.write(Credentials("other:2", "other"), stored)
    assert stored.stat().st_mode & 0o777 == 0o600
    assert credentials.read(stored) == Credentials("other:2", "other")


@pytest.mark.usefixtures("stored")
def test_arguments_go_before_environment_before_file() -> None:
    environment = {"LEARNDOCK_ADDRESS": "env:1", "LEARNDOCK_TOKEN": "env-secret"}
    assert credentials.resolve("given:1", "given", environment=environment) == Credentials("given:1", "given")
    assert credentials.resolve(environment=environment) == Credentials("env:1", "env-secret")
    assert credentials.resolve(environment={}) == Credentials("stored:1", "stored-secret", "/ca.pem")


@pytest.mark.usefixtures("stored")
def test_a_stored_token_is_not_sent_to_another_address() -> None:
    assert credentials.resolve("elsewhere:1", environment={}).token == ""
    assert credentials.resolve(environment={"LEARNDOCK_ADDRESS": "elsewhere:1"}).token == ""
    assert credentials.resolve("stored:1", environment={}).token == "stored-secret"


@pytest.mark.usefixtures("stored")
def test_an_empty_token_is_that_of_nobody() -> None:
    assert credentials.resolve("stored:1", "", environment={"LEARNDOCK_TOKEN": "env-secret"}).token == ""


def test_without_any_address_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with pytest.raises(InvalidInput, match="learndock login") as caught:
        credentials.resolve(environment={})
    assert caught.value.field == "address"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"address": "a"}'])
def test_a_damaged_file_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "credentials.json"
    path.write_text(text)
    with pytest.raises(InvalidInput, match="damaged"):
        credentials.read(path)


def test_the_token_is_in_no_repr() -> None:
    assert "secret" not in repr(Credentials("host:1", "secret"))
