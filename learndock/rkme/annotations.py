"""What a specification of ours holds beyond a file of the reference engine, to and from plain JSON."""

from __future__ import annotations

from dataclasses import replace
import re

from learndock.learnware import FeatureSpace
from learndock.rkme.json_keys import Keys
from learndock.rkme.specification import Fidelity, PrivacyReport, Specification

_POSITION = re.compile("[0-9]{1,5}")


def annotations_of(specification: Specification) -> dict[str, object]:
    """Everything but atoms, weights, shape and modality, which the file says elsewhere."""
    fidelity, privacy, described = specification.fidelity, specification.privacy, specification.input
    return {
        "encoder": specification.encoder,
        "encoder_revision": specification.encoder_revision,
        "row_count": specification.row_count,
        "languages": list(specification.languages),
        "input": described
        and {
            "dimension": described.dimension,
            "descriptions": {str(position): text for position, text in described.descriptions.items()},
        },
        "fidelity": fidelity and {"mmd2": fidelity.mmd2, "gamma": fidelity.gamma},
        "privacy": privacy
        and {
            "min_distance_ratio": privacy.min_distance_ratio,
            "min_rows_per_atom": privacy.min_rows_per_atom,
            "membership_auc": privacy.membership_auc,
            "perturbed_atoms": privacy.perturbed_atoms,
            "shared_atoms": privacy.shared_atoms,
        },
    }


def read_annotations(keys: Keys, specification: Specification) -> Specification:
    """`specification` with what the annotations say of it.

    Raises
    ------
    InvalidInput
        A key is malformed; the error names it.
    """
    return replace(
        specification,
        encoder=keys.word("encoder"),
        encoder_revision=keys.word("encoder_revision"),
        row_count=keys.count("row_count"),
        languages=keys.words("languages"),
        input=_feature_space(keys.section("input")),
        fidelity=_fidelity(keys.section("fidelity")),
        privacy=_privacy(keys.section("privacy")),
    )


def _feature_space(keys: Keys | None) -> FeatureSpace | None:
    if keys is None:
        return None
    described = keys.section("descriptions") or Keys({})
    positions = [key for key in described.document if _POSITION.fullmatch(key)]
    return FeatureSpace(keys.count("dimension"), {int(key): described.word(key) for key in positions})


def _fidelity(keys: Keys | None) -> Fidelity | None:
    return None if keys is None else Fidelity(mmd2=keys.number("mmd2"), gamma=keys.number("gamma"))


def _privacy(keys: Keys | None) -> PrivacyReport | None:
    if keys is None:
        return None
    return PrivacyReport(
        min_distance_ratio=keys.number("min_distance_ratio"),
        min_rows_per_atom=keys.count("min_rows_per_atom"),
        membership_auc=keys.optional_number("membership_auc"),
        perturbed_atoms=keys.count("perturbed_atoms"),
        shared_atoms=keys.count("shared_atoms"),
    )
