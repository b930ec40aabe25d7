"""How quick validation is, and what a sandbox costs; ``make bench-validation`` writes the figures.

- submit to VERIFIED, p50, with the environment at hand (`warm_p50_s`) and without (`cold_p50_s`);
- a reuser's first answer, where it takes over the sandbox of the validation (`first_answer_handed_over_p50_s`) and
  where one starts for it (`first_answer_started_anew_p50_s`);
- making that environment (NumPy, scikit-learn) beside ``venv`` and ``pip`` in the same run (`cold_ratio_to_pip`);
- predictions per second through a warm sandbox as a part of those of the same model called directly, for batches of
  1,000 rows x 64 and models of several sizes (`predict_throughput_ratios`): a batch costs about the same on its way
  whatever the model, so that the ratio is a model's own. `predict_throughput_ratio` is the median of them, and
  `predict_throughput_least` that of the quickest model, which hardly takes longer than a batch on its way;
- how a neighbour's p99 changes while hostile packages are validated (`neighbour_p99_ratio`), and how it does while
  nothing is (`neighbour_p99_ratio_of_nothing`);
- whether all packages of ``../shared/data/learnwares`` are verified.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
import importlib.util
import json
import os
from pathlib import Path
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any
import venv
import zipfile

import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
import yaml

from benchmarks.neighbour import neighbour_figures
import learndock
from learndock.learnware import FeatureSpace, SemanticSpecification
from learndock.package.build import build_package
from learndock.rkme.fit import build_specification
from learndock.sandbox.choice import choose_executor
from learndock.sandbox.environment import EnvironmentCache
from learndock.sandbox.executor import Limits
from learndock.sandbox.launcher import LearnwareLauncher
from services.allinone import dock as allinone

ROWS, COLUMNS, CLASSES = 1000, 64, 10
ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "data" / "learnwares" / "packages"
SHIM = ROOT / "learndock" / "sandbox" / "guest" / "shim"

Figures = dict[str, Any]


def main() -> None:
    """Measure, print, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True, help="where to write the figures")
    parser.add_argument("--rounds", type=int, default=15, help="warm validations")
    parser.add_argument("--cold-rounds", type=int, default=3, help="environments made, by each side")
    parser.add_argument("--seconds", type=float, default=10.0, help="time for each measured rate")
    parser.add_argument("--executor", default="auto", help="executor of the rates")
    options = parser.parse_args()
    figures: Figures = {}
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        figures |= validation_figures(scratch, options.rounds, options.cold_rounds)
        figures |= prediction_figures(scratch, options.executor, options.seconds)
        figures |= beside_hostile_packages(scratch, options.executor, options.seconds)
    figures["settings"] = {name: value for name, value in vars(options).items() if name != "json"}
    figures["processors"] = os.cpu_count()
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(figures, indent=2) + "\n")
    _print(figures)


