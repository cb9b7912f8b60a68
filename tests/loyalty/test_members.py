"""What staff order of the ledger: corrections, merges, cards, erasure."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bonpunkt.till import operations
from services.loyalty.domain.decision import (
    Adjusted,
    Captured,
    CardsChanged,
    Decision,
    Enrolled,
    Erased,
    Merged,
    Refusal,
    Refused,
    Released,
    Reserved,
    Returned,
    Voided,
)
from tests.loyalty.commands import (
    a_change_of_cards,
    a_merge,
    a_release,
    a_reserve,
    a_return,
    a_till_enrolment,
    a_void,
    an_adjustment,
    an_erasure,
)
from tests.loyalty.ledgers import Ledger, a_block, a_capture, an_enrolment, member_id_in

CARD, OTHER_CARD, NEW_CARD = "2900000000018", "2900000000025", "2900000000032"


def refusal(decision: Decision) -> Refusal:
    assert isinstance(decision, Refused), decision
    return decision.reason


@pytest.fixture
async def member_id(ledger: Ledger) -> str:
    """A member with 1,000 points, in bucket 3."""
    return await joined(ledger, CARD, 1000, bucket=3)


async def joined(ledger: Ledger, card: str, points: int, *, bucket: int) -> str:
    enrol = an_enrolment(card, member_id=member_id_in(bucket))
    await ledger.decision(enrol)
    if points:
        await ledger.decision(an_adjustment(enrol.member_id, points))
    return enrol.member_id


# --- adjusting ------------------------------------------------------------------------------


async def test_points_given_by_hand_can_be_spent(ledger: Ledger, member_id: str) -> None:
    captured = await ledger.decision(a_capture(CARD, 5000, redeem=1000))

    assert isinstance(captured, Captured)
    assert captured.points_redeemed_from_basket == 0
    (row,) = await ledger.journal("adjust")
    assert '["adjusted","points",1000]' in row.movements
    assert row.actor == "cli:test"


async def test_no_more_is_taken_than_is_available(ledger: Ledger, member_id: str) -> None:
    await ledger.decision(a_reserve(CARD, 5000, redeem=400))

    too_much = await ledger.decision(an_adjustment(member_id, -601))
    enough = await ledger.decision(an_adjustment(member_id, -600))

    assert refusal(too_much) is Refusal.EXCEEDS_AVAILABLE
    assert isinstance(enough, Adjusted)
    assert enough.member.available == 0


async def test_an_adjustment_of_nobody_is_refused(ledger: Ledger) -> None:
    unknown = await ledger.decision(an_adjustment(operations.new_id(), 5))

    assert refusal(unknown) is Refusal.MEMBER_UNKNOWN
    assert await ledger.journal("adjust") == []


# --- enrolling ------------------------------------------------------------------------------


async def test_a_member_enrolled_at_the_till_earns_at_once(ledger: Ledger) -> None:
    enrolled = await ledger.decision(a_till_enrolment(CARD))
    captured = await ledger.decision(a_capture(CARD, 2000))

    assert isinstance(enrolled, Enrolled)
    assert isinstance(captured, Captured)
    assert captured.member.member_id == enrolled.member.member_id
    assert refusal(await ledger.decision(a_till_enrolment(CARD))) is Refusal.CARD_TAKEN


async def test_points_brought_along_are_a_transfer(ledger: Ledger) -> None:
    enrolled = await ledger.decision(replace(an_enrolment(CARD), opening_points=250))

    assert isinstance(enrolled, Enrolled)
    assert enrolled.member.points == 250
    (row,) = await ledger.journal("enrol")
    assert '["adjusted","points",250]' in row.movements


# --- cards ----------------------------------------------------------------------------------


async def test_a_lost_card_is_nobodys_and_the_new_one_has_the_points(
    ledger: Ledger, member_id: str
) -> None:
    changed = await ledger.decision(a_change_of_cards(member_id, lost=CARD, new=NEW_CARD))

    assert isinstance(changed, CardsChanged)
    assert await ledger.available(CARD) is None
    assert await ledger.available(NEW_CARD) == 1000
    assert refusal(await ledger.decision(a_capture(CARD, 100))) is Refusal.CARD_NOT_ACCEPTED


async def test_cards_that_are_not_the_members_or_not_free_are_refused(
    ledger: Ledger, member_id: str
) -> None:
    await ledger.enrolled(OTHER_CARD)

    taken = await ledger.decision(a_change_of_cards(member_id, new=OTHER_CARD))
    not_theirs = await ledger.decision(a_change_of_cards(member_id, lost=OTHER_CARD))
    found_again = await ledger.decision(a_change_of_cards(member_id, lost=CARD))
    back = await ledger.decision(a_change_of_cards(member_id, new=CARD))

    assert refusal(taken) is Refusal.CARD_TAKEN
    assert refusal(not_theirs) is Refusal.CARD_UNKNOWN
    assert isinstance(found_again, CardsChanged)
    assert refusal(back) is Refusal.CARD_TAKEN


# --- merging --------------------------------------------------------------------------------


@pytest.mark.parametrize("bucket", [3, 7], ids=["one bucket", "two buckets"])
async def test_a_merge_moves_everything_and_old_cards_keep_working(
    ledger: Ledger, member_id: str, bucket: int
) -> None:
    other_id = await joined(ledger, OTHER_CARD, 300, bucket=bucket)
    await ledger.decision(a_reserve(OTHER_CARD, 5000, redeem=100))

    merged = await ledger.decision(a_merge(member_id, other_id))

    assert isinstance(merged, Merged)
    assert (merged.member.points, merged.member.available) == (1300, 1200)
    for card in (CARD, OTHER_CARD):
        assert await ledger.available(card) == 1200
        captured = await ledger.decision(a_capture(card, 100))
        assert isinstance(captured, Captured)
        assert captured.member.member_id == member_id
    old = await ledger.member(other_id)
    assert (old.status, old.points, old.held, old.cards) == ("merged", 0, 0, "[]")


async def test_old_receipts_of_a_merged_member_can_be_returned_and_voided(
    ledger: Ledger, member_id: str
) -> None:
    other_id = await joined(ledger, OTHER_CARD, 300, bucket=7)
    returned_one = a_capture(OTHER_CARD, 20_000, redeem=100)
    voided_one = a_capture(OTHER_CARD, 20_000, redeem=50)
    await ledger.answers(returned_one, voided_one)
    before = (await ledger.member(other_id)).points
    await ledger.decision(a_merge(member_id, other_id))

    returned = await ledger.decision(a_return(returned_one.operation_id))
    voided = await ledger.decision(a_void(voided_one.operation_id))

    assert isinstance(returned, Returned)
    assert isinstance(voided, Voided)
    assert returned.complete
    assert voided.member.points == 1000 + 300
    assert voided.member.member_id == member_id
    assert before > 300 - 150
    legs = await ledger.journal("leg")
    assert {row.bucket for row in legs} == {7}


async def test_a_merge_of_a_merge_is_followed_to_its_end(ledger: Ledger, member_id: str) -> None:
    second = await joined(ledger, OTHER_CARD, 10, bucket=7)
    third = await joined(ledger, NEW_CARD, 1, bucket=9)
    await ledger.decision(a_merge(second, third))
    await ledger.decision(a_merge(member_id, second))

    captured = await ledger.decision(a_capture(NEW_CARD, 100))

    assert isinstance(captured, Captured)
    assert captured.member.member_id == member_id
    assert await ledger.available(NEW_CARD) == 1011


async def test_merges_that_make_no_sense_are_refused(ledger: Ledger, member_id: str) -> None:
    other_id = await joined(ledger, OTHER_CARD, 0, bucket=7)

    same = await ledger.decision(a_merge(member_id, member_id))
    unknown = await ledger.decision(a_merge(member_id, operations.new_id()))
    await ledger.decision(a_merge(member_id, other_id))
    again = await ledger.decision(a_merge(member_id, other_id))
    adjusted = await ledger.decision(an_adjustment(other_id, 5))

    assert refusal(same) is Refusal.MEMBER_SAME
    assert refusal(unknown) is Refusal.MEMBER_UNKNOWN
    assert refusal(again) is Refusal.MEMBER_MERGED
    assert refusal(adjusted) is Refusal.MEMBER_MERGED


async def test_whoever_was_blocked_stays_blocked_through_a_merge(
    ledger: Ledger, member_id: str
) -> None:
    other_id = await joined(ledger, OTHER_CARD, 300, bucket=7)
    await ledger.decision(a_block(other_id))

    await ledger.decision(a_merge(member_id, other_id))

    assert await ledger.available(CARD) is None


# --- erasing --------------------------------------------------------------------------------


async def test_erasing_forfeits_what_is_left_and_frees_the_ledger_of_the_card(
    ledger: Ledger, member_id: str
) -> None:
    await ledger.decision(a_reserve(CARD, 5000, redeem=400))

    erased = await ledger.decision(an_erasure(member_id))

    assert isinstance(erased, Erased)
    assert erased.points_forfeited == 1000
    row = await ledger.member(member_id)
    assert (row.status, row.points, row.held, row.cards) == ("erased", 0, 0, "[]")
    assert await ledger.available(CARD) is None
    assert refusal(await ledger.decision(an_adjustment(member_id, 5))) is Refusal.MEMBER_ERASED
    assert refusal(await ledger.decision(an_erasure(member_id))) is Refusal.MEMBER_ERASED


async def test_what_an_erased_member_owed_is_written_off(ledger: Ledger) -> None:
    enrol = an_enrolment(CARD)
    await ledger.decision(enrol)
    bought = a_capture(CARD, 40_000)
    await ledger.decision(bought)
    await ledger.decision(a_capture(CARD, 40_000, redeem=200))
    spent = await ledger.decision(an_adjustment(enrol.member_id, -198))
    returned = await ledger.decision(a_return(bought.operation_id))

    assert isinstance(spent, Adjusted)
    assert isinstance(returned, Returned)
    assert returned.points_owed == 200 - spent.member.available
    await ledger.decision(an_erasure(enrol.member_id))

    assert (await ledger.member(enrol.member_id)).receivable == 0
    (row,) = await ledger.journal("erase")
    assert f'["loss","receivable",{returned.points_owed}]' in row.movements


# --- voiding --------------------------------------------------------------------------------


async def test_a_void_undoes_a_purchase_and_only_once(ledger: Ledger, member_id: str) -> None:
    purchase = a_capture(CARD, 20_000, redeem=500)
    await ledger.decision(purchase)

    voided = await ledger.decision(a_void(purchase.operation_id))

    assert isinstance(voided, Voided)
    assert (voided.points_restored, voided.member.points) == (500, 1000)
    assert refusal(await ledger.decision(a_void(purchase.operation_id))) is Refusal.RECEIPT_VOIDED
    assert refusal(await ledger.decision(a_return(purchase.operation_id))) is Refusal.RECEIPT_VOIDED


async def test_a_void_comes_in_time_and_before_any_return(ledger: Ledger, member_id: str) -> None:
    purchase, late = a_capture(CARD, 5000), a_capture(CARD, 5000)
    await ledger.answers(purchase, late)

    part = await ledger.decision(a_return(purchase.operation_id))
    after_return = await ledger.decision(a_void(purchase.operation_id))
    next_day = await ledger.decision(a_void(late.operation_id, business_date="2026-11-21"))
    ledger.clock.move(timedelta(hours=37))
    by_the_clock = await ledger.decision(a_void(late.operation_id))

    assert isinstance(part, Returned)
    assert refusal(after_return) is Refusal.RECEIPT_RETURNED
    assert refusal(next_day) is Refusal.VOID_TOO_LATE
    assert refusal(by_the_clock) is Refusal.VOID_TOO_LATE


async def test_a_receipt_of_nobody_is_unknown(ledger: Ledger, member_id: str) -> None:
    void = await ledger.decision(a_void(operations.new_id()))
    returned = await ledger.decision(a_return(operations.new_id()))

    assert refusal(void) is Refusal.RECEIPT_UNKNOWN
    assert refusal(returned) is Refusal.RECEIPT_UNKNOWN


async def test_a_return_takes_its_own_receipt_number_once(ledger: Ledger, member_id: str) -> None:
    first, second = a_capture(CARD, 5000), a_capture(CARD, 5000)
    await ledger.answers(first, second)

    await ledger.decision(a_return(first.operation_id, receipt_number="R-1"))
    again = await ledger.decision(a_return(second.operation_id, receipt_number="R-1"))

    assert refusal(again) is Refusal.RECEIPT_REUSED


# --- in one batch ---------------------------------------------------------------------------


async def test_what_arrives_together_is_decided_in_the_order_of_arrival(ledger: Ledger) -> None:
    """A member joins, buys, reserves, gives up and brings back before the first commit returns."""
    purchase, reserve = a_capture(CARD, 20_000), a_reserve(CARD, 5000, redeem=50)

    answers = await ledger.answers(
        a_till_enrolment(CARD),
        purchase,
        reserve,
        a_release(reserve.operation_id),
        a_return(purchase.operation_id),
    )

    decisions = [answer.decision for answer in answers]
    assert [type(decision) for decision in decisions] == [
        Enrolled,
        Captured,
        Reserved,
        Released,
        Returned,
    ]
    assert await ledger.available(CARD) == 0
