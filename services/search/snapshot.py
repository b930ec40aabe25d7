"""The index on disk, so that a start need not read the whole catalogue again.

A snapshot is derived data: one that is missing, damaged or of another format is ignored, and the index made anew. The
file is a line of JSON with the format and the SHA-256 of the rest, and then NumPy's own archive of arrays.
Specifications stay in their pack; the snapshot tells where they lie, how much of the pack holds, and its checksum.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
import hashlib
import json
import os
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO
import zipfile

import numpy as np
from numpy.typing import NDArray

from learndock import wire
from learndock.errors import InvalidInput
from learndock.learnware import Modality
from learndock.rkme.kernel import Kernel, RobustScaler
from learndock.v1 import types_pb2
from services.search.background import Background
from services.search.catalogue import Shelf
from services.search.entry import Entry, Placed
from services.search.growth import merged
from services.search.index import DockIndex, IslandIndex
from services.search.island import IslandKey
from services.search.live import SavedState
from services.search.packs import Pack, Stored
from services.search.profile import Profile

FORMAT = 3
_HEADER_BYTES = 512

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Header:
    """What a snapshot tells of itself.

    Attributes
    ----------
    format
        `FORMAT`.
    sha256
        Hash of what follows the header.
    sequence
        Last change that the index had applied.
    pack
        Name of the pack where its specifications lie.
    pack_bytes
        How much of the pack holds.
    pack_checksum
        CRC-32 of that.
    """

    format: int
    sha256: str
    sequence: int
    pack: str
    pack_bytes: int
    pack_checksum: int

    @classmethod
    def read(cls, file: BinaryIO) -> Header:
        """The header at the beginning of a file; raises ValueError or TypeError where it is none of this format."""
        header = cls(**json.loads(file.read(_HEADER_BYTES)))
        if header.format != FORMAT:
            raise ValueError("The file is no snapshot of this format.")
        return header

    def write(self, file: BinaryIO) -> None:
        """Write it at the beginning of a file."""
        file.seek(0)
        file.write(json.dumps(asdict(self)).encode().ljust(_HEADER_BYTES - 1) + b"\n")


class SnapshotFile:
    """A snapshot at a path.

    Parameters
    ----------
    path
        The file.
    packs
        Folder of the packs.
    """

    def __init__(self, path: Path, packs: Path) -> None:
        self.path = path
        self.packs = packs

    @contextmanager
    def opened(self) -> Iterator[tuple[Header, BinaryIO]]:
        """The snapshot as it lies there now, though another may replace it meanwhile: its header, and the whole file.

        Raises
        ------
        OSError, ValueError, TypeError
            There is none of this format.
        """
        with self.path.open("rb") as file:
            header = Header.read(file)
            file.seek(0)
            yield header, file

    def sequence(self) -> int | None:
        """Last change that the saved index had applied; None where there is no snapshot of this format."""
        try:
            with self.opened() as (header, _):
                return header.sequence
        except (OSError, ValueError, TypeError):
            return None

    def save(self, saved: SavedState) -> None:
        """Replace the snapshot, all or nothing. Needs no more memory than the vectors."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_name(self.path.name + ".new")
        length, checksum = saved.pack.state()
        with beside.open("w+b") as file:
            file.write(b" " * _HEADER_BYTES)
            np.savez(file, **_arrays(saved.index, saved.seen))  # type: ignore[arg-type]  # names, not its own options
            file.seek(_HEADER_BYTES)
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            header = Header(FORMAT, sha256, saved.index.sequence, saved.pack.folder.name, length, checksum)
            header.write(file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.path)

    def load(self) -> SavedState | None:
        """The saved index; None when there is no sound snapshot."""
        try:
            with self.path.open("rb") as file:
                header = Header.read(file)
                if header.sha256 != hashlib.file_digest(file, "sha256").hexdigest():
                    return None
                pack = Pack(self.packs / Path(header.pack).name, header.pack_bytes)
                if pack.state() != (header.pack_bytes, header.pack_checksum):
                    return None
                file.seek(_HEADER_BYTES)
                with np.load(file, allow_pickle=False) as arrays:
                    return _saved_state(dict(arrays), header.sequence, pack)
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, InvalidInput):
            return None


def _arrays(index: DockIndex, seen: Mapping[str, int]) -> Arrays:
    arrays: Arrays = {
        "seen/ids": np.array(list(seen), dtype=np.str_),
        "seen/sequences": np.array(list(seen.values()), dtype=np.int64),
        "islands": np.array(list(index.islands), dtype=np.str_),
        **_entry_arrays("unplaced", index.unplaced.entries),
    }
    for name, island in index.islands.items():
        learnwares = list(island.living())
        arrays |= _entry_arrays(name, [placed.entry for placed in learnwares])
        arrays |= _island_arrays(name, island, learnwares)
    return arrays


