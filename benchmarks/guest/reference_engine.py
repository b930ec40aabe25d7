"""Builds specifications with the reference engine, one for each line of JSON that comes in.

It runs in an environment of its own. A line names a file of rows, the atoms wanted, and the file for what is built; the
answer is the seconds that it took.
"""

import json
import sys
import time

from learnware.specification import generate_rkme_table_spec
import numpy as np


def main() -> None:
    """Answer until the input ends."""
    generate_rkme_table_spec(np.random.default_rng(0).normal(size=(200, 3)), reduced_set_size=5, cuda_idx=-1)
    answers, sys.stdout = sys.stdout, sys.stderr
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        wanted = json.loads(line)
        rows = np.load(wanted["rows"])
        began = time.perf_counter()
        built = generate_rkme_table_spec(rows, reduced_set_size=wanted["atom_count"], cuda_idx=-1)
        seconds = time.perf_counter() - began
        np.savez(wanted["result"], atoms=built.get_z(), weights=built.get_beta())
        print(json.dumps({"seconds": seconds}), file=answers, flush=True)


if __name__ == "__main__":
    main()
