"""The short way between host and guest: what is placed lies there, and the end of a sandbox is the end of its wire."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from learndock.sandbox.bubblewrap import BubblewrapExecutor
from learndock.sandbox.executor import Deadline, Exit, ExitCause, Limits
from learndock.sandbox.guest.framing import INPUTS, REPLIES, REQUESTS
from learndock.sandbox.wire import LARGEST_INPUT, WIRE, Wire

PATIENCE = 30.0
LIMITS = Limits(wall_seconds=PATIENCE)


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Wire]:
    made = Wire(tmp_path / "wire")
    yield made
    made.close()


def test_values_are_placed_one_behind_another(wire: Wire) -> None:
    first, second = b"1" * 10_001, b"2" * 20_000
    begin = wire.place(first, 0)
    assert begin == 0
    behind = wire.place(second, len(first))
    assert behind is not None
    assert behind >= len(first)
    written = (wire.mount.source / INPUTS).read_bytes()
    assert (written[: len(first)], written[behind:]) == (first, second)


def test_other_users_of_the_machine_cannot_reach_it(wire: Wire, tmp_path: Path) -> None:
    assert (tmp_path / "wire").stat().st_mode & 0o077 == 0
    assert wire.mount.source.parent == tmp_path / "wire"


def test_what_is_small_or_has_no_room_is_not_placed(wire: Wire) -> None:
    assert wire.place(b"few", 0) is None
    assert wire.place(bytes(LARGEST_INPUT + 1), 0) is None
    assert wire.place(bytes(LARGEST_INPUT // 2), LARGEST_INPUT // 2 + 1) is None


def test_a_closed_wire_places_nothing_and_leaves_nothing(wire: Wire, tmp_path: Path) -> None:
    wire.close()
    assert wire.place(bytes(10_000), 0) is None
    with pytest.raises(OSError, match="ended"):
        wire.stream.write(b"x", Deadline(PATIENCE))
    assert list(tmp_path.iterdir()) == []


def test_pipes_connect_with_a_sandbox(wire: Wire) -> None:
    process = BubblewrapExecutor().start(
        ["/bin/sh", "-c", f"cat {WIRE}/{REQUESTS} >{WIRE}/{REPLIES}"], mounts=[wire.mount], limits=LIMITS
    )
    wire.follow(process)
    wire.stream.write(b"there and back", Deadline(PATIENCE))
    assert wire.stream.read(100, Deadline(PATIENCE)) == b"there and back"
    process.kill()
    assert wire.stream.read(100, Deadline(PATIENCE)) == b""
    process.wait(PATIENCE)


def test_a_sandbox_that_never_came_is_an_end(wire: Wire) -> None:
    process = BubblewrapExecutor().start(["/bin/true"], mounts=[wire.mount], limits=LIMITS)
    wire.follow(process)
    assert wire.stream.read(100, Deadline(PATIENCE)) == b""
    assert process.wait(PATIENCE) == Exit(0, ExitCause.EXITED)


def test_one_that_speaks_past_the_wire_is_ended(wire: Wire) -> None:
    process = BubblewrapExecutor().start(["/bin/sh", "-c", "echo hello; sleep 600"], mounts=[wire.mount], limits=LIMITS)
    wire.follow(process)
    assert wire.stream.read(100, Deadline(PATIENCE)) == b""
    assert process.wait(PATIENCE).cause is ExitCause.KILLED
