"""A digest that is found beside."""

import hashlib
import threading

import pytest

from learndock.client.digest import Sha256Beside

PIECES = [bytes([number]) * 100_000 for number in range(50)]


def test_it_is_that_of_all_pieces_in_their_order() -> None:
    with Sha256Beside() as digest:
        assert digest.hexdigest() == hashlib.sha256().hexdigest()
        for piece in PIECES:
            digest.update(piece)
        assert digest.hexdigest() == hashlib.sha256(b"".join(PIECES)).hexdigest()


def test_its_thread_ends_with_the_block() -> None:
    before = threading.active_count()
    with Sha256Beside() as digest:
        digest.update(PIECES[0])
    with pytest.raises(OSError, match="the disk is full"), Sha256Beside() as digest:  # noqa: PT012
        digest.update(PIECES[0])
        raise OSError("the disk is full")
    assert threading.active_count() == before