def _entry_arrays(name: str, entries: Sequence[Entry]) -> Arrays:
    messages = [wire.learnware_to_message(entry.learnware).SerializeToString() for entry in entries]
    return {
        f"{name}/learnwares": np.frombuffer(b"".join(messages), dtype=np.uint8),
        f"{name}/learnware_bytes": np.array([len(message) for message in messages], dtype=np.int64),
        f"{name}/sequences": np.array([entry.sequence for entry in entries], dtype=np.int64),
    }


def _island_arrays(name: str, island: IslandIndex, learnwares: Sequence[Placed]) -> Arrays:
    key, profile = island.key, island.profile
    specifications = [placed.specification for placed in learnwares]
    facts = {
        "key": [key.modality.value, key.encoder, key.encoder_revision, key.dimension],
        "number": profile.number,
        "fitted_on": profile.fitted_on,
        "fit_time": profile.fit_time.isoformat(),
    }
    return {
        f"{name}/facts": np.array(json.dumps(facts)),
        f"{name}/center": profile.scaler.center,
        f"{name}/scale": profile.scaler.scale,
        f"{name}/gammas": np.array(profile.kernel.gammas),
        f"{name}/landmarks": profile.landmarks,
        f"{name}/projection": profile.projection,
        f"{name}/background": island.background.pairs,
        f"{name}/places": np.array([specification.place for specification in specifications]),
        f"{name}/atom_counts": np.array([specification.atom_count for specification in specifications]),
        f"{name}/claimed_errors": np.array([specification.claimed_error for specification in specifications]),
        f"{name}/rows": np.stack([placed.row for placed in learnwares]),
        f"{name}/norms": np.array([placed.norm for placed in learnwares]),
    }


def _saved_state(arrays: Arrays, sequence: int, pack: Pack) -> SavedState:
    islands = {str(name): _island(str(name), arrays, pack) for name in arrays["islands"]}
    unplaced = Shelf.of(_entries("unplaced", arrays, [None] * len(arrays["unplaced/sequences"])))
    seen = dict(zip(arrays["seen/ids"].tolist(), arrays["seen/sequences"].tolist(), strict=True))
    return SavedState(DockIndex(sequence, MappingProxyType(islands), unplaced), seen, pack)


def _island(name: str, arrays: Arrays, pack: Pack) -> IslandIndex:
    facts = json.loads(str(arrays[f"{name}/facts"]))
    modality, encoder, revision, dimension = facts["key"]
    key = IslandKey(Modality(modality), encoder, revision, dimension)
    profile = Profile(
        number=facts["number"],
        scaler=RobustScaler(arrays[f"{name}/center"], arrays[f"{name}/scale"]),
        kernel=Kernel(tuple(arrays[f"{name}/gammas"].tolist())),
        landmarks=arrays[f"{name}/landmarks"],
        projection=arrays[f"{name}/projection"],
        fitted_on=facts["fitted_on"],
        fit_time=datetime.fromisoformat(facts["fit_time"]),
    )
    entries = _entries(name, arrays, _specifications(name, arrays, key, pack))
    rows, norms = arrays[f"{name}/rows"], arrays[f"{name}/norms"].tolist()
    learnwares = [Placed(entry, row, norm) for entry, row, norm in zip(entries, rows, norms, strict=True)]
    learnwares.sort(key=lambda placed: placed.entry.learnware_id)
    return merged(key, profile, Background(arrays[f"{name}/background"]), learnwares)


def _specifications(name: str, arrays: Arrays, key: IslandKey, pack: Pack) -> list[Stored]:
    facts = (arrays[f"{name}/{what}"].tolist() for what in ("atom_counts", "places", "claimed_errors"))
    return [pack.stored(key, *each) for each in zip(*facts, strict=True)]


def _entries(name: str, arrays: Arrays, specifications: Sequence[Stored | None]) -> list[Entry]:
    ends = np.cumsum(arrays[f"{name}/learnware_bytes"])
    data, starts = arrays[f"{name}/learnwares"].tobytes(), ends - arrays[f"{name}/learnware_bytes"]
    messages = [types_pb2.Learnware.FromString(data[start:end]) for start, end in zip(starts, ends, strict=True)]
    return [
        Entry(wire.learnware_from_message(message), specification, int(sequence))
        for message, specification, sequence in zip(
            messages, specifications, arrays[f"{name}/sequences"].tolist(), strict=True
        )
    ]
