"""Where specifications lie: packed on disk, memory-mapped, so that a million of them need no memory.

A pack is a folder of segment files to which records are appended: the weights of a specification, float64 [K], and then
its atoms, float32 [K, d]. What was written never changes. A pack is derived data; where a snapshot of the index goes
with it, the snapshot tells how many bytes of it hold.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path
import shutil
import threading
from typing import Protocol
from uuid import uuid4
import zlib

import numpy as np
from numpy.typing import NDArray

from learndock.rkme.specification import Specification
from services.search.island import IslandKey

SEGMENT_BYTES = 2**28
_ALIGNED = 8


class WeightedAtoms(Protocol):
    """A specification as far as distances ask: weighted points."""

    @property
    def atoms(self) -> NDArray[np.float32]:
        """Points, float32 [K, d]."""

    @property
    def weights(self) -> NDArray[np.float64]:
        """Their weights, float64 [K]."""


class Stored:
    """A specification in a pack; as small as a million of them ask for.

    Attributes
    ----------
    pack
        The pack.
    key
        The island where it belongs.
    atom_count
        Number of atoms, K.
    place
        Byte offset of its record.
    claimed_error
        MMD2 to the data it was made of, as its owner says; 0 where not told.
    """

    __slots__ = ("atom_count", "claimed_error", "key", "pack", "place")

    def __init__(self, pack: Pack, key: IslandKey, atom_count: int, place: int, claimed_error: float) -> None:
        self.pack = pack
        self.key = key
        self.atom_count = atom_count
        self.place = place
        self.claimed_error = claimed_error

    @property
    def record(self) -> bytes:
        """Weights and atoms as they lie in the pack, for `Pack.append`."""
        return bytes(self.pack.read(self.place, (8 + 4 * self.key.dimension) * self.atom_count))

    @property
    def weights(self) -> NDArray[np.float64]:
        """Weights, float64 [K], read from disk as needed."""
        return self.pack.floats(self.place, self.atom_count)

    @property
    def atoms(self) -> NDArray[np.float32]:
        """Atoms, float32 [K, d], read from disk as needed."""
        count, dimension = self.atom_count, self.key.dimension
        return self.pack.singles(self.place + 8 * count, count * dimension).reshape(count, dimension)


class Pack:
    """Specifications in a folder. Reading needs no lock; writers take turns.

    Parameters
    ----------
    folder
        Where the segments lie.
    length
        How many bytes of what is there hold; the rest is overwritten.
    """

    def __init__(self, folder: Path, length: int = 0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._lock = threading.Lock()
        self._files: list[int] = []
        self._maps: list[mmap.mmap] = []
        self._length = length
        for number in range(-(-length // SEGMENT_BYTES)):
            self._open(number)
        self._checksum = self._computed_checksum()

    @classmethod
    def new(cls, packs: Path) -> Pack:
        """An empty pack in a new folder among others."""
        return cls(packs / uuid4().hex)

    @property
    def folder(self) -> Path:
        """Where the segments lie."""
        return self._folder

    def beside(self) -> Pack:
        """An empty pack in a new folder beside this one's."""
        return Pack.new(self._folder.parent)

    def state(self) -> tuple[int, int]:
        """Length and CRC-32 of what was written, once all of it is on disk."""
        with self._lock:
            for file in self._files:
                os.fsync(file)
            return self._length, self._checksum

    def stored(self, key: IslandKey, atom_count: int, place: int, claimed_error: float) -> Stored:
        """A specification that was added before."""
        return Stored(self, key, atom_count, place, claimed_error)

    def add(self, specification: Specification) -> Stored:
        """Append a specification."""
        record = specification.weights.tobytes() + specification.atoms.tobytes()
        error = specification.fidelity.mmd2 if specification.fidelity is not None else 0.0
        return self.append(IslandKey.of(specification), specification.atom_count, record, error)

    def append(self, key: IslandKey, atom_count: int, record: bytes, claimed_error: float) -> Stored:
        """Append a specification as another pack has it."""
        data = record + bytes(-len(record) % _ALIGNED)
        with self._lock:
            room = len(self._files) * SEGMENT_BYTES - self._length
            if len(data) > room:
                self._write(bytes(room))
                self._open(len(self._files))
            place = self._length
            self._write(data)
        return Stored(self, key, atom_count, place, claimed_error)

    def read(self, start: int, size: int) -> memoryview:
        """Bytes that were written."""
        within = start % SEGMENT_BYTES
        return memoryview(self._maps[start // SEGMENT_BYTES])[within : within + size]

    def floats(self, start: int, count: int) -> NDArray[np.float64]:
        """Numbers that were written in double precision."""
        return np.frombuffer(self._maps[start // SEGMENT_BYTES], np.float64, count, start % SEGMENT_BYTES)

    def singles(self, start: int, count: int) -> NDArray[np.float32]:
        """Numbers that were written in single precision."""
        return np.frombuffer(self._maps[start // SEGMENT_BYTES], np.float32, count, start % SEGMENT_BYTES)

    def close(self) -> None:
        """Take no more specifications; those that are held can still be read."""
        with self._lock:
            while self._files:
                os.close(self._files.pop())

    def release(self) -> None:
        """Let the operating system take back the memory of what was read; it is read from disk again as needed."""
        with self._lock:
            for segment in self._maps:
                segment.madvise(mmap.MADV_DONTNEED)

    def _write(self, data: bytes) -> None:
        # Written to the file, not to the map: a full disk is then an error, and not the end of the process.
        if data:
            os.pwrite(self._files[-1], data, self._length % SEGMENT_BYTES)
            self._length += len(data)
            self._checksum = zlib.crc32(data, self._checksum)

    def _computed_checksum(self) -> int:
        checksum = 0
        for number, segment in enumerate(self._maps):
            size = min(SEGMENT_BYTES, self._length - number * SEGMENT_BYTES)
            checksum = zlib.crc32(memoryview(segment)[:size], checksum)
            segment.madvise(mmap.MADV_DONTNEED)
        return checksum

    def _open(self, number: int) -> None:
        file = os.open(segment_path(self._folder, number), os.O_RDWR | os.O_CREAT, 0o600)
        os.truncate(file, SEGMENT_BYTES)
        self._files.append(file)
        self._maps.append(mmap.mmap(file, SEGMENT_BYTES, prot=mmap.PROT_READ))


def segment_path(folder: Path, number: int) -> Path:
    """Where a segment of the pack in a folder lies."""
    return folder / f"{number:06d}.segment"


def remove_other_packs(kept: Pack) -> None:
    """Remove all packs beside one; nothing else may use them."""
    for folder in kept.folder.parent.iterdir():
        if folder != kept.folder:
            shutil.rmtree(folder)
