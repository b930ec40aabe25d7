"""A service refuses to start with a secret that is unset or short."""

import pytest

from learndock.serving.config import load
from services.spec.config import Settings


@pytest.mark.parametrize(("secret", "told"), [("", "unset"), ("hunter2", "guessed")])
def test_a_service_refuses_to_start_without_a_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], secret: str, told: str
) -> None:
    monkeypatch.setenv("LEARNDOCK_SPEC_SERVICE_TOKEN", secret)
    with pytest.raises(SystemExit) as caught:
        load(Settings)
    assert caught.value.code == 2
    message = capsys.readouterr().err
    assert told in message
    assert "hunter2" not in message


def test_every_fault_is_told_at_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name, value in {"MAX_THREADS": "0", "USER_BURST": "x", "TLS_KEY_FILE": "k"}.items():
        monkeypatch.setenv(f"LEARNDOCK_SPEC_{name}", value)
    with pytest.raises(SystemExit):
        load(Settings)
    told = capsys.readouterr().err
    assert "MAX_THREADS" in told
    assert "USER_BURST" in told


def test_by_default_a_service_listens_on_this_machine_only() -> None:
    assert Settings().listen.startswith("127.0.0.1:")
    assert not Settings().metrics_listen
