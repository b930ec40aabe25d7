"""Packages whose models attack the machine, the dock or their neighbours; every one must be rejected."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
import textwrap

from tests.support.models import GOOD_PREDICT, model_package

_IMPORTS = "import ctypes, glob, json, mmap, resource, signal, socket, struct, sys, threading, time"
_LIBC = "libc = ctypes.CDLL(None, use_errno=True)"


@dataclass(frozen=True)
class Hostile:
    """One such package.

    Attributes
    ----------
    reason
        Regular expression that the reason of the rejection matches.
    preamble, init, predict
        Code at import, in the constructor and in `predict`.
    output_shape
        As the model declares it.
    """

    reason: str
    preamble: str = ""
    init: str = "pass"
    predict: str = GOOD_PREDICT
    output_shape: str = "(2,)"

    def build(self, folder: Path, name: str) -> Path:
        """Its package, as a file in `folder`."""
        return model_package(
            folder,
            name=name,
            preamble="\n".join((_IMPORTS, _LIBC, textwrap.dedent(self.preamble))),
            init=textwrap.dedent(self.init).strip(),
            predict=textwrap.dedent(self.predict).strip(),
            output_shape=self.output_shape,
        )


def attempt(code: str) -> Hostile:
    """A model that works only if `attack` does: whoever lets it through verifies it."""
    preamble = "def attack():\n" + textwrap.indent(textwrap.dedent(code).strip(), "    ")
    return Hostile(
        "^predicts_atoms: RAISED: ",
        preamble=preamble,
        predict=f"if not attack(): raise PermissionError('refused')\n{GOOD_PREDICT}",
    )


def together(all_attempts: Iterable[Hostile]) -> Hostile:
    """One model that makes several attempts one after the other, and works as soon as one of them does."""
    each = [made.preamble.replace("def attack()", f"def attack_{number}()") for number, made in enumerate(all_attempts)]
    tried = [
        "def succeeds(attack):",
        "    try:",
        "        return attack()",
        "    except Exception:",
        "        return None",
        f"attacks = [{', '.join(f'attack_{number}' for number in range(len(each)))}]",
    ]
    return Hostile(
        "^predicts_atoms: RAISED: PermissionError: refused",
        preamble="\n".join((*each, *tried)),
        predict=f"if not any(map(succeeds, attacks)): raise PermissionError('refused')\n{GOOD_PREDICT}",
    )


def attempts(victim: Path, port: int, abstract: str) -> dict[str, Hostile]:
    """Attempts on the kernel, the network and the files of the host.

    Parameters
    ----------
    victim
        A folder of the host that everybody may write to, with a file `secret`.
    port, abstract
        Where a server of the host listens: a port of its loopback, and the name of an abstract socket.
    """
    secret = str(victim / "secret")
    return {
        "connects to the host": attempt(f"return socket.create_connection(('127.0.0.1', {port}), 2)"),
        "connects to an abstract socket": attempt(
            f"peer = socket.socket(socket.AF_UNIX)\npeer.connect('\\0' + {abstract!r})\nreturn True"
        ),
        "asks the metadata address": attempt("return socket.create_connection(('169.254.169.254', 80), 2)"),
        "resolves a name": attempt("return socket.getaddrinfo('example.org', 80)"),
        "opens a raw socket": attempt("return socket.socket(socket.AF_PACKET, socket.SOCK_RAW)"),
        "looks for the engine's socket": attempt("return glob.glob('/run/docker*') + glob.glob('/var/run/docker*')"),
        "traces the first process": attempt("return libc.ptrace(16, 1, 0, 0) == 0"),
        "mounts": attempt("return libc.mount(b'none', b'/tmp', b'tmpfs', 0, None) == 0"),
        "becomes root": attempt("os.setuid(0)\nreturn True"),
        "makes a user namespace": attempt("return libc.unshare(0x10000000) == 0"),
        "changes its root": attempt("os.chroot('/tmp')\nreturn True"),
        "sets up io_uring": attempt("return libc.syscall(425, 8, ctypes.create_string_buffer(256)) >= 0"),
        "asks the keyring": attempt("return libc.syscall(250, 0, -3, 1, 0, 0) >= 0"),
        "loads a BPF program": attempt("return libc.syscall(321, 5, ctypes.create_string_buffer(256), 64) >= 0"),
        "reads the kernel's memory": attempt("return open('/proc/kcore', 'rb').read(1) or open('/dev/mem', 'rb')"),
        "sets the core pattern": attempt("open('/proc/sys/kernel/core_pattern', 'w').write('|/tmp/x')\nreturn True"),
        "leaves its control group": attempt(
            """
            for path in glob.glob('/sys/fs/cgroup/**/cgroup.procs', recursive=True):
                open(path, 'w').write('0')
                return True
            """
        ),
        "lifts its limits": attempt(
            """
            for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_DATA):
                limit = resource.getrlimit(kind)[1]
                resource.setrlimit(kind, (limit * 2, limit * 2))
            return True
            """
        ),
        "takes real-time priority": attempt("os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(9))\nreturn True"),
        "sets the clock": attempt("time.clock_settime(time.CLOCK_REALTIME, 0)\nreturn True"),
        "reads environments": attempt(
            """
            for path in glob.glob('/proc/*/environ'):
                try:
                    if 'LEARNDOCK' in open(path).read():
                        return True
                except OSError:
                    pass
            """
        ),
        "reads a file of the host": attempt(f"return open({secret!r}).read()"),
        "follows a link to the host": attempt(f"os.symlink({secret!r}, '/tmp/link')\nreturn open('/tmp/link').read()"),
        "writes to the host": attempt(f"open({str(victim / 'written')!r}, 'w').write('x')\nreturn True"),
        "writes into its package": attempt("open(__file__, 'a').write('#')\nreturn True"),
        "writes into its environment": attempt("open(np.__file__, 'a').write('#')\nreturn True"),
        "makes a setuid program": attempt(
            "open('/usr/bin/su2', 'w').write('x')\nos.chmod('/usr/bin/su2', 0o4755)\nreturn True"
        ),
        "kills whatever it sees": attempt("os.kill(-1, signal.SIGKILL)"),
    }


_ENDS = "EXITED|RAISED|OUT_OF_MEMORY|PROTOCOL"

GREEDY: dict[str, Hostile] = {
    "fork bomb": Hostile(
        f"^predicts_atoms: (TIMED_OUT|{_ENDS}): ",
        predict="""
        while True:
            try:
                os.fork()
            except OSError:
                pass
        """,
    ),
    "thread bomb": Hostile(
        f"^predicts_atoms: (TIMED_OUT|{_ENDS}): ",
        predict="""
        while True:
            try:
                threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
            except RuntimeError:
                pass
        """,
    ),
    "64 GiB": Hostile("^predicts_atoms: OUT_OF_MEMORY: ", predict="np.full(2**33, 1.0)"),
    "64 GiB of shared memory": Hostile(
        "^predicts_atoms: OUT_OF_MEMORY: ",
        predict="""
        held = []
        while True:
            held.append(mmap.mmap(-1, 2**26))
            held[-1].write(b'x' * 2**26)
        """,
    ),
    "memory of many processes": Hostile(
        "^predicts_atoms: (OUT_OF_MEMORY|TIMED_OUT|EXITED): ",
        predict="""
        for _ in range(8):
            if os.fork() == 0:
                break
        held = np.full(2**24, 1.0)
        time.sleep(60)
        """,
    ),
    "disk filler": Hostile(
        "^predicts_atoms: (RAISED|OUT_OF_MEMORY): ",
        predict="""
        for number in range(10**6):
            open(f'/tmp/{number}', 'wb').write(bytes(2**24))
        """,
    ),
    "opens files without end": Hostile(
        "^predicts_atoms: RAISED: OSError", predict="held = [open('/dev/null') for _ in range(10**7)]"
    ),
    "endless loop": Hostile("^predicts_atoms: TIMED_OUT: ", predict="while True: pass"),
    "endless loop while loading": Hostile("^loads: TIMED_OUT: ", init="while True: pass"),
    "deadlock at import": Hostile(
        "^loads: TIMED_OUT: ", preamble="lock = threading.Lock(); lock.acquire(); lock.acquire()"
    ),
    "shape that never comes": Hostile(
        "^loads: TIMED_OUT: ", init="type(self).input_shape = property(lambda _: time.sleep(600))"
    ),
    "stops itself": Hostile("^predicts_atoms: TIMED_OUT: ", predict="os.kill(os.getpid(), signal.SIGSTOP)"),
    "endless output": Hostile("^predicts_atoms: TIMED_OUT: ", predict="while True: os.write(2, b'flood ' * 10000)"),
    "ignores signals and hides in a session": Hostile(
        "^predicts_atoms: TIMED_OUT: ",
        predict="""
        for number in range(1, 65):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
        for _ in range(3):
            if os.fork() == 0:
                os.setsid()
        while True:
            time.sleep(1)
        """,
    ),
}

DISHONEST: dict[str, Hostile] = {
    "wrong shape": Hostile("^output_shape: ", predict="return np.zeros((len(X), 3))"),
    "not a number": Hostile("^finite: ", predict="return np.full((len(X), 2), np.nan)"),
    "more outputs than inputs": Hostile("^output_length: ", predict="return np.zeros((len(X) + 1, 2))"),
    "labels out of range": Hostile("^output_values: ", predict="return np.full((len(X), 1), 7)", output_shape="(1,)"),
    "another answer each time": Hostile("^repeatable: ", predict="return np.random.default_rng().random((len(X), 2))"),
    "answers by place": Hostile("^row_order: ", predict="return np.arange(len(X) * 2.0).reshape(-1, 2)"),
    "objects": Hostile("^predicts_atoms: RAISED: TypeError", predict="return np.array([object()] * len(X))"),
    "a gigabyte of answer": Hostile(
        "^predicts_atoms: (PROTOCOL|OUT_OF_MEMORY): ", predict="return np.zeros((len(X), 2**25))"
    ),
    "lies about its answer": Hostile(
        "^predicts_atoms: PROTOCOL: ",
        predict="""
        head = json.dumps({'status': 'ok', 'values': [{'kind': 'array', 'dtype': '<f8', 'shape': [2**38]}]}).encode()
        for descriptor in range(3, 64):
            try:
                os.write(descriptor, struct.pack('>I', len(head)) + head)
            except OSError:
                pass
        time.sleep(600)
        """,
    ),
    "leaves": Hostile("^loads: EXITED: ", init="os._exit(0)"),
    "crashes": Hostile("^predicts_atoms: EXITED: ", predict="ctypes.string_at(0)"),
    "closes its streams": Hostile(
        "^predicts_atoms: (EXITED|PROTOCOL|TIMED_OUT): ", predict="os.closerange(0, 256); time.sleep(600)"
    ),
    "an error that cannot be told": Hostile(
        "^predicts_atoms: (EXITED|RAISED): ",
        preamble="class Untold(Exception):\n    def __str__(self): raise ValueError",
        predict="raise Untold",
    ),
    "an error of a hundred megabytes": Hostile(
        "^predicts_atoms: (RAISED|EXITED|OUT_OF_MEMORY): ", predict="raise ValueError('x' * 10**8)"
    ),
}
