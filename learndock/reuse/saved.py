"""A reuser that was saved as a package, read again in its sandbox; everything here travels in the package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import importlib.util
from pathlib import Path
import pickle
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learndock.reuse.columns import Rearranged
from learndock.reuse.member import Inputs, Member, Predictor
from learndock.reuse.reuser import Reuser

REUSER_NAME = "reuser.pkl"
MEMBERS_NAME = "members"


class Absent:
    """Stands in a saved reuser where the model of a member will be."""

    def predict(self, X: Inputs) -> NDArray[np.generic]:
        """Never called: the models are put in before anybody asks."""
        raise RuntimeError("The models of a saved reuser were not loaded.")


def with_model(member: Member, model: Predictor) -> Member:
    """The member with another model; its order of columns stays."""
    inner = Rearranged(model, member.model.order) if isinstance(member.model, Rearranged) else model
    return Member(inner, member.specification, member.semantic, member.weight, member.learnware_id)


def load(folder: str, entries: Sequence[Mapping[str, Any]]) -> SavedReuser:
    """The reuser in an extracted package, its members' models loaded.

    Parameters
    ----------
    folder
        Where the package is.
    entries
        For each member `module_path`, `class_name` and `kwargs` of its manifest.
    """
    path = Path(folder)
    with (path / REUSER_NAME).open("rb") as file:
        reuser: Reuser = pickle.load(file)  # noqa: S301  # runs where the members' own code runs
    models = [_model(path / MEMBERS_NAME / str(number), number, entry) for number, entry in enumerate(entries)]
    members = [with_model(member, model) for member, model in zip(reuser.members, models, strict=True)]
    return SavedReuser(reuser.set_params(members=members))


class SavedReuser:
    """Answers as a package's model must: probabilities of a classification, else numbers [n, c]."""

    def __init__(self, reuser: Reuser) -> None:
        self._reuser = reuser

    def predict(self, X: Inputs) -> NDArray[np.float64]:
        """Outputs, float64 [n, c]."""
        if self._reuser.members[0].classifies:
            return self._reuser.predict_proba(X)
        return np.asarray(self._reuser.predict(X), dtype=np.float64).reshape(len(X), -1)


def _model(folder: Path, number: int, entry: Mapping[str, Any]) -> Predictor:
    """A member's model, made of its own folder, its module under a name of its own."""
    name = f"member_{number}"
    path = folder / str(entry["module_path"])
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=[str(path.parent)])
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python module.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    model_class = getattr(module, str(entry["class_name"]))
    # Pickles that were made in a script name their class in the main module.
    setattr(sys.modules["__main__"], str(entry["class_name"]), model_class)
    model: Predictor = model_class(**entry["kwargs"])
    return model
