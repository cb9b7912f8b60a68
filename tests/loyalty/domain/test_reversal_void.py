"""Voids: what is accepted, how late, and what they leave."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from services.loyalty.domain.decision import Refusal
from services.loyalty.domain.ledger import Account, Transfer
from services.loyalty.domain.lots import LotMove
from tests.loyalty.domain.members import a_member
from tests.loyalty.domain.receipts import (
    BUCKET,
    GENEROUS,
    NOON,
    a_line_of,
    bought,
    bread_and_soap,
    refused,
    returned,
    voided,
    voiding,
)

EARNED_IN = date(2029, 11, 30)
OLD, LATER = date(2027, 3, 31), date(2027, 4, 30)


def test_a_void_leaves_the_member_as_if_nothing_had_been_bought() -> None:
    before = a_member(("2027-03-31", 600), ("2027-04-30", 400))
    member, original = bread_and_soap(member=before)

    result, decision = voided(member, original)

    after = result.entry.member
    assert after is not None
    assert (after.lots, after.points, after.version) == (before.lots, 1000, member.version + 1)
    assert (decision.points_restored, decision.points_taken_back) == (700, 200)
    assert (decision.points_owed, decision.points_let_go) == (0, 0)
    assert result.entry.transfers == (
        Transfer(Account.REDEEMED, Account.POINTS, 700),
        Transfer(Account.POINTS, Account.ISSUED, 200),
    )
    assert result.entry.lot_moves == (
        LotMove(LATER, 100),
        LotMove(OLD, 600),
        LotMove(EARNED_IN, -200),
    )
    assert result.reversal.voided
    assert (result.reversal.points_restored, result.reversal.discount_minor) == (700, 700)
    assert result.leg is None


def test_a_void_needs_no_line_items() -> None:
    member, original = bread_and_soap()

    voided(member, replace(original, line_items=None))


def test_a_void_of_a_receipt_without_points_is_a_row_that_moves_nothing() -> None:
    member, original = bought(a_member(), a_line_of("gum", 5), programme=GENEROUS)

    result, _ = voided(member, original, bucket=BUCKET + 1)

    assert (result.entry.transfers, result.entry.lot_moves, result.leg) == ((), (), None)


def test_a_receipt_is_voided_once() -> None:
    member, original = bread_and_soap()
    result, _ = voided(member, original)

    assert refused(voiding(member, original, so_far=result.reversal)).reason is (
        Refusal.RECEIPT_VOIDED
    )


def test_a_receipt_of_which_something_came_back_is_not_voided() -> None:
    member, original = bread_and_soap()
    member, _, first = returned(member, original, [("bread", 1000)])
    _, _, rest = returned(member, original, so_far=first.reversal)

    for so_far in (first.reversal, rest.reversal):
        assert refused(voiding(member, original, so_far=so_far)).reason is (
            Refusal.RECEIPT_RETURNED
        )


def test_without_hours_a_void_is_for_the_same_business_date() -> None:
    member, original = bread_and_soap()
    late_night = NOON + timedelta(hours=20)

    voided(member, original, now=late_night)
    refusal = refused(voiding(member, original, business_date="2026-11-21", now=late_night))

    assert (refusal.reason, refusal.field) == (
        Refusal.VOID_TOO_LATE,
        "void_receipt.business_date",
    )


def test_a_till_that_never_closes_its_day_cannot_void_for_ever() -> None:
    """A till's clock is never the truth: 36 hours of loyalty's are the end of its day."""
    member, original = bread_and_soap()
    limit = NOON + timedelta(hours=36)

    voided(member, original, now=limit)
    too_late = voiding(member, original, now=limit + timedelta(microseconds=1))

    assert refused(too_late).reason is Refusal.VOID_TOO_LATE


def test_with_hours_a_void_is_as_late_as_loyaltys_clock_says() -> None:
    member, original = bread_and_soap()
    limit = NOON + timedelta(hours=48)
    tomorrow: dict[str, Any] = {
        "programme": replace(GENEROUS, void_hours=48),
        "business_date": "2026-11-22",
    }

    voided(member, original, now=limit, **tomorrow)
    too_late = voiding(
        member,
        original,
        now=limit + timedelta(microseconds=1),
        **tomorrow,
    )

    assert refused(too_late).reason is Refusal.VOID_TOO_LATE
