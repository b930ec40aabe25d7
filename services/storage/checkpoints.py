"""Committing what has come while more comes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from services.storage.staging import Piece

Commit = Callable[[Piece, int], None]
"""Makes a piece durable, and the position after it the committed one."""


class Checkpoints:
    """Commits in order, one at a time, all but the last by a thread of its own; none follows one that failed."""

    def __init__(self, commit: Commit) -> None:
        self._commit = commit
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._pending: Future[None] | None = None

    def begin(self, piece: Piece, position: int) -> None:
        """Begin a commit once the former one has ended; raises what that one raised."""
        self._settle()
        self._pending = self._pool.submit(self._commit, piece, position)

    def end(self, piece: Piece, position: int) -> None:
        """Make the last commit; raises what it or the one before raised."""
        self._settle()
        self._commit(piece, position)

    def _settle(self) -> None:
        if self._pending is not None:
            self._pending.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()
        if error is None:
            self._settle()
