"""A paid basket: earning and redeeming decided together, and every reason why not."""

from datetime import date
from typing import Any

import pytest

from bonpunkt.till import operations
from services.loyalty.domain.capture import capture
from services.loyalty.domain.decision import Entry, Kind, Refusal, Refused
from services.loyalty.domain.ledger import Account, Transfer
from services.loyalty.domain.lots import LotMove
from services.loyalty.domain.member import Member, Status
from services.loyalty.domain.programme import Programme
from tests.loyalty.domain.captures import accepted, refused
from tests.loyalty.domain.members import CARD, a_member
from tests.loyalty.examples import a_programme
from tests.loyalty.ledgers import a_capture

TODAY = date(2026, 11, 20)
NEW_LOT = date(2029, 11, 30)
RICH = a_member(("2027-03-31", 600), ("2027-04-30", 400))


def decide(
    member: Member, total_minor: int = 2000, *, programme: Programme | None = None, **how: Any
) -> Entry | Refused:
    return capture(
        member,
        a_capture(CARD, total_minor, **how),
        programme=programme or a_programme(),
        today=TODAY,
    )


def test_earning_opens_a_lot_at_the_end_of_its_month() -> None:
    entry, decision = accepted(decide(a_member()))

    assert entry.transfers == (Transfer(Account.ISSUED, Account.POINTS, 10),)
    assert entry.lot_moves == (LotMove(NEW_LOT, 10),)
    assert entry.member is not None
    assert (entry.member.points, entry.member.version) == (10, 8)
    assert (decision.points_earned, decision.points_redeemed, decision.discount_minor) == (10, 0, 0)
    assert (decision.line_discounts, decision.vat_discounts) == ((), ())
    assert (entry.kind, entry.accepted) == (Kind.CAPTURE, True)


def test_a_basket_that_earns_nothing_moves_nothing_and_counts_as_a_visit() -> None:
    entry, _ = accepted(decide(a_member(), 199))

    assert (entry.transfers, entry.lot_moves) == ((), ())
    assert entry.member is not None
    assert (entry.member.version, entry.member.points) == (8, 0)


def test_redeeming_takes_the_lots_that_end_first_and_earns_on_what_is_left_to_pay() -> None:
    entry, decision = accepted(decide(RICH, 2000, redeem=700))

    assert entry.transfers == (
        Transfer(Account.ISSUED, Account.POINTS, 6),  # of 13.00
        Transfer(Account.POINTS, Account.REDEEMED, 700),
    )
    assert entry.lot_moves == (
        LotMove(NEW_LOT, 6),
        LotMove(date(2027, 3, 31), -600),
        LotMove(date(2027, 4, 30), -100),
    )
    assert (decision.points_redeemed_from_basket, decision.discount_minor) == (0, 700)
    assert decision.member.points == decision.member.available == 306


def test_points_of_this_basket_may_pay_for_it_and_are_told_apart() -> None:
    entry, decision = accepted(decide(a_member(("2027-03-31", 5)), 2000, redeem=14))

    assert decision.points_redeemed_from_basket == 9
    assert entry.lot_moves == (
        LotMove(NEW_LOT, 9),
        LotMove(date(2027, 3, 31), -5),
        LotMove(NEW_LOT, -9),
    )


@pytest.mark.parametrize(("redeem", "from_basket"), [(5, 0), (6, 1), (14, 9)])
def test_from_the_basket_is_what_was_not_there_before(redeem: int, from_basket: int) -> None:
    _, decision = accepted(decide(a_member(("2027-03-31", 5)), 2000, redeem=redeem))

    assert decision.points_redeemed_from_basket == from_basket


def test_the_discount_is_split_over_lines_and_vat_rates() -> None:
    lines = [
        operations.line_item("food", total_minor=1000, vat_rate_key="DE_7"),
        operations.line_item("soap", total_minor=500, vat_rate_key="DE_19"),
        operations.line_item("gift", total_minor=0, vat_rate_key="DE_19"),
    ]

    _, decision = accepted(decide(RICH, redeem=300, lines=lines))

    assert decision.line_discounts == (("food", 200), ("soap", 100))
    assert [
        (v.vat_rate_key, v.discount_minor, v.gross_after_minor) for v in decision.vat_discounts
    ] == [
        ("DE_7", 200, 800),
        ("DE_19", 100, 400),
    ]


