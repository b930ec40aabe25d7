"""Malicious pickles, torch, NumPy and joblib files: each would touch `$LEARNDOCK_PICKLE_RAN` when it is loaded."""

from __future__ import annotations

import bz2
from collections.abc import Callable
import gzip
import io
import lzma
import pickle
import struct
from typing import Any
import zipfile
import zlib

import numpy as np

SHELL = 'touch "$LEARNDOCK_PICKLE_RAN"'
PYTHON = "import os; open(os.environ['LEARNDOCK_PICKLE_RAN'], 'w')"
_TORCH_MAGIC = 0x1950A86A20F9469CFC6C


class _Calls:
    """An object that pickles as a call by name."""

    def __init__(self, name: str, *arguments: object) -> None:
        self.name, self.arguments = name, arguments


class _ByName(pickle._Pickler):  # type: ignore[name-defined]  # Python's own, since the fast one cannot be taught
    """Writes calls of functions that need not be there."""

    def save(self, value: Any, save_persistent_id: bool = True) -> None:  # noqa: FBT001, FBT002
        if not isinstance(value, _Calls):
            super().save(value, save_persistent_id)
            return
        module, _, name = value.name.rpartition(".")
        self.write(f"c{module}\n{name}\n".encode())
        self.save(value.arguments)
        self.write(pickle.REDUCE)


def calls(name: str, *arguments: object, protocol: int = 2) -> bytes:
    """A pickle that calls the function `name`."""
    buffer = io.BytesIO()
    _ByName(buffer, protocol).dump(_Calls(name, *arguments))
    return buffer.getvalue()


def _text(text: str) -> bytes:
    return b"\x8c" + bytes([len(text)]) + text.encode()


def _stack_global(module: bytes, name: bytes) -> bytes:
    return b"\x80\x04" + module + name + b"\x93" + _text(SHELL) + b"\x85R."


