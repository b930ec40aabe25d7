"""The reference's search and reusers beside ours: the same learnwares, the same specifications, the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
import json
import os
from pathlib import Path
import subprocess
import tempfile

import numpy as np

from benchmarks.reuse.experiment import Array, Experiment

_SCRIPT = Path(__file__).with_name("reference_reuse.py")
# Their job selector herds and boosts for minutes a user.
JOB_SELECTOR_USERS = 1
_SECONDS = 360


def losses(
    experiment: Experiment, python: Path, outputs: Sequence[Array], members: Sequence[Sequence[int]]
) -> dict[str, list[float]]:
    """Losses of every user by method of the reference; of its job selector, those of the first users.

    Parameters
    ----------
    experiment
        Owners and users.
    python
        Interpreter of the environment in which the reference is installed.
    outputs
        What all owners' models say of each user's rows, [m, n, c].
    members
        Which owners our default asks, for each user.
    """
    with tempfile.TemporaryDirectory() as folder:
        asked, answered = Path(folder) / "asked.npz", Path(folder) / "answered.npz"
        np.savez(asked, **_archive(experiment, outputs, members))  # type: ignore[arg-type]  # names are ours
        # Their market keeps a database in the home folder; runs side by side must not share it.
        # What it has not predicted in time is left out.
        with suppress(subprocess.TimeoutExpired):
            subprocess.run(
                [python, _SCRIPT, asked, answered],
                check=True,
                timeout=_SECONDS,
                capture_output=True,
                env={**os.environ, "HOME": folder},
            )
        with np.load(answered) as file:
            predicted = dict(file)
    found: dict[str, list[float]] = {}
    for name, said in predicted.items():
        user, _, method = name.partition("_")
        answer = said.argmax(axis=1) if experiment.classes and said.ndim > 1 else said
        found.setdefault(method, []).append(experiment.loss(answer, experiment.users[int(user[4:])].truth))
    return found


def _archive(
    experiment: Experiment, outputs: Sequence[Array], members: Sequence[Sequence[int]]
) -> dict[str, Array | str]:
    text = not isinstance(experiment.users[0].rows, np.ndarray)
    told = {
        "task": "Classification" if experiment.classes else "Regression",
        "dimension": experiment.owners[0].specification.dimension,
        "classes": experiment.classes,
        "owners": len(experiment.owners),
        "users": len(experiment.users),
        # Texts would need their sentence model.
        "job_selector_users": 0 if text else JOB_SELECTOR_USERS,
    }
    arrays: dict[str, Array | str] = {"told": json.dumps(told)}
    for number, owner in enumerate(experiment.owners):
        arrays[f"owner{number}_atoms"] = np.asarray(owner.specification.atoms, dtype=np.float64)
        arrays[f"owner{number}_weights"] = owner.specification.weights
    for number, (user, said, chosen) in enumerate(zip(experiment.users, outputs, members, strict=True)):
        arrays[f"user{number}_atoms"] = np.asarray(user.specification.atoms, dtype=np.float64)
        arrays[f"user{number}_weights"] = user.specification.weights
        # Texts are told apart by their number: whoever only looks outputs up needs no more.
        arrays[f"user{number}_rows"] = np.arange(len(user.rows))[:, None] if text else np.asarray(user.rows)
        arrays[f"user{number}_outputs"] = said
        arrays[f"user{number}_members"] = np.array(chosen)
    return arrays
