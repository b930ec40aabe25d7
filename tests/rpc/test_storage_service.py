"""The storage service through a real channel: the life of a learnware, and who sees and changes it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
import hashlib
from pathlib import Path

import numpy as np
import pytest

from learndock import errors
from learndock.errors import Reason
from learndock.learnware import VOCABULARY, FeatureSpace
from learndock.v1 import storage_service_pb2 as pb
from learndock.v1 import types_pb2
from learndock.v1.storage_service_pb2_grpc import StorageServiceStub
from learndock.wire import semantic_to_message, tensor_to_message
from tests.support.storage import (
    SEMANTIC,
    Storage,
    download,
    get,
    ids,
    package,
    served_storage,
)


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    with served_storage(tmp_path) as made:
        yield made


def test_the_whole_life(storage: Storage) -> None:
    data = package("first") + b""
    entered = storage.submit(storage.ann, data)
    learnware_id = entered.learnware.learnware_id
    assert learnware_id == "00000001"
    assert entered.learnware.owner_id == "ann"
    assert entered.learnware.semantic_specification == semantic_to_message(SEMANTIC)
    assert entered.version.state == types_pb2.VERSION_STATE_UPLOADED
    assert entered.version.format_class == types_pb2.FORMAT_CLASS_SAFE
    assert entered.version.sha256 == hashlib.sha256(data).hexdigest()

    with pytest.raises(errors.NotFound):
        get(storage.bob, learnware_id)
    storage.verdict(learnware_id, types_pb2.VERSION_STATE_VALIDATING)
    outputs = np.array([[1.0], [2.0]])
    storage.verdict(learnware_id, types_pb2.VERSION_STATE_VERIFIED, outputs=outputs)
    assert get(storage.bob, learnware_id).current_version.state == types_pb2.VERSION_STATE_VERIFIED

    answer = storage.bob.GetSpecification(pb.GetSpecificationRequest(learnware_id=learnware_id))
    assert list(answer.specification.atoms.shape) == [2, 3]
    assert answer.atom_outputs == tensor_to_message(outputs)
    assert download(storage.bob, learnware_id) == data

    second = storage.submit(storage.ann, package("second"), learnware_id=learnware_id)
    assert second.version.version == 2
    assert second.learnware.current_version.version == 1
    storage.verdict(learnware_id, types_pb2.VERSION_STATE_VERIFIED, version=2)
    assert get(storage.bob, learnware_id).current_version.version == 2
    versions = storage.bob.ListVersions(pb.ListVersionsRequest(learnware_id=learnware_id)).versions
    assert [version.version for version in versions] == [2, 1]

    storage.ann.DeleteLearnware(pb.DeleteLearnwareRequest(learnware_id=learnware_id))
    with pytest.raises(errors.NotFound):
        get(storage.bob, learnware_id)
    assert get(storage.ann, learnware_id).HasField("delete_time")
    storage.ann.UndeleteLearnware(pb.UndeleteLearnwareRequest(learnware_id=learnware_id))
    assert not get(storage.bob, learnware_id).HasField("delete_time")
    assert storage.faults() == []


def test_ids_grow_and_are_never_reused(storage: Storage) -> None:
    first = storage.submit(storage.ann, package("1")).learnware.learnware_id
    storage.ann.DeleteLearnware(pb.DeleteLearnwareRequest(learnware_id=first))
    assert storage.submit(storage.ann, package("2")).learnware.learnware_id == "00000002"


def test_private_and_unverified_learnwares_do_not_exist_for_others(storage: Storage) -> None:
    private = storage.verified(package("private"), visibility=types_pb2.VISIBILITY_PRIVATE)
    waiting = storage.submit(storage.ann, package("waiting")).learnware.learnware_id
    public = storage.verified(package("public"))
    for hidden in (private, waiting, "00000099", "", "x" * 1000):
        for call in (
            lambda: get(storage.bob, hidden),  # noqa: B023
            lambda: download(storage.bob, hidden),  # noqa: B023
            lambda: storage.bob.ListVersions(pb.ListVersionsRequest(learnware_id=hidden)),  # noqa: B023
            lambda: storage.bob.GetVersion(pb.GetVersionRequest(learnware_id=hidden)),  # noqa: B023
            lambda: storage.bob.GetSpecification(pb.GetSpecificationRequest(learnware_id=hidden)),  # noqa: B023
            lambda: storage.bob.GetDownloadUrl(pb.GetDownloadUrlRequest(learnware_id=hidden)),  # noqa: B023
            lambda: storage.bob.DeleteLearnware(pb.DeleteLearnwareRequest(learnware_id=hidden)),  # noqa: B023
            lambda: storage.bob.UndeleteLearnware(pb.UndeleteLearnwareRequest(learnware_id=hidden)),  # noqa: B023
            lambda: storage.bob.UpdateLearnware(
                pb.UpdateLearnwareRequest(learnware=types_pb2.Learnware(learnware_id=hidden))  # noqa: B023
            ),
        ):
            with pytest.raises(errors.NotFound) as caught:
                call()
            assert caught.value.reason is Reason.RESOURCE_UNKNOWN
    answer = storage.bob.ListLearnwares(pb.ListLearnwaresRequest(show_deleted=True))
    assert ([each.learnware_id for each in answer.learnwares], answer.total_size) == ([public], 1)
    assert ids(storage.bob, filter="visibility = PRIVATE OR state = UPLOADED") == []
    for stub in (storage.ann, storage.admin, storage.service):
        assert ids(stub) == [private, waiting, public]
    assert storage.ann.ListLearnwares(pb.ListLearnwaresRequest(page_size=1)).total_size == 3


def test_versions_of_others_show_when_verified(storage: Storage) -> None:
    learnware_id = storage.verified(package("1"))
    storage.submit(storage.ann, package("2"), learnware_id=learnware_id)
    request = pb.ListVersionsRequest(learnware_id=learnware_id)
    assert [version.version for version in storage.bob.ListVersions(request).versions] == [1]
    assert [version.version for version in storage.service.ListVersions(request).versions] == [2, 1]
    with pytest.raises(errors.NotFound):
        download(storage.bob, learnware_id, version=2)
    assert download(storage.service, learnware_id, version=2) == package("2")


def test_deleted_learnwares_show_to_owner_and_admins_who_ask(storage: Storage) -> None:
    learnware_id = storage.verified(package())
    storage.admin.DeleteLearnware(pb.DeleteLearnwareRequest(learnware_id=learnware_id))
    for stub in (storage.ann, storage.admin):
        assert ids(stub) == []
        assert ids(stub, show_deleted=True) == [learnware_id]
    for stub in (storage.bob, storage.service):
        assert ids(stub, show_deleted=True) == []
        with pytest.raises(errors.NotFound):
            get(stub, learnware_id)
    with pytest.raises(errors.NotFound):
        storage.verdict(learnware_id, types_pb2.VERSION_STATE_VERIFIED, fence=2)
    with pytest.raises(errors.NotFound):
        storage.submit(storage.ann, package("2"), learnware_id=learnware_id)
    with pytest.raises(errors.NotFound):
        storage.ann.DeleteLearnware(pb.DeleteLearnwareRequest(learnware_id=learnware_id))


def test_only_the_owner_and_admins_change(storage: Storage) -> None:
    learnware_id = storage.verified(package())
    change = types_pb2.Learnware(learnware_id=learnware_id, visibility=types_pb2.VISIBILITY_PRIVATE)
    for call in (
        lambda: storage.bob.UpdateLearnware(pb.UpdateLearnwareRequest(learnware=change)),
        lambda: storage.bob.DeleteLearnware(pb.DeleteLearnwareRequest(learnware_id=learnware_id)),
        lambda: storage.service.DeleteLearnware(pb.DeleteLearnwareRequest(learnware_id=learnware_id)),
    ):
        with pytest.raises(errors.PermissionDenied) as caught:
            call()
        assert caught.value.reason is Reason.NOT_OWNER
    assert storage.admin.UpdateLearnware(pb.UpdateLearnwareRequest(learnware=change)).learnware.visibility == 2


def test_methods_ask_for_their_roles(storage: Storage) -> None:
    nobody = StorageServiceStub(storage.served.channel())
    with pytest.raises(errors.Unauthenticated):
        nobody.ListLearnwares(pb.ListLearnwaresRequest())
    with pytest.raises(errors.PermissionDenied):
        storage.ann.RecordVerdict(pb.RecordVerdictRequest())
    with pytest.raises(errors.PermissionDenied):
        list(storage.admin.WatchChanges(pb.WatchChangesRequest()))
    with pytest.raises(errors.PermissionDenied):
        list(storage.ann.CheckIntegrity(pb.CheckIntegrityRequest()))
    keys = nobody.GetVocabulary(pb.GetVocabularyRequest()).keys
    assert {key: tuple(words.values) for key, words in keys.items()} == dict(VOCABULARY)


def test_updates(storage: Storage) -> None:
    learnware_id = storage.verified(package())
    before = get(storage.ann, learnware_id)
    renamed = semantic_to_message(replace(SEMANTIC, name="renamed"))
    change = types_pb2.Learnware(learnware_id=learnware_id, semantic_specification=renamed, etag=before.etag)
    after = storage.ann.UpdateLearnware(pb.UpdateLearnwareRequest(learnware=change)).learnware
    assert after.semantic_specification == renamed
    assert after.current_version.state == types_pb2.VERSION_STATE_VERIFIED
    assert after.etag != before.etag
    with pytest.raises(errors.Aborted) as stale:
        storage.ann.UpdateLearnware(pb.UpdateLearnwareRequest(learnware=change))
    assert stale.value.reason is Reason.ETAG_MISMATCH
    with pytest.raises(errors.InvalidInput) as mask:
        storage.ann.UpdateLearnware(
            pb.UpdateLearnwareRequest(
                learnware=types_pb2.Learnware(learnware_id=learnware_id), update_mask={"paths": ["owner_id"]}
            )
        )
    assert mask.value.field == "update_mask"


def test_a_changed_meaning_must_be_validated_again(storage: Storage) -> None:
    learnware_id = storage.verified(package("1"))
    storage.submit(storage.ann, package("2"), learnware_id=learnware_id)
    storage.verdict(learnware_id, types_pb2.VERSION_STATE_VALIDATING, version=2, fence=5, validation_id="v2")
    meaning = replace(SEMANTIC, task="Feature Extraction")
    change = types_pb2.Learnware(learnware_id=learnware_id, semantic_specification=semantic_to_message(meaning))
    after = storage.ann.UpdateLearnware(pb.UpdateLearnwareRequest(learnware=change)).learnware
    assert after.current_version.state == types_pb2.VERSION_STATE_UPLOADED
    with pytest.raises(errors.NotFound):
        get(storage.bob, learnware_id)
    with pytest.raises(errors.Aborted) as late:  # it validated the former meaning
        storage.verdict(learnware_id, types_pb2.VERSION_STATE_VERIFIED, version=2, fence=5, validation_id="v2")
    assert late.value.reason is Reason.LEASE_LOST
    storage.verdict(learnware_id, types_pb2.VERSION_STATE_VERIFIED, version=2, fence=6, validation_id="v3")
    assert get(storage.bob, learnware_id).current_version.version == 2


def test_a_meaning_that_the_specification_does_not_fit_is_refused(storage: Storage) -> None:
    learnware_id = storage.verified(package())
    wide = semantic_to_message(replace(SEMANTIC, input=FeatureSpace(4)))
    with pytest.raises(errors.InvalidInput) as caught:
        storage.ann.UpdateLearnware(
            pb.UpdateLearnwareRequest(
                learnware=types_pb2.Learnware(learnware_id=learnware_id, semantic_specification=wide)
            )
        )
    assert caught.value.reason is Reason.SPECIFICATION_INVALID
    assert get(storage.ann, learnware_id).semantic_specification == semantic_to_message(SEMANTIC)
