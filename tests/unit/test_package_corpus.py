"""The scan over a corpus: malicious files are told, real models are not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
import io
from pathlib import Path
import pickle
import sys
from typing import Any
import zipfile

import joblib
import numpy as np
import pytest
from sklearn import (
    cluster,
    decomposition,
    ensemble,
    feature_extraction,
    gaussian_process,
    kernel_ridge,
    linear_model,
    naive_bayes,
    neighbors,
    neural_network,
    preprocessing,
    svm,
    tree,
)
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
import torch

from learndock.learnware import FormatClass
from learndock.package.archive import PackageArchive
from learndock.package.scan import ScanReport, scan
from tests.support.malicious_pickles import corpus

CORPUS = corpus()
LOADS = ("pickle.find_class", "os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.", "socket.", "ctypes.")

X = np.random.default_rng(0).normal(size=(60, 4))
Y = np.arange(60) % 3
ESTIMATORS = {
    type(estimator).__name__: estimator
    for estimator in (
        linear_model.LogisticRegression(),
        linear_model.Ridge(),
        linear_model.LassoCV(cv=2),
        linear_model.SGDClassifier(random_state=np.random.RandomState(0)),
        svm.SVC(probability=False),
        svm.LinearSVC(),
        tree.DecisionTreeClassifier(),
        ensemble.RandomForestClassifier(3, random_state=0),
        ensemble.GradientBoostingClassifier(n_estimators=2),
        ensemble.HistGradientBoostingClassifier(max_iter=2),
        ensemble.IsolationForest(n_estimators=3),
        ensemble.VotingClassifier([("a", naive_bayes.GaussianNB()), ("b", tree.DecisionTreeClassifier())]),
        naive_bayes.BernoulliNB(),
        neighbors.KNeighborsClassifier(algorithm="kd_tree"),
        neighbors.KernelDensity(),
        neural_network.MLPClassifier((3,), max_iter=2),
        gaussian_process.GaussianProcessRegressor(),
        kernel_ridge.KernelRidge(),
        cluster.KMeans(2, n_init=1),
        make_pipeline(preprocessing.StandardScaler(), decomposition.PCA(2), linear_model.LogisticRegression()),
        ColumnTransformer([("scaled", preprocessing.MinMaxScaler(), [0, 1])]),
        preprocessing.OneHotEncoder(),
    )
}


def scanned(tmp_path: Path, files: dict[str, bytes]) -> ScanReport:
    path = tmp_path / "package.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    with PackageArchive.open(path) as opened:
        return scan(opened)


@pytest.fixture(scope="module")
def heard() -> Iterator[list[str]]:
    """What the interpreter does that a loaded pickle would have asked for."""
    events: list[str] = []
    listening = [True]

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        if listening[0] and event.startswith(LOADS):
            events.append(f"{event} {arguments!r:.200}")

    sys.addaudithook(hear)
    yield events
    listening[0] = False  # a hook cannot be taken away


def test_malicious_files_are_told_and_not_loaded(
    tmp_path: Path, heard: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEARNDOCK_PICKLE_RAN", str(tmp_path / "ran"))
    assert len(CORPUS) >= 40
    heard.clear()
    report = scanned(tmp_path, CORPUS)
    missed = set(CORPUS) - {finding.file for finding in report.findings}
    assert len(missed) <= 0.05 * len(CORPUS), missed
    assert report.format_class is FormatClass.CODE
    assert heard == []
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ESTIMATORS)
def test_fitted_estimators_are_not_suspected(tmp_path: Path, name: str) -> None:
    fitted = ESTIMATORS[name].fit(X, Y)
    files = {f"{protocol}.pkl": pickle.dumps(fitted, protocol) for protocol in (2, 4, 5)}
    files |= {f"compressed {level}.joblib": saved(joblib.dump, fitted, compress=level) for level in (0, 3)}
    files["gzip.joblib"] = saved(joblib.dump, fitted, compress="gzip")
    assert scanned(tmp_path, files) == ScanReport(FormatClass.CODE, ())


def test_texts_are_not_suspected(tmp_path: Path) -> None:
    fitted = feature_extraction.text.TfidfVectorizer().fit(["some words", "more words"])
    assert scanned(tmp_path, {"m.pkl": pickle.dumps(fitted)}) == ScanReport(FormatClass.CODE, ())


def test_torch_models_are_not_suspected(tmp_path: Path) -> None:
    module = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(2, 2))
    scripted = io.BytesIO()
    torch.jit.save(torch.jit.script(module), scripted)
    optimizer = torch.optim.Adam(module.parameters())
    files = {
        "state.pt": saved(torch.save, module.state_dict()),
        "whole.pt": saved(torch.save, module),
        "legacy.pt": saved(torch.save, module.state_dict(), _use_new_zipfile_serialization=False),
        "checkpoint.ckpt": saved(torch.save, {"model": module.state_dict(), "optimizer": optimizer.state_dict()}),
        "scripted.pt": scripted.getvalue(),
    }
    assert scanned(tmp_path, files) == ScanReport(FormatClass.CODE, ())


def test_what_can_hold_no_code_is_safe(tmp_path: Path) -> None:
    files = {
        "a.npy": saved(lambda value, file: np.save(file, value), X),
        "b.npz": saved(lambda value, file: np.savez_compressed(file, X=value, y=Y), X),
        "noise.bin": np.random.default_rng(1).bytes(10**6),
        "model.py": Path(__file__).read_bytes(),
        "notes.md": b"chapter\none\n" * 100,
        "xylophone.txt": b"x\x9c is how zlib begins",
        "words.csv": b"BZh,(dp0\n.",
    }
    assert scanned(tmp_path, files) == ScanReport(FormatClass.SAFE, ())


def saved(save: Callable[..., Any], value: object, **options: object) -> bytes:
    buffer = io.BytesIO()
    save(value, buffer, **options)
    return buffer.getvalue()
