"""Packages on their way: uploads and downloads that go on after a break, checked by SHA-256."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
import hashlib
import itertools
from pathlib import Path

from learndock.client import direct
from learndock.client.digest import Sha256Beside
from learndock.client.patience import BREAKS, Patience
from learndock.errors import DataLoss, InvalidInput, NotFound, Reason
from learndock.learnware import LearnwareVersion
from learndock.v1 import storage_service_pb2 as pb
from learndock.v1.storage_service_pb2_grpc import StorageServiceStub

Progress = Callable[[int, int], None]
"""Told the bytes done and the bytes in all."""

Way = Callable[[StorageServiceStub, LearnwareVersion, int], Iterator[bytes]]
"""Gives a package's bytes from an offset on, or as many as it can."""

CHUNK_BYTES = 2**20
_STREAM_SECONDS = 3600.0
# The end of an archive lists what it holds, with a check sum of each: so much of it tells packages apart.
_END_BYTES = 2**20


def silent(_done: int, _total: int) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class Sent:
    """An upload all of whose bytes are committed.

    Attributes
    ----------
    upload_id
        Its id.
    sha256
        Digest of what was sent.
    """

    upload_id: str
    sha256: str


def upload(stub: StorageServiceStub, path: Path, *, learnware_id: str = "", progress: Progress = silent) -> Sent:
    """Bring a package's bytes to the dock; going on where an earlier try, also of another process, ended.

    The digest is found beside the sending, and told as soon as it is known.

    Returns
    -------
    Sent
        The upload, to be finished.

    Raises
    ------
    LearndockError
        The dock refuses the upload, or the connection broke too often without a byte moving.
    """
    size = path.stat().st_size
    if size == 0:
        raise InvalidInput(Reason.PACKAGE_INVALID, f"{path} is empty.", field="package")
    with ThreadPoolExecutor(1, thread_name_prefix="sha256") as pool:
        package = _Package(path, size, pool.submit(file_sha256, path), progress)
        for upload_id in uploads_of(stub, path, learnware_id):
            try:
                package.send(stub, upload_id)
            except NotFound:
                continue  # finished or expired meanwhile; the next one is another
            return Sent(upload_id, package.sha256.result())
    raise AssertionError("itertools.count does not end")


def uploads_of(stub: StorageServiceStub, path: Path, learnware_id: str = "") -> Iterator[str]:
    """Ids of uploads of a package: first the one that was begun before, if one was, then new ones."""
    # The request id follows from the package, so a process that starts again is given the upload it had begun. One
    # that was finished or expired is given as well; then the next number makes a new one. Its length and its end stand
    # for the package: were they ever another's too, the dock would find a wrong digest, and forget that upload.
    size = path.stat().st_size
    end = _end_of(path, size)
    for number in itertools.count():
        request_id = hashlib.sha256(f"{size} {end} {learnware_id} {number}".encode()).hexdigest()
        request = pb.StartUploadRequest(size_bytes=size, learnware_id=learnware_id, request_id=request_id)
        yield stub.StartUpload(request).upload.upload_id


def _end_of(path: Path, size: int) -> str:
    """Digest of the last `_END_BYTES` of a file of so many bytes."""
    with path.open("rb") as file:
        file.seek(max(0, size - _END_BYTES))
        return hashlib.sha256(file.read()).hexdigest()


