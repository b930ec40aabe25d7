"""How long a thread of a service keeps the interpreter."""

from __future__ import annotations

from collections.abc import Iterator
import sys

import pytest

from learndock.serving import process
from learndock.serving.config import ServiceSettings

PYTHONS_OWN = 0.005


@pytest.fixture(autouse=True)
def turns() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(PYTHONS_OWN)
    yield
    sys.setswitchinterval(before)


@pytest.mark.parametrize(("computes", "seconds"), [(True, PYTHONS_OWN), (False, 0.0005)])
def test_threads_that_wait_for_others_take_short_turns(
    monkeypatch: pytest.MonkeyPatch, *, computes: bool, seconds: float
) -> None:
    def stop(_settings: type[ServiceSettings]) -> ServiceSettings:
        raise KeyboardInterrupt

    monkeypatch.setattr(process, "load", stop)
    with pytest.raises(KeyboardInterrupt):
        process.run("any", ServiceSettings, lambda _: pytest.fail("not built"), computes=computes)
    assert sys.getswitchinterval() == pytest.approx(seconds)
