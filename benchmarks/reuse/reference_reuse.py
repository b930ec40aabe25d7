"""The reference's own search and reusers on given learnwares; runs in an environment of its own.

Reads an archive (`reference.py` tells what is in it), writes another with what each method predicts.
"""

from __future__ import annotations

import json
import os
import sys

from learnware.learnware import Learnware
from learnware.market import BaseUserInfo, instantiate_learnware_market
from learnware.reuse import AveragingReuser, JobSelectorReuser
from learnware.specification import RKMETableSpecification, Specification, generate_semantic_spec
import numpy as np
import torch

KIND = "RKMETableSpecification"


class Looked:
    """A model whose outputs on the users' rows were computed before."""

    def __init__(self) -> None:
        self._outputs: dict[bytes, np.ndarray] = {}

    def learn(self, rows: np.ndarray, outputs: np.ndarray) -> None:
        """Keep the outputs of some rows."""
        self._outputs = {_key(row): output for row, output in zip(rows, outputs, strict=True)}

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """Outputs of rows that were kept; of one column as [n]."""
        found = np.stack([self._outputs[_key(row)] for row in rows])
        return found[:, 0] if found.shape[1] == 1 else found


def _key(row: np.ndarray) -> bytes:
    return np.ascontiguousarray(row).tobytes()


def _semantic(task: str, dimension: int, classes: int) -> dict[str, object]:
    return generate_semantic_spec(
        name="a learnware",
        description="a learnware",
        data_type="Table",
        task_type=task,
        library_type="Scikit-learn",
        scenarios=["Others"],
        license="MIT",
        input_description={"Dimension": dimension, "Description": {}},
        output_description={"Dimension": max(1, classes), "Description": {}},
    )


def _specification(atoms: np.ndarray, weights: np.ndarray) -> RKMETableSpecification:
    made = RKMETableSpecification(cuda_idx=-1)
    made.z, made.beta = torch.from_numpy(atoms).double(), torch.from_numpy(weights).double()
    return made


def main() -> None:
    """Fill a market in memory, search it for every user, predict."""
    with np.load(sys.argv[1]) as file:
        data = dict(file)
    told = json.loads(str(data["told"]))
    semantic = _semantic(told["task"], told["dimension"], told["classes"])
    market = instantiate_learnware_market(market_id="evaluation", name="easy", rebuild=True)
    organizer = market.learnware_organizer
    learnwares = []
    for number in range(told["owners"]):
        spec = Specification(semantic_spec=semantic)
        spec.update_stat_spec(_specification(data[f"owner{number}_atoms"], data[f"owner{number}_weights"]))
        learnwares.append(Learnware(f"{number:08d}", Looked(), spec, ""))
        organizer.learnware_list[learnwares[-1].id] = learnwares[-1]
        organizer.use_flags[learnwares[-1].id] = 1
    predicted, found_for = {}, {}
    for user in range(told["users"]):
        rows, outputs = data[f"user{user}_rows"], data[f"user{user}_outputs"]
        for learnware, output in zip(learnwares, outputs, strict=True):
            learnware.model.learn(rows, output)
        task = _specification(data[f"user{user}_atoms"], data[f"user{user}_weights"])
        found = market.search_learnware(BaseUserInfo(semantic_spec=semantic, stat_info={KIND: task}))
        singles, several = found.get_single_results(), found.get_multiple_results()
        theirs = list(several[0].learnwares) if several else [singles[0].learnware]
        ours = [learnwares[number] for number in data[f"user{user}_members"]]
        mode = "vote_by_prob" if told["classes"] else "mean"
        predicted[f"user{user}_reference_top1"] = singles[0].learnware.predict(rows)
        predicted[f"user{user}_reference_average"] = AveragingReuser(theirs, mode=mode).predict(rows)
        predicted[f"user{user}_reference_average_our_members"] = AveragingReuser(ours, mode=mode).predict(rows)
        found_for[user] = theirs
        sys.stderr.write(f"reference, user {user + 1} of {told['users']}\n")
    np.savez(sys.argv[2], **predicted)
    # Last, because it may take longer than anybody waits.
    for user in range(told["job_selector_users"]):
        rows, outputs = data[f"user{user}_rows"], data[f"user{user}_outputs"]
        for learnware, output in zip(learnwares, outputs, strict=True):
            learnware.model.learn(rows, output)
        predicted[f"user{user}_reference_job_selector"] = JobSelectorReuser(found_for[user]).predict(rows)
    draft = f"{sys.argv[2]}.draft.npz"
    np.savez(draft, **predicted)
    os.replace(draft, sys.argv[2])


if __name__ == "__main__":
    main()
