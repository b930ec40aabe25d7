"""Rows and texts as the numbers that a model fitted on labels sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import Pipeline, make_pipeline

from learndock.errors import InvalidInput, Reason
from learndock.reuse.member import Inputs

_TEXT_DIMENSIONS = 50


@dataclass(frozen=True, eq=False)
class Features:
    """Inputs to features [n, d].

    Attributes
    ----------
    of_texts
        Latent semantic analysis of the labelled texts; None for rows of numbers, which are taken as they are.
    """

    of_texts: Pipeline | None

    @classmethod
    def fit(cls, X: Inputs) -> Features:
        """Features for inputs such as these."""
        if not _texts(X):
            return cls(None)
        words = TfidfVectorizer(sublinear_tf=True)
        rank = min(_TEXT_DIMENSIONS, len(X) - 1)
        steps = (words, TruncatedSVD(rank, random_state=0)) if rank >= 1 else (words,)
        try:
            return cls(make_pipeline(*steps).fit(list(X)))
        except ValueError as error:
            raise InvalidInput(Reason.FIELD_INVALID, "The labelled texts hold no words.", field="X") from error

    def of(self, X: Inputs) -> NDArray[np.float64]:
        """Features, float64 [n, d]."""
        if self.of_texts is not None:
            return np.asarray(self.of_texts.transform(list(X)))
        return np.asarray(X, dtype=np.float64).reshape(len(X), -1)


def _texts(X: Inputs) -> bool:
    return not isinstance(X, np.ndarray) and bool(X) and isinstance(X[0], str)
