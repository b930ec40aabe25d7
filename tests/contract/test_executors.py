"""What every executor promises, shown with code that tries to break it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
import platform
import subprocess
import sys
import textwrap
import threading

import pytest

from learndock.sandbox.executor import GIB, MIB, Deadline, Executor, Exit, ExitCause, Limits, Mount, SandboxProcess
from learndock.sandbox.guest.confine import ARCHITECTURES, CLONE, REFUSED
from learndock.sandbox.wire import WIRE, Wire
from tests.support.executors import EXECUTORS

PATIENCE = 60.0
LIMITS = Limits(memory_bytes=GIB // 2, wall_seconds=40.0, pids=64, tmp_bytes=16 * MIB)


@pytest.fixture(scope="module", params=EXECUTORS)
def executor(request: pytest.FixtureRequest) -> Executor:
    made: Executor = request.param()
    assert made.available() is None
    return made


@dataclass(frozen=True)
class Outcome:
    output: str
    log: str
    end: Exit


def run(executor: Executor, code: str, limits: Limits = LIMITS, mounts: tuple[Mount, ...] = ()) -> Outcome:
    command = [executor.python, "-I", "-c", textwrap.dedent(code)]
    process = executor.start(command, mounts=mounts, limits=limits)
    try:
        output = b""
        while piece := process.read(65536, Deadline(PATIENCE)):
            output += piece
        end = process.wait(PATIENCE)
        return Outcome(output.decode(), process.log_tail(), end)
    finally:
        process.kill()


def words(executor: Executor, code: str, limits: Limits = LIMITS) -> list[str]:
    outcome = run(executor, code, limits)
    assert outcome.end == Exit(0, ExitCause.EXITED), outcome
    return outcome.output.split()


def test_runs_a_command_and_tells_its_status(executor: Executor) -> None:
    outcome = run(executor, "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
    assert (outcome.output, outcome.log, outcome.end) == ("out\n", "err\n", Exit(3, ExitCause.EXITED))


def test_talks_in_both_directions(executor: Executor) -> None:
    code = "import sys, shutil; shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer, 65536)"
    sent = bytes(range(256)) * 8192
    process = executor.start([executor.python, "-I", "-c", code], limits=LIMITS)
    try:
        writer = threading.Thread(target=process.write, args=(sent, Deadline(PATIENCE)))
        writer.start()
        received = b""
        while len(received) < len(sent):
            received += process.read(len(sent), Deadline(PATIENCE))
        writer.join()
        assert received == sent
    finally:
        process.kill()
        process.wait(PATIENCE)


def test_user_has_no_rights(executor: Executor) -> None:
    code = """
        import os
        import ctypes
        status = dict(line.split(":", 1) for line in open("/proc/self/status"))
        told = ctypes.CDLL(None).prctl
        print(*os.getresuid(), *os.getresgid(), os.getgroups())
        print(*(int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd")))
        print(told(39, 0, 0, 0, 0), told(21, 0, 0, 0, 0))  # no new privileges, filter of system calls
    """
    lines = run(executor, code).output.splitlines()
    assert lines[0].split()[:6] == ["65534"] * 6
    assert lines[0].split()[6] in ("[]", "[65534]", "[65534,")
    assert lines[1:] == ["0 0 0 0", "1 2"]


def test_environment_is_clean(executor: Executor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEARNDOCK_SECRET", "of the host")
    found = set(words(executor, "import os; print(*os.environ)"))
    assert "OMP_NUM_THREADS" in found
    assert not {name for name in found if name.startswith(("LEARNDOCK", "PIP", "UV", "VIRTUAL"))}


def test_network_is_refused(executor: Executor) -> None:
    code = """
        import socket
        for address in (("1.1.1.1", 80), ("169.254.169.254", 80), ("10.0.0.1", 443)):
            try:
                socket.create_connection(address, 3)
                print("connected")
            except OSError:
                print("refused")
        # What is up beside the loopback; the kernel shows the names of its tunnels everywhere.
        print(*(line.split()[0] for line in open("/proc/net/route").readlines()[1:]))
    """
    assert words(executor, code) == ["refused"] * 3


def test_other_socket_families_are_refused(executor: Executor) -> None:
    code = """
        import socket
        for family in (16, 17, 38, 40):  # netlink, packet, the kernel's ciphers, the hypervisor
            try:
                socket.socket(family, socket.SOCK_DGRAM)
                print("made")
            except OSError as error:
                print(error.errno)
    """
    assert set(words(executor, code)) <= {"1", "97"}


def test_only_tmp_can_be_written(executor: Executor, tmp_path: Path) -> None:
    (tmp_path / "given").write_text("given")
    tmp_path.chmod(0o755)
    code = """
        import os
        for path in ("/", "/usr", "/usr/bin", "/etc", "/dev", "/proc/sys/kernel", "/sys", "/sandbox", "/given", "/tmp"):
            try:
                open(path + "/written", "w").close()
                print(path)
            except OSError:
                pass
        print(open("/given/given").read())
    """
    outcome = run(executor, code, mounts=(Mount(tmp_path, "/given"),))
    assert outcome.output.split() == ["/tmp", "given"], outcome  # noqa: S108
    assert [path.name for path in tmp_path.iterdir()] == ["given"]


def test_host_is_not_seen(executor: Executor, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    code = f"""
        import os
        print(os.path.exists({str(secret)!r}), os.path.exists("/etc/shadow") and os.access("/etc/shadow", os.R_OK))
        print(len([name for name in os.listdir("/proc") if name.isdigit()]) < 6)
        print(any(os.path.exists(path) for path in ("/var/run/docker.sock", "/run/docker.sock", "/root/.ssh")))
    """
    assert words(executor, code) == ["False", "False", "True", "False"]


def test_tmp_is_bounded(executor: Executor) -> None:
    code = """
        try:
            for number in range(8):
                with open(f"/tmp/{number}", "wb") as file:
                    file.write(bytes(8 * 2**20))
            print("filled")
        except OSError as error:
            print("refused", number < 3)
    """
    assert words(executor, code) == ["refused", "True"]


def test_files_are_bounded_in_size_and_number(executor: Executor) -> None:
    code = """
        def refused(action):
            try:
                action()
            except OSError:
                return True
        print(refused(lambda: open("/tmp/large", "wb").truncate(17 * 2**20)))
        print(refused(lambda: [open("/dev/null") for _ in range(100)]))
    """
    assert words(executor, code, replace(LIMITS, open_files=64)) == ["True"] * 2


def test_processor_time_is_bounded(executor: Executor) -> None:
    outcome = run(executor, "while True: pass", replace(LIMITS, cpu_seconds=1))
    assert (outcome.end.status in (128 + 9, 128 + 24), outcome.end.cause) == (True, ExitCause.EXITED), outcome


def test_memory_is_bounded(executor: Executor) -> None:
    code = """
        held = []
        while True:
            held.append(b"x" * 2**24)
    """
    outcome = run(executor, code)
    assert outcome.end.status != 0
    assert outcome.end.cause is ExitCause.OUT_OF_MEMORY or "MemoryError" in outcome.log


def test_memory_of_many_processes_is_bounded_together(executor: Executor) -> None:
    code = """
        import os, time
        for number in range(12):
            if os.fork() == 0:
                held = b"x" * (100 * 2**20)
                time.sleep(30)
                os._exit(0)
        print(os.waitpid(-1, 0)[1])
    """
    outcome = run(executor, code)
    assert outcome.end.cause is ExitCause.OUT_OF_MEMORY or outcome.output == "9\n"


def test_shared_memory_is_bounded(executor: Executor) -> None:
    code = """
        try:
            with open("/dev/shm/filler", "wb") as file:
                for _ in range(32):
                    file.write(bytes(2**24))
            print("filled")
        except OSError:
            print("refused")
    """
    assert words(executor, code) == ["refused"]


def test_endless_loop_ends_at_the_deadline(executor: Executor) -> None:
    outcome = run(executor, "while True: pass", replace(LIMITS, wall_seconds=2.0))
    assert outcome.end == Exit(137, ExitCause.DEADLINE)


def test_deadline_takes_all_processes_and_ignores_their_wishes(executor: Executor) -> None:
    code = """
        import os, signal, time
        for number in range(1, 65):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
        if os.fork() == 0:
            os.setsid()
        while True:
            time.sleep(1)
    """
    outcome = run(executor, code, replace(LIMITS, wall_seconds=2.0))  # the output ends only when all are gone
    assert outcome.end == Exit(137, ExitCause.DEADLINE)


def test_fork_bomb_is_contained(executor: Executor) -> None:
    code = """
        import os, time
        born = 0
        for _ in range(1000):
            try:
                if os.fork() == 0:
                    time.sleep(30)
                    os._exit(0)
                born += 1
            except OSError:
                break
        print(born < 64)
    """
    process = executor.start([executor.python, "-I", "-c", textwrap.dedent(code)], limits=LIMITS)
    try:
        # gVisor ends the whole sandbox instead of refusing a process.
        assert process.read(100, Deadline(PATIENCE)) in (b"True\n", b"" if executor.name == "gvisor" else b"True\n")
        assert words(executor, "import os; os.fork() or os._exit(0); print('ok')") == ["ok"]  # its neighbour is free
    finally:
        process.kill()
        process.wait(PATIENCE)


def test_flood_of_output_is_neither_kept_nor_followed(executor: Executor) -> None:
    limits = replace(LIMITS, wall_seconds=3.0, log_bytes=256 * 1024)
    outcome = run(executor, "import sys\nwhile True: sys.stderr.write('flood ' * 1000)", limits)
    assert outcome.end.cause is ExitCause.DEADLINE
    assert len(outcome.log) <= 16 * 1024 + 100
    hidden = int(outcome.log.removeprefix("[").split()[0])
    assert hidden < 60 * MIB


def test_system_calls_are_refused(executor: Executor) -> None:
    column = ARCHITECTURES[platform.machine()][1]
    numbers = {name: columns[column] for name, columns in REFUSED.items() if columns[column] is not None}
    code = f"""
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        for name, number in {numbers!r}.items():
            libc.syscall(number, 0, 0, 0, 0, 0, 0)
            print(name, ctypes.get_errno())
        libc.syscall({CLONE[column]}, 0x10000000 | 17, 0, 0, 0, 0)  # with a new user namespace
        print("clone", ctypes.get_errno())
        libc.syscall(9999, 0, 0, 0, 0, 0, 0)
        print("unknown", ctypes.get_errno())
    """
    found = dict(line.split() for line in run(executor, code).output.splitlines())
    assert found == {**dict.fromkeys(numbers, "1"), "clone": "1", "unknown": "38"}


def test_kill_ends_it(executor: Executor) -> None:
    process = executor.start([executor.python, "-I", "-c", "import time; time.sleep(30)"], limits=LIMITS)
    process.kill()
    assert process.wait(PATIENCE).cause is ExitCause.KILLED
    assert process.wait(PATIENCE).cause is ExitCause.KILLED  # still known
    process.kill()


def test_wait_and_read_have_an_end(executor: Executor) -> None:
    process = executor.start([executor.python, "-I", "-c", "import time; time.sleep(30)"], limits=LIMITS)
    try:
        with pytest.raises(TimeoutError):
            process.wait(0.2)
        with pytest.raises(TimeoutError):
            process.read(1, Deadline(0.2))
        with pytest.raises(TimeoutError):
            process.write(bytes(32 * MIB), Deadline(0.5))  # nobody reads
    finally:
        process.kill()
        process.wait(PATIENCE)


def test_sandbox_outlives_the_thread_that_started_it(executor: Executor) -> None:
    started: list[SandboxProcess] = []
    code = "import sys; print(sys.stdin.readline(), end='')"
    thread = threading.Thread(
        target=lambda: started.append(executor.start([executor.python, "-I", "-c", code], limits=LIMITS))
    )
    thread.start()
    thread.join()
    (process,) = started
    process.write(b"still here\n", Deadline(PATIENCE))
    assert process.read(100, Deadline(PATIENCE)) == b"still here\n"
    assert process.wait(PATIENCE) == Exit(0, ExitCause.EXITED)


def test_a_named_pipe_connects_where_the_kernel_is_shared(executor: Executor, tmp_path: Path) -> None:
    assert executor.shares_kernel == (executor.name != "gvisor")
    if not executor.shares_kernel:
        return
    wire = Wire(tmp_path / "wire")
    command = ["/bin/sh", "-c", f"cat <{WIRE}/requests >{WIRE}/replies"]
    process = executor.start(command, mounts=(wire.mount,), limits=LIMITS)
    try:
        wire.follow(process)
        wire.stream.write(b"there and back", Deadline(PATIENCE))
        assert wire.stream.read(100, Deadline(PATIENCE)) == b"there and back"
        process.kill()
        assert wire.stream.read(100, Deadline(PATIENCE)) == b""  # the end
    finally:
        process.kill()
        process.wait(PATIENCE)
        wire.close()


@pytest.fixture
def orphaned(executor: Executor) -> Iterator[None]:
    yield
    executor.sweep()


def test_sandboxes_of_a_dead_owner_are_swept(executor: Executor, orphaned: None) -> None:
    owner = f"""
import os, signal
from learndock.sandbox.choice import choose_executor
from learndock.sandbox.executor import Limits
executor = choose_executor({executor.name!r})
process = executor.start([executor.python, "-I", "-c", "import time; time.sleep(300)"], limits=Limits())
print("started", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    ended = subprocess.run([sys.executable, "-c", owner], capture_output=True, text=True, timeout=PATIENCE)
    assert ended.stdout == "started\n", ended.stderr
    executor.sweep()
    assert executor.sweep() == 0
