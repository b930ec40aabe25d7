"""Whether a dock keeps its promises: the storage service's own check, and index against catalogue."""

from __future__ import annotations

from collections.abc import Iterator

from learndock.client.catalogue import Catalogue
from learndock.client.messages import finding_from_message
from learndock.client.values import Finding
from learndock.v1 import search_service_pb2, storage_service_pb2
from learndock.v1.search_service_pb2_grpc import SearchServiceStub
from learndock.v1.storage_service_pb2_grpc import StorageServiceStub

_CHECK_SECONDS = 3600.0
_FOLLOW_SECONDS = 30.0
_READINGS = 3

_Pair = tuple[str, int]


def check_integrity(
    storage: StorageServiceStub, search: SearchServiceStub, *, read_packages: bool, repair: bool
) -> tuple[Finding, ...]:
    """Everything that is wrong with a dock; empty when all is well.

    Parameters
    ----------
    storage, search
        Services of the dock, called as an admin.
    read_packages
        Reads every package and compares its hash, instead of presence and size only.
    repair
        Puts right what can be; what was is still told.

    Raises
    ------
    FailedPrecondition
        The index does not reach the catalogue in time (INDEX_BEHIND).
    """
    request = storage_service_pb2.CheckIntegrityRequest(read_packages=read_packages, repair=repair)
    stored = tuple(map(finding_from_message, storage.CheckIntegrity(request, timeout=_CHECK_SECONDS)))
    return (*stored, *_index_findings(storage, search))


def _index_findings(storage: StorageServiceStub, search: SearchServiceStub) -> Iterator[Finding]:
    # A dock at work changes between the two readings: what is wrong stays wrong, what was just moving does not.
    missing, surplus = _differences(storage, search)
    for _ in range(_READINGS - 1):
        if not missing and not surplus:
            return
        still_missing, still_surplus = _differences(storage, search)
        missing, surplus = missing & still_missing, surplus & still_surplus
    for learnware_id, version in sorted(missing):
        yield _finding(learnware_id, f"Version {version} is VERIFIED but not in the index")
    for learnware_id, version in sorted(surplus):
        yield _finding(learnware_id, f"Version {version} is in the index but not current and VERIFIED")


def _differences(storage: StorageServiceStub, search: SearchServiceStub) -> tuple[set[_Pair], set[_Pair]]:
    summary = storage.GetCatalogueSummary(storage_service_pb2.GetCatalogueSummaryRequest())
    wait = search_service_pb2.SearchRequest(top_k=1, max_mixture_members=1, min_sequence=summary.latest_sequence)
    search.Search(wait, timeout=_FOLLOW_SECONDS)
    listed = Catalogue(storage).iterate(filter_='state = "VERIFIED"', order_by="id", show_deleted=False)
    catalogue = {(learnware.learnware_id, learnware.current_version.version) for learnware in listed}
    entries = search.ListIndexEntries(search_service_pb2.ListIndexEntriesRequest(), timeout=_FOLLOW_SECONDS)
    index = {(entry.learnware_id, entry.version) for entry in entries}
    return catalogue - index, index - catalogue


def _finding(learnware_id: str, what: str) -> Finding:
    return Finding("I5", learnware_id, f"{what}; an admin can rebuild the index.")
