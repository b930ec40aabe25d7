"""The real data that specifications are judged on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
import gzip
import json
import lzma
from pathlib import Path
import subprocess

import numpy as np
from numpy.typing import NDArray
import pyarrow.parquet
from sklearn.datasets import load_breast_cancer, load_digits

from benchmarks.spec_reference import GUEST
from learndock.encoders import registry

Rows = NDArray[np.float32]

AIR_SIZES = (10_000, 100_000)
FASHION_ROWS = 10_000
_DIGITS_OF_TIME = ("year", "month", "day")


@dataclass(frozen=True, eq=False)
class DataSet:
    """Rows float32 [n, d], the same for both engines."""

    name: str
    rows: Rows


@dataclass(frozen=True)
class Sources:
    """Where data comes from.

    Attributes
    ----------
    shared
        Folder of the evaluation data beside the checkout.
    build
        Folder in which Debian's packages of data are unpacked.
    python
        Interpreter that has `rdata`.
    """

    shared: Path
    build: Path
    python: Path

    def all(self) -> Iterator[DataSet]:
        """Every data set, the small ones first.

        Columns of mixed units are standardised, in favour of the reference, whose kernel has one fixed width.
        """
        digits = load_digits().data.astype(np.float32)
        yield DataSet("digits, raw", digits)
        yield DataSet("digits, scaled", standardised(digits))
        yield DataSet("breast cancer", standardised(load_breast_cancer().data))
        air = self._air_quality()
        for size in AIR_SIZES:
            yield DataSet(f"air quality, {size}", air[:size])
        yield DataSet("newsgroups", self._newsgroups())
        yield DataSet("fashion-mnist", self._fashion_mnist())
        yield DataSet("orange juice", self._orange_juice())

    def _air_quality(self) -> Rows:
        """Complete hours of all stations in random order: pollutants, weather, and the hour of the day."""
        table = pyarrow.parquet.read_table(self.shared / "air-quality" / "beijing_air_12stations.parquet")
        kinds = {name: table.schema.field(name).type for name in table.column_names}
        numeric = [name for name, kind in kinds.items() if str(kind) in ("float", "int16", "int8", "double")]
        columns = [table[name].to_numpy().astype(np.float64) for name in numeric if name not in _DIGITS_OF_TIME]
        rows = np.stack(columns, axis=1)
        rows = rows[np.isfinite(rows).all(axis=1)]
        return standardised(rows[np.random.default_rng(0).permutation(len(rows))])

    def _newsgroups(self) -> Rows:
        """Posts without their headers, as vectors of the light sentence encoder."""
        with lzma.open(self.shared / "newsgroups" / "20news_bydate.jsonl.xz", "rt", encoding="utf-8") as lines:
            bodies = [json.loads(line)["text"].partition("\n\n")[2] for line in lines]
        return registry.encoder("glove-6b-50d").encode([body for body in bodies if body.strip()])

    def _fashion_mnist(self) -> Rows:
        folder = self._debian("dataset-fashion-mnist") / "usr/share/datasets/fashion-mnist"
        pixels = gzip.decompress((folder / "train-images-idx3-ubyte.gz").read_bytes())
        images = np.frombuffer(pixels, np.uint8, offset=16).reshape(-1, 28 * 28)[:FASHION_ROWS]
        return images.astype(np.float32) / 255

    def _orange_juice(self) -> Rows:
        """Prices, promotions, sales and profits of all brands, stores and weeks."""
        target = self.build / "orange_juice.npy"
        if not target.exists():
            source = self._debian("r-cran-bayesm") / "usr/lib/R/site-library/bayesm/data/orangeJuice.rda"
            subprocess.run([self.python, GUEST / "orange_juice.py", source, target], check=True)
        return standardised(np.load(target))

    def _debian(self, package: str) -> Path:
        """Folder in which a package of Debian's lies unpacked, not installed."""
        folder = self.build / package
        if not folder.exists():
            self.build.mkdir(parents=True, exist_ok=True)
            subprocess.run(["/usr/bin/apt-get", "download", package], cwd=self.build, check=True)
            archive = next(self.build.glob(f"{package}_*.deb"))
            subprocess.run(["/usr/bin/dpkg-deb", "-x", archive, folder], check=True)
        return folder


def standardised(values: NDArray[np.floating]) -> Rows:
    """Columns of mean 0 and standard deviation 1; constant ones are 0."""
    wide = values.astype(np.float64)
    deviation = wide.std(axis=0)
    return ((wide - wide.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)).astype(np.float32)
