"""Finding the SHA-256 of bytes beside the thread that moves them."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
import hashlib
from types import TracebackType
from typing import Self

_BEHIND = 4  # pieces that may wait, which bounds memory


class Sha256Beside:
    """SHA-256 of pieces, hashed in their order by a thread that ends with the block."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="sha256")
        self._pending: deque[Future[None]] = deque()

    def update(self, data: bytes) -> None:
        """Hash a piece some time later; waits while too many do."""
        self._pending.append(self._pool.submit(self._digest.update, data))
        if len(self._pending) > _BEHIND:
            self._pending.popleft().result()

    def hexdigest(self) -> str:
        """Digest of all pieces until now, 64 hexadecimal digits."""
        while self._pending:
            self._pending.popleft().result()
        return self._digest.hexdigest()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)
