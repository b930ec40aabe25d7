"""The values that everything else speaks of: learnwares, their versions and their semantic specification."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Modality(StrEnum):
    """What the rows of a data set are."""

    TABLE = "TABLE"
    IMAGE = "IMAGE"
    TEXT = "TEXT"


class FormatClass(StrEnum):
    """Whether the format in which a model is stored can hold code."""

    SAFE = "SAFE"
    CODE = "CODE"


class Visibility(StrEnum):
    """Who may see a learnware."""

    PUBLIC = "PUBLIC"
    PRIVATE = "PRIVATE"


class VersionState(StrEnum):
    """Where a version stands between upload and use."""

    UPLOADED = "UPLOADED"
    VALIDATING = "VALIDATING"
    VERIFIED = "VERIFIED"
    REJECTED = "REJECTED"


VOCABULARY: Mapping[str, tuple[str, ...]] = {
    "Data": ("Table", "Image", "Text"),
    "Task": (
        "Classification",
        "Regression",
        "Feature Extraction",
        "Segmentation",
        "Object Detection",
        "Text Generation",
        "Others",
    ),
    "Library": ("Scikit-learn", "PyTorch", "TensorFlow", "Others"),
    "Scenario": (
        "Business",
        "Financial",
        "Health",
        "Politics",
        "Computer",
        "Internet",
        "Traffic",
        "Nature",
        "Fashion",
        "Industry",
        "Agriculture",
        "Education",
        "Entertainment",
        "Architecture",
        "Others",
    ),
    "License": (
        "MIT",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "GPL-2.0",
        "GPL-3.0",
        "LGPL-2.1",
        "LGPL-3.0",
        "AGPL-3.0",
        "ECL-2.0",
        "AFL-3.0",
        "CC-BY-4.0",
        "CC-BY-SA-4.0",
        "Others",
    ),
    "Model": ("Base Model", "Fine-tuned Model", "PEFT Model", "Others"),
}
"""Allowed words of a semantic specification, by key; those of the reference dock."""


@dataclass(frozen=True)
class FeatureSpace:
    """The columns of an input, or the parts of an output.

    Attributes
    ----------
    dimension
        Number of features, classes or outputs.
    descriptions
        What a feature means, by its position; may be sparse.
    """

    dimension: int
    descriptions: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SemanticSpecification:
    """What a learnware is for, in words from `VOCABULARY` and in free text."""

    name: str
    description: str
    data: str
    task: str
    library: str
    scenarios: tuple[str, ...]
    license: str = "Apache-2.0"
    model: str = "Others"
    input: FeatureSpace | None = None
    output: FeatureSpace | None = None


@dataclass(frozen=True)
class LearnwareVersion:
    """An immutable package and what the dock knows of it."""

    learnware_id: str
    version: int
    state: VersionState
    sha256: str
    size_bytes: int
    create_time: datetime
    format_class: FormatClass | None = None
    validation_id: str = ""
    state_reason: str = ""


@dataclass(frozen=True)
class Learnware:
    """A model together with the specification of what it is good for."""

    learnware_id: str
    owner_id: str
    semantic_specification: SemanticSpecification
    visibility: Visibility
    current_version: LearnwareVersion
    create_time: datetime
    update_time: datetime
    delete_time: datetime | None = None
    etag: str = ""


@dataclass(frozen=True)
class SemanticFilter:
    """Which learnwares are meant; an empty field admits everything.

    Each text of `inputs` must occur in the description of an input column, each of `outputs` in that of a class or an
    output; case does not count.
    """

    data: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    scenarios: tuple[str, ...] = ()
    licenses: tuple[str, ...] = ()
    owner_ids: tuple[str, ...] = ()
    format_classes: tuple[FormatClass, ...] = ()
    learnware_ids: tuple[str, ...] = ()
    text: str = ""
    visibilities: tuple[Visibility, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
