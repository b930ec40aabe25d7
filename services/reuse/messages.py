"""Reusers and predictions to messages and back."""

from __future__ import annotations

from collections.abc import Iterable

from learndock.errors import InvalidInput, Reason
from learndock.reuse.prediction import Fault, Prediction
from learndock.reuse.strategy import Strategy
from learndock.v1 import reuse_service_pb2 as pb
from learndock.wire import enum_from_message, enum_to_message, tensor_to_message, time_to_message
from services.reuse.columns import columns_to_message
from services.reuse.record import ReuserRecord


def strategy_from_message(number: pb.Strategy.ValueType) -> Strategy | None:
    """Strategy of a message enum; None for unspecified.

    Raises
    ------
    InvalidInput
        The number is unknown: the dock must not choose where the caller did.
    """
    strategy = enum_from_message(number, pb.Strategy, "STRATEGY", Strategy)
    if strategy is None and number != pb.STRATEGY_UNSPECIFIED:
        raise InvalidInput(Reason.FIELD_INVALID, f"There is no strategy {number}.", field="strategy")
    return strategy


def record_to_message(record: ReuserRecord) -> pb.Reuser:
    """Message of a reuser."""
    return pb.Reuser(
        reuser_id=record.reuser_id,
        strategy=enum_to_message(record.strategy, pb.Strategy, "STRATEGY"),
        members=[
            pb.ReuserMember(
                learnware_id=member.learnware_id,
                version=member.version,
                weight=member.weight,
                columns=columns_to_message(member),
            )
            for member in record.members
        ],
        state=enum_to_message(record.state, pb.ReuserState, "REUSER_STATE"),
        phase=record.phase,
        percent=record.percent,
        reason=record.reason,
        faults=_faults(record.faults),
        create_time=time_to_message(record.create_time),
        expire_time=time_to_message(record.expire_time),
        expected_error=record.learnt.expected_error,
        explanation=record.learnt.explanation,
        contributions=record.learnt.contributions,
        asleep=record.asleep,
    )


def prediction_to_message(prediction: Prediction) -> pb.PredictResponse:
    """Message of a prediction."""
    return pb.PredictResponse(
        outputs=tensor_to_message(prediction.outputs),
        member_index=tensor_to_message(prediction.member_index),
        degraded=prediction.degraded,
        faults=_faults(prediction.faults),
        outside=None if prediction.outside is None else tensor_to_message(prediction.outside),
    )


def prediction_to_stream_message(prediction: Prediction) -> pb.PredictStreamResponse:
    """Message of a prediction in a stream."""
    return pb.PredictStreamResponse(
        outputs=tensor_to_message(prediction.outputs),
        member_index=tensor_to_message(prediction.member_index),
        degraded=prediction.degraded,
        faults=_faults(prediction.faults),
        outside=None if prediction.outside is None else tensor_to_message(prediction.outside),
    )


def _faults(faults: Iterable[Fault]) -> list[pb.MemberFault]:
    return [pb.MemberFault(learnware_id=fault.learnware_id, message=fault.message) for fault in faults]
