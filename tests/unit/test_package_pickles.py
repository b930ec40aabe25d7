"""What pickles would look up is found without loading them."""

from __future__ import annotations

from collections import OrderedDict
import io
import os
from pathlib import Path
import pickle
import zipfile

import joblib
import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
import torch

from learndock.learnware import FormatClass
from learndock.package.archive import PackageArchive
from learndock.package.pickles import list_globals, unusual_globals
from learndock.package.scan import ScanReport, scan


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return (os.system, ('touch "$LEARNDOCK_PICKLE_RAN"',))


def scanned(tmp_path: Path, files: dict[str, bytes]) -> ScanReport:
    path = tmp_path / "package.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    with PackageArchive.open(path) as opened:
        return scan(opened)


def saved(save: object, value: object) -> bytes:
    buffer = io.BytesIO()
    save(value, buffer)  # type: ignore[operator]
    return buffer.getvalue()


@pytest.mark.parametrize("protocol", range(6))
def test_code_in_a_pickle_is_found(protocol: int) -> None:
    content = list_globals(io.BytesIO(pickle.dumps([1, "text", Evil(), Evil()], protocol)))
    assert content.complete
    assert unusual_globals(content.names) == (f"{os.system.__module__}.system",)


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_fitted_estimators_are_usual(protocol: int) -> None:
    X, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
    for model in (
        LogisticRegression(),
        RandomForestClassifier(3),
        make_pipeline(StandardScaler(), LogisticRegression()),
    ):
        content = list_globals(io.BytesIO(pickle.dumps(model.fit(X, y), protocol)))
        assert content.complete
        assert unusual_globals(content.names) == ()


def test_large_data_is_skipped_and_what_follows_is_found() -> None:
    data = pickle.dumps([b"x" * 2**20, "y" * 2**20, Evil()])
    assert unusual_globals(list_globals(io.BytesIO(data)).names) == (f"{os.system.__module__}.system",)


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_cut_pickles_are_incomplete(cut: int) -> None:
    data = pickle.dumps(OrderedDict(a=1))
    assert not list_globals(io.BytesIO(data[:-cut])).complete
    assert not list_globals(io.BytesIO(data + b"more")).complete


def test_formats_without_code_are_safe(tmp_path: Path) -> None:
    report = scanned(
        tmp_path,
        {
            "a.npy": saved(lambda value, file: np.save(file, value), np.zeros(3)),
            "b.npz": saved(lambda value, file: np.savez(file, w=value), np.zeros(3)),
            "c.json": b"{}",
            "d.safetensors": b"\x02\0\0\0\0\0\0\0{}",
        },
    )
    assert report == ScanReport(FormatClass.SAFE, ())


def test_formats_with_code_are_told(tmp_path: Path) -> None:
    module = torch.nn.Linear(2, 2)
    for name, data in {
        "m.pkl": pickle.dumps({"a": np.zeros(3)}),
        "m.bin": pickle.dumps([1]),
        "m.pt": saved(torch.save, module.state_dict()),
        "m.joblib": saved(joblib.dump, {"a": 1}),
    }.items():
        assert scanned(tmp_path, {name: data}) == ScanReport(FormatClass.CODE, ())


def test_what_is_unusual_is_told_and_nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEARNDOCK_PICKLE_RAN", str(tmp_path / "ran"))
    report = scanned(
        tmp_path,
        {
            "evil.pkl": pickle.dumps(Evil()),
            "evil.npy": saved(lambda value, file: np.save(file, value, allow_pickle=True), np.array([Evil()])),
            "evil.pt": saved(torch.save, Evil()),
            "packed.joblib": saved(lambda value, file: joblib.dump(value, file, compress=3), Evil()),
            "broken.npy": b"\x93NUMPY\x09\x00",
            "broken.zip": b"PK\x03\x04 and nothing",
        },
    )
    told = {finding.file: finding.message for finding in report.findings}
    assert report.format_class is FormatClass.CODE
    assert set(told) == {"evil.pkl", "evil.npy", "evil.pt", "packed.joblib", "broken.npy", "broken.zip"}
    assert "system" in told["evil.pkl"]
    assert "system" in told["evil.pt"]
    assert not (tmp_path / "ran").exists()
