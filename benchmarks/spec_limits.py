"""Limits of the builder: the same bytes on one thread and on two, and a million rows within bounded memory and time.

Each build runs in a process of its own, whose peak memory (rows, libraries and all) the system tells.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from pathlib import Path
import resource
import subprocess
import sys
import time

import numpy as np
from sklearn.datasets import load_digits

from learndock.rkme.fit import build_specification
from learndock.rkme.interchange import write_reference

THREADS = (1, 2)
REPETITIONS = 5
MANY_ROWS, COLUMNS = 1_000_000, 100


def digits_digest() -> str:
    """Digest of the specification of the digits, report and all."""
    return hashlib.sha256(write_reference(build_specification(load_digits().data))).hexdigest()


def many_rows() -> str:
    """Seconds and peak memory of a build of a million rows of eight overlapping clusters."""
    rng = np.random.default_rng(0)
    rows = np.empty((MANY_ROWS, COLUMNS), dtype=np.float32)
    centres = rng.normal(size=(8, COLUMNS)).astype(np.float32)
    for start in range(0, MANY_ROWS, 10_000):
        chosen = centres[rng.integers(8, size=10_000)]
        rows[start : start + 10_000] = rng.normal(size=(10_000, COLUMNS)) + chosen
    began = time.perf_counter()
    built = build_specification(rows)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return json.dumps(
        {"rows": MANY_ROWS, "columns": COLUMNS, "seconds": seconds, "peak_bytes": peak, "atoms": built.atom_count}
    )


PARTS = {"digits": digits_digest, "many": many_rows}


def run(part: str, threads: int) -> str:
    """What a part prints in a process with so many threads."""
    wanted = {name: str(threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    command = [sys.executable, "-m", "benchmarks.spec_limits", "--part", part]
    return subprocess.run(command, env=os.environ | wanted, check=True, capture_output=True, text=True).stdout.strip()


def main() -> None:
    """Run every part, print what it comes to, write it down."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--part", choices=tuple(PARTS), help="run this part here, and print its result")
    arguments.add_argument(
        "--json", type=Path, default=Path("benchmarks/results/spec_limits.json"), help="where figures go"
    )
    given = arguments.parse_args()
    if given.part:
        print(PARTS[given.part]())
        return
    digests = [run("digits", threads) for threads in THREADS for _ in range(REPETITIONS)]
    figures = {
        "builds": len(digests),
        "different_outputs": len(set(digests)),
        "million_rows": json.loads(run("many", max(THREADS))),
    }
    print(json.dumps(figures, indent=2))
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
