"""Verdicts, lists, changes and integrity of the catalogue, through a real channel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
import threading

import numpy as np
import pytest

from learndock import errors
from learndock.errors import Reason
from learndock.v1 import storage_service_pb2 as pb
from learndock.v1 import types_pb2
from tests.support.databases import DATABASES
from tests.support.storage import (
    MIB,
    SEMANTIC,
    Storage,
    blob_path,
    download,
    ids,
    package,
    replayed,
    served_storage,
)


@pytest.fixture(params=DATABASES)
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    with served_storage(tmp_path, database_url=DATABASES[request.param](tmp_path)) as made:
        yield made


def test_the_fence_decides(storage: Storage) -> None:
    learnware_id = storage.submit(storage.ann, package()).learnware.learnware_id
    storage.verdict(learnware_id, types_pb2.VERSION_STATE_VALIDATING, fence=2, validation_id="second")
    for state in (types_pb2.VERSION_STATE_VERIFIED, types_pb2.VERSION_STATE_UPLOADED):
        with pytest.raises(errors.Aborted) as caught:
            storage.verdict(learnware_id, state, fence=1, validation_id="first")
        assert caught.value.reason is Reason.LEASE_LOST
    with pytest.raises(errors.Aborted):
        storage.verdict(learnware_id, types_pb2.VERSION_STATE_VERIFIED, fence=2, validation_id="first")
    storage.verdict(learnware_id, types_pb2.VERSION_STATE_REJECTED, fence=2, validation_id="second", reason="no")
    repeated = storage.verdict(
        learnware_id, types_pb2.VERSION_STATE_REJECTED, fence=2, validation_id="second", reason="no"
    )
    assert repeated.state_reason == "no"
    with pytest.raises(errors.Aborted):
        storage.verdict(learnware_id, types_pb2.VERSION_STATE_VERIFIED, fence=2, validation_id="second")
    storage.verdict(learnware_id, types_pb2.VERSION_STATE_VERIFIED, fence=3, validation_id="third")
    kinds = [change.kind for change in replayed(storage, 3)]
    assert kinds == [
        pb.CHANGE_KIND_VERSION_UPLOADED,
        pb.CHANGE_KIND_VERSION_REJECTED,
        pb.CHANGE_KIND_VERSION_VERIFIED,
    ]


def test_verdicts_are_checked(storage: Storage) -> None:
    learnware_id = storage.submit(storage.ann, package()).learnware.learnware_id
    with pytest.raises(errors.InvalidInput) as state:
        storage.verdict(learnware_id, types_pb2.VERSION_STATE_UNSPECIFIED)
    assert state.value.field == "state"
    with pytest.raises(errors.InvalidInput) as rows:
        storage.verdict(learnware_id, types_pb2.VERSION_STATE_VERIFIED, outputs=np.zeros((3, 1)))
    assert (rows.value.reason, rows.value.field) == (Reason.SHAPE_MISMATCH, "atom_outputs.shape")
    with pytest.raises(errors.NotFound):
        storage.verdict(learnware_id, types_pb2.VERSION_STATE_VERIFIED, version=7)


def test_pages_cover_everything_once_in_order(storage: Storage) -> None:
    names = ["b", "a", "c", "a", "b"]
    for i, name in enumerate(names):
        storage.submit(storage.ann, package(str(i)), semantic=replace(SEMANTIC, name=name))
    for order, expected in {
        "": ["1", "2", "3", "4", "5"],
        "id desc": ["5", "4", "3", "2", "1"],
        "name": ["2", "4", "1", "5", "3"],
        "name desc, id desc": ["3", "5", "1", "4", "2"],
        "name asc, create_time desc": ["4", "2", "5", "1", "3"],
        "update_time desc": ["5", "4", "3", "2", "1"],
    }.items():
        found: list[str] = []
        token = ""
        while True:
            request = pb.ListLearnwaresRequest(page_size=2, page_token=token, order_by=order)
            answer = storage.ann.ListLearnwares(request)
            assert answer.total_size == 5
            found += [each.learnware_id[-1] for each in answer.learnwares]
            token = answer.next_page_token
            if not token:
                break
        assert found == expected, order
    assert ids(storage.ann, filter='name = "a"', order_by="id") == ["00000002", "00000004"]


def test_lists_refuse_what_they_do_not_understand(storage: Storage) -> None:
    storage.submit(storage.ann, package("1"))
    storage.submit(storage.ann, package("2"))
    token = storage.ann.ListLearnwares(pb.ListLearnwaresRequest(page_size=1)).next_page_token
    for query, reason in (
        ({"filter": "colour = red"}, Reason.FILTER_INVALID),
        ({"order_by": "owner"}, Reason.ORDER_INVALID),
        ({"order_by": "id sideways"}, Reason.ORDER_INVALID),
        ({"order_by": "id, id"}, Reason.ORDER_INVALID),
        ({"page_token": "forged"}, Reason.PAGE_TOKEN_INVALID),
        ({"page_token": token, "order_by": "name"}, Reason.PAGE_TOKEN_INVALID),
    ):
        with pytest.raises(errors.InvalidInput) as caught:
            ids(storage.ann, **query)
        assert caught.value.reason is reason
    with pytest.raises(errors.InvalidInput):  # somebody else's list
        ids(storage.admin, page_token=token)


def test_followers_hear_everything_in_order_and_then_what_happens(storage: Storage) -> None:
    learnware_id = storage.verified(package("1"))
    heard: list[pb.WatchChangesResponse] = []
    caught_up, complete = threading.Event(), threading.Event()
    stream = storage.service.WatchChanges(pb.WatchChangesRequest())

    def follow() -> None:
        try:
            for change in stream:
                if change.sequence:
                    heard.append(change)
                else:
                    caught_up.set()
                if len(heard) == 5:
                    complete.set()
        except errors.Cancelled:
            pass

    follower = threading.Thread(target=follow)
    follower.start()
    assert caught_up.wait(30)
    storage.ann.UpdateLearnware(
        pb.UpdateLearnwareRequest(
            learnware=types_pb2.Learnware(learnware_id=learnware_id, visibility=types_pb2.VISIBILITY_PRIVATE)
        )
    )
    storage.ann.DeleteLearnware(pb.DeleteLearnwareRequest(learnware_id=learnware_id))
    storage.ann.UndeleteLearnware(pb.UndeleteLearnwareRequest(learnware_id=learnware_id))
    assert complete.wait(30)
    stream.cancel()
    follower.join(30)
    assert [change.sequence for change in heard] == [1, 2, 3, 4, 5]
    assert [pb.ChangeKind.Name(change.kind).removeprefix("CHANGE_KIND_") for change in heard] == [
        "VERSION_UPLOADED",
        "VERSION_VERIFIED",
        "LEARNWARE_UPDATED",
        "LEARNWARE_DELETED",
        "LEARNWARE_RESTORED",
    ]
    assert heard[0].learnware.current_version.state == types_pb2.VERSION_STATE_UPLOADED
    assert heard[1].version.state == types_pb2.VERSION_STATE_VERIFIED
    assert heard[2].learnware.visibility == types_pb2.VISIBILITY_PRIVATE
    assert heard[3].learnware.HasField("delete_time")
    assert [change.sequence for change in replayed(storage, 2, after=3)] == [4, 5]


def test_a_follower_ahead_of_the_log_must_begin_again(storage: Storage) -> None:
    with pytest.raises(errors.OutOfRange) as caught:
        next(iter(storage.service.WatchChanges(pb.WatchChangesRequest(after_sequence=1))))
    assert caught.value.reason is Reason.CHANGES_EXPIRED


def test_numbers(storage: Storage) -> None:
    data = package("1")
    storage.verified(data)
    storage.submit(storage.ann, package("2"))
    gone = storage.verified(package("3"))
    storage.ann.DeleteLearnware(pb.DeleteLearnwareRequest(learnware_id=gone))
    summary = storage.admin.GetCatalogueSummary(pb.GetCatalogueSummaryRequest())
    assert summary.learnwares == 2
    assert dict(summary.by_state) == {"VERIFIED": 1, "UPLOADED": 1}
    assert dict(summary.by_task) == {"Regression": 2}
    assert dict(summary.by_data) == {"Table": 2}
    assert summary.package_bytes == 3 * len(data)
    assert summary.latest_sequence == 6


def test_damage_is_found_and_never_given_out(storage: Storage) -> None:
    verified, waiting = storage.verified(package("1")), storage.submit(storage.ann, package("2")).learnware.learnware_id
    assert storage.faults() == []
    lost = storage.folder / "packages" / blob_path(package("2"))
    lost.unlink()
    flipped = storage.folder / "packages" / blob_path(package("1"))
    data = bytearray(flipped.read_bytes())
    data[10] ^= 1
    flipped.write_bytes(data)
    assert [(f.invariant, f.subject) for f in storage.faults(read_packages=False)] == [("I3", f"{waiting} version 1")]
    assert [(f.invariant, f.subject) for f in storage.faults()] == [
        ("I1", f"{verified} version 1"),
        ("I3", f"{waiting} version 1"),
    ]
    for learnware_id in (verified, waiting):
        with pytest.raises(errors.DataLoss) as caught:
            download(storage.ann, learnware_id)
        assert caught.value.reason is Reason.HASH_MISMATCH
    flipped.write_bytes(b"short")
    assert storage.faults(read_packages=False)[0].invariant == "I1"


def test_a_folder_has_no_addresses(storage: Storage) -> None:
    learnware_id = storage.verified(package())
    with pytest.raises(errors.FailedPrecondition) as caught:
        storage.ann.GetDownloadUrl(pb.GetDownloadUrlRequest(learnware_id=learnware_id))
    assert caught.value.reason is Reason.URL_UNSUPPORTED


def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    with served_storage(tmp_path) as storage:
        learnware_id = storage.verified(package())
    with served_storage(tmp_path) as storage:
        assert download(storage.bob, learnware_id) == package()
        assert storage.faults() == []


def test_several_writers_leave_no_gap(storage: Storage) -> None:
    packages = [package(str(i)) for i in range(8)]

    def submit(data: bytes) -> None:
        storage.submit(storage.ann, data)

    threads = [threading.Thread(target=submit, args=(data,)) for data in packages]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ids(storage.ann) == [f"{i:08d}" for i in range(1, 9)]
    assert [change.sequence for change in replayed(storage, 8)] == list(range(1, 9))
    assert storage.faults() == []


def test_a_message_over_the_limit_is_told(storage: Storage) -> None:
    request = pb.ListLearnwaresRequest(filter="x" * (5 * MIB))
    with pytest.raises(errors.ResourceExhausted) as caught:
        storage.ann.ListLearnwares(request)
    assert caught.value.reason is Reason.MESSAGE_TOO_LARGE


@pytest.mark.parametrize(
    ("filter_", "found"),
    [
        ('name:"wine"', ["1", "2"]),
        ('name:"WINE 1"', ["1", "2"]),
        ('name:"1"', ["1", "2"]),
        ('name:"say \\"hi\\""', ["3"]),
        ('name:"100%"', ["2"]),
        ('name:"0_"', []),
        ('name:"Äpf"', ["4"]),
        ('text:"quality wine"', ["1"]),
        ('text:"wine apples"', []),
        ('text:"a of"', ["1", "3"]),
        ('text:"" AND task = "Regression"', ["1", "2", "3", "4"]),
        ('NOT text:"wine"', ["3", "4"]),
    ],
)
def test_texts_are_found_by_their_parts(storage: Storage, filter_: str, found: list[str]) -> None:
    names = ("Wine 1", "wine 100%", 'say "hi"', "Äpfel")
    texts = ("The quality of a bottle.", "None.", "A sort of greeting.", "Apples.")
    for name, text in zip(names, texts, strict=True):
        semantic = replace(SEMANTIC, name=name, description=text)
        storage.submit(storage.ann, package(name), semantic=semantic)
    assert [learnware_id.lstrip("0") for learnware_id in ids(storage.ann, filter=filter_)] == found


def test_texts_that_changed_are_found_as_they_are_now(storage: Storage) -> None:
    learnware = storage.submit(storage.ann, package("1")).learnware
    learnware.semantic_specification.description = "Something else."
    request = pb.UpdateLearnwareRequest(learnware=learnware)
    request.update_mask.paths.append("semantic_specification")
    storage.ann.UpdateLearnware(request)
    assert ids(storage.ann, filter='text:"something"') == [learnware.learnware_id]
    assert ids(storage.ann, filter='text:"toy"') == []


def test_text_is_searched_not_compared(storage: Storage) -> None:
    with pytest.raises(errors.InvalidInput) as caught:
        ids(storage.ann, filter='text = "wine"')
    assert caught.value.reason is Reason.FILTER_INVALID
