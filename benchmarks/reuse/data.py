"""Where the data sets are: beside the checkout, or fetched from Debian's packages into build/data."""

from __future__ import annotations

from pathlib import Path
import subprocess

FETCHED = Path("build/data")
ORANGE_JUICE = Path("usr/lib/R/site-library/bayesm/data/orangeJuice.rda")
FASHION = Path("usr/share/datasets/fashion-mnist")
AIR = Path("air-quality/beijing_air_12stations.parquet")
NEWSGROUPS = Path("newsgroups/20news_bydate.jsonl.xz")


def from_package(package: str, path: Path) -> Path:
    """A path inside of a Debian package, which is fetched and unpacked, not installed, when it is not there."""
    if not (FETCHED / path).exists():
        FETCHED.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", package], cwd=FETCHED, check=True)  # noqa: S607  # from the PATH
        archive = next(FETCHED.glob(f"{package}_*.deb"))
        subprocess.run(["dpkg-deb", "-x", archive.name, "."], cwd=FETCHED, check=True)  # noqa: S607
    return FETCHED / path
