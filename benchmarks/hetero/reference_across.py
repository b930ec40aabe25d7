"""The reference's own search and reuse across feature spaces; runs in an environment of its own.

Reads what `reference.py` writes, and writes what is predicted for each user: without labels (count 0) by the first
answer of its search, its features aligned; with labels by the same, augmented. All settings are its defaults.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import joblib
from learnware.learnware import Learnware
from learnware.market import BaseUserInfo
from learnware.market.heterogeneous import HeteroMapTableOrganizer, HeteroStatSearcher
from learnware.reuse import HeteroMapAlignLearnware, feature_augment
from learnware.specification import RKMETableSpecification, Specification, generate_semantic_spec
from sklearn.linear_model import RidgeCV
import torch
import transformers

KIND = "RKMETableSpecification"


def main() -> None:
    """Train its map on all learnwares, search and predict for every user."""
    given = joblib.load(sys.argv[1])
    # Instead of a download: the vocabulary is the same.
    load = transformers.BertTokenizerFast.from_pretrained
    transformers.BertTokenizerFast.from_pretrained = lambda *_, **__: load(given["vocabulary"])
    # It asks scikit-learn, by a name that is no more, to keep what it never reads.
    feature_augment.RidgeCV = lambda alphas, **_: RidgeCV(alphas=alphas)
    organizer = HeteroMapTableOrganizer("evaluation", rebuild=True)
    learnwares = [_learnware(number, owner) for number, owner in enumerate(given["owners"])]
    for learnware in learnwares:
        organizer.learnware_list[learnware.id] = learnware
        organizer.use_flags[learnware.id] = 1
    organizer.market_mapping = organizer.train(learnwares, organizer.market_mapping_path)
    organizer._update_learnware_hetero_spec([learnware.id for learnware in learnwares])  # as it does itself
    searcher = HeteroStatSearcher(organizer)
    answers = [_answers(searcher, learnwares, user) for user in given["users"]]
    with open(sys.argv[2], "w") as file:
        json.dump(answers, file)


def _learnware(number: int, owner: dict[str, Any]) -> Learnware:
    specification = Specification(semantic_spec=_semantic(owner))
    specification.update_stat_spec(_specification(owner))
    return Learnware(f"{number:08d}", owner["model"], specification, "")


def _answers(searcher: HeteroStatSearcher, learnwares: list[Learnware], user: dict[str, Any]) -> list[tuple[str, list]]:
    task = _specification(user)
    asked = BaseUserInfo(semantic_spec=_semantic(user), stat_info={KIND: task})
    found = searcher(learnwares, asked).get_single_results()[0].learnware
    answers = []
    for count, rows, truth in [("0", None, None), *user["labelled"]]:
        aligned = HeteroMapAlignLearnware(found, mode="regression", cuda_idx=-1)
        aligned.align(task, rows, truth)
        answers.append((count, aligned.predict(user["rows"]).reshape(-1).tolist()))
    return answers


def _semantic(told: dict[str, Any]) -> dict[str, object]:
    return generate_semantic_spec(
        name="a learnware",
        description="a learnware",
        data_type="Table",
        task_type="Regression",
        library_type="Scikit-learn",
        scenarios=["Others"],
        license="MIT",
        input_description={"Dimension": told["atoms"].shape[1], "Description": told["words"]},
        output_description={"Dimension": 1, "Description": {}},
    )


def _specification(told: dict[str, Any]) -> RKMETableSpecification:
    made = RKMETableSpecification(cuda_idx=-1)
    made.z, made.beta = torch.from_numpy(told["atoms"]).double(), torch.from_numpy(told["weights"]).double()
    return made


if __name__ == "__main__":
    main()
