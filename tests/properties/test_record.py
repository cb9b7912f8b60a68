"""What the journal keeps of a decision is all that its answer needs, for ever."""

from datetime import date

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from services.loyalty.answers import Answer, answer_from_journal
from services.loyalty.domain.decision import (
    AlreadyDecided,
    BlockedSet,
    Burnt,
    Captured,
    Decision,
    Enrolled,
    Expired,
    Refusal,
    Refused,
    Summary,
)
from services.loyalty.domain.discount import VatShare
from services.loyalty.domain.lots import Lot
from services.loyalty.domain.member import Member, PendingLot, Reservation, Standing, Status
from services.loyalty.domain.receipt import TEMPLATE_VERSION
from services.loyalty.record import (
    cards_from_json,
    cards_json,
    decision_from_json,
    decision_json,
    lots_from_json,
    lots_json,
)
from services.loyalty.store import MEMBER_COLUMNS, Decided, member_from_row, member_row
from services.loyalty.wire_answers import REASONS
from tests.loyalty.ledgers import wire
from tests.scale import scaled

thorough = settings(max_examples=scaled(2_000), deadline=None)

points = st.integers(0, 2**53)
minors = st.integers(-(10**12), 10**12)
ids = st.uuids().map(str)
TEXT_COLUMNS = ("member_id", "status", "language", "tier", "lots", "cards", "more")
# Whatever passes the wire: printable, of any script, with what JSON has to escape.
texts = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn", "Co", "Zl", "Zp"]), max_size=9)
languages = st.sampled_from(["de", "en", "de-AT", "fr", "zh-Hant"])
currencies = st.sampled_from(["EUR", "JPY", "KWD", "CHF"])

summaries = st.builds(
    Summary,
    member_id=ids,
    version=st.integers(1, 2**53),
    points=points,
    available=points,
    language=languages,
)
vat_shares = st.builds(
    VatShare,
    vat_rate_key=texts,
    discount_minor=minors,
    gross_minor=minors,
    gross_after_minor=minors,
)
decisions: st.SearchStrategy[Decision] = st.one_of(
    st.builds(
        Captured,
        member=summaries,
        points_earned=points,
        points_redeemed=points,
        points_redeemed_from_basket=points,
        discount_minor=st.integers(0, 10**12),
        line_discounts=st.lists(st.tuples(texts, minors), max_size=4).map(tuple),
        vat_discounts=st.lists(vat_shares, max_size=3).map(tuple),
        currency=currencies,
        receipt_version=st.integers(1, TEMPLATE_VERSION),
    ),
    st.builds(
        Refused,
        reason=st.sampled_from(sorted(REASONS, key=lambda reason: reason.value)),
        field=texts,
        remedy=texts,
        points_maximum=points,
    ),
    st.builds(Enrolled, member=summaries),
    st.builds(Expired, member=summaries, points_expired=points),
    st.builds(BlockedSet, member=summaries, blocked=st.booleans(), reason=texts),
    st.builds(Burnt, target_id=ids),
    st.builds(AlreadyDecided, target_id=ids),
)


def journalled(decision: Decision, effective_at_us: int) -> Decided:
    """The row that the answer of later is read from."""
    return Decided("", bytes(32), effective_at_us, decision_json(decision))


@thorough
@given(decisions)
def test_a_decision_survives_the_journal(decision: Decision) -> None:
    assert decision_from_json(decision_json(decision)) == decision


@thorough
@given(decisions)
def test_a_decision_that_was_read_is_written_alike(decision: Decision) -> None:
    text = decision_json(decision)

    assert decision_json(decision_from_json(text)) == text
    assert "\n" not in text, "the chain joins texts by newlines"


@thorough
@given(decisions, st.integers(-(2**55), 2**57))
def test_an_answer_from_the_journal_is_the_first_answer_byte_for_byte(
    decision: Decision, effective_at_us: int
) -> None:
    original = Answer(Burnt(""), 1) if isinstance(decision, AlreadyDecided) else None
    first = Answer(decision, effective_at_us, original=original)
    read = answer_from_journal(journalled(decision, effective_at_us))
    later = Answer(read.decision, read.effective_at_us, original=original)

    assert wire("id", later) == wire("id", first)


@thorough
@given(st.sampled_from(Refusal))
def test_every_refusal_has_a_name_that_is_kept(refusal: Refusal) -> None:
    decision = Refused(refusal, "field", "remedy")

    assert decision_from_json(decision_json(decision)) == decision


@thorough
@given(
    st.dictionaries(st.dates(date(1, 1, 1)), st.integers(1, 2**53), max_size=5),
    st.lists(texts, max_size=4),
)
def test_lots_and_cards_survive_the_members_row(lots: dict[date, int], cards: list[str]) -> None:
    open_lots = tuple(Lot(day, lots[day]) for day in sorted(lots))

    assert lots_from_json(lots_json(open_lots)) == open_lots
    assert cards_from_json(cards_json(tuple(cards))) == tuple(cards)
    assert orjson.loads(lots_json(open_lots)) == [
        [day.isoformat(), lots[day]] for day in sorted(lots)
    ]


members = st.builds(
    Member,
    member_id=ids,
    version=st.integers(1, 2**53),
    status=st.sampled_from(Status),
    language=languages,
    tier=texts,
    points=points,
    pending=points,
    receivable=points.map(lambda owed: -owed),
    held=points,
    lots=st.lists(st.builds(Lot, st.dates(), points), max_size=3).map(tuple),
    cards=st.lists(texts, max_size=3).map(tuple),
    enrolled_at_us=points,
    last_sequence=points,
    pending_lots=st.lists(st.builds(PendingLot, st.dates(), st.dates(), points), max_size=2).map(
        tuple
    ),
    reservations=st.lists(st.builds(Reservation, ids, ids, points, points, points), max_size=2).map(
        tuple
    ),
    standing=st.builds(
        Standing,
        st.none() | st.dates(),
        st.lists(st.tuples(points, points), max_size=2).map(tuple),
    ),
    announced=st.lists(st.tuples(points, st.dates()), max_size=2).map(tuple),
    merged_into=st.just("") | ids,
    due_at_us=points,
)


@thorough
@given(members, st.integers(0, 31))
def test_a_member_survives_their_row_with_all_that_few_have(member: Member, bucket: int) -> None:
    row = member_row(bucket, member)

    again = member_from_row([row[name] for name in MEMBER_COLUMNS])

    assert again == member
    assert member_row(bucket, again) == row
    assert [type(value) for value in row.values()] == [
        str if name in TEXT_COLUMNS else int for name in row
    ]