def validation_figures(scratch: Path, rounds: int, cold_rounds: int) -> Figures:
    """Submit to VERIFIED, and the environment beside pip's."""
    environments = scratch / "environments"
    with _dock(scratch / "dock", environments) as dock:
        cold, made, pip = [], [], []
        for number in range(cold_rounds):
            shutil.rmtree(environments, ignore_errors=True)
            seconds, report = submitted(dock, package(scratch, f"cold {number}", LogisticRegression(), number))
            cold.append(seconds)
            made.append(next(line.seconds for line in report.checks if line.name == "environment"))
            pip.append(pip_seconds(scratch / f"venv-{number}"))
        warm = [
            submitted(dock, package(scratch, f"warm {number}", LogisticRegression(), number))[0]
            for number in range(rounds)
        ]
        return {
            "warm_p50_s": statistics.median(warm),
            "warm_max_s": max(warm),
            "cold_p50_s": statistics.median(cold),
            "environment_p50_s": statistics.median(made),
            "venv_and_pip_p50_s": statistics.median(pip),
            "cold_ratio_to_pip": statistics.median(ours / theirs for ours, theirs in zip(made, pip, strict=True)),
            "executor": report.executor,
            **handover_figures(dock, scratch, max(3, rounds // 3)),
            **shared_figures(dock),
        }


def handover_figures(dock: learndock.Dock, scratch: Path, rounds: int) -> Figures:
    """Seconds to a reuser's first answer, through the sandbox of the validation and through one that starts for it."""
    rows = np.zeros((10, COLUMNS))
    handed_over, started_anew = [], []
    for number in range(rounds):
        receipt = dock.submit(package(scratch, f"handed over {number}", LogisticRegression(), number))
        if not dock.wait_until_validated(receipt.learnware_id).passed:
            raise SystemExit("A package that is to be handed over was not verified.")
        for seconds in (handed_over, started_anew):
            started = time.perf_counter()
            with dock.reuse([receipt.learnware_id]) as reuser:
                reuser.predict(rows)
                seconds.append(time.perf_counter() - started)
    return {
        "first_answer_handed_over_p50_s": statistics.median(handed_over),
        "first_answer_started_anew_p50_s": statistics.median(started_anew),
    }


def shared_figures(dock: learndock.Dock) -> Figures:
    """How many of the evaluation packages are verified."""
    packages = sorted(SHARED.glob("*.zip"))
    ids = [dock.submit(path).learnware_id for path in packages]
    verified = [dock.wait_until_validated(learnware_id).passed for learnware_id in ids]
    return {"shared_packages": len(packages), "shared_packages_verified": sum(verified)}


def submitted(dock: learndock.Dock, path: Path) -> tuple[float, Any]:
    """Seconds from submit to VERIFIED, and the report."""
    started = time.perf_counter()
    validation = dock.wait_until_validated(dock.submit(path).learnware_id)
    seconds = time.perf_counter() - started
    if not validation.passed:
        raise SystemExit(f"{path.name} was not verified: {validation.reason}")
    return seconds, validation.report


def pip_seconds(folder: Path) -> float:
    """Seconds of a plain virtual environment with the same packages."""
    started = time.perf_counter()
    venv.create(folder, with_pip=True)
    subprocess.run(
        [folder / "bin" / "pip", "install", "--quiet", "numpy", "scikit-learn"], check=True, stderr=subprocess.DEVNULL
    )
    seconds = time.perf_counter() - started
    shutil.rmtree(folder)
    return seconds


def prediction_figures(scratch: Path, executor: str, seconds: float) -> Figures:
    """Batches per second through a sandbox as a part of those called directly, in turns, for several models."""
    launcher = _launcher(scratch, executor)
    inputs = np.random.default_rng(1).normal(size=(ROWS, COLUMNS))
    models = {
        "logistic regression": LogisticRegression(),
        "perceptron": MLPClassifier((256,), max_iter=5, random_state=0),
        "gradient boosting": HistGradientBoostingClassifier(max_iter=100, random_state=0),
        "random forest": RandomForestClassifier(100, random_state=0),
    }
    ratios: dict[str, float] = {}
    milliseconds: dict[str, list[float]] = {}
    for name, model in models.items():
        path = package(scratch, name, model, 0)
        direct = called_directly(path, scratch / f"direct {name}")
        with launcher.open(path) as sandboxed:
            ours, theirs = in_turns(lambda: sandboxed.predict(inputs), lambda: direct(inputs), seconds)  # noqa: B023
        ratios[name] = theirs / ours
        milliseconds[name] = [1000 * ours, 1000 * theirs]
    return {
        "predict_throughput_ratio": statistics.median(ratios.values()),
        "predict_throughput_least": min(ratios.values()),
        "predict_throughput_ratios": ratios,
        "batch_milliseconds_sandboxed_and_direct": milliseconds,
        "predict_executor": choose_executor(executor).name,
    }


def in_turns(first: Callable[[], object], second: Callable[[], object], seconds: float) -> tuple[float, float]:
    """Median seconds of each."""
    times: tuple[list[float], list[float]] = ([], [])
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[1]) < 20:
        for act, taken in zip((first, second), times, strict=True):
            started = time.perf_counter()
            act()
            taken.append(time.perf_counter() - started)
    return statistics.median(times[0]), statistics.median(times[1])


def called_directly(path: Path, folder: Path) -> Callable[[Any], Any]:
    """`predict` of a package's model in this process."""
    zipfile.ZipFile(path).extractall(folder)
    if str(SHIM) not in sys.path:
        sys.path.insert(0, str(SHIM))
    spec = importlib.util.spec_from_file_location(
        "direct", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise SystemExit(f"{folder} holds no module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    kwargs = yaml.safe_load((folder / "learnware.yaml").read_text())["model"].get("kwargs", {})
    predict: Callable[[Any], Any] = module.Model(**kwargs).predict
    return predict


def beside_hostile_packages(scratch: Path, executor: str, seconds: float) -> Figures:
    """p99 of a neighbour's predictions alone, and while each of some hostile packages is under validation."""
    inputs = np.random.default_rng(2).normal(size=(ROWS, COLUMNS))
    path = package(scratch, "neighbour", RandomForestClassifier(30, random_state=0), 3)
    with _launcher(scratch, executor).open(path) as neighbour:
        return neighbour_figures(neighbour, inputs, scratch, executor, seconds)


def package(scratch: Path, name: str, model: Any, seed: int) -> Path:  # noqa: ANN401
    """A package of a fitted classifier."""
    generator = np.random.default_rng(seed)
    X = generator.normal(size=(500, COLUMNS))
    y = X[:, :CLASSES].argmax(axis=1)
    semantic = SemanticSpecification(
        name=name,
        description="Tells which of the first ten numbers is the greatest.",
        data="Table",
        task="Classification",
        library="Scikit-learn",
        scenarios=("Education",),
        license="MIT",
        input=FeatureSpace(COLUMNS, {0: "first"}),
        output=FeatureSpace(CLASSES, {0: "first"}),
    )
    path = scratch / f"{name.replace(' ', '-')}.zip"
    build_package(path, model=model.fit(X, y), semantic=semantic, specification=build_specification(X))
    return path


def _launcher(scratch: Path, executor: str) -> LearnwareLauncher:
    cache = EnvironmentCache(scratch / "environments")
    return LearnwareLauncher(choose_executor(executor), cache, scratch / "work", Limits(wall_seconds=3600.0))


@contextmanager
def _dock(folder: Path, environments: Path) -> Iterator[learndock.Dock]:
    running = allinone.start(folder, listen="127.0.0.1:0", environments_dir=environments)
    try:
        with learndock.Dock(running.address, running.admin_token_file.read_text().strip()) as dock:
            yield dock
    finally:
        running.stop()


def _print(figures: Figures) -> None:
    table = Table("figure", "value", "bound", title="Validation and sandboxes")
    bounds = {
        "warm_p50_s": "at most 3",
        "cold_p50_s": "at most 10",
        "cold_ratio_to_pip": "at most 0.25",
        "predict_throughput_ratio": "at least 0.8",
        "neighbour_p99_ratio": "below 1.2",
    }
    for name, value in figures.items():
        if isinstance(value, float | int):
            table.add_row(name, f"{value:.3g}", bounds.get(name, ""))
    for name, ratio in figures["predict_throughput_ratios"].items():
        table.add_row(f"predict_throughput_ratio, {name}", f"{ratio:.3g}", "")
    Console().print(table)


if __name__ == "__main__":
    main()
