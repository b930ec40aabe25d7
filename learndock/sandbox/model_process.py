"""A model in a sandbox, as its users on the host see it. Whatever the guest says is checked before it is believed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
import threading
from types import TracebackType
from typing import Self

from learndock.package.manifest import ModelEntry
from learndock.sandbox.environment import Environment
from learndock.sandbox.executor import MIB, Deadline, Executor, ExitCause, Limits, Mount, SandboxProcess
from learndock.sandbox.faults import FaultKind, ModelFault
from learndock.sandbox.guest.framing import FrameError, Header, Value, decode, encode
from learndock.sandbox.wire import WIRE, Wire

PACKAGE, ENVIRONMENT = "/sandbox/package", "/sandbox/environment"
MAX_OUTPUT_BYTES = 256 * MIB
_GOODBYE_SECONDS = 2.0
# Each read waits its turn for the interpreter: a whole answer comes with one.
_AHEAD_BYTES = 64 * 1024
_MOST_MEMORY_BYTES = 2**50
_METHODS = frozenset(("predict", "fit", "finetune"))
_START = (
    "import sys;"
    f" sys.path[:0] = ['/sandbox', '/sandbox/guest/shim', {ENVIRONMENT!r}];"
    " from guest.runner import main; main()"
)


@dataclass(frozen=True)
class Prediction:
    """What a model returned for one batch.

    Attributes
    ----------
    values
        Numbers, first axis the batch; or texts.
    container
        Name of the type that the model returned, such as `ndarray` or `Tensor`.
    seconds
        Time it took inside the sandbox.
    """

    values: Value
    container: str
    seconds: float


class ModelProcess:
    """A loaded model, ready to predict; made by `start`, ended by `close`. One call at a time, others wait.

    Attributes
    ----------
    input_shape, output_shape
        Shape of one item as the model tells it, None where it tells none.
    methods
        Which of `predict`, `fit` and `finetune` it has.
    """

    def __init__(
        self,
        process: SandboxProcess,
        wire: Wire | None,
        model: ModelEntry,
        load_timeout: float,
        release: Callable[[], None],
    ) -> None:
        self._process = process
        self._stream = wire.stream if wire else process
        self._place = wire.place if wire else None
        self._release = release
        self._lock = threading.Lock()
        self._ahead = bytearray()
        self._peak_memory_bytes = 0
        reply, _ = self._call(
            {
                "command": "load",
                "class_name": model.class_name,
                "module_path": model.module_path,
                "kwargs": dict(model.kwargs),
            },
            (),
            load_timeout,
        )
        self.input_shape = self._shape(reply, "input_shape")
        self.output_shape = self._shape(reply, "output_shape")
        self.methods = _METHODS.intersection(_strings(reply.get("methods")))

    @classmethod
    def start(
        cls,
        executor: Executor,
        package_dir: Path,
        model: ModelEntry,
        environment: Environment,
        *,
        limits: Limits,
        wire: Wire | None = None,
        load_timeout: float = 60.0,
        release: Callable[[], None] = lambda: None,
    ) -> ModelProcess:
        """Start a sandbox and load the model that `package_dir` holds.

        Parameters
        ----------
        executor
            Where it runs.
        package_dir
            The extracted package, readable for everybody.
        model
            Which class is the model.
        environment
            What it runs with.
        limits
            What it may use.
        wire
            The short way to it, which `release` closes; None for its standard streams.
        load_timeout
            Seconds that loading may take.
        release
            Called when the process has ended, also when loading fails.

        Raises
        ------
        ModelFault
            The model cannot be loaded.
        Unavailable
            The sandbox cannot be started.
        """
        command = [executor.python, "-I", "-S", "-B", "-c", _START, PACKAGE]
        mounts = [Mount(package_dir, PACKAGE), Mount(environment.path, ENVIRONMENT)]
        if wire is not None:
            command.append(WIRE)
            mounts.append(wire.mount)
        try:
            process = executor.start(command, mounts=mounts, limits=limits)
        except BaseException:
            release()
            raise
        if wire is not None:
            wire.follow(process)
        try:
            return cls(process, wire, model, load_timeout, release)
        except BaseException as error:
            _end(process)
            release()
            if isinstance(error, ModelFault):  # what it printed last comes out only now
                raise ModelFault(error.kind, error.message, process.log_tail()) from error
            raise

    @property
    def peak_memory_bytes(self) -> int:
        """Most memory that the model's process held, by its own account."""
        return self._peak_memory_bytes

    @property
    def log_tail(self) -> str:
        """Last 16 KiB of what the model printed."""
        return self._process.log_tail()

    def predict(self, X: Value, timeout: float | None = None) -> Value:  # noqa: N803
        """Outputs for a batch.

        Parameters
        ----------
        X
            Numbers, first axis the batch; or texts.
        timeout
            Seconds after which the model is killed; None for the sandbox's own end.

        Raises
        ------
        ModelFault
            The model raised, was too slow or too large, or broke the protocol.
        """
        return self.observe(X, timeout).values

    def observe(self, X: Value, timeout: float | None = None) -> Prediction:  # noqa: N803
        """As `predict`, with what can be told about how the answer was made."""
        reply, values = self._call({"command": "predict"}, (X,), timeout)
        container, seconds = reply.get("container"), reply.get("seconds")
        if len(values) != 1 or not isinstance(container, str) or not isinstance(seconds, float):
            raise self._broken("The model's answer is not a prediction.")
        return Prediction(values[0], _one_line(container)[:80], seconds)

    def fit(self, X: Value, y: Value, timeout: float | None = None) -> None:  # noqa: N803
        """Train the model; its new state lasts as long as the process."""
        self._call({"command": "fit"}, (X, y), timeout)

    def finetune(self, X: Value, y: Value, timeout: float | None = None) -> None:  # noqa: N803
        """Train the model further; its new state lasts as long as the process."""
        self._call({"command": "finetune"}, (X, y), timeout)

    def weigh(self, cpu_weight: float) -> bool:
        """Give the sandbox another part of busy processors; whether that could be done."""
        return self._process.weigh(cpu_weight)

    def close(self) -> None:
        """End the sandbox; harmless when repeated, and while a call is waiting, which then fails."""
        _end(self._process)
        self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _call(self, header: Header, values: Sequence[Value], timeout: float | None) -> tuple[Header, list[Value]]:
        with self._lock:
            deadline = Deadline(timeout)
            try:
                for piece in encode(header, values, self._place):
                    self._stream.write(piece, deadline)
                reply, results = decode(lambda count: self._read_exactly(count, deadline), MAX_OUTPUT_BYTES)
            except TimeoutError:
                _end(self._process)
                raise ModelFault(
                    FaultKind.TIMED_OUT, f"The model did not {header['command']} within {timeout:g} s.", self.log_tail
                ) from None
            except FrameError as error:
                raise self._broken(str(error)) from error
            except (OSError, EOFError):
                raise self._ended(header["command"]) from None
        return self._checked(reply), results

    def _read_exactly(self, count: int, deadline: Deadline) -> bytearray:
        data, self._ahead = self._ahead[:count], self._ahead[count:]
        while len(data) < count:
            piece = self._stream.read(max(count - len(data), _AHEAD_BYTES), deadline)
            if not piece:
                raise EOFError
            data += piece
        if len(data) > count:
            self._ahead = data[count:]
            del data[count:]
        return data

    def _checked(self, reply: Header) -> Header:
        peak = reply.get("peak_memory_bytes")
        if type(peak) is int and self._peak_memory_bytes < peak < _MOST_MEMORY_BYTES:
            self._peak_memory_bytes = peak
        if reply.get("status") == "ok":
            return reply
        kind, message = reply.get("kind"), reply.get("message")
        if kind not in (FaultKind.RAISED, FaultKind.OUT_OF_MEMORY) or not isinstance(message, str):
            raise self._broken("The model's answer has no valid status.")
        raise ModelFault(FaultKind(kind), _one_line(message), self.log_tail)

    def _shape(self, reply: Header, name: str) -> tuple[int, ...] | None:
        shape = reply.get(name)
        if shape is None:
            return None
        if not isinstance(shape, list) or len(shape) > 8 or not all(type(axis) is int and axis > 0 for axis in shape):
            raise self._broken(f"The model's {name} is not a shape.")
        return tuple(shape)

    def _broken(self, message: str) -> ModelFault:
        _end(self._process)
        return ModelFault(FaultKind.PROTOCOL, f"The model broke the protocol: {message}", self.log_tail)

    def _ended(self, command: str) -> ModelFault:
        try:
            end = self._process.wait(_GOODBYE_SECONDS)
        except TimeoutError:  # it closed its streams and lives on
            return self._broken("it closed its streams.")
        kind = _KINDS.get(end.cause, FaultKind.EXITED)
        return ModelFault(kind, f"{_ENDS[end.cause]} during {command} (status {end.status}).", self.log_tail)


_KINDS: Mapping[ExitCause, FaultKind] = {
    ExitCause.DEADLINE: FaultKind.TIMED_OUT,
    ExitCause.OUT_OF_MEMORY: FaultKind.OUT_OF_MEMORY,
}
_ENDS: Mapping[ExitCause, str] = {
    ExitCause.DEADLINE: "The model's sandbox reached the end of its time",
    ExitCause.OUT_OF_MEMORY: "The model took more memory than it may have",
    ExitCause.KILLED: "The model's process was ended",
    ExitCause.EXITED: "The model's process ended by itself",
}


def _end(process: SandboxProcess) -> None:
    process.kill()
    try:
        process.wait(_GOODBYE_SECONDS)
    except TimeoutError:
        return  # the kernel is still taking it down


def _strings(words: object) -> list[str]:
    return [word for word in words if isinstance(word, str)] if isinstance(words, list) else []


def _one_line(text: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:500]
