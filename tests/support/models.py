"""Packages whose model is given as the text of its methods, well-behaved or not."""

from __future__ import annotations

from pathlib import Path
import textwrap

import numpy as np

from learndock.learnware import FeatureSpace, SemanticSpecification
from learndock.package.build import SourceModel, build_package
from learndock.rkme.specification import Specification

DIMENSION, CLASSES, ATOMS = 3, 2, 5
GOOD_PREDICT = "X = np.asarray(X)\nreturn np.stack([X.sum(axis=1), -X.sum(axis=1)], axis=1)"

_SOURCE = """\
import os
import numpy as np
from learnware.model import BaseModel

{preamble}


class Model(BaseModel):
    def __init__(self):
        super().__init__(input_shape={input_shape}, output_shape={output_shape})
{init}

    def predict(self, X):
{predict}

    def fit(self, X, y):
        self.offset = float(np.mean(y))
"""


def semantic(name: str = "sums", **changes: object) -> SemanticSpecification:
    """Semantic specification of a classifier of three numbers."""
    values: dict[str, object] = {
        "name": name,
        "description": "Tells the sign of a sum.",
        "data": "Table",
        "task": "Classification",
        "library": "Others",
        "scenarios": ("Education",),
        "license": "MIT",
        "input": FeatureSpace(DIMENSION, {0: "first"}),
        "output": FeatureSpace(CLASSES, {0: "negative"}),
        **changes,
    }
    return SemanticSpecification(**values)  # type: ignore[arg-type]


def specification() -> Specification:
    """A few atoms of three dimensions."""
    atoms = np.random.default_rng(7).standard_normal((ATOMS, DIMENSION)).astype(np.float32)
    return Specification(atoms=atoms, weights=np.full(ATOMS, 1 / ATOMS))


def model_package(
    folder: Path,
    *,
    name: str = "sums",
    predict: str = GOOD_PREDICT,
    init: str = "pass",
    preamble: str = "",
    input_shape: str = f"({DIMENSION},)",
    output_shape: str = f"({CLASSES},)",
    requirements: tuple[str, ...] = ("numpy",),
    atoms: Specification | None = None,
    **semantics: object,
) -> Path:
    """A package of a model with these method bodies."""
    source = _SOURCE.format(
        preamble=preamble,
        init=textwrap.indent(init, " " * 8),
        predict=textwrap.indent(predict, " " * 8),
        input_shape=input_shape,
        output_shape=output_shape,
    )
    path = folder / f"{name}.zip"
    build_package(
        path,
        model=SourceModel(source),
        semantic=semantic(name, **semantics),
        specification=atoms or specification(),
        requirements=requirements,
    )
    return path
