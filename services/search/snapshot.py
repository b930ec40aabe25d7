"""The index on disk, so that a start need not read the whole catalogue again.

A snapshot is derived data: one that is missing, damaged or of another format is ignored, and the index made anew. The
file is a line of JSON with the format and the SHA-256 of the rest, and then NumPy's own archive of arrays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
import hashlib
import io
import json
import os
from pathlib import Path
from types import MappingProxyType
from typing import Any
import zipfile

import numpy as np
from numpy.typing import NDArray

from learndock import wire
from learndock.errors import InvalidInput
from learndock.learnware import Modality
from learndock.rkme.kernel import Kernel, RobustScaler
from learndock.rkme.specification import Fidelity, Specification
from learndock.v1 import types_pb2
from services.search.background import Background
from services.search.catalogue import Shelf
from services.search.entry import Entry, Placed
from services.search.growth import merged
from services.search.index import DockIndex, IslandIndex
from services.search.island import IslandKey
from services.search.profile import Profile

FORMAT = 1

Arrays = dict[str, NDArray[Any]]


class SnapshotFile:
    """A snapshot at a path."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def save(self, index: DockIndex, seen: Mapping[str, int]) -> None:
        """Replace the snapshot, all or nothing."""
        payload = _payload(index, seen)
        header = {"format": FORMAT, "sha256": hashlib.sha256(payload).hexdigest(), "sequence": index.sequence}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_name(self._path.name + ".new")
        with beside.open("wb") as file:
            file.write(json.dumps(header).encode() + b"\n" + payload)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)

    def load(self) -> tuple[DockIndex, dict[str, int]] | None:
        """The saved index with the last change of each learnware; None when there is no sound snapshot."""
        try:
            header, _, payload = self._path.read_bytes().partition(b"\n")
            facts = json.loads(header)
            if facts["format"] != FORMAT or facts["sha256"] != hashlib.sha256(payload).hexdigest():
                return None
            with np.load(io.BytesIO(payload), allow_pickle=False) as arrays:
                return _index(dict(arrays), int(facts["sequence"]))
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, InvalidInput):
            return None


def _payload(index: DockIndex, seen: Mapping[str, int]) -> bytes:
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
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]  # numpy's stub takes the names for its own options
    return buffer.getvalue()


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
        f"{name}/atoms": np.concatenate([specification.atoms for specification in specifications]),
        f"{name}/weights": np.concatenate([specification.weights for specification in specifications]),
        f"{name}/atom_counts": np.array([specification.atom_count for specification in specifications]),
        f"{name}/fidelity": np.array([_fidelity_numbers(specification) for specification in specifications]),
        f"{name}/rows": np.stack([placed.row for placed in learnwares]),
        f"{name}/norms": np.array([placed.norm for placed in learnwares]),
    }


def _fidelity_numbers(specification: Specification) -> tuple[float, float]:
    fidelity = specification.fidelity
    return (fidelity.mmd2, fidelity.gamma) if fidelity is not None else (np.nan, np.nan)


def _index(arrays: Arrays, sequence: int) -> tuple[DockIndex, dict[str, int]]:
    islands = {str(name): _island(str(name), arrays) for name in arrays["islands"]}
    unplaced = Shelf.of(_entries("unplaced", arrays, [None] * len(arrays["unplaced/sequences"])))
    seen = dict(zip(arrays["seen/ids"].tolist(), arrays["seen/sequences"].tolist(), strict=True))
    return DockIndex(sequence, MappingProxyType(islands), unplaced), seen


def _island(name: str, arrays: Arrays) -> IslandIndex:
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
    entries = _entries(name, arrays, _specifications(name, arrays, key))
    rows, norms = arrays[f"{name}/rows"], arrays[f"{name}/norms"].tolist()
    learnwares = [Placed(entry, row, norm) for entry, row, norm in zip(entries, rows, norms, strict=True)]
    learnwares.sort(key=lambda placed: placed.entry.learnware_id)
    return merged(key, profile, Background(arrays[f"{name}/background"]), learnwares)


def _specifications(name: str, arrays: Arrays, key: IslandKey) -> list[Specification]:
    ends = np.cumsum(arrays[f"{name}/atom_counts"])[:-1]
    parts = zip(
        np.split(arrays[f"{name}/atoms"], ends),
        np.split(arrays[f"{name}/weights"], ends),
        arrays[f"{name}/fidelity"].tolist(),
        strict=True,
    )
    return [
        Specification(
            atoms=atoms,
            weights=weights,
            modality=key.modality,
            encoder=key.encoder,
            encoder_revision=key.encoder_revision,
            fidelity=None if np.isnan(mmd2) else Fidelity(mmd2, gamma),
        )
        for atoms, weights, (mmd2, gamma) in parts
    ]


def _entries(name: str, arrays: Arrays, specifications: Sequence[Specification | None]) -> list[Entry]:
    ends = np.cumsum(arrays[f"{name}/learnware_bytes"])
    data, starts = arrays[f"{name}/learnwares"].tobytes(), ends - arrays[f"{name}/learnware_bytes"]
    messages = [types_pb2.Learnware.FromString(data[start:end]) for start, end in zip(starts, ends, strict=True)]
    return [
        Entry(wire.learnware_from_message(message), specification, int(sequence))
        for message, specification, sequence in zip(
            messages, specifications, arrays[f"{name}/sequences"].tolist(), strict=True
        )
    ]
