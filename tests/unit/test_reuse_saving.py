"""Reusers saved as packages: alone in a process with nothing but the package, they answer as before."""

from __future__ import annotations

import json
from pathlib import Path
import subprocess
import sys
import textwrap
import zipfile

import numpy as np
from numpy.typing import NDArray
import pytest
from sklearn.linear_model import LogisticRegression

from learndock.errors import InvalidInput, Reason
from learndock.learnware import SemanticSpecification
from learndock.package.build import build_package
from learndock.package.inspection import inspect_package
from learndock.package.semantic import describe_semantic
from learndock.reuse.labels import Labelled
from learndock.reuse.member import Member
from learndock.reuse.saving import Describing, merged, save
from learndock.reuse.strategy import Strategy, make_reuser
from learndock.rkme.specification import Specification

Array = NDArray[np.float64]
GUEST = Path(__file__).parents[2] / "learndock" / "sandbox" / "guest"
# Runs a package as a sandbox does: with the shim of the engine, and without this checkout on the path.
RUN = """
    import json, sys
    sys.path[:0] = [{guest!r}, {shim!r}]
    import numpy as np
    from loading import load_model
    folder, rows, out, model = sys.argv[1:]
    model = json.loads(model)
    np.save(out, load_model(folder, model["module_path"], model["class_name"], model["kwargs"]).predict(np.load(rows)))
    # An editable installation finds what the package lacks.
    elsewhere = [name for name, one in sys.modules.items() if name.split(".")[0] == "learndock"
                 and not one.__file__.startswith(folder)]
    assert not elsewhere, elsewhere
"""


class Estimated:
    """An estimator by its probabilities, as its package gives them."""

    def __init__(self, estimator: LogisticRegression) -> None:
        self.estimator = estimator

    def predict(self, X: Array) -> Array:
        return np.asarray(self.estimator.predict_proba(X))


def rows(seed: int) -> Array:
    return np.random.default_rng(seed).normal(seed, 2.0, size=(60, 3))


def semantic(number: int) -> SemanticSpecification:
    return describe_semantic(
        f"Sides {number}",
        "Tells two sides apart",
        data="Table",
        task="Classification",
        inputs=3,
        outputs=["left", "right"],
    )


@pytest.fixture
def members(tmp_path: Path) -> tuple[list[Member], list[Path]]:
    """Two members with their packages."""
    made, packages = [], []
    for number in (1, 2):
        X = rows(number)
        estimator = LogisticRegression().fit(X, (X[:, number] > number).astype(int))
        specification = Specification(atoms=X[:20], weights=np.full(20, 1 / 20), row_count=60)
        packages.append(tmp_path / f"{number}.zip")
        build_package(packages[-1], model=estimator, semantic=semantic(number), specification=specification)
        made.append(Member(Estimated(estimator), specification, semantic(number), 1.0 * number, f"{number:08d}"))
    return made, packages


def run(package: Path, X: Array, folder: Path) -> Array:
    """What a package says of rows in a Python that sees nothing else of this project."""
    model = inspect_package(package).manifest.model
    with zipfile.ZipFile(package) as archive:
        archive.extractall(folder / "package")
    np.save(folder / "rows.npy", X)
    code = textwrap.dedent(RUN).format(guest=str(GUEST), shim=str(GUEST / "shim"))
    told = json.dumps({"module_path": model.module_path, "class_name": model.class_name, "kwargs": dict(model.kwargs)})
    arguments = [str(folder / "package"), str(folder / "rows.npy"), str(folder / "said.npy"), told]
    subprocess.run([sys.executable, "-P", "-c", code, *arguments], check=True, cwd=folder)
    return np.asarray(np.load(folder / "said.npy"))


@pytest.mark.parametrize(
    "strategy", [Strategy.AVERAGE, Strategy.JOB_SELECTOR, Strategy.STACKING, Strategy.FEATURE_AUGMENT, Strategy.AUTO]
)
def test_answers_as_before(strategy: Strategy, members: tuple[list[Member], list[Path]], tmp_path: Path) -> None:
    X = rows(1)
    known = Labelled(X[:40], (X[:40, 1] > 1).astype(int)) if strategy.needs_labels else None
    reuser = make_reuser(strategy, members[0], labelled=known)
    save(tmp_path / "saved.zip", reuser, members[1], Describing("Both sides together", "Made of two"))
    assert run(tmp_path / "saved.zip", X, tmp_path) == pytest.approx(reuser.predict_proba(X))
    assert reuser.predict_proba(X) is not None, "the reuser itself goes on"


@pytest.mark.parametrize("strategy", [Strategy.AVERAGE, Strategy.AUTO])
def test_keeps_which_classes_occur(
    strategy: Strategy, members: tuple[list[Member], list[Path]], tmp_path: Path
) -> None:
    X = rows(1)
    known = Labelled(X[:40], (X[:40, 1] > 1).astype(int)) if strategy.needs_labels else None
    reuser = make_reuser(strategy, members[0], labelled=known)
    before = reuser.predict_proba(X)
    reuser.adapt(X[before[:, 1] > before[:, 0]])
    save(tmp_path / "saved.zip", reuser, members[1])
    said = run(tmp_path / "saved.zip", X, tmp_path)
    assert said == pytest.approx(reuser.predict_proba(X))
    assert said[:, 1].sum() > before[:, 1].sum()


def test_names_its_members_and_describes_their_mixture(
    members: tuple[list[Member], list[Path]], tmp_path: Path
) -> None:
    save(tmp_path / "saved.zip", make_reuser(Strategy.AVERAGE, members[0]), members[1])
    inspection = inspect_package(tmp_path / "saved.zip")
    assert inspection.manifest.model.required_learnware_ids == ("00000001", "00000002")
    assert inspection.semantic is not None
    assert "00000001, 00000002" in inspection.semantic.description
    assert inspection.specification is not None
    assert inspection.specification.weights[:20].sum() == pytest.approx(1 / 3)


def test_requirements_of_all_are_merged() -> None:
    assert merged([["numpy==2.0", "scipy"], ["scipy", "numpy==2.0"]]) == ("numpy==2.0", "scipy")


def test_what_cannot_run_in_one_sandbox_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"scikit-learn 1.3.2 and 1.5.0") as refusal:
        merged([["scikit-learn==1.3.2"], ["scikit_learn==1.5.0"]])
    assert refusal.value.reason is Reason.UNSUPPORTED_DEPENDENCY


def test_members_without_a_specification_are_refused(members: tuple[list[Member], list[Path]], tmp_path: Path) -> None:
    bare = [Member(one.model, None, one.semantic, 1.0, one.learnware_id) for one in members[0]]
    with pytest.raises(InvalidInput, match="specification"):
        save(tmp_path / "saved.zip", make_reuser(Strategy.AVERAGE, bare), members[1])
