"""What one user may keep, through a real channel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from learndock import errors
from learndock.errors import Reason, ResourceExhausted
from learndock.v1 import storage_service_pb2 as pb
from tests.support.databases import DATABASES
from tests.support.storage import Storage, package, served_storage

SIZE = len(package("1"))


@pytest.fixture(params=DATABASES)
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    with served_storage(
        tmp_path,
        database_url=DATABASES[request.param](tmp_path),
        max_user_bytes=4 * SIZE,
        max_user_learnwares=3,
        max_user_versions=5,
        max_open_uploads=2,
    ) as made:
        yield made


def quota(storage: Storage) -> pb.Quota:
    return storage.ann.GetQuota(pb.GetQuotaRequest()).quota


def refused(storage: Storage, size_bytes: int = 1, learnware_id: str = "") -> ResourceExhausted:
    with pytest.raises(ResourceExhausted) as caught:
        storage.ann.StartUpload(pb.StartUploadRequest(size_bytes=size_bytes, learnware_id=learnware_id))
    assert caught.value.reason is Reason.QUOTA_EXCEEDED
    return caught.value


def test_what_is_used_is_told(storage: Storage) -> None:
    first = storage.submit(storage.ann, package("1")).learnware.learnware_id
    storage.submit(storage.ann, package("2"), learnware_id=first)
    storage.ann.StartUpload(pb.StartUploadRequest(size_bytes=7))
    assert quota(storage).used == pb.Allowance(bytes=2 * SIZE + 7, learnwares=2, versions=3, uploads=1)
    assert quota(storage).limit == pb.Allowance(bytes=4 * SIZE, learnwares=3, versions=5, uploads=2)
    assert storage.bob.GetQuota(pb.GetQuotaRequest()).quota.used == pb.Allowance()


def test_each_limit_is_refused_by_its_name_with_what_is_used_and_allowed(storage: Storage) -> None:
    first = storage.submit(storage.ann, package("1")).learnware.learnware_id
    assert refused(storage, 3 * SIZE + 1).message == (
        f"You use {SIZE} of {4 * SIZE} bytes; {3 * SIZE + 1} more are too many."
    )
    uploads = [storage.ann.StartUpload(pb.StartUploadRequest(size_bytes=1)).upload.upload_id for _ in range(2)]
    assert refused(storage, learnware_id=first).resource == "uploads"
    assert refused(storage).resource == "learnwares", "what is in flight counts"
    for upload_id in uploads:
        storage.ann.CancelUpload(pb.CancelUploadRequest(upload_id=upload_id))
    storage.admin.UpdateQuota(pb.UpdateQuotaRequest(user_id="ann", limit=pb.Allowance(versions=1)))
    assert refused(storage, learnware_id=first).resource == "versions"


def test_deleted_learnwares_count_while_they_can_be_restored(storage: Storage) -> None:
    for note in "123":
        learnware_id = storage.submit(storage.ann, package(note)).learnware.learnware_id
    storage.ann.DeleteLearnware(pb.DeleteLearnwareRequest(learnware_id=learnware_id))
    assert refused(storage).resource == "learnwares"


def test_an_admin_gives_one_user_other_limits(storage: Storage) -> None:
    limit = pb.Allowance(learnwares=1, bytes=100)
    changed = storage.admin.UpdateQuota(pb.UpdateQuotaRequest(user_id="ann", limit=limit)).quota
    assert changed.limit == pb.Allowance(bytes=100, learnwares=1, versions=5, uploads=2)
    assert quota(storage).limit == changed.limit
    assert storage.bob.GetQuota(pb.GetQuotaRequest()).quota.limit.learnwares == 3
    assert refused(storage, 101).resource == "bytes"
    again = storage.admin.UpdateQuota(pb.UpdateQuotaRequest(user_id="ann")).quota
    assert again.limit == pb.Allowance(bytes=4 * SIZE, learnwares=3, versions=5, uploads=2)


def test_only_admins_look_at_others_and_change_anything(storage: Storage) -> None:
    assert storage.admin.GetQuota(pb.GetQuotaRequest(user_id="ann")).quota.user_id == "ann"
    for call in (
        lambda: storage.bob.GetQuota(pb.GetQuotaRequest(user_id="ann")),
        lambda: storage.bob.UpdateQuota(pb.UpdateQuotaRequest(user_id="bob")),
    ):
        with pytest.raises(errors.PermissionDenied):
            call()


@pytest.mark.parametrize(
    ("user_id", "limit", "field"),
    [("", pb.Allowance(), "user_id"), ("ann", pb.Allowance(bytes=2**63), "limit.bytes")],
)
def test_limits_that_make_no_sense_are_refused(storage: Storage, user_id: str, limit: pb.Allowance, field: str) -> None:
    with pytest.raises(errors.InvalidInput) as caught:
        storage.admin.UpdateQuota(pb.UpdateQuotaRequest(user_id=user_id, limit=limit))
    assert [violation.field for violation in caught.value.violations] == [field]
