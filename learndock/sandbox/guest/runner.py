"""Holds one model and answers the host's messages until it is told to exit.

Commands are ``load``, ``predict``, ``fit``, ``finetune`` and ``exit``. Replies have ``status`` ``ok`` or ``error``.
"""

from __future__ import annotations

import os
import resource
import sys
import time
import traceback
from typing import Any, BinaryIO

import numpy as np

from .framing import INPUTS, REPLIES, REQUESTS, Header, Value, decode, encode
from .loading import load_model, shape_of

MAX_INPUT_BYTES = 2**31
MESSAGE_LENGTH = 500
_LARGE = 64 * 1024
_UNHELD = 2  # references to what only one attribute holds, as `sys.getrefcount` counts them


class Runner:
    """The guest's end of the conversation.

    Parameters
    ----------
    source, sink
        Streams of the host's messages and of the replies.
    folder
        Where the package lies.
    inputs
        Descriptor of the file in which the host may place values; None when there is none.
    """

    def __init__(self, source: BinaryIO, sink: BinaryIO, folder: str, inputs: int | None) -> None:
        self._source, self._sink = source, sink
        self._inputs = inputs
        self._spare = bytearray()
        self._folder = folder
        self._model: Any = None

    def serve(self) -> None:
        """Answer until the host says exit or goes away."""
        while True:
            try:
                header, values = decode(self._read_exactly, MAX_INPUT_BYTES, self._fetch)
            except EOFError:
                return
            if header["command"] == "exit":
                return
            self._reply(*self._answer(header, values))
            del values  # its memory is free for the next message

    def _answer(self, header: Header, values: list[Value]) -> tuple[Header, list[Value]]:
        try:
            started = time.perf_counter()
            reply, results = getattr(self, "_" + header["command"])(header, values)
            return {"status": "ok", "seconds": time.perf_counter() - started, **reply}, results
        except BaseException as error:  # also SystemExit: the host is told whatever a model does
            traceback.print_exc()
            kind = "OUT_OF_MEMORY" if isinstance(error, MemoryError) else "RAISED"
            return {"status": "error", "kind": kind, "message": f"{type(error).__name__}: {error}"[:MESSAGE_LENGTH]}, []

    def _load(self, header: Header, _: list[Value]) -> tuple[Header, list[Value]]:
        self._model = load_model(self._folder, header["module_path"], header["class_name"], header["kwargs"])
        shapes = {name: shape_of(self._model, name) for name in ("input_shape", "output_shape")}
        methods = [name for name in ("predict", "fit", "finetune") if callable(getattr(self._model, name, None))]
        return {**shapes, "methods": methods}, []

    def _predict(self, _: Header, values: list[Value]) -> tuple[Header, list[Value]]:
        output = self._model.predict(values[0])
        return {"container": type(output).__name__}, [plain(output)]

    def _fit(self, _: Header, values: list[Value]) -> tuple[Header, list[Value]]:
        self._model.fit(X=values[0], y=values[1])
        return {}, []

    def _finetune(self, _: Header, values: list[Value]) -> tuple[Header, list[Value]]:
        self._model.finetune(X=values[0], y=values[1])
        return {}, []

    def _reply(self, header: Header, values: list[Value]) -> None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        for piece in encode({**header, "peak_memory_bytes": peak}, values):
            self._sink.write(piece)
        self._sink.flush()

    def _room(self, size: int) -> bytearray:
        """Memory for a value: that of an earlier one where nobody holds it any more, as fresh pages cost much more."""
        if len(self._spare) != size or sys.getrefcount(self._spare) > _UNHELD:
            self._spare = bytearray(size)
        return self._spare

    def _read_exactly(self, count: int) -> bytearray:
        data = self._room(count) if count >= _LARGE else bytearray(count)
        view = memoryview(data)
        while view:
            got = self._source.readinto(view)  # type: ignore[attr-defined]
            if not got:
                raise EOFError
            view = view[got:]
        return data

    def _fetch(self, offset: int, size: int) -> bytearray:
        # A copy, as the host's next message overwrites it while a model may still hold this one.
        data = self._room(size)
        if self._inputs is None or os.preadv(self._inputs, [data], offset) != size:
            raise EOFError
        return data


def plain(output: Any) -> Value:  # noqa: ANN401
    """A model's output as an array of numbers, or as a list of texts."""
    if hasattr(output, "detach"):  # a torch tensor, without importing torch
        output = output.detach().cpu()
        output = (output.float() if str(output.dtype) == "torch.bfloat16" else output).numpy()
    array = np.asarray(output)
    if array.dtype.kind in "UO" and array.ndim == 1 and all(isinstance(item, str) for item in array.tolist()):
        return [str(item) for item in array.tolist()]
    if array.dtype.kind not in "biuf":
        raise TypeError(f"predict must return numbers or texts, not {type(output).__name__} of {array.dtype}.")
    return array if array.dtype.itemsize <= 8 else array.astype(np.float64)


def main() -> None:
    """Serve on the pipes of the folder that is named second, without one on standard input and output.

    The model never gets these: what it prints goes to the log.
    """
    folder, *wire = sys.argv[1:]
    if wire:
        source = os.fdopen(os.open(os.path.join(wire[0], REQUESTS), os.O_RDONLY), "rb", buffering=0)
        sink = os.fdopen(os.open(os.path.join(wire[0], REPLIES), os.O_WRONLY), "wb")
        inputs = os.open(os.path.join(wire[0], INPUTS), os.O_RDONLY)
    else:
        source, sink, inputs = os.fdopen(os.dup(0), "rb", buffering=0), os.fdopen(os.dup(1), "wb"), None
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    Runner(source, sink, folder, inputs).serve()
