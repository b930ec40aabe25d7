"""Models in a real sandbox: how packages are loaded, what is answered, and what a hostile guest can do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
import io
from pathlib import Path
import subprocess
import sys
import textwrap
import threading
import zipfile

import numpy as np
from numpy.typing import NDArray
import pytest

from learndock.package.archive import PackageArchive
from learndock.sandbox import FaultKind, ModelFault
from learndock.sandbox.bubblewrap import BubblewrapExecutor
from learndock.sandbox.confinement import ENVIRONMENT
from learndock.sandbox.environment import EnvironmentCache
from learndock.sandbox.executor import MIB, Limits
from learndock.sandbox.launcher import LearnwareLauncher
from learndock.sandbox.model_process import ModelProcess
from tests.conftest import SHARED_DATA

PACKAGES = SHARED_DATA / "learnwares" / "packages"
LIMITS = Limits(memory_bytes=512 * MIB, wall_seconds=60.0, tmp_bytes=16 * MIB)
Write = Callable[..., Path]


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> EnvironmentCache:
    return EnvironmentCache(tmp_path_factory.mktemp("environments"))


@pytest.fixture(scope="module")
def launcher(environments: EnvironmentCache, tmp_path_factory: pytest.TempPathFactory) -> LearnwareLauncher:
    return LearnwareLauncher(
        BubblewrapExecutor(), environments, tmp_path_factory.mktemp("work"), LIMITS, load_timeout=30.0
    )


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_package(source: str, manifest: str = "model: {}", **files: bytes) -> Path:
        path = tmp_path / "package.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("learnware.yaml", manifest)
            archive.writestr("__init__.py", textwrap.dedent(source))
            archive.writestr("requirements.txt", "numpy\n")
            for name, data in files.items():
                archive.writestr(name.replace("__", "."), data)
        return path

    return write_package


@pytest.fixture
def opened(launcher: LearnwareLauncher, write: Write) -> Iterator[Callable[..., ModelProcess]]:
    started: list[ModelProcess] = []

    def open_package(source: str, manifest: str = "model: {}", **files: bytes) -> ModelProcess:
        started.append(launcher.open(write(source, manifest, **files)))
        return started[-1]

    yield open_package
    for process in started:
        process.close()


def test_helpers_are_imported_relatively_and_files_found_beside_the_module(opened: Callable[..., ModelProcess]) -> None:
    source = """
        import os
        import numpy as np
        from learnware.model import BaseModel
        from .helper import double

        class Model(BaseModel):
            def __init__(self, factor, shape):
                super().__init__(input_shape=tuple(shape), output_shape=(2,))
                here = os.path.dirname(os.path.abspath(__file__))
                self.offset = np.load(os.path.join(here, "offset.npy"))
                self.factor = factor

            def predict(self, X):
                return double(X) * self.factor + self.offset
    """
    offset = _npy(np.array([1.0, 2.0]))
    manifest = "model:\n  kwargs: {factor: 3, shape: [2]}\n"
    process = opened(source, manifest, helper__py=b"def double(x): return 2 * x\n", offset__npy=offset)
    assert process.input_shape == (2,)
    assert process.output_shape == (2,)
    np.testing.assert_array_equal(process.predict(np.ones((3, 2))), [[7.0, 8.0]] * 3)


def test_pickles_of_a_notebook_find_their_class(opened: Callable[..., ModelProcess]) -> None:
    source = """
        import os, pickle
        from learnware.model import BaseModel

        class Model(BaseModel):
            def __init__(self):
                super().__init__((1,), (1,))

            def predict(self, X):
                with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "inner.pkl"), "rb") as file:
                    return X + len(pickle.load(file).__class__.__name__)
    """
    # As Python would write an instance of a class `Model` that a script defined.
    inner = b"\x80\x02c__main__\nModel\n)\x81."
    process = opened(source, inner__pkl=inner)
    np.testing.assert_array_equal(process.predict(np.zeros((1, 1))), [[5.0]])


def test_state_made_by_fit_stays(opened: Callable[..., ModelProcess]) -> None:
    process = opened(
        """
        import numpy as np

        class Model:
            input_shape = (1,)
            output_shape = (1,)
            mean = 0.0

            def fit(self, X, y):
                self.mean = float(np.mean(y))

            def finetune(self, X, y):
                self.mean += float(np.mean(y))

            def predict(self, X):
                return np.full(len(X), self.mean)
        """
    )
    X = np.zeros((2, 1))
    assert process.methods == {"predict", "fit", "finetune"}
    assert process.predict(X).tolist() == [0.0, 0.0]  # type: ignore[union-attr]
    process.fit(X, np.array([1, 3]))
    process.finetune(X, np.array([10.0, 10.0]))
    assert process.predict(X).tolist() == [12.0, 12.0]  # type: ignore[union-attr]


def test_inputs_that_a_model_keeps_stay_as_they_were(opened: Callable[..., ModelProcess]) -> None:
    process = opened(
        """
        class Model:
            kept = []

            def fit(self, X, y):
                self.kept = [X, y]

            def predict(self, X):
                self.kept.append(X[::2])
                X += 1  # the next call must not see this
                return [float(part.sum()) for part in self.kept]
        """
    )
    rows = np.ones((1000, 64))
    process.fit(rows, 2 * rows)
    expected = [64_000.0, 128_000.0]
    for value in (3.0, 5.0, 7.0):
        answer = process.predict(value * rows)
        expected.append((value + 1) * 32_000)
        assert np.asarray(answer).tolist() == expected


def test_inputs_cannot_be_written_by_the_model(opened: Callable[..., ModelProcess]) -> None:
    process = opened(
        """
        import os

        class Model:
            def predict(self, X):
                refused = 0
                for path, flags in (("inputs", os.O_RDWR), ("other", os.O_WRONLY | os.O_CREAT)):
                    try:
                        os.open("/sandbox/wire/" + path, flags)
                    except OSError:
                        refused += 1
                try:
                    os.unlink("/sandbox/wire/requests")
                except OSError:
                    refused += 1
                return [refused]
        """
    )
    assert np.asarray(process.predict(np.zeros((1000, 64)))).tolist() == [3]


def test_what_is_printed_goes_to_the_log(opened: Callable[..., ModelProcess]) -> None:
    process = opened(
        """
        import os, sys
        print("loading")
        os.write(1, b"raw\\n")

        class Model:
            def predict(self, X):
                print("predicting"); sys.stdin.read()
                return X
        """
    )
    np.testing.assert_array_equal(process.predict(np.ones(3)), np.ones(3))
    assert process.input_shape is None
    assert process.log_tail.split() == ["loading", "raw", "predicting"]


OUTPUTS = {
    "list of numbers": ("[1, 2]", np.array([1, 2])),
    "whole numbers": ("np.array([1, 2], dtype=np.int16)", np.array([1, 2], dtype=np.int16)),
    "other byte order": ("np.array([1.5], dtype='>f8')", np.array([1.5])),
    "extended precision": ("np.array([1.5], dtype=np.longdouble)", np.array([1.5])),
    "truth": ("np.array([True])", np.array([True])),
    "texts": ("['a', 'b']", ["a", "b"]),
    "array of texts": ("np.array(['a', 'b'])", ["a", "b"]),
    "nothing": ("np.zeros((0, 3), dtype=np.float32)", np.zeros((0, 3), dtype=np.float32)),
}


@pytest.mark.parametrize(("expression", "expected"), OUTPUTS.values(), ids=OUTPUTS)
def test_outputs_arrive(
    opened: Callable[..., ModelProcess], expression: str, expected: NDArray[np.generic] | list[str]
) -> None:
    source = f"import numpy as np\nclass Model:\n    def predict(self, X):\n        return {expression}\n"
    answer = opened(source).predict(["a text"])
    if isinstance(expected, list):
        assert answer == expected
    else:
        assert isinstance(answer, np.ndarray)
        assert answer.dtype == expected.dtype
        np.testing.assert_array_equal(answer, expected)


def hostile(body: str) -> str:
    return "import os, struct, json, time\nclass Model:\n    def predict(self, X):\n" + textwrap.indent(body, " " * 8)


FIND_WIRE = """\
def is_wire(fd):
    try:
        return int(open(f'/proc/self/fdinfo/{fd}').read().split('flags:')[1].split()[0], 8) & 3 == os.O_WRONLY
    except OSError:
        return False
