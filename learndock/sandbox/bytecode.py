"""Byte code of environments, made behind the first run: it takes longer than the installation itself."""

from __future__ import annotations

from pathlib import Path
import subprocess
import sys
import threading

# A process of its own, so that nobody waits for it; it compiles and runs nothing of what it compiles.
_COMPILE = "import compileall, os, sys; os.nice(15); compileall.compile_dir(sys.argv[1], quiet=2, workers=1)"


def compile_later(folder: Path, lock: int) -> None:
    """Begin to compile all modules in `folder`; a reader sees a module's byte code wholly or not at all.

    Parameters
    ----------
    folder
        An environment.
    lock
        Descriptor of a lock by which it stays meanwhile; the compiler keeps its own copy.
    """
    command = [sys.executable, "-I", "-S", "-c", _COMPILE, str(folder)]
    process = subprocess.Popen(  # noqa: S603
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={},
        umask=0o022,
        pass_fds=(lock,),
    )
    threading.Thread(target=process.wait, name="sandbox-bytecode", daemon=True).start()
