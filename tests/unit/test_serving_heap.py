"""Memory that is used again."""

import resource
import subprocess
import sys

ROUNDS = 50
PAGES = 2**20 // resource.getpagesize()
PROGRAM = f"""
import resource, sys
from learndock.serving.heap import keep_freed_blocks

keep_freed_blocks()
kept = [b"x" * 2**20]
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for number in range({ROUNDS}):
    pieces = [b"x" * 2**20 for _ in range(4)]
    del pieces
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_pieces_are_written_where_former_ones_lay() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    # The first four are new to the process; if each were, 50 times as many pages would be.
    assert int(done.stdout) < 10 * PAGES