wire = next(fd for fd in range(3, 64) if is_wire(fd))
def say(header, body=b''):
    head = json.dumps(header).encode()
    os.write(wire, struct.pack('>I', len(head)) + head + body)
    time.sleep(30)
"""
LIES = {
    "bytes": "os.write(wire, b'\\xff' * 4096); time.sleep(30)",
    "no status": "say({'values': []})",
    "unknown fault": "say({'status': 'error', 'kind': 'HOST_CODE', 'message': 'x', 'values': []})",
    "message no text": "say({'status': 'error', 'kind': 'RAISED', 'message': 7, 'values': []})",
    "kind a list": "say({'status': 'error', 'kind': ['RAISED'], 'message': 'x', 'values': []})",
    "no outputs": "say({'status': 'ok', 'container': 'x', 'seconds': 1.0, 'values': []})",
    "huge output": "say({'status': 'ok', 'values': [{'kind': 'array', 'dtype': '<f8', 'shape': [2**38]}]})",
    "elsewhere": "say({'status': 'ok', 'values': [{'kind': 'array', 'dtype': '<f8', 'shape': [2], 'at': 0}]})",
    "a pickle": "say({'status': 'ok', 'values': [{'kind': 'pickle', 'size': 4}]}, b'cos\\n')",
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_lies_on_the_wire_end_the_process(opened: Callable[..., ModelProcess], lie: str) -> None:
    process = opened(hostile(FIND_WIRE + lie))
    with pytest.raises(ModelFault) as caught:
        process.predict(np.zeros(3), timeout=20.0)
    assert caught.value.kind is FaultKind.PROTOCOL
    with pytest.raises(ModelFault) as again:
        process.predict(np.zeros(3))
    assert again.value.kind is FaultKind.EXITED


def test_a_raise_leaves_the_process_usable(opened: Callable[..., ModelProcess]) -> None:
    process = opened(hostile("if len(X) == 3:\n    raise ValueError('three\\n\\x1b[31mof them')\nreturn X"))
    with pytest.raises(ModelFault) as caught:
        process.predict(np.zeros(3))
    assert caught.value.kind is FaultKind.RAISED
    assert caught.value.message == "ValueError: three [31mof them"
    assert "Traceback" in caught.value.log_tail
    assert len(process.predict(np.zeros(2))) == 2


def test_a_slow_model_is_killed(opened: Callable[..., ModelProcess]) -> None:
    process = opened(hostile("time.sleep(60)"))
    with pytest.raises(ModelFault) as caught:
        process.predict(np.zeros(3), timeout=0.5)
    assert caught.value.kind is FaultKind.TIMED_OUT


def test_a_model_that_reads_nothing_is_killed(opened: Callable[..., ModelProcess]) -> None:
    source = hostile("os.kill(os.getpid(), 19)\nreturn X")  # stops itself
    process = opened(source)
    with pytest.raises(ModelFault) as caught:
        process.predict(np.zeros(2**22), timeout=2.0)
    assert caught.value.kind in (FaultKind.TIMED_OUT, FaultKind.EXITED)


def test_closing_ends_a_call_that_waits(opened: Callable[..., ModelProcess]) -> None:
    process = opened(hostile("time.sleep(60)"))
    faults: list[ModelFault] = []

    def call() -> None:
        try:
            process.predict(np.zeros(3))
        except ModelFault as fault:
            faults.append(fault)

    thread = threading.Thread(target=call)
    thread.start()
    process.close()
    thread.join(20)
    assert [fault.kind for fault in faults] == [FaultKind.EXITED]
    process.close()


def test_nothing_is_left_when_it_is_closed_or_cannot_load(
    environments: EnvironmentCache, tmp_path: Path, write: Write
) -> None:
    launcher = LearnwareLauncher(BubblewrapExecutor(), environments, tmp_path / "work", LIMITS)
    with launcher.open(write("class Model:\n    def predict(self, X): return X\n")):
        assert len(list((tmp_path / "work").iterdir())) == 2  # the package and the wire
    assert list((tmp_path / "work").iterdir()) == []
    with pytest.raises(ModelFault) as caught:
        launcher.open(write("raise ImportError('never')"))
    assert caught.value.kind is FaultKind.RAISED
    assert list((tmp_path / "work").iterdir()) == []


def test_what_a_dead_process_left_is_swept(environments: EnvironmentCache, tmp_path: Path) -> None:
    leave = (
        f"from learndock.sandbox.owner import own_mark; import os; os.makedirs({str(tmp_path)!r} + '/' + own_mark())"
    )
    subprocess.run([sys.executable, "-c", leave], check=True)
    (tmp_path / "kept").mkdir()
    LearnwareLauncher(BubblewrapExecutor(), environments, tmp_path, LIMITS).sweep()
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


@pytest.mark.shared
@pytest.mark.parametrize("name", ["digits01_plain", "digits01_d012", "digits01_odd", "wine_01"])
def test_predictions_equal_those_of_the_model_called_directly(
    launcher: LearnwareLauncher, name: str, tmp_path: Path
) -> None:
    package = PACKAGES / f"{name}.zip"
    with PackageArchive.open(package) as archive:
        archive.extract(tmp_path / "package")
    environment = launcher.environment_of(package)
    with launcher.open(package) as process:
        assert process.input_shape is not None
        X = np.random.default_rng(3).random((200, *process.input_shape))
        np.save(tmp_path / "X.npy", X)
        inside = np.asarray(process.predict(X))
    shim = Path(sys.modules[ModelProcess.__module__].__file__ or "").parent / "guest" / "shim"
    code = f"""
import sys
sys.path[:0] = [{str(shim)!r}, {str(environment.path)!r}, {str(tmp_path)!r}]
import numpy as np
import package
np.save({str(tmp_path / "y.npy")!r}, np.asarray(package.Model().predict(np.load({str(tmp_path / "X.npy")!r}))))
"""
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True, env=ENVIRONMENT)
    outside = np.load(tmp_path / "y.npy")
    assert inside.dtype == outside.dtype
    np.testing.assert_array_equal(inside, outside)


def _npy(array: NDArray[np.generic]) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()
