"""Learnwares of other feature spaces as a search's answer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from learndock.learnware import FormatClass, SemanticSpecification
from learndock.schema.assignment import Match


class Across(StrEnum):
    """When to look at learnwares of other feature spaces, whose columns partly mean the same."""

    WHERE_NOTHING_FITS = "WHERE_NOTHING_FITS"
    ALWAYS = "ALWAYS"
    NEVER = "NEVER"


@dataclass(frozen=True)
class AcrossSingle:
    """A learnware of another feature space that was found.

    Attributes
    ----------
    mmd2
        Squared maximum mean discrepancy to the task on the shared columns.
    distance
        What these are ranked by: `mmd2` on what is shared, and no overlap on what is not.
    percentile
        Share of random pairs of learnwares of its columns that are farther apart on the shared ones, 0 to 100; 0 where
        there are too few to tell.
    shared
        Share of both sides' columns that are common, each match counted by its confidence.
    columns
        Which columns are taken for one. Look at them, and correct them in `Member.columns` where they are wrong.
    """

    rank: int
    learnware_id: str
    version: int
    mmd2: float
    distance: float
    percentile: float
    shared: float
    columns: tuple[Match, ...]
    semantic_specification: SemanticSpecification
    owner_id: str
    format_class: FormatClass | None
    explanation: str
