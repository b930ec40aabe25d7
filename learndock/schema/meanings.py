"""Vectors of what columns mean, by the sentence encoder where it is installed."""

from __future__ import annotations

from collections.abc import Sequence
import threading

import numpy as np
from numpy.typing import NDArray

from learndock.encoders.encoder import Encoder
from learndock.encoders.registry import encoder
from learndock.errors import FailedPrecondition

# MiniLM tells sulphur dioxide from nitrogen dioxide; means of word vectors do not, see
# docs/decisions/0080-columns-by-meaning.md.
_ENCODER = "all-minilm-l6-v2"
# Texts whose vectors are kept, 3 KiB each.
_MOST_KNOWN = 20_000


class Meanings:
    """Texts to vectors, each made once; safe for several threads.

    Where the encoder is not installed every vector is zero: only equal words then mean the same.
    """

    def __init__(self) -> None:
        self._encoder = _installed()
        self._known: dict[str, NDArray[np.float32]] = {}
        self._lock = threading.Lock()

    @property
    def understands(self) -> bool:
        """Whether different words can mean the same."""
        return self._encoder is not None

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors, float32 [n, e], of texts."""
        if self._encoder is None:
            return np.zeros((len(texts), 1), dtype=np.float32)
        with self._lock:
            new = [text for text in dict.fromkeys(texts) if text not in self._known]
            if len(self._known) + len(new) > _MOST_KNOWN:
                self._known.clear()
                new = list(dict.fromkeys(texts))
            if new:
                self._known.update(zip(new, self._encoder.encode(new), strict=True))
            return np.stack([self._known[text] for text in texts])


def _installed() -> Encoder | None:
    try:
        return encoder(_ENCODER)
    except FailedPrecondition:
        return None
