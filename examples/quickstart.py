"""A learnware from its making to its reuse, with the Python client.

An owner trains a model on some of the wines of scikit-learn and submits it. A user with other wines and no labels
finds it by a specification of the own data alone, and predicts with it. No row of either leaves this program, but for
those that the user sends to be predicted.
"""

from __future__ import annotations

import argparse
from pathlib import Path
import sys
import tempfile

import numpy as np
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import learndock
from learndock.errors import LearndockError
from learndock.learnware import FeatureSpace, SemanticSpecification
from learndock.package.build import build_package

WINE = load_wine()
SEMANTIC = SemanticSpecification(
    name="Wine by cultivar",
    description="Tells three cultivars of wine apart by 13 measurements.",
    data="Table",
    task="Classification",
    library="Scikit-learn",
    scenarios=("Agriculture",),
    license="MIT",
    input=FeatureSpace(13, dict(enumerate(WINE.feature_names))),
    output=FeatureSpace(3, dict(enumerate(WINE.target_names))),
)


def make_package(path: Path) -> None:
    """Owner: train on every second wine, summarise the data, write the package."""
    rows, labels = WINE.data[::2], WINE.target[::2]
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, labels)
    build_package(path, model=model, semantic=SEMANTIC, specification=learndock.specify(rows))


def submit(dock: learndock.Dock, package: Path) -> str:
    """Owner: send the package and wait until the dock has run it in its sandbox."""
    learnware = dock.submit(package)
    validation = dock.wait_until_validated(learnware.learnware_id)
    if not validation.passed:
        raise SystemExit(f"The learnware is {validation.state}: {validation.reason}")
    dock.wait_until_searchable(learnware.learnware_id)
    print(f"Submitted {learnware.learnware_id}; {len(validation.report.checks)} checks, {validation.state}.")
    return learnware.learnware_id


def find_and_predict(dock: learndock.Dock, rows: np.ndarray) -> np.ndarray:
    """User: search with a specification of the rows, and predict with what is found."""
    result = dock.search(learndock.specify(rows))
    print(result)
    with dock.reuse(result) as reuser:
        return reuser.predict(rows)


def main() -> int:
    """Run both sides; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the package and the user's rows there")
    folder = parser.parse_args().keep or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    rows, labels = WINE.data[1::2], WINE.target[1::2]
    np.save(folder / "X.npy", rows)
    make_package(folder / "wine.zip")
    try:
        with learndock.Dock() as dock:
            submit(dock, folder / "wine.zip")
            accuracy = float(np.mean(find_and_predict(dock, rows) == labels))
    except LearndockError as error:
        print(f"{error.reason}: {error.message}", file=sys.stderr)
        return 1
    print(f"Accuracy on the user's {len(rows)} wines: {accuracy:.3f}")
    return 0 if accuracy > 0.9 else 1


if __name__ == "__main__":
    sys.exit(main())
