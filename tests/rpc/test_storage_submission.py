"""Packages come in through a real channel: resumed, repeated, refused."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
import hashlib
from pathlib import Path
import threading
import time

import pytest

from learndock import errors
from learndock.account import Role
from learndock.client import transfer
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
    get,
    ids,
    package,
    served_storage,
)


@pytest.fixture(params=DATABASES)
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    with served_storage(tmp_path, database_url=DATABASES[request.param](tmp_path)) as made:
        yield made


def test_an_upload_goes_on_where_it_stopped(storage: Storage) -> None:
    data = package(**{"weights.bin": bytes(range(256)) * 8192})
    upload = storage.ann.StartUpload(pb.StartUploadRequest(size_bytes=len(data))).upload

    def half() -> Iterator[pb.WriteUploadRequest]:
        yield pb.WriteUploadRequest(upload_id=upload.upload_id, offset=0, data=data[:MIB])
        yield pb.WriteUploadRequest(offset=MIB + 7, data=b"x")

    with pytest.raises(errors.OutOfRange) as caught:
        storage.ann.WriteUpload(half())
    assert caught.value.reason is Reason.OFFSET_MISMATCH
    assert caught.value.resource == str(MIB)
    committed = storage.ann.GetUpload(pb.GetUploadRequest(upload_id=upload.upload_id)).upload.committed_bytes
    assert committed == MIB
    with pytest.raises(errors.FailedPrecondition) as incomplete:
        storage.ann.FinishUpload(
            pb.FinishUploadRequest(upload_id=upload.upload_id, sha256=hashlib.sha256(data).hexdigest())
        )
    assert incomplete.value.reason is Reason.UPLOAD_INCOMPLETE
    rest = (
        pb.WriteUploadRequest(upload_id=upload.upload_id, offset=at, data=data[at : at + MIB])
        for at in range(committed, len(data), MIB)
    )
    storage.ann.WriteUpload(rest)
    request = pb.FinishUploadRequest(upload_id=upload.upload_id, sha256=hashlib.sha256(data).hexdigest().upper())
    learnware_id = storage.ann.FinishUpload(request).learnware.learnware_id
    assert download(storage.ann, learnware_id) == data
    assert download(storage.ann, learnware_id, offset=MIB + 5) == data[MIB + 5 :]
    assert download(storage.ann, learnware_id, offset=len(data)) == b""
    with pytest.raises(errors.OutOfRange):
        download(storage.ann, learnware_id, offset=len(data) + 1)


def test_a_cancelled_upload_is_gone(storage: Storage) -> None:
    upload_id = storage.send(storage.ann, b"anything")
    for stub in (storage.bob, storage.admin):
        with pytest.raises(errors.NotFound):
            stub.CancelUpload(pb.CancelUploadRequest(upload_id=upload_id))
    storage.ann.CancelUpload(pb.CancelUploadRequest(upload_id=upload_id))
    with pytest.raises(errors.NotFound):
        storage.ann.GetUpload(pb.GetUploadRequest(upload_id=upload_id))
    assert storage.files() == []


def test_sizes_are_bounded(storage: Storage) -> None:
    with pytest.raises(errors.InvalidInput) as none:
        storage.ann.StartUpload(pb.StartUploadRequest())
    assert none.value.field == "size_bytes"
    with pytest.raises(errors.ResourceExhausted) as large:
        storage.ann.StartUpload(pb.StartUploadRequest(size_bytes=8 * MIB + 1))
    assert large.value.reason is Reason.PACKAGE_TOO_LARGE
    upload = storage.ann.StartUpload(pb.StartUploadRequest(size_bytes=3)).upload
    for request in (
        pb.WriteUploadRequest(data=b"abc"),
        pb.WriteUploadRequest(upload_id=upload.upload_id, data=b"abcd"),
        pb.WriteUploadRequest(upload_id=upload.upload_id, data=bytes(MIB + 1)),
    ):
        with pytest.raises(errors.InvalidInput):
            storage.ann.WriteUpload(iter([request]))
    with pytest.raises(errors.InvalidInput):
        storage.ann.WriteUpload(iter([]))
    with pytest.raises(errors.NotFound):
        storage.ann.StartUpload(pb.StartUploadRequest(size_bytes=3, learnware_id="00000009"))


def test_a_repeated_request_has_one_effect(storage: Storage) -> None:
    data = package()
    start = pb.StartUploadRequest(size_bytes=len(data), request_id="start")
    upload = storage.ann.StartUpload(start).upload
    assert storage.ann.StartUpload(start).upload == upload
    storage.ann.WriteUpload(iter([pb.WriteUploadRequest(upload_id=upload.upload_id, data=data)]))
    finish = pb.FinishUploadRequest(
        upload_id=upload.upload_id, sha256=hashlib.sha256(data).hexdigest(), request_id="finish"
    )
    first = storage.ann.FinishUpload(finish)
    assert storage.ann.FinishUpload(finish) == first
    delete = pb.DeleteLearnwareRequest(learnware_id=first.learnware.learnware_id, request_id="delete")
    deleted = storage.ann.DeleteLearnware(delete)
    storage.ann.UndeleteLearnware(pb.UndeleteLearnwareRequest(learnware_id=first.learnware.learnware_id))
    assert storage.ann.DeleteLearnware(delete) == deleted
    assert not get(storage.ann, first.learnware.learnware_id).HasField("delete_time")
    with pytest.raises(errors.Aborted) as caught:
        storage.ann.StartUpload(pb.StartUploadRequest(size_bytes=5, request_id="finish"))
    assert caught.value.reason is Reason.REQUEST_ID_REUSED


def test_tries_of_one_request_at_the_same_time_have_one_effect(storage: Storage) -> None:
    for number in range(3):
        data = package(str(number))
        finish = pb.FinishUploadRequest(
            upload_id=storage.send(storage.ann, data),
            sha256=hashlib.sha256(data).hexdigest(),
            request_id=f"finish {number}",
        )
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(storage.ann.FinishUpload, [finish] * 4))
        assert answers == [answers[0]] * 4
    assert len(ids(storage.ann)) == 3


@pytest.mark.parametrize(
    ("data", "reason", "field"),
    [
        (b"not a zip", Reason.PACKAGE_INVALID, "package"),
        (package(**{"learnware.yaml": None}), Reason.MANIFEST_INVALID, "manifest"),
        (
            package(**{"learnware.yaml": b"model: {module_path: os.system}"}),
            Reason.MANIFEST_INVALID,
            "manifest.model.module_path",
        ),
        (
            package(**{"stat_spec.json": b'{"z": [[1.0, 2.0]], "beta": [1.0]}'}),
            Reason.SPECIFICATION_INVALID,
            "specification.dimension",
        ),
        (
            package(**{"stat_spec.json": b'{"z": [[NaN, 2, 3]], "beta": [1.0]}'}),
            Reason.NOT_FINITE,
            "specification.json",
        ),
        (package(**{"stat_spec.json": None}), Reason.SPECIFICATION_INVALID, "specification"),
        (package(**{"semantic_specification.json": None}), Reason.SEMANTIC_INVALID, "semantic_specification"),
        (package(**{"requirements.txt": b"-r /etc/passwd"}), Reason.UNSUPPORTED_DEPENDENCY, "requirements"),
    ],
    ids=["no-zip", "no-manifest", "os.system", "dimension", "nan", "no-specification", "no-semantic", "requirements"],
)
def test_bad_packages(storage: Storage, data: bytes, reason: Reason, field: str) -> None:
    with pytest.raises(errors.InvalidInput) as caught:
        storage.submit(storage.ann, data)
    assert (caught.value.reason, caught.value.field) == (reason, field)
    assert storage.files() == []
    assert ids(storage.admin, show_deleted=True) == []
    assert storage.admin.GetCatalogueSummary(pb.GetCatalogueSummaryRequest()).latest_sequence == 0


def test_bytes_that_changed_on_the_way(storage: Storage) -> None:
    upload_id = storage.send(storage.ann, package())
    request = pb.FinishUploadRequest(upload_id=upload_id, sha256="0" * 64)
    with pytest.raises(errors.DataLoss) as caught:
        storage.ann.FinishUpload(request)
    assert caught.value.reason is Reason.HASH_MISMATCH
    assert storage.files() == []
    with pytest.raises(errors.NotFound):
        storage.ann.GetUpload(pb.GetUploadRequest(upload_id=upload_id))


def test_a_malformed_digest_keeps_the_upload(storage: Storage) -> None:
    upload_id = storage.send(storage.ann, package())
    with pytest.raises(errors.InvalidInput) as caught:
        storage.ann.FinishUpload(pb.FinishUploadRequest(upload_id=upload_id, sha256="xyz"))
    assert caught.value.field == "sha256"
    assert storage.ann.GetUpload(pb.GetUploadRequest(upload_id=upload_id)).upload.committed_bytes > 0


def test_faults_of_the_description_are_told_all_at_once(storage: Storage) -> None:
    with pytest.raises(errors.InvalidInput) as caught:
        storage.submit(storage.ann, package(), semantic=replace(SEMANTIC, data="Sound", scenarios=()))
    fields = {violation.field for violation in caught.value.violations}
    assert fields == {"semantic_specification.data", "semantic_specification.scenarios"}


def test_duplicates_are_refused_where_the_caller_may_know_of_them(storage: Storage) -> None:
    data = package()
    hidden = storage.submit(storage.ann, data, visibility=types_pb2.VISIBILITY_PRIVATE).learnware.learnware_id
    with pytest.raises(errors.AlreadyExists) as caught:
        storage.submit(storage.ann, data)
    assert caught.value.reason is Reason.DUPLICATE_PACKAGE
    assert caught.value.resource == hidden
    # Bob must not learn that somebody holds this package in private.
    mine = storage.submit(storage.bob, data).learnware.learnware_id
    storage.verdict(mine, types_pb2.VERSION_STATE_VERIFIED)
    with pytest.raises(errors.AlreadyExists) as public:
        storage.submit(storage.stub(Role.USER, "carol"), data)
    assert public.value.resource == mine
    assert len(storage.files()) == 1
    assert storage.faults() == []


def test_a_rejected_package_may_be_submitted_again(storage: Storage) -> None:
    data = package()
    first = storage.submit(storage.ann, data).learnware.learnware_id
    version = storage.verdict(first, types_pb2.VERSION_STATE_REJECTED, reason="raised\n  at load")
    assert version.state_reason == "raised at load"
    assert storage.submit(storage.ann, data).learnware.learnware_id != first


def test_a_new_version_means_what_its_learnware_means(storage: Storage) -> None:
    learnware_id = storage.verified(package("1"))
    with pytest.raises(errors.InvalidInput) as caught:
        storage.submit(
            storage.ann, package("2"), learnware_id=learnware_id, semantic=replace(SEMANTIC, task="Feature Extraction")
        )
    assert caught.value.field == "semantic_specification"
    with pytest.raises(errors.PermissionDenied) as denied:
        storage.submit(storage.bob, package("2"), learnware_id=learnware_id)
    assert denied.value.reason is Reason.NOT_OWNER
    assert len(storage.files()) == 1


def test_what_came_of_another_package_with_the_same_end_is_never_taken(storage: Storage, tmp_path: Path) -> None:
    data, path = package(**{"weights.bin": bytes(range(256)) * 12288}), tmp_path / "package.zip"
    path.write_bytes(data)
    upload_id = next(transfer.uploads_of(storage.ann, path))
    another = pb.WriteUploadRequest(upload_id=upload_id, offset=0, data=bytes(MIB))
    storage.ann.WriteUpload(iter([another]))
    sent = transfer.upload(storage.ann, path)
    assert sent.upload_id == upload_id
    finish = pb.FinishUploadRequest(upload_id=upload_id, sha256=sent.sha256)
    with pytest.raises(errors.DataLoss) as caught:
        storage.ann.FinishUpload(finish)
    assert caught.value.reason is Reason.HASH_MISMATCH
    finish.upload_id = transfer.upload(storage.ann, path).upload_id
    assert storage.ann.FinishUpload(finish).learnware.current_version.sha256 == hashlib.sha256(data).hexdigest()


def test_a_second_stream_waits_for_the_first(storage: Storage) -> None:
    upload = storage.ann.StartUpload(pb.StartUploadRequest(size_bytes=6)).upload
    release = threading.Event()

    def slow() -> Iterator[pb.WriteUploadRequest]:
        yield pb.WriteUploadRequest(upload_id=upload.upload_id, offset=0, data=b"abc")
        release.wait(30)

    first = threading.Thread(target=lambda: storage.ann.WriteUpload(slow()))
    first.start()
    while not any(path.stat().st_size == 3 for path in storage.files()):  # until the service has begun to write
        time.sleep(0.01)
    threading.Timer(0.2, release.set).start()
    second = iter([pb.WriteUploadRequest(upload_id=upload.upload_id, offset=3, data=b"def")])
    assert storage.ann.WriteUpload(second).upload.committed_bytes == 6
    first.join(30)


def test_a_damaged_package_is_put_aside_and_whole_again_once_it_is_uploaded(storage: Storage) -> None:
    data = package("precious")
    learnware_id = storage.verified(data)
    path = storage.folder / "packages" / blob_path(data)
    path.write_bytes(bytes(len(data)))
    check = pb.CheckIntegrityRequest(read_packages=True, repair=True)
    assert [fault.invariant for fault in storage.admin.CheckIntegrity(check)] == ["I1"]
    assert not path.exists()
    with pytest.raises(errors.DataLoss):
        download(storage.bob, learnware_id)
    with pytest.raises(errors.AlreadyExists):
        storage.submit(storage.ann, data)
    assert download(storage.bob, learnware_id) == data
    assert storage.faults() == []
