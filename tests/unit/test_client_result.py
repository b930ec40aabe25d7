"""Which learnwares of an answer are reused, and how an answer reads."""

from dataclasses import replace

import pytest

from learndock.client.messages import search_result_from_message
from learndock.client.result import SearchResult, members_of, strategy_for
from learndock.client.values import Member, SearchAdvice, Strategy
from learndock.errors import NotFound
from learndock.v1 import search_service_pb2 as pb
from learndock.v1 import types_pb2


def answer(advice: pb.SearchAdvice.ValueType = pb.SEARCH_ADVICE_UNSPECIFIED, *, mixed: bool = False) -> SearchResult:
    semantic = types_pb2.SemanticSpecification(name="wine", task="Classification")
    message = pb.SearchResponse(
        singles=[
            pb.SingleResult(rank=1, learnware_id="00000003", version=2, mmd2=0.01, semantic_specification=semantic),
            pb.SingleResult(rank=2, learnware_id="00000001", version=1, mmd2=0.02, semantic_specification=semantic),
        ],
        certificate=pb.Certificate(certified=True, scored=5, admitted=9),
        advice=advice,
        as_of_sequence=12,
    )
    if mixed:
        message.mixture.mmd2 = 0.001
        message.mixture.members.add(learnware_id="00000007", version=1, weight=0.6)
        message.mixture.members.add(learnware_id="00000003", version=2, weight=0.4)
    return search_result_from_message(message)


MIXTURE = (Member("00000007", 1, 0.6), Member("00000003", 2, 0.4))
BEST = (Member("00000003", 2),)
NEAREST = (Member("00000003", 2, 1.0), Member("00000001", 1, 0.5))  # twice as far


def test_the_message_is_read_whole() -> None:
    result = answer(pb.SEARCH_ADVICE_USE_MIXTURE, mixed=True)
    assert result.best is not None
    assert result.best.learnware_id == "00000003"
    assert result.mixture is not None
    assert result.mixture.members[0].weight == 0.6
    assert result.certificate.certified
    assert (result.certificate.scored, result.certificate.admitted, result.as_of_sequence) == (5, 9, 12)
    assert result.advice is SearchAdvice.USE_MIXTURE
    assert answer().advice is None


def test_a_mixture_is_reused_where_it_is_advised_or_asked_for() -> None:
    advised = answer(pb.SEARCH_ADVICE_USE_MIXTURE, mixed=True)
    assert advised.members() == MIXTURE
    assert advised.members(Strategy.TOP1) == BEST
    only_better = answer(mixed=True)
    assert only_better.members() == NEAREST
    assert strategy_for(only_better, None, labelled=False) is Strategy.AVERAGE
    assert strategy_for(advised, None, labelled=False) is None
    assert strategy_for(only_better, None, labelled=True) is None
    assert only_better.members(Strategy.AVERAGE) == MIXTURE
    assert answer().members(Strategy.JOB_SELECTOR) == NEAREST
    assert answer().members(Strategy.TOP1) == BEST


def test_those_much_farther_than_the_nearest_are_left_out() -> None:
    found = answer()
    near, far = (replace(found.singles[1], learnware_id=name, mmd2=mmd2) for name, mmd2 in (("a", 0.05), ("b", 0.0501)))
    _, *others = replace(found, singles=(found.singles[0], near, far)).members()
    assert [member.learnware_id for member in others] == ["a"]
    assert others[0].weight == pytest.approx(0.2)
    exact = replace(found.singles[0], mmd2=0.0)
    assert replace(found, singles=(exact, *found.singles[1:])).members() == BEST


def test_an_empty_answer_has_nothing_to_reuse() -> None:
    empty = search_result_from_message(pb.SearchResponse())
    assert empty.best is None
    with pytest.raises(NotFound, match="nothing to reuse"):
        empty.members()


def test_an_answer_reads_as_a_table() -> None:
    text = repr(answer(pb.SEARCH_ADVICE_USE_MIXTURE, mixed=True))
    assert "certified, 5 of 9" in text
    assert "0.60 x 00000007 + 0.40 x 00000003" in text
    assert text.count("wine") == 2
    assert "not certified" in repr(search_result_from_message(pb.SearchResponse()))


def test_ids_and_members_are_taken_as_they_are() -> None:
    assert members_of("00000001", None) == (Member("00000001"),)
    assert members_of(["00000001", Member("00000002", 3, 0.5)], Strategy.AVERAGE) == (
        Member("00000001"),
        Member("00000002", 3, 0.5),
    )
    assert members_of(answer(), None) == NEAREST