def _zipped(files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def _npy(descr: str, content: bytes) -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': (1,), }}".encode()
    header += b" " * (118 - len(header) % 64) + b"\n" if len(header) < 118 else b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + content


def _saved(save: Callable[[Any, Any], None], value: object) -> bytes:
    buffer = io.BytesIO()
    save(buffer, value)
    return buffer.getvalue()


def corpus() -> dict[str, bytes]:
    """The files by name."""
    system = calls("os.system", SHELL)
    by_module = {
        f"calls {name}.pkl": calls(name, *arguments)
        for name, arguments in {
            "posix.system": (SHELL,),
            "os.popen": (SHELL,),
            "os.execvp": ("sh", ["sh", "-c", SHELL]),
            "os.posix_spawn": ("/bin/sh", ["sh", "-c", SHELL], {}),
            "subprocess.Popen": (["sh", "-c", SHELL],),
            "subprocess.check_output": (["sh", "-c", SHELL],),
            "subprocess.getoutput": (SHELL,),
            "builtins.eval": (f"exec({PYTHON!r})",),
            "builtins.exec": (PYTHON,),
            "__builtin__.eval": (f"exec({PYTHON!r})",),
            "builtins.__import__": ("antigravity",),
            "builtins.open": ("/tmp/opened", "w"),  # noqa: S108
            "runpy._run_code": (PYTHON, {}),
            "runpy.run_path": ("/tmp/code.py",),  # noqa: S108
            "importlib.import_module": ("antigravity",),
            "ctypes.CDLL": ("libc.so.6",),
            "webbrowser.open": ("file:///etc/passwd",),
            "multiprocessing.util.spawnv_passfds": (b"/bin/sh", [b"sh", b"-c", SHELL.encode()], []),
            "code.InteractiveInterpreter": (),
            "timeit.timeit": (PYTHON,),
            "cProfile.run": (PYTHON,),
            "pdb.run": (PYTHON,),
            "pty.spawn": (["sh", "-c", SHELL],),
            "pip._internal.main": (["install", "evil"],),
            "socket.create_connection": (("127.0.0.1", 9),),
            "urllib.request.urlopen": ("http://127.0.0.1:9/",),
            "shutil.rmtree": ("/nowhere",),
            "codecs.open": ("/tmp/opened", "w"),  # noqa: S108
            "codecs.decode": (PYTHON.encode(), "unicode_escape"),
            "pickle.loads": (system,),
            "marshal.loads": (b"c",),
            "torch._utils._import_dotted_name": ("os.system",),
            "torch.storage._load_from_bytes": (system,),
            "torch.hub.load": ("/nowhere", "evil"),
            "numpy.testing._private.utils.runstring": (PYTHON, {}),
            "numpy.load": ("/nowhere.npy", None, True),
            "sklearn.utils._testing.check_call": (["sh", "-c", SHELL],),
            "scipy._lib._ccallback.ctypes.CDLL": ("libc.so.6",),
            "joblib.numpy_pickle.load": ("/nowhere.joblib",),
            "datetime.sys": (),
        }.items()
    }
    chain = _Calls("builtins.getattr", _Calls("builtins.__import__", "os"), "system")
    buffer = io.BytesIO()
    _ByName(buffer, 4).dump(_Calls("operator.methodcaller", "system", SHELL))
    tricks = {f"protocol {protocol}.pkl": calls("os.system", SHELL, protocol=protocol) for protocol in range(6)} | {
        "chain of getattr.pkl": _dumped(chain),
        "method caller.pkl": buffer.getvalue(),
        "inst.pkl": f"(S'{SHELL}'\nios\nsystem\n.".encode(),
        "obj.pkl": f"(cos\nsystem\nS'{SHELL}'\no.".encode(),
        "newobj.pkl": b"\x80\x02csubprocess\nPopen\n]X\x02\0\0\0sha\x85\x81.",
        "stack global.pkl": _stack_global(_text("os"), _text("system")),
        "stack global from the memo.pkl": b"\x80\x04"
        + _text("system")
        + b"\x940"
        + _text("os")
        + b"h\x00\x93"
        + _text(SHELL)
        + b"\x85R.",
        "stack global behind harmless names.pkl": _stack_global(
            _text("os") + _text("system"), _text("builtins") + _text("list") + b"00"
        ),
        "stack global doubled.pkl": b"\x80\x04"
        + _text("os")
        + b"20"
        + _text("system")
        + b"\x93"
        + _text(SHELL)
        + b"\x85R.",
        "stack global by mark.pkl": b"\x80\x04"
        + _text("os")
        + _text("system")
        + b"("
        + _text("builtins")
        + _text("list")
        + b"1\x93"
        + _text(SHELL)
        + b"\x85R.",
        "dotted name of an allowed module.pkl": _stack_global(_text("collections"), _text("abc.sys.modules")),
        "dotted name in scikit-learn.pkl": _stack_global(_text("sklearn.utils"), _text("os.system")),
        "extension registry.pkl": b"\x80\x02\x82\x01(tR.",
        "build of an allowed class.pkl": b"\x80\x02csklearn.preprocessing._function_transformer\n"
        b"FunctionTransformer\n)\x81}X\x04\0\0\0funccos\nsystem\nsb.",
        "second pickle.pkl": pickle.dumps([1]) + system,
        "after raw data.joblib": pickle.dumps({"a": 1})[:-1] + b"\xff\xfe\x00raw" + system[2:],
        "without a suffix": system,
        "called data.json": calls("os.system", SHELL, protocol=0),
        "called weights.bin": calls("os.system", SHELL, protocol=0),
        "called array.npy": system,
        "cut short.pkl": system[:-1],
    }
    containers = {
        "torch.pt": _zipped({"archive/data.pkl": system, "archive/version": b"3"}),
        "torch deflated.pt": _zipped({"a/data.pkl": system}, zipfile.ZIP_DEFLATED),
        "torch with another name.bin": _zipped({"a/weights": system}),
        "torch legacy.pt": pickle.dumps(_TORCH_MAGIC, 2) + pickle.dumps(1001, 2) + pickle.dumps({}, 2) + system,
        "zip in zip.zip": _zipped({"inner.zip": _zipped({"x.pkl": system})}),
        "arrays.npz": _zipped({"weights.npy": _npy("'|O'", system)}),
        "array without a suffix.npz": _zipped({"weights": _npy("'|O'", system)}),
        "objects.npy": _npy("'|O'", system),
        "objects in a record.npy": _npy("[('a', '|O'), ('b', '<f8')]", system),
        "objects in a nested record.npy": _npy("[('a', [('b', '|O')])]", system),
        "array with code for a header.npy": _npy("__import__('os').system('touch x')", b""),
        "gzip.pkl.gz": gzip.compress(system),
        "zlib.joblib": zlib.compress(system),
        "bzip2.pkl.bz2": bz2.compress(system),
        "xz.pkl.xz": lzma.compress(system),
        "gzip in gzip.bin": gzip.compress(gzip.compress(system)),
        "saved by numpy.npy": _saved(
            lambda file, value: np.save(file, value, allow_pickle=True), np.array([_Named()], dtype=object)
        ),
    }
    return {**by_module, **tricks, **containers}


def _dumped(call: _Calls) -> bytes:
    buffer = io.BytesIO()
    _ByName(buffer, 2).dump(call)
    return buffer.getvalue()


class _Named:
    def __reduce__(self) -> tuple[object, ...]:
        import os

        return os.system, (SHELL,)
