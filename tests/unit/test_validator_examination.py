"""Every check, on models that pass it and on models that do not, in a real sandbox."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from learndock.errors import Cancelled, FailedPrecondition, Reason
from learndock.examination.examination import Examination, Findings
from learndock.examination.report import CHECKS, CheckVerdict, ValidationReport
from learndock.learnware import FeatureSpace, FormatClass, Modality
from learndock.package.archive import PackageArchive
from learndock.rkme.specification import Specification
from learndock.sandbox.model_process import ModelProcess
from services.validator.config import Settings
from services.validator.sandboxes import Sandboxes
from tests.support.models import ATOMS, GOOD_PREDICT, model_package
from tests.support.rewrite import rewritten


@pytest.fixture(scope="module")
def sandboxes(tmp_path_factory: pytest.TempPathFactory) -> Sandboxes:
    folder = tmp_path_factory.mktemp("validator")
    settings = Settings(data_dir=folder, executor="bubblewrap", memory_mib=256, sandbox_seconds=60)
    return Sandboxes(settings, settings.limits)


def ignore(phase: str, percent: int, report: ValidationReport) -> None:
    """Watch nothing."""


def examined(sandboxes: Sandboxes, package: Path, *, seconds: float = 20.0) -> Findings:
    return Examination(sandboxes, predict_seconds=seconds, watcher=ignore).run(package, None)


def verdicts(findings: Findings) -> dict[str, CheckVerdict]:
    return {line.name: line.verdict for line in findings.report.checks}


def test_a_good_model_passes_every_check(sandboxes: Sandboxes, tmp_path: Path) -> None:
    findings = examined(sandboxes, model_package(tmp_path, predict="print('hello')\n" + GOOD_PREDICT))
    assert findings.is_verified, findings.report.reason
    assert tuple(verdicts(findings)) == CHECKS
    assert set(verdicts(findings).values()) == {CheckVerdict.PASSED}
    assert findings.report.format_class is FormatClass.SAFE
    assert findings.report.executor == "bubblewrap"
    assert findings.report.peak_memory_bytes > 2**20
    assert 0 < findings.report.latency_p50_seconds <= findings.report.latency_p99_seconds
    assert findings.report.log_tail.startswith("hello\n")
    assert findings.atom_outputs is not None
    assert findings.atom_outputs.shape == (ATOMS, 2)


FAULTY = {
    "raises": ({"predict": "raise RuntimeError('no, never')"}, "predicts_atoms", "RAISED: RuntimeError: no, never"),
    "raises at load": ({"init": "raise KeyError('weights')"}, "loads", "RAISED: KeyError: 'weights'"),
    "ends": ({"predict": "os._exit(5)"}, "predicts_atoms", "EXITED"),
    "ends at load": ({"init": "raise SystemExit(0)"}, "loads", "RAISED: SystemExit"),
    "loops": ({"predict": "while True: pass"}, "predicts_atoms", "TIMED_OUT"),
    "eats memory": (
        {"predict": "held = []\nwhile True: held.append(np.ones(2**20))"},
        "predicts_atoms",
        "OUT_OF_MEMORY",
    ),
    "opens a socket": (
        {"predict": "import socket\nsocket.create_connection(('1.1.1.1', 80), 2)"},
        "predicts_atoms",
        "Network is unreachable",
    ),
    "writes to its package": (
        {"init": "open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'x'), 'w')"},
        "loads",
        "Read-only file system",
    ),
    "speaks on the wire": (
        {
            "predict": "for fd in range(3, 16):\n    try: os.write(fd, b'garbage' * 100)\n    except OSError: pass\n"
            + GOOD_PREDICT
        },
        "predicts_atoms",
        "PROTOCOL",
    ),
    "is no shape": ({"input_shape": "'three'"}, "loads", "whole numbers"),
    "has another input": ({"input_shape": "(4,)"}, "input_shape", "The model takes (4,)"),
    "has no input": ({"input_shape": "None"}, "input_shape", "must tell its input_shape"),
    "has no output": ({"output_shape": "None"}, "output_shape", "must tell its output_shape"),
    "has another output": ({"output_shape": "(4,)"}, "output_shape", "declared are (4,)"),
    "is too short": ({"predict": "return np.zeros((len(X) - 1, 2))"}, "output_length", "returns 4 outputs"),
    "returns one number": ({"predict": "return 1.5"}, "output_length", "single number"),
    "returns a list": ({"predict": "return [[0.0, 1.0]] * len(X)"}, "output_type", "returns list"),
    "returns objects": ({"predict": "return [object()] * len(X)"}, "predicts_atoms", "RAISED: TypeError"),
    "returns NaN": ({"predict": "return np.full((len(X), 2), np.nan)"}, "finite", "NaN"),
    "has other classes": (
        {"output_shape": "(3,)", "predict": "return np.zeros((len(X), 3))"},
        "output_values",
        "3 outputs, the semantic specification 2",
    ),
    "has a wrong label": (
        {"output_shape": "(1,)", "predict": "return np.full(len(X), 2)"},
        "output_values",
        "outside of 0 to 1",
    ),
    "throws dice": (
        {"predict": "return np.random.default_rng().random((len(X), 2))"},
        "repeatable",
        "different outputs",
    ),
    "looks at its neighbours": (
        {"predict": "return np.arange(2.0 * len(X)).reshape(-1, 2)"},
        "row_order",
        "depends on the other inputs",
    ),
    "needs what there is not": ({"requirements": ("numpy==0.0.1",)}, "environment", "numpy==0.0.1"),
}


@pytest.mark.parametrize(("changes", "check", "message"), FAULTY.values(), ids=FAULTY)
def test_a_faulty_model_is_rejected(
    sandboxes: Sandboxes, tmp_path: Path, changes: dict[str, str], check: str, message: str
) -> None:
    findings = examined(sandboxes, model_package(tmp_path, **changes), seconds=3.0)
    last = findings.report.checks[-1]
    assert (last.name, last.verdict) == (check, CheckVerdict.FAILED), findings.report
    assert message in last.message
    assert findings.report.reason.startswith(f"{check}: ")
    assert findings.atom_outputs is None


def test_what_a_model_printed_before_it_failed_is_kept(sandboxes: Sandboxes, tmp_path: Path) -> None:
    findings = examined(sandboxes, model_package(tmp_path, predict="print('almost')\nos._exit(1)"))
    assert "almost" in findings.report.log_tail


def test_dice_are_only_a_warning_for_open_tasks(sandboxes: Sandboxes, tmp_path: Path) -> None:
    package = model_package(tmp_path, predict="return np.random.default_rng().random((len(X), 2))", task="Others")
    findings = examined(sandboxes, package)
    assert findings.is_verified
    assert verdicts(findings)["repeatable"] is CheckVerdict.WARNING


def test_texts_are_given_to_models_of_texts(sandboxes: Sandboxes, tmp_path: Path) -> None:
    atoms = np.random.default_rng(1).standard_normal((2, 384)).astype(np.float32)
    package = model_package(
        tmp_path,
        predict="assert all(isinstance(x, str) for x in X)\nreturn np.array([[len(x), 0.0] for x in X])",
        input_shape="None",
        atoms=Specification(atoms=atoms, weights=np.full(2, 0.5), modality=Modality.TEXT, languages=("en",)),
        data="Text",
        input=None,
    )
    findings = examined(sandboxes, package)
    assert findings.is_verified, findings.report.reason
    assert verdicts(findings)["predicts_atoms"] is CheckVerdict.SKIPPED
    assert findings.atom_outputs is None


STATIC = {
    "no zip": (None, "archive"),
    "no manifest": ({"learnware.yaml": None}, "manifest"),
    "a manifest that calls": ({"learnware.yaml": b"model: !!python/object/apply:os.system ['true']"}, "manifest"),
    "no model": ({"__init__.py": None}, "manifest"),
    "no semantic specification": ({"semantic_specification.json": None}, "manifest"),
    "unknown words": ({"semantic_specification.json": b'{"Data": 1}'}, "semantic"),
    "no specification": ({"stat_spec.json": None}, "specification"),
    "a requirement by address": ({"requirements.txt": b"git+https://example.org/x"}, "requirements"),
}


@pytest.mark.parametrize(("changes", "check"), STATIC.values(), ids=STATIC)
def test_a_faulty_package_is_rejected_before_it_runs(
    sandboxes: Sandboxes, tmp_path: Path, changes: dict[str, bytes | None] | None, check: str
) -> None:
    package = tmp_path / "faulty.zip"
    if changes is None:
        package.write_bytes(b"this is no zip")
    else:
        names = {"stat_spec.json": specification_file(model_package(tmp_path))}
        rewritten(model_package(tmp_path), package, {names.get(name, name): data for name, data in changes.items()})
    findings = examined(sandboxes, package)
    assert findings.report.reason.startswith(f"{check}: "), findings.report.reason
    assert [line.name for line in findings.report.checks] == list(CHECKS[: CHECKS.index(check) + 1])
    assert findings.report.executor == ""


def specification_file(package: Path) -> str:
    with PackageArchive.open(package) as archive:
        return next(name for name in archive.names if name.startswith("stat"))


def test_progress_is_told(sandboxes: Sandboxes, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []

    def watch(phase: str, percent: int, report: ValidationReport) -> None:
        told.append((phase, percent, len(report.checks)))

    Examination(sandboxes, predict_seconds=20.0, watcher=watch).run(model_package(tmp_path), None)
    assert [phase for phase, _, _ in told] == ["archive", *CHECKS[CHECKS.index("environment") :]]
    assert [percent for _, percent, _ in told] == sorted(percent for _, percent, _ in told)
    assert all(count == CHECKS.index(phase) for phase, _, count in told)


def test_an_examination_can_be_stopped(sandboxes: Sandboxes, tmp_path: Path) -> None:
    def stop(phase: str, percent: int, report: ValidationReport) -> None:
        if phase == "predicts_atoms":
            examination.abort()

    examination = Examination(sandboxes, predict_seconds=20.0, watcher=stop)
    with pytest.raises(Cancelled):
        examination.run(model_package(tmp_path, predict="while True: pass"), None)


def test_without_a_sandbox_nothing_runs(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", executor="none")
    none = Sandboxes(settings, settings.limits)
    with pytest.raises(FailedPrecondition) as caught:
        examined(none, model_package(tmp_path))
    assert caught.value.reason is Reason.NO_SANDBOX


def test_regression_outputs_are_compared_with_the_description(sandboxes: Sandboxes, tmp_path: Path) -> None:
    build: Callable[..., Path] = lambda outputs: model_package(  # noqa: E731
        tmp_path,
        predict="return np.asarray(X).sum(axis=1)",
        output_shape="(1,)",
        task="Regression",
        output=FeatureSpace(outputs, {}),
    )
    good = examined(sandboxes, build(1))
    assert good.is_verified, good.report.reason
    assert np.asarray(good.atom_outputs).shape == (ATOMS,)
    assert examined(sandboxes, build(2)).report.reason.startswith("output_values: ")


def test_a_good_model_is_kept_for_whoever_asks_for_it(sandboxes: Sandboxes, tmp_path: Path) -> None:
    kept: list[ModelProcess] = []
    examination = Examination(sandboxes, predict_seconds=20.0, watcher=ignore, keep=kept.append)
    assert examination.run(model_package(tmp_path), None).is_verified
    with kept[0] as model:
        assert len(model.predict(np.zeros((5, 3)))) == 5


def test_a_bad_model_is_not_kept(sandboxes: Sandboxes, tmp_path: Path) -> None:
    kept: list[ModelProcess] = []
    examination = Examination(sandboxes, predict_seconds=20.0, watcher=ignore, keep=kept.append)
    assert not examination.run(model_package(tmp_path, predict="return np.full(len(X), np.nan)"), None).is_verified
    assert kept == []
