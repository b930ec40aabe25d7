"""Make `.venv` as requirements.lock says, or resolve requirements.lock anew.

Runs before anything is installed, so it and what it imports use the standard library only. uv does the work, because
it is ten times as quick as pip; it does not read pip's configuration, so that is handed to it: a CPU build of torch
that pip would take from a local folder must not become gigabytes of CUDA.
"""

from __future__ import annotations

import argparse
import hashlib
import os
from pathlib import Path
import re
import shlex
import shutil
import subprocess
import sys
import venv

from learndock.sandbox.pip_settings import uv_variables

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = ROOT / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"
LOCK = ROOT / "requirements.lock"
STAMP = ENVIRONMENT / "made-of.sha256"
LEAST_PYTHON = (3, 11)


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("setup", "lock"))
    action = parser.parse_args().action
    try:
        setup() if action == "setup" else lock()
    except subprocess.CalledProcessError as failure:
        sys.exit(f"Failed: {shlex.join(map(str, failure.cmd))}")


def setup() -> None:
    """Make or renew the environment, unless it was made of the same lock."""
    if sys.version_info < LEAST_PYTHON:
        sys.exit(f"Learndock needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}.")
    made_of = _digest()
    if PYTHON.exists() and STAMP.exists() and STAMP.read_text() == made_of:
        return
    print(f"Making {ENVIRONMENT.relative_to(ROOT)} as {LOCK.name} says ...", flush=True)
    if not PYTHON.exists():
        _require_venv()
        venv.create(ENVIRONMENT, with_pip=True, clear=True, symlinks=True)
    _install()
    STAMP.write_text(made_of)


def lock() -> None:
    """Resolve pyproject.toml into requirements.lock, for every extra; versions in it stay where they still fit."""
    options = ["--all-extras", "--no-header", "--no-emit-index-url", "--no-emit-find-links", "--quiet"]
    # uv would keep to torch's plain version, which needs CUDA, instead of looking for the local build 2.13.0+cpu.
    LOCK.write_text(re.sub(r"^torch==.*\n", "", LOCK.read_text(), flags=re.MULTILINE))
    _uv("pip", "compile", "pyproject.toml", *options, "--output-file", str(LOCK))
    # The local version exists on few machines; the plain one admits it too.
    LOCK.write_text(re.sub(r"(==[^\s+]+)\+\S+", r"\1", LOCK.read_text()))


def _install() -> None:
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, _pin("uv")], check=True)
    try:
        _uv("pip", "install", "--quiet", "--requirement", str(LOCK))
    except subprocess.CalledProcessError:
        print("uv could not do it; pip tries.", flush=True)
        subprocess.run([*pip, "--requirement", str(LOCK)], check=True)
    _uv("pip", "install", "--quiet", "--no-deps", "--editable", str(ROOT))


def _uv(*arguments: str) -> None:
    environment = {**os.environ, **uv_variables(os.environ), "VIRTUAL_ENV": str(ENVIRONMENT)}
    subprocess.run([str(ENVIRONMENT / "bin" / "uv"), *arguments], check=True, cwd=ROOT, env=environment)


def _pin(name: str) -> str:
    found = re.search(rf"^{name}==\S+", LOCK.read_text(), re.MULTILINE)
    return found.group() if found else name


def _digest() -> str:
    parts = [LOCK.read_bytes(), (ROOT / "pyproject.toml").read_bytes(), sys.version.encode(), str(ROOT).encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _require_venv() -> None:
    """Install Debian's python3-venv where it is missing and we may; else say how."""
    if subprocess.run([sys.executable, "-c", "import ensurepip"], capture_output=True).returncode == 0:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        sys.exit("Python cannot make virtual environments here. Run: apt-get install python3-venv")
    print("Installing python3-venv ...", flush=True)
    subprocess.run(["apt-get", "update", "-qq"], check=True)
    subprocess.run(["apt-get", "install", "-qq", "-y", "--no-install-recommends", "python3-venv"], check=True)


if __name__ == "__main__":
    main()
