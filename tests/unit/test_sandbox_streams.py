"""The host's side of a sandbox's streams."""

from __future__ import annotations

import os
import threading
import time

import pytest

from learndock.sandbox.executor import Deadline
from learndock.sandbox.owner import is_dead, own_mark
from learndock.sandbox.streams import TAIL_BYTES, DuplexStream, LogTail


def test_a_short_log_is_kept_whole() -> None:
    log = LogTail(2**20)
    for word in (b"one ", b"two ", "drei \u00e4".encode()):
        log.append(word)
    assert log.text() == "one two drei ä"


@pytest.mark.parametrize("piece", [1, 7, 1000, TAIL_BYTES, 3 * TAIL_BYTES])
def test_of_a_long_log_the_end_is_kept(piece: int) -> None:
    written = bytes(b"abcdefghij"[i % 10] for i in range(5 * TAIL_BYTES))
    log = LogTail(2**30)
    for start in range(0, len(written), piece):
        log.append(written[start : start + piece])
    note, _, tail = log.text().partition("\n")
    assert tail.encode() == written[-TAIL_BYTES:]
    assert str(len(written) - TAIL_BYTES) in note


def test_bytes_that_are_no_text_do_no_harm() -> None:
    log = LogTail(2**20)
    log.append(b"\xff\xfe ok \xc3")
    assert " ok " in log.text()


def test_a_stream_is_closed_only_when_nobody_uses_it() -> None:
    input_read, input_write = os.pipe()
    output_read, output_write = os.pipe()
    stream = DuplexStream(input_write, output_read)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(stream.read(10, Deadline(None))))
    reader.start()
    while not stream._reading.locked():
        time.sleep(0.01)
    closer = threading.Thread(target=stream.close)
    closer.start()
    os.write(output_write, b"last")
    reader.join(10)
    closer.join(10)
    assert received == [b"last"]
    with pytest.raises(BrokenPipeError):
        stream.read(1, Deadline(None))
    with pytest.raises(BrokenPipeError):
        stream.write(b"x", Deadline(None))
    stream.close()
    os.close(input_read)
    os.close(output_write)


def test_a_mark_tells_whether_its_owner_lives() -> None:
    mark = own_mark()
    host, pid, start = mark.split("~")
    assert not is_dead(mark)
    assert not is_dead(mark + "~more")
    assert is_dead(f"{host}~{pid}~{int(start) - 1}"), "the number was given to a later process"
    assert is_dead(f"{host}~{2**22 + 1}~5")
    for foreign in (f"elsewhere~{pid}~1", "", "kept", f"{host}~x~y"):
        assert not is_dead(foreign)
