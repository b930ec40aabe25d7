"""Writes the orange-juice stores of R's package bayesm as one array: `orange_juice.py DATA.rda ROWS.npy`."""

from pathlib import Path
import sys

import numpy as np
import rdata

# Identifiers and the constant are no features.
LEFT_OUT = ["store", "brand", "week", "constant"]


def main() -> None:
    """Read, drop, write."""
    table = rdata.read_rda(Path(sys.argv[1]))["orangeJuice"]["yx"]
    np.save(sys.argv[2], table.drop(columns=LEFT_OUT).to_numpy(dtype=np.float32))


if __name__ == "__main__":
    main()
