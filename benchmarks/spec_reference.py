"""The reference engine in an environment of its own, made once under build/."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
import json
import os
from pathlib import Path
import subprocess
import sys
import tempfile
from typing import IO

import numpy as np
from numpy.typing import NDArray

GUEST = Path(__file__).parent / "guest"
_MARK = "complete"


@dataclass(frozen=True, eq=False)
class Reduced:
    """Weighted atoms, in the units of the rows, and the seconds that they took."""

    atoms: NDArray[np.float64]
    weights: NDArray[np.float64]
    seconds: float


def environment(folder: Path) -> Path:
    """Python of the reference's environment, made in `folder` if it is not there; it takes minutes and 2 GB."""
    python, wanted = folder / "bin" / "python", (GUEST / "requirements.txt").read_text()
    mark = folder / _MARK
    if not mark.exists() or mark.read_text() != wanted:
        print(f"Making the reference's environment in {folder} ...", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        # torch first and alone: with the others, pip would look for a build that brings gigabytes of CUDA.
        pinned = next(line for line in wanted.splitlines() if line.startswith("torch"))
        for what in ([pinned], ["-r", str(GUEST / "requirements.txt")]):
            subprocess.run([python, "-m", "pip", "install", "--quiet", *what], check=True)
        mark.write_text(wanted)
    return python


class ReferenceEngine:
    """The reference at work in a process of its own."""

    def __init__(self, requests: IO[str], answers: IO[str], scratch: Path) -> None:
        self._requests, self._answers, self._scratch = requests, answers, scratch

    def build(self, rows: NDArray[np.float32], atom_count: int) -> Reduced:
        """What the reference makes of rows, with its default settings."""
        source, result = self._scratch / "rows.npy", self._scratch / "result.npz"
        np.save(source, rows)
        wanted = {"rows": str(source), "atom_count": atom_count, "result": str(result)}
        self._requests.write(json.dumps(wanted) + "\n")
        self._requests.flush()
        seconds = json.loads(self._answers.readline())["seconds"]
        with np.load(result) as arrays:
            return Reduced(arrays["atoms"].astype(np.float64), arrays["weights"].astype(np.float64), seconds)


@contextmanager
def reference_engine(python: Path) -> Iterator[ReferenceEngine]:
    """The engine, warmed up, on one thread as ours; it ends with the block.

    More threads make it slower: its kernels are many and small.
    """
    with tempfile.TemporaryDirectory() as folder:
        # It writes into the home folder, and looks for models in the network.
        surroundings = os.environ | {"HOME": folder, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        command = [python, GUEST / "reference_engine.py"]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env=surroundings,
        ) as process:  # fmt: skip
            if process.stdin is None or process.stdout is None or process.stdout.readline() != "ready\n":
                raise RuntimeError("The reference engine does not start.")
            yield ReferenceEngine(process.stdin, process.stdout, Path(folder))
            process.stdin.close()