@dataclass(frozen=True)
class _Package:
    """A package on its way to the dock, its digest being found."""

    path: Path
    size: int
    sha256: Future[str]
    progress: Progress

    def send(self, stub: StorageServiceStub, upload_id: str) -> None:
        """Send what has not come before."""
        patience = Patience()
        # To ask how much of a small one has come before costs as much as to send it.
        committed = _committed(stub, upload_id) if self.size > CHUNK_BYTES else 0
        while committed < self.size:
            self.progress(committed, self.size)
            try:
                pieces = self._pieces(upload_id, committed)
                committed = stub.WriteUpload(pieces, timeout=_STREAM_SECONDS).upload.committed_bytes
            except BREAKS as error:
                patience.bear(error, committed)
                committed = _committed(stub, upload_id)
        self.progress(self.size, self.size)

    def _pieces(self, upload_id: str, offset: int) -> Iterator[pb.WriteUploadRequest]:
        """The rest from an offset on, and with one piece the digest, once it is known."""
        told = False
        with self.path.open("rb") as file:
            file.seek(offset)
            while data := file.read(CHUNK_BYTES):
                message = pb.WriteUploadRequest(upload_id=upload_id, offset=offset, data=data)
                if not told and self.sha256.done():
                    message.sha256, told = self.sha256.result(), True
                yield message
                upload_id = ""
                offset += len(data)
                self.progress(offset, self.size)


def _committed(stub: StorageServiceStub, upload_id: str) -> int:
    return int(stub.GetUpload(pb.GetUploadRequest(upload_id=upload_id)).upload.committed_bytes)


def download(
    stub: StorageServiceStub,
    version: LearnwareVersion,
    path: Path,
    *,
    progress: Progress = silent,
    through_dock: bool = False,
) -> Path:
    """Fetch a package; an interrupted one is gone on with, and the file appears only when it is whole and verified.

    A large one comes from the object store itself where that can be reached, and from the dock otherwise.

    Parameters
    ----------
    stub
        The storage service.
    version
        What to fetch.
    path
        Where to put it; in a folder it gets the name ``ID-vVERSION.zip``.
    progress
        Told the bytes done and in all.
    through_dock
        Asks for no other way than through the dock.

    Raises
    ------
    DataLoss
        The bytes do not have the version's SHA-256.
    LearndockError
        The dock refuses, or the connection broke too often without a byte moving.
    """
    target = path / f"{version.learnware_id}-v{version.version}.zip" if path.is_dir() else path
    part = target.with_name(f".{target.name}.{version.sha256[:12]}.part")
    ways: list[Way] = [_from_dock]
    if version.size_bytes >= direct.MIN_BYTES and not through_dock:
        ways.insert(0, direct.pieces)
    if _fetch(stub, version, part, progress, ways) != version.sha256:
        part.unlink()
        raise DataLoss(
            Reason.HASH_MISMATCH,
            f"The bytes of {version.learnware_id} version {version.version} are damaged; download them again.",
            resource=version.learnware_id,
        )
    part.replace(target)
    return target


def _fetch(
    stub: StorageServiceStub, version: LearnwareVersion, part: Path, progress: Progress, ways: Sequence[Way]
) -> str:
    """Digest of the whole file, found while it comes."""
    with part.open("a+b") as file, Sha256Beside() as digest:
        if file.tell() > version.size_bytes:
            file.truncate(0)
        file.seek(0)
        while data := file.read(CHUNK_BYTES):
            digest.update(data)
        for way in ways:
            if file.tell() < version.size_bytes:
                for data in way(stub, version, file.tell()):
                    digest.update(data)
                    file.write(data)
                    progress(file.tell(), version.size_bytes)
        return digest.hexdigest()


def _from_dock(stub: StorageServiceStub, version: LearnwareVersion, offset: int) -> Iterator[bytes]:
    """The rest of a package, however often its stream breaks."""
    patience = Patience()
    while offset < version.size_bytes:
        begun = offset
        request = pb.DownloadPackageRequest(learnware_id=version.learnware_id, version=version.version, offset=offset)
        try:
            for piece in stub.DownloadPackage(request, timeout=_STREAM_SECONDS):
                data = piece.data  # each look at the field makes a copy
                offset += len(data)
                yield data
        except BREAKS as error:
            patience.bear(error, begun)


def send_chunks(path: Path) -> Iterator[bytes]:
    """A file's bytes in pieces that fit a message."""
    with path.open("rb") as file:
        while data := file.read(CHUNK_BYTES):
            yield data


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
