"""How quick storage is: transfers against a bare S3 client, small packages, lists at 100,000 learnwares, memory.

``make bench-storage`` writes ``benchmarks/results/storage.json``. Transfers go to one object store in one run, in
turns; a ratio is that of their medians.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
import tempfile

from benchmarks.storage_lists import list_milliseconds
from benchmarks.storage_transfers import large_package, submit, timed, transfer_figures
from learndock.account import Role
from tests.support.s3 import object_store
from tests.support.storage import package
from tests.support.storage_process import StorageProcess


def main() -> None:
    """Measure, print, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="where to write the figures")
    parser.add_argument("--transfer-mib", type=int, default=256, help="size of a transferred package")
    parser.add_argument("--large-mib", type=int, default=2000, help="size of the upload whose memory is measured")
    parser.add_argument("--small", type=int, default=500, help="number of small packages")
    parser.add_argument("--learnwares", type=int, default=100_000, help="number of learnwares to list")
    parser.add_argument("--rounds", type=int, default=7, help="transfers of each kind")
    options = parser.parse_args()
    figures: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder, object_store(Path(folder) / "s3") as store:
        figures |= transfer_figures(Path(folder), store, options.transfer_mib, options.rounds)
        figures |= large_figures(Path(folder), options.large_mib)
        figures |= small_figures(Path(folder), options.small)
        figures |= list_milliseconds(Path(folder), options.learnwares)
    figures["settings"] = {name: value for name, value in vars(options).items() if name != "json"}
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2))


def large_figures(folder: Path, mib: int) -> dict[str, object]:
    """Growth of the service's largest memory during one large upload."""
    service = StorageProcess({"data_dir": folder / "large"})
    ann = service.stub(Role.USER, "ann")
    try:
        submit(ann, small_file(folder, "warm"))
        idle = peak_rss_mib(service.pid)
        submit(ann, large_package(folder / "large.zip", mib, 99))
        return {"upload_rss_growth_mb": peak_rss_mib(service.pid) - idle, "idle_rss_mb": idle}
    finally:
        service.kill()


def small_figures(folder: Path, count: int) -> dict[str, object]:
    """Small packages that one client submits in a minute."""
    service = StorageProcess({"data_dir": folder / "small"})
    ann = service.stub(Role.USER, "ann")
    try:
        paths = [small_file(folder, str(number)) for number in range(count + 1)]
        submit(ann, paths[0])
        seconds = timed(lambda: [submit(ann, path) for path in paths[1:]])
    finally:
        service.kill()
    return {"small_packages_per_minute": 60 * count / seconds}


def small_file(folder: Path, note: str) -> Path:
    """A package of about a kilobyte."""
    path = folder / f"small-{note}.zip"
    path.write_bytes(package(note))
    return path


def peak_rss_mib(pid: int) -> float:
    """Largest resident memory of a process so far."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


if __name__ == "__main__":
    main()
