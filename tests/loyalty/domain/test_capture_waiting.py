"""Captures of members who owe points, wait for points, hold a reservation or have a tier."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.loyalty.domain.capture import capture
from services.loyalty.domain.decision import Entry, Refusal, Refused
from services.loyalty.domain.earn import rated_weight
from services.loyalty.domain.ledger import Account, Transfer
from services.loyalty.domain.life import State
from services.loyalty.domain.lots import LotMove
from services.loyalty.domain.member import Member, PendingMove, Reservation, Status
from services.loyalty.domain.programme import Programme, Tier
from services.loyalty.domain.redemption import (
    earned_when_redeeming,
    redeemable_maximum,
    redemption_refusal,
)
from tests.loyalty.domain.captures import accepted, refused
from tests.loyalty.domain.members import CARD, a_member
from tests.loyalty.examples import a_basket, a_line, a_programme
from tests.loyalty.ledgers import a_capture

TODAY = date(2026, 11, 20)
NEW_LOT = date(2029, 11, 30)
BASKET_ID = "0198c6f4-0000-7000-8000-0000000000bb"
RESERVATION = Reservation("0198c6f4-0000-7000-8000-0000000000aa", BASKET_ID, 400, 0, 10**18)
WAITING = a_programme(pending_days=14)


def decide(
    member: Member,
    total_minor: int = 20_000,
    *,
    programme: Programme | None = None,
    named: State = State.NEW,
    **how: Any,
) -> Entry | Refused:
    return capture(
        member,
        a_capture(CARD, total_minor, **how),
        programme=programme or a_programme(),
        today=TODAY,
        named=named,
    )


# --- owing ----------------------------------------------------------------------------------


def owing(owed: int) -> Member:
    return replace(a_member(), receivable=-owed)


@pytest.mark.parametrize(("owed", "settled", "added"), [(30, 30, 70), (100, 100, 0), (130, 100, 0)])
def test_what_is_owed_is_paid_first(owed: int, settled: int, added: int) -> None:
    entry, decision = accepted(decide(owing(owed)))

    assert (decision.points_earned, decision.points_settled) == (100, settled)
    assert entry.member is not None
    assert (entry.member.points, entry.member.owed) == (added, owed - settled)
    assert entry.transfers[0] == Transfer(Account.ISSUED, Account.RECEIVABLE, settled)


def test_what_pays_a_debt_cannot_pay_the_basket_too() -> None:
    """200.00 earn 100 points; 30 of them are owed, and each point paid costs a little earning."""
    _, decision = accepted(decide(owing(30), redeem="maximum"))

    assert decision.points_redeemed == decision.points_redeemed_from_basket == 69
    assert (decision.points_earned, decision.points_settled) == (99, 30)


@given(
    owed=st.integers(0, 200),
    available=st.integers(0, 300),
    total_minor=st.integers(0, 40_000),
)
def test_the_maximum_is_the_last_that_is_affordable_also_for_who_owes(
    owed: int, available: int, total_minor: int
) -> None:
    programme = a_programme()
    basket = a_basket(a_line(total_minor))
    weight = rated_weight(basket, programme)
    how: dict[str, Any] = {
        "available": available,
        "weight": weight,
        "total_minor": total_minor,
        "programme": programme,
        "owed": owed,
    }

    most = redeemable_maximum(**how)

    affordable = [
        points
        for points in range(min(total_minor, available + 200) + 1)
        if points
        <= available + max(0, earned_when_redeeming(points, weight, total_minor, programme) - owed)
    ]
    assert most == max(affordable)
    assert most == 0 or redemption_refusal(most, **how) is None
    assert redemption_refusal(most + 1, **how) is not None


# --- waiting --------------------------------------------------------------------------------


def test_points_wait_where_the_programme_says_so() -> None:
    entry, decision = accepted(decide(a_member(), programme=WAITING))

    assert entry.transfers == (Transfer(Account.ISSUED, Account.PENDING, 100),)
    assert entry.pending_moves == (PendingMove(date(2026, 12, 4), NEW_LOT, 100),)
    assert entry.lot_moves == ()
    assert (decision.points_earned, decision.points_pending) == (100, 100)
    assert (decision.member.points, decision.member.pending) == (0, 100)


def test_points_burned_in_the_same_basket_do_not_wait() -> None:
    entry, decision = accepted(decide(a_member(("2027-03-31", 50)), programme=WAITING, redeem=120))

    assert decision.points_redeemed_from_basket == 70
    assert (decision.points_earned, decision.points_pending) == (99, 29)
    assert entry.transfers == (
        Transfer(Account.ISSUED, Account.POINTS, 70),
        Transfer(Account.ISSUED, Account.PENDING, 29),
        Transfer(Account.POINTS, Account.REDEEMED, 120),
    )
    assert LotMove(NEW_LOT, 70) in entry.lot_moves


def test_a_debt_is_paid_before_anything_waits() -> None:
    entry, decision = accepted(decide(owing(40), programme=WAITING))

    assert (decision.points_settled, decision.points_pending) == (40, 60)
    assert entry.member is not None
    assert (entry.member.owed, entry.member.pending) == (0, 60)


# --- reservations ---------------------------------------------------------------------------


def holding(points: int = 1000, **changes: Any) -> Member:
    member = a_member(("2027-03-31", points), **changes)
    return replace(member, held=RESERVATION.held, reservations=(RESERVATION,))


def test_a_capture_may_use_what_is_held_for_its_basket() -> None:
    entry, decision = accepted(decide(holding(), redeem=1000, basket_id=BASKET_ID))

    assert decision.points_redeemed == 1000
    assert decision.points_redeemed_from_basket == 0
    assert entry.ended == (RESERVATION.reservation_id,)
    assert entry.member is not None
    assert (entry.member.held, entry.member.reservations) == (0, ())
    assert entry.facts["reservation"] == [RESERVATION.reservation_id, 400, 0]


def test_no_other_basket_may_use_it() -> None:
    assert refused(decide(holding(400), 100, redeem=1)).reason is Refusal.EXCEEDS_AVAILABLE


def test_a_capture_without_points_ends_the_reservation_of_its_basket_all_the_same() -> None:
    entry, decision = accepted(decide(holding(), basket_id=BASKET_ID))

    assert decision.points_redeemed == 0
    assert entry.ended == (RESERVATION.reservation_id,)


@pytest.mark.parametrize("ended", [State.CAPTURED, State.RELEASED, State.REPLACED])
def test_a_named_reservation_that_has_ended_is_refused_for_ever(ended: State) -> None:
    result = decide(a_member(), named=ended, reservation_id=RESERVATION.reservation_id)

    assert isinstance(result, Entry)
    assert refused(result).reason is Refusal.RESERVATION_ENDED
    assert ended.value in refused(result).remedy


def test_a_named_reservation_that_timed_out_does_no_harm() -> None:
    entry, _ = accepted(
        decide(a_member(), named=State.EXPIRED, reservation_id=RESERVATION.reservation_id)
    )

    assert entry.ended == ()
    assert entry.facts["reservation_named"] == RESERVATION.reservation_id


def test_a_reservation_of_another_basket_is_not_this_ones() -> None:
    result = decide(holding(), reservation_id=RESERVATION.reservation_id)

    assert refused(result).reason is Refusal.RESERVATION_UNKNOWN


@pytest.mark.parametrize(
    ("redeem", "points"), [(400, 400), ("maximum", 400), (401, None), (1001, None)]
)
def test_whoever_was_blocked_redeems_no_more_than_was_reserved(
    redeem: Any, points: int | None
) -> None:
    member = holding(status=Status.BLOCKED)

    result = decide(member, redeem=redeem, basket_id=BASKET_ID)

    if points is None:
        assert refused(result).points_maximum == 400
    else:
        assert accepted(result)[1].points_redeemed == points


# --- tiers ----------------------------------------------------------------------------------

TIERED = a_programme(tiers=(Tier("base", 0, 100), Tier("gold", 150, 150)))


def test_a_tier_earns_more_but_counts_the_same() -> None:
    entry, decision = accepted(decide(a_member(tier="gold"), programme=TIERED))

    assert decision.points_earned == 150
    assert entry.facts["qualifying_points"] == 100


def test_spending_does_not_count_against_a_tier() -> None:
    rich = a_member(("2027-03-31", 20_000))

    entry, decision = accepted(decide(rich, 40_000, programme=TIERED, redeem=20_000))

    assert decision.points_earned == 100
    assert entry.facts["qualifying_points"] == 200
    assert decision.member.tier == "gold"


def test_a_tier_is_reached_at_once_and_earns_from_the_next_basket() -> None:
    entry, decision = accepted(decide(a_member(), 30_000, programme=TIERED))

    assert (decision.points_earned, decision.member.tier) == (150, "gold")
    assert entry.member is not None
    _, second = accepted(decide(entry.member, 30_000, programme=TIERED))
    assert second.points_earned == 225