def test_as_much_as_possible_may_be_nothing() -> None:
    _, decision = accepted(decide(a_member(), 100, redeem="maximum"))

    assert decision.points_redeemed == 0


def test_held_points_are_not_spent() -> None:
    member = a_member(("2027-03-31", 100), held=95)

    assert refused(decide(member, 100, redeem=6)).points_maximum == 5
    accepted(decide(member, 100, redeem=5))


# --- refusals -------------------------------------------------------------------------------

STEPS = a_programme(redeem_minimum=100, redeem_step=50, redeem_share_percent=50)


@pytest.mark.parametrize(
    ("redeem", "total_minor", "reason", "maximum"),
    [
        (50, 10_000, Refusal.REDEMPTION_BELOW_MINIMUM, 1000),
        (101, 10_000, Refusal.REDEMPTION_NOT_A_STEP, 1000),
        (550, 1000, Refusal.EXCEEDS_SHARE, 500),
        (1050, 10_000, Refusal.EXCEEDS_AVAILABLE, 1000),
        (100, 150, Refusal.EXCEEDS_SHARE, 0),
    ],
)
def test_a_refusal_names_field_remedy_and_the_most_that_is_possible(
    redeem: int, total_minor: int, reason: Refusal, maximum: int
) -> None:
    refusal = refused(decide(RICH, total_minor, redeem=redeem, programme=STEPS))

    assert (refusal.reason, refusal.points_maximum) == (reason, maximum)
    assert refusal.field == "capture.redeem_points"
    assert refusal.remedy


@pytest.mark.parametrize("redeem", [100, 150, 1000])
def test_what_is_in_steps_and_in_reach_is_redeemed(redeem: int) -> None:
    _, decision = accepted(decide(RICH, 10_000, redeem=redeem, programme=STEPS))

    assert decision.points_redeemed == redeem


def test_only_a_refusal_that_hangs_on_the_member_is_journalled() -> None:
    """It would be another one tomorrow; the others would not."""
    journalled = decide(RICH, 10_000, redeem=1050, programme=STEPS)
    others = [decide(RICH, 1000, redeem=redeem, programme=STEPS) for redeem in (50, 101, 550)]

    assert isinstance(journalled, Entry)
    assert (journalled.accepted, journalled.transfers, journalled.lot_moves) == (False, (), ())
    assert journalled.member == RICH
    assert all(isinstance(other, Refused) for other in others)


@pytest.mark.parametrize(
    "member", [a_member(status=Status.BLOCKED), a_member(cards=("another",)), a_member(cards=())]
)
def test_a_card_that_takes_no_part_is_refused_alike(member: Member) -> None:
    refusal = refused(decide(member, redeem=1))

    assert (refusal.reason, refusal.field) == (Refusal.CARD_NOT_ACCEPTED, "capture.card")


# --- facts ----------------------------------------------------------------------------------


def test_the_facts_repeat_the_decision_by_hand() -> None:
    entry, _ = accepted(decide(RICH, 2000, redeem=700, receipt_number="R-1"))

    assert entry.facts == {
        "programme_version": 1,
        "total_minor": 2000,
        "rated_weight": 200_000,
        "available_before": 1000,
        "tier": "base",
        "business_date": "2026-11-20",
        "receipt_number": "R-1",
        "redeem_asked": 700,
        "share_cap_points": 2000,
    }


def test_the_facts_name_no_redemption_that_was_not_asked_for() -> None:
    nothing, _ = accepted(decide(RICH))
    most, _ = accepted(decide(RICH, redeem="maximum"))

    assert "redeem_asked" not in nothing.facts
    assert most.facts["redeem_asked"] == "maximum"
