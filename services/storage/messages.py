"""Uploads, verdicts and pages to messages and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import chain

from google.protobuf.field_mask_pb2 import FieldMask

from learndock.errors import InvalidInput, Reason
from learndock.learnware import VOCABULARY, Learnware, LearnwareVersion, SemanticSpecification
from learndock.quota import Allowance, Quota
from learndock.v1 import storage_service_pb2 as pb
from learndock.v1 import types_pb2
from learndock.wire import (
    format_class_from_message,
    learnware_to_message,
    semantic_from_message,
    tensor_from_message,
    time_to_message,
    version_state_from_message,
    version_to_message,
    visibility_from_message,
)
from services.storage.catalogue import Change
from services.storage.download import Address
from services.storage.integrity import Fault
from services.storage.listing import ListPage
from services.storage.submission import Submission
from services.storage.uploads import Chunk, Upload
from services.storage.verdicts import Verdict


def upload_to_message(upload: Upload) -> pb.Upload:
    """Message of an upload."""
    return pb.Upload(
        upload_id=upload.upload_id,
        committed_bytes=upload.committed_bytes,
        size_bytes=upload.size_bytes,
        expire_time=time_to_message(upload.expire_time),
    )


def quota_to_message(quota: Quota) -> pb.Quota:
    """Message of a quota."""
    return pb.Quota(
        user_id=quota.user_id,
        limit=pb.Allowance(**asdict(quota.limit)),
        used=pb.Allowance(**asdict(quota.used)),
    )


def allowance_from_message(message: pb.Allowance) -> Allowance:
    """Limits of a user."""
    return Allowance(message.bytes, message.learnwares, message.versions, message.uploads)


def first_upload_id(messages: Iterator[pb.WriteUploadRequest]) -> tuple[str, Iterator[pb.WriteUploadRequest]]:
    """The upload that a stream is for, and the whole stream."""
    first = next(messages, None)
    if first is None or not first.upload_id:
        raise InvalidInput(Reason.FIELD_INVALID, "The first message must name the upload.", field="upload_id")
    return first.upload_id, chain([first], messages)


def chunks_from_messages(upload_id: str, messages: Iterable[pb.WriteUploadRequest]) -> Iterator[Chunk]:
    """Chunks of a stream that belongs to one upload."""
    for message in messages:
        if message.upload_id not in ("", upload_id):
            raise InvalidInput(Reason.FIELD_INVALID, "One stream writes to one upload.", field="upload_id")
        yield Chunk(message.offset, message.data, message.sha256)


def submission_from_message(message: pb.FinishUploadRequest, upload: Upload) -> Submission:
    """What a finished upload is to become."""
    return Submission(
        upload=upload,
        sha256=message.sha256.lower(),
        semantic=_given_semantic(message),
        visibility=visibility_from_message(message.visibility),
    )


def _given_semantic(message: pb.FinishUploadRequest) -> SemanticSpecification | None:
    given = message.semantic_specification
    return semantic_from_message(given) if given != types_pb2.SemanticSpecification() else None


def entered_to_message(learnware: Learnware, version: LearnwareVersion) -> pb.FinishUploadResponse:
    """Message of an entered package."""
    return pb.FinishUploadResponse(learnware=learnware_to_message(learnware), version=version_to_message(version))


def page_to_message(page: ListPage) -> pb.ListLearnwaresResponse:
    """Message of a page."""
    return pb.ListLearnwaresResponse(
        learnwares=[learnware_to_message(learnware) for learnware in page.learnwares],
        next_page_token=page.next_page_token,
        total_size=page.total_size,
    )


def changed_fields(learnware: types_pb2.Learnware, mask: FieldMask) -> list[str]:
    """Fields to change; an empty mask means those that are set."""
    if mask.paths:
        return list(mask.paths)
    told = ["semantic_specification"] if learnware.HasField("semantic_specification") else []
    return [*told, "visibility"] if learnware.visibility else told


def change_from_message(message: types_pb2.Learnware) -> Change:
    """New values of a learnware."""
    return Change(
        learnware_id=message.learnware_id,
        etag=message.etag,
        semantic_specification=semantic_from_message(message.semantic_specification),
        visibility=visibility_from_message(message.visibility),
    )


def verdict_from_message(message: pb.RecordVerdictRequest) -> Verdict:
    """Verdict of a message."""
    outputs = message.atom_outputs if message.HasField("atom_outputs") else None
    return Verdict(
        state=version_state_from_message(message.state, "state"),
        validation_id=message.validation_id,
        fence=message.fence,
        reason=message.reason,
        format_class=format_class_from_message(message.format_class),
        atom_outputs=tensor_from_message(outputs, "atom_outputs") if outputs else None,
    )


def specification_message(stored: bytes, outputs: bytes | None) -> pb.GetSpecificationResponse:
    """Message of a stored specification and the outputs on its atoms."""
    return pb.GetSpecificationResponse(
        specification=types_pb2.Specification.FromString(stored),
        atom_outputs=types_pb2.Tensor.FromString(outputs) if outputs else None,
    )


def piece_to_message(offset: int, data: bytes, version: LearnwareVersion | None) -> pb.DownloadPackageResponse:
    """Message of a piece of a package; the first one tells the version."""
    told = version_to_message(version) if version else None
    return pb.DownloadPackageResponse(offset=offset, data=data, version=told)


def fault_to_message(fault: Fault) -> pb.CheckIntegrityResponse:
    """Message of something that is wrong."""
    return pb.CheckIntegrityResponse(
        invariant=fault.invariant, subject=fault.subject, message=fault.message, repaired=fault.repaired
    )


def vocabulary_to_message() -> pb.GetVocabularyResponse:
    """Message of the vocabulary."""
    return pb.GetVocabularyResponse(keys={key: pb.VocabularyValues(values=words) for key, words in VOCABULARY.items()})


def address_to_message(address: Address) -> pb.GetDownloadUrlResponse:
    """Message of an address."""
    return pb.GetDownloadUrlResponse(url=address.url, expire_time=time_to_message(address.expire_time))
