"""Validations: watch one to its end, read its report, check a package before submitting it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
import time

from learndock.client import transfer
from learndock.client.messages import package_check_from_message, validation_from_message
from learndock.client.values import PackageCheck, Validation
from learndock.errors import Cancelled, DeadlineExceeded, NotFound, Reason, Unavailable
from learndock.learnware import SemanticSpecification
from learndock.v1 import validator_service_pb2 as pb
from learndock.v1.validator_service_pb2_grpc import ValidatorServiceStub
from learndock.wire import semantic_to_message

ValidationProgress = Callable[[Validation], None]
"""Told a validation whenever it changes."""

_PAUSE_SECONDS = 0.5
_PAGE_SIZE = 100


def silent(_validation: Validation) -> None:
    """Report nothing."""


class Validations:
    """The validator service, as its callers see it."""

    def __init__(self, stub: ValidatorServiceStub) -> None:
        self._stub = stub

    def wait(self, learnware_id: str, version: int, *, timeout: float, progress: ValidationProgress) -> Validation:
        """Watch the validation of a version until it ends; a broken stream is taken up again."""
        end = time.monotonic() + timeout
        request = pb.WatchValidationRequest(learnware_id=learnware_id, version=version)
        while (remaining := end - time.monotonic()) > 0:
            try:
                for answer in self._stub.WatchValidation(request, timeout=remaining):
                    validation = validation_from_message(answer.validation)
                    progress(validation)
                    if validation.state.ended:
                        return validation
            except (Unavailable, Cancelled, DeadlineExceeded):
                time.sleep(min(_PAUSE_SECONDS, max(0.0, end - time.monotonic())))
        raise DeadlineExceeded(
            Reason.DEADLINE_EXCEEDED,
            f"{learnware_id} was not validated within {timeout:.0f} s; it goes on in the dock.",
            resource=learnware_id,
        )

    def latest(self, learnware_id: str, version: int) -> Validation:
        """The newest validation of a version (0 for any), with its log tail.

        Raises
        ------
        NotFound
            There is none yet, or none that the caller may see.
        """
        for listed in self._iterate(learnware_id):
            if version in (0, listed.version):
                answer = self._stub.GetValidation(pb.GetValidationRequest(validation_id=listed.validation_id))
                return validation_from_message(answer.validation)
        raise NotFound(
            Reason.RESOURCE_UNKNOWN,
            f"No validation of {learnware_id} is known, or none that you may see.",
            resource=learnware_id,
        )

    def check(self, path: Path, *, semantic: SemanticSpecification | None, timeout: float) -> PackageCheck:
        """Send a package along and have it checked; nothing is published."""
        return package_check_from_message(self._stub.CheckPackage(_parts(path, semantic), timeout=timeout))

    def _iterate(self, learnware_id: str) -> Iterator[Validation]:
        page_token = ""
        while True:
            page = self._stub.ListValidations(
                pb.ListValidationsRequest(page_size=_PAGE_SIZE, page_token=page_token, learnware_id=learnware_id)
            )
            yield from map(validation_from_message, page.validations)
            page_token = page.next_page_token
            if not page_token:
                return


def _parts(path: Path, semantic: SemanticSpecification | None) -> Iterator[pb.CheckPackageRequest]:
    if semantic is not None:
        yield pb.CheckPackageRequest(semantic_specification=semantic_to_message(semantic))
    for data in transfer.send_chunks(path):
        yield pb.CheckPackageRequest(data=data)
