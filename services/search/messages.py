"""Search messages to questions, and answers to messages."""

from __future__ import annotations

from collections.abc import Sequence

from learndock import wire
from learndock.account import Principal
from learndock.errors import InvalidInput, Reason
from learndock.schema.comparison import share_of
from learndock.v1 import search_service_pb2 as pb
from learndock.v1 import types_pb2
from learndock.wire_private import private_from_message
from services.search.across import Across, AcrossSingle
from services.search.assessment import mixture_sentence
from services.search.certified import Mode
from services.search.engines.port import EngineStatus
from services.search.entry import Entry
from services.search.follower import FollowerStatus
from services.search.index import IslandIndex
from services.search.mixing import Blend
from services.search.search import Answer, Question, Single
from services.search.search_counts import SearchCounter

MAX_TOP_K = 100
MAX_MEMBERS = 16
MAX_EXCLUDED = 1000
MAX_DESCRIPTIONS = 100
_DEFAULT_TOP_K = 10
_DEFAULT_MEMBERS = 5


def question_from_message(request: pb.SearchRequest, caller: Principal) -> Question:
    """The question that a request asks.

    Raises
    ------
    InvalidInput
        A bound is broken; the error names the field.
    """
    specification = None
    if request.HasField("specification"):
        specification = wire.specification_from_message(request.specification)
    private = None
    if request.HasField("private_specification"):
        private = private_from_message(request.private_specification)
    if specification is not None and private is not None:
        raise InvalidInput(Reason.FIELD_INVALID, "The task comes once, private or not.", field="private_specification")
    if len(request.exclude_learnware_ids) > MAX_EXCLUDED:
        raise InvalidInput(
            Reason.FIELD_INVALID, f"More than {MAX_EXCLUDED} learnwares to leave out.", field="exclude_learnware_ids"
        )
    for field in ("inputs", "outputs"):
        if len(getattr(request.filter, field)) > MAX_DESCRIPTIONS:
            raise InvalidInput(
                Reason.FIELD_INVALID, f"More than {MAX_DESCRIPTIONS} descriptions.", field=f"filter.{field}"
            )
    return Question(
        caller=caller,
        filter=wire.filter_from_message(request.filter),
        specification=specification,
        top_k=_bounded(request.top_k, _DEFAULT_TOP_K, MAX_TOP_K, "top_k"),
        max_mixture_members=_bounded(request.max_mixture_members, _DEFAULT_MEMBERS, MAX_MEMBERS, "max_mixture_members"),
        mode=wire.enum_from_message(request.mode, pb.SearchMode, "SEARCH_MODE", Mode) or Mode.CERTIFIED,
        excluded=frozenset(request.exclude_learnware_ids),
        max_scored=request.max_scored or None,
        private=private,
        across=wire.enum_from_message(request.across, pb.Across, "ACROSS", Across) or Across.WHERE_NOTHING_FITS,
    )


def _bounded(value: int, default: int, most: int, field: str) -> int:
    if value > most:
        raise InvalidInput(Reason.FIELD_INVALID, f"At most {most}, not {value}.", field=field)
    return value or default


def answer_to_message(answer: Answer) -> pb.SearchResponse:
    """Message of an answer."""
    return pb.SearchResponse(
        singles=[_single_to_message(rank, single) for rank, single in enumerate(answer.singles, start=1)],
        mixture=_mixture_to_message(answer.blend, answer.blend_percentile) if answer.blend is not None else None,
        certificate=pb.Certificate(
            certified=answer.certified, scored=answer.scored, admitted=answer.admitted, remark=answer.remark
        ),
        island_id=answer.island_id,
        profile=answer.profile,
        as_of_sequence=answer.sequence,
        advice=wire.enum_to_message(answer.advice, pb.SearchAdvice, "SEARCH_ADVICE"),
        across=[_across_to_message(rank, single) for rank, single in enumerate(answer.across, start=1)],
    )


def _single_to_message(rank: int, single: Single) -> pb.SingleResult:
    learnware = single.entry.learnware
    return pb.SingleResult(
        rank=rank,
        learnware_id=learnware.learnware_id,
        version=single.entry.version,
        mmd2=single.mmd2,
        percentile=single.percentile,
        semantic_specification=wire.semantic_to_message(learnware.semantic_specification),
        owner_id=learnware.owner_id,
        format_class=wire.format_class_to_message(learnware.current_version.format_class),
        explanation=single.explanation,
    )


def _across_to_message(rank: int, single: AcrossSingle) -> pb.AcrossResult:
    learnware = single.entry.learnware
    return pb.AcrossResult(
        rank=rank,
        learnware_id=learnware.learnware_id,
        version=single.entry.version,
        mmd2=single.mmd2,
        distance=single.distance,
        percentile=single.percentile,
        shared=share_of(single.assignment),
        columns=[wire.match_to_message(match) for match in single.assignment.matches],
        semantic_specification=wire.semantic_to_message(learnware.semantic_specification),
        owner_id=learnware.owner_id,
        format_class=wire.format_class_to_message(learnware.current_version.format_class),
        explanation=single.explanation,
    )


def _mixture_to_message(blend: Blend, percentile: float) -> pb.Mixture:
    members = [
        pb.MixtureMember(
            learnware_id=member.placed.entry.learnware_id,
            version=member.placed.entry.version,
            weight=weight,
            mmd2=member.mmd2,
            semantic_specification=wire.semantic_to_message(member.placed.entry.learnware.semantic_specification),
        )
        for member, weight in zip(blend.members, blend.weights, strict=True)
    ]
    return pb.Mixture(
        members=members,
        mmd2=blend.mmd2,
        percentile=percentile,
        gap=blend.gap,
        improvement=blend.improvement,
        explanation=mixture_sentence(blend),
    )


def island_to_message(island: IslandIndex, learnwares: int) -> pb.Island:
    """Message of an island of which the caller may see so many learnwares."""
    return pb.Island(
        island_id=island.key.island_id,
        modality=wire.enum_to_message(island.key.modality, types_pb2.Modality, "MODALITY"),
        encoder=island.key.encoder_name,
        dimension=island.key.dimension,
        learnwares=learnwares,
        profile=island.profile.number,
        gammas=island.profile.kernel.gammas,
        landmarks=len(island.profile.landmarks),
        fit_time=wire.time_to_message(island.profile.fit_time),
    )


def status_to_message(
    followed: FollowerStatus, islands: Sequence[IslandIndex], engine: EngineStatus
) -> pb.GetIndexStatusResponse:
    """Message of how the index is."""
    return pb.GetIndexStatusResponse(
        applied_sequence=followed.applied,
        latest_sequence=followed.latest,
        following=followed.following,
        lag=followed.lag,
        profiles=[pb.IslandProfile(island_id=one.key.island_id, profile=one.profile.number) for one in islands],
        engine=pb.EngineStatus(name=engine.name, parts=engine.parts, ready=engine.ready),
    )


def counts_to_message(counter: SearchCounter) -> pb.SearchCounts:
    """Message of how many searches were answered."""
    counts = counter.counts
    days = [
        pb.SearchDay(date=day.isoformat(), by_specification=count.by_specification, by_filter=count.by_filter)
        for day, count in counts.by_day.items()
    ]
    return pb.SearchCounts(replica=counter.replica, since=wire.time_to_message(counts.since), days=days)


def entry_to_message(entry: Entry) -> pb.ListIndexEntriesResponse:
    """Message of an entry."""
    island = entry.island
    return pb.ListIndexEntriesResponse(
        learnware_id=entry.learnware_id,
        version=entry.version,
        island_id=island.island_id if island is not None else "",
    )
