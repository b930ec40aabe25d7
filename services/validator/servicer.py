"""ValidatorService over the validations."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import grpc
from sqlalchemy.orm import Session

from learndock.serving import caller
from learndock.serving.sql import once
from learndock.v1 import validator_service_pb2 as pb
from learndock.v1 import validator_service_pb2_grpc as rpc
from services.validator.dry_runs import DryRuns
from services.validator.messages import (
    findings_to_message,
    package_from_messages,
    state_from_message,
    validation_to_message,
    without_log,
)
from services.validator.models import RequestRow
from services.validator.record import Validation
from services.validator.validations import Validations

Context = grpc.ServicerContext


class ValidatorServicer(rpc.ValidatorServiceServicer):
    """Decodes, calls, encodes."""

    def __init__(self, validations: Validations, dry_runs: DryRuns) -> None:
        self._validations = validations
        self._dry_runs = dry_runs

    def CreateValidation(self, request: pb.CreateValidationRequest, context: Context) -> pb.CreateValidationResponse:
        """Ask for a version to be validated."""
        principal = caller.current()

        def answer(session: Session, make: Callable[[], Validation]) -> pb.CreateValidationResponse:
            return once(
                session,
                RequestRow,
                request_id=request.request_id,
                caller_id=principal.user_id,
                request=request,
                response_type=pb.CreateValidationResponse,
                make=lambda: pb.CreateValidationResponse(validation=validation_to_message(make())),
            )

        return self._validations.create(principal, request.learnware_id, request.version, answer)

    def GetValidation(self, request: pb.GetValidationRequest, context: Context) -> pb.GetValidationResponse:
        """Tell one validation."""
        validation = self._validations.get(caller.current(), request.validation_id)
        return pb.GetValidationResponse(validation=validation_to_message(validation))

    def ListValidations(self, request: pb.ListValidationsRequest, context: Context) -> pb.ListValidationsResponse:
        """Tell a page of validations."""
        validations, token = self._validations.page(
            caller.current(),
            learnware_id=request.learnware_id,
            state=state_from_message(request.state),
            size=request.page_size,
            token=request.page_token,
        )
        messages = [validation_to_message(without_log(validation)) for validation in validations]
        return pb.ListValidationsResponse(validations=messages, next_page_token=token)

    def CancelValidation(self, request: pb.CancelValidationRequest, context: Context) -> pb.CancelValidationResponse:
        """Stop a validation."""
        cancelled = self._validations.cancel(caller.current(), request.validation_id)
        return pb.CancelValidationResponse(validation=validation_to_message(cancelled))

    def WatchValidation(
        self, request: pb.WatchValidationRequest, context: Context
    ) -> Iterator[pb.WatchValidationResponse]:
        """Tell a validation whenever it changes."""
        for validation in self._validations.watch(
            caller.current(),
            validation_id=request.validation_id,
            learnware_id=request.learnware_id,
            version=request.version,
        ):
            yield pb.WatchValidationResponse(validation=validation_to_message(validation))

    def CheckPackage(
        self, request_iterator: Iterator[pb.CheckPackageRequest], context: Context
    ) -> pb.CheckPackageResponse:
        """Examine a package that is sent along."""
        pieces, semantic = package_from_messages(request_iterator)
        return findings_to_message(self._dry_runs.examine(pieces, semantic))
