"""Answers written as bytes are the bytes that protobuf writes."""

from datetime import date

import pytest
from google.protobuf.descriptor_pb2 import UninterpretedOption
from hypothesis import given, settings
from hypothesis import strategies as st

from bonpunkt.till.v1 import till_pb2 as pb
from services.loyalty.answers import Answer, Cause
from services.loyalty.domain import decision as kinds
from services.loyalty.domain.decision import Refused, Summary
from services.loyalty.domain.discount import VatShare
from services.loyalty.domain.redemption import Limit, Quote
from services.loyalty.quotes import Found, Identified, Quoted, Reply
from services.loyalty.wire_answers import REASONS, Outcome, decision_bytes
from services.loyalty.wire_bytes import fields_of
from tests.loyalty.answers_by_library import decision_by_library
from tests.loyalty.examples import a_programme
from tests.scale import scaled

thorough = settings(max_examples=scaled(2_000), deadline=None)

# Both sides of each length that a number can have, and no sum of two is longer than 64 bits.
numbers = st.integers(-300, 300) | st.integers(-(2**62), 2**62 - 1)
figures = st.integers(0, 300) | st.integers(0, 2**62 - 1)  # of a receipt: never below nought
texts = st.text(max_size=200) | st.text("abcß€ 1&", max_size=8)
times = st.integers(-(2**55), 2**57) | st.just(1_795_172_400_000_000)

members = st.builds(
    Summary, texts, numbers, figures, numbers, st.sampled_from(["de", "en-GB", ""]), numbers, texts
)
lines = st.lists(st.tuples(texts, numbers), max_size=4).map(tuple)
rates = st.lists(st.builds(VatShare, texts, numbers, numbers, numbers), max_size=3).map(tuple)
line_refunds = st.lists(st.builds(kinds.LineRefund, texts, numbers, numbers, numbers), max_size=3)
vat_refunds = st.lists(
    st.builds(kinds.VatRefund, texts, st.integers(-(2**61), 2**61), st.integers(-(2**61), 2**61)),
    max_size=3,
)
halves = st.integers(-(2**61), 2**61)
refusals = st.builds(Refused, st.sampled_from(list(REASONS)), texts, texts, numbers)
captures = st.builds(
    kinds.Captured,
    members,
    figures,
    figures,
    numbers,
    figures,
    lines,
    rates,
    st.sampled_from(["EUR", "JPY", "KWD"]),
    st.just(1),
    numbers,
    numbers,
)
of_tills = st.one_of(
    captures,
    refusals,
    st.builds(kinds.Reserved, members, halves, halves, numbers, lines, rates, times),
    st.builds(kinds.Released, members, texts, numbers, st.booleans()),
    st.builds(kinds.Voided, members, numbers, numbers, numbers, numbers),
    st.builds(
        kinds.Returned,
        members,
        halves,
        halves,
        line_refunds.map(tuple),
        vat_refunds.map(tuple),
        numbers,
        numbers,
        numbers,
        numbers,
        st.booleans(),
    ),
    st.builds(kinds.Enrolled, members),
    st.builds(kinds.Burnt, texts),
)
of_others = st.one_of(
    st.builds(kinds.Adjusted, members, numbers, texts, texts),
    st.builds(kinds.Merged, members, texts, texts),
    st.builds(kinds.CardsChanged, members, texts),
    st.builds(kinds.BlockedSet, members, st.booleans(), texts),
    st.builds(kinds.Erased, members, numbers, texts),
    st.builds(kinds.Settled, members),
    st.builds(kinds.Activated, members, numbers),
    st.builds(kinds.Expired, members, numbers),
    st.builds(kinds.Announced, members, numbers, st.just(date(2026, 12, 31)), numbers),
    st.builds(kinds.TierMoved, members, texts),
)
undecided = st.builds(Answer, cause=st.sampled_from(Cause))
booked = st.builds(Answer, of_tills | of_others, times)
too_late = st.builds(
    Answer, st.builds(kinds.AlreadyDecided, texts), times, original=booked | undecided
)
quotes = st.builds(Quote, numbers, numbers, numbers, numbers, st.sampled_from(Limit))
programmes = st.builds(
    lambda minimum, step: a_programme(redeem_minimum=minimum * step, redeem_step=step),
    st.integers(1, 300),
    st.integers(1, 300),
)
told = st.one_of(
    st.builds(Identified, members),
    st.builds(Quoted, members, quotes, programmes),
    st.builds(Found, texts, st.none() | booked | too_late, st.booleans()),
    refusals,
)
replies = st.builds(Reply, told, times) | st.builds(Reply, st.none(), cause=st.sampled_from(Cause))
outcomes: st.SearchStrategy[Outcome] = st.one_of(refusals, booked, too_late, undecided, replies)


def by_library(operation_id: str, outcome: Outcome) -> bytes:
    return decision_by_library(operation_id, outcome).SerializeToString(deterministic=True)


@thorough
@given(texts, outcomes)
def test_every_outcome_is_written_as_protobuf_writes_it(
    operation_id: str, outcome: Outcome
) -> None:
    assert decision_bytes(operation_id, outcome) == by_library(operation_id, outcome)


@thorough
@given(captures, times)
def test_every_capture_is_written_as_protobuf_writes_it(
    captured: kinds.Captured, at_us: int
) -> None:
    answer = Answer(captured, at_us)

    assert decision_bytes("id", answer) == by_library("id", answer)


@pytest.mark.parametrize("bits", range(7, 63, 7))
def test_numbers_on_both_sides_of_a_byte_are_written_as_protobuf_writes_them(bits: int) -> None:
    number = fields_of(pb.MemberSummary)["points"].number

    for value in (0, 1, (1 << bits) - 1, 1 << bits, -(1 << bits), 2**63 - 1, -(2**63), -1):
        assert number(value) == pb.MemberSummary(points=value).SerializeToString()


@pytest.mark.parametrize("length", [0, 1, 127, 128, 16_383, 16_384])
def test_texts_on_both_sides_of_a_byte_of_length_are_written_as_protobuf_writes_them(
    length: int,
) -> None:
    text = fields_of(pb.MemberSummary)["tier"].text

    assert text("x" * length) == pb.MemberSummary(tier="x" * length).SerializeToString()


def test_a_text_of_several_is_written_even_if_it_is_empty() -> None:
    line = fields_of(pb.Captured)["receipt_lines"].block

    assert line(b"") == pb.Captured(receipt_lines=[""]).SerializeToString()


def test_a_number_that_the_contract_cannot_hold_is_a_bug() -> None:
    number = fields_of(pb.MemberSummary)["points"].number

    for value in (2**63, -(2**63) - 1):
        with pytest.raises(AssertionError, match="64 bits"):
            number(value)


def test_a_kind_of_field_that_nobody_has_written_yet_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="nobody has written"):
        fields_of(UninterpretedOption)
