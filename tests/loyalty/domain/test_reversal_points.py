"""Where points go when a receipt is taken back: lots, pending points, held points, debts."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from services.loyalty.domain import lots
from services.loyalty.domain.ledger import Account, Transfer
from services.loyalty.domain.lots import Lot, LotMove
from services.loyalty.domain.member import Member, PendingLot, PendingMove, Reservation
from services.loyalty.domain.programme import Clawback
from tests.loyalty.domain.members import a_member
from tests.loyalty.domain.receipts import TODAY, a_line_of, bought, returned
from tests.loyalty.examples import a_programme

# A point per 0.10 gross, a point pays 0.01.
PROGRAMME = a_programme(minor_per_point=10, net_of_points=False, category_percent={})
WAITING = replace(PROGRAMME, pending_days=14)
NOVEMBER = date(2029, 11, 30)  # the last day of what is earned today
OLD, LATER = date(2027, 3, 31), date(2027, 4, 30)
BREAD, SOAP = a_line_of("bread", 1000), a_line_of("soap", 1000)


def spent(member: Member, points: int) -> Member:
    """The member after a purchase elsewhere that redeemed `points`."""
    moves = lots.take(member.lots, points)
    return member.changed(points=member.points - points, lots=lots.apply(member.lots, moves))


# --- points earned and redeemed in the same basket ------------------------------------------


@pytest.mark.parametrize(
    ("clawback", "pending_days"),
    [
        (Clawback.UNLIMITED, 0),
        (Clawback.UNLIMITED, 14),
        (Clawback.WITHIN_BALANCE, 0),
        (Clawback.WITHIN_BALANCE, 14),
        (Clawback.ONLY_PENDING, 14),
    ],
)
def test_points_earned_and_redeemed_in_the_same_basket_net_out(
    clawback: Clawback, pending_days: int
) -> None:
    """200 earned, 150 of them redeemed at once, everything returned: nothing is owed, nothing is
    let go, nothing is left.
    """
    programme = replace(PROGRAMME, clawback=clawback, pending_days=pending_days)
    member, original = bought(a_member(), BREAD, SOAP, programme=programme, redeem=150)
    assert original.captured.points_redeemed_from_basket == 150
    assert (member.points, member.pending) == ((0, 50) if pending_days else (50, 0))

    after, decision, result = returned(member, original)

    assert (decision.points_restored, decision.points_taken_back) == (150, 200)
    assert (decision.points_owed, decision.points_let_go) == (0, 0)
    assert (after.points, after.pending, after.receivable) == (0, 0, 0)
    assert result.reversal.points_netted == 150


def test_points_that_net_out_are_taken_even_where_only_pending_ones_are() -> None:
    """The 50 that this basket did not spend were spendable at once: by the policy they stay."""
    programme = replace(PROGRAMME, clawback=Clawback.ONLY_PENDING)
    member, original = bought(a_member(), BREAD, SOAP, programme=programme, redeem=150)

    after, decision, _ = returned(member, original)

    assert (decision.points_taken_back, decision.points_let_go) == (150, 50)
    assert after.points == 50


def test_transfers_stay_gross_though_points_net_out() -> None:
    """So that reversals can be held against what they reverse (I10)."""
    member, original = bought(a_member(), BREAD, SOAP, programme=WAITING, redeem=150)

    _, _, result = returned(member, original)

    assert result.entry.transfers == (
        Transfer(Account.REDEEMED, Account.POINTS, 150),
        Transfer(Account.PENDING, Account.ISSUED, 50),
        Transfer(Account.POINTS, Account.ISSUED, 150),
    )
    assert result.entry.lot_moves == (LotMove(NOVEMBER, 150), LotMove(NOVEMBER, -150))
    assert result.entry.pending_moves == (PendingMove(TODAY + timedelta(14), NOVEMBER, -50),)


@pytest.mark.parametrize("clawback", list(Clawback))
def test_a_return_in_pieces_nets_out_as_one_in_whole_does(clawback: Clawback) -> None:
    programme = replace(WAITING, clawback=clawback)
    member, original = bought(a_member(), BREAD, SOAP, programme=programme, redeem=150)

    member, first, half = returned(member, original, [("bread", 0)])
    member, rest, _ = returned(member, original, so_far=half.reversal)

    for decision in (first, rest):
        assert (decision.points_restored, decision.points_taken_back) == (75, 100)
        assert (decision.points_owed, decision.points_let_go) == (0, 0)
    assert (member.points, member.pending) == (0, 0)


def test_netting_waits_for_points_that_come_back_later() -> None:
    """The first line earned, the second carried the payment in points."""
    programme = replace(WAITING, clawback=Clawback.ONLY_PENDING, category_percent={"GIFT": 0})
    gift = a_line_of("gift", 1000, category="GIFT")
    member, original = bought(a_member(), BREAD, gift, programme=programme, redeem=60)
    assert (member.points, member.pending) == (0, 40)

    member, first, part = returned(member, original, [("gift", 0)])
    assert (first.points_restored, first.points_taken_back) == (30, 0)
    member, rest, result = returned(member, original, so_far=part.reversal)

    assert (rest.points_restored, rest.points_taken_back, rest.points_let_go) == (30, 100, 0)
    assert (member.points, member.pending) == (0, 0)
    assert result.reversal.points_netted == 60


# --- redeemed points go back ----------------------------------------------------------------


def test_points_go_back_into_the_lots_that_they_came_from_latest_first() -> None:
    rich = a_member(("2027-03-31", 100), ("2027-04-30", 100))
    member, original = bought(rich, BREAD, SOAP, programme=PROGRAMME, redeem=160)
    assert member.lots == (Lot(LATER, 40), Lot(NOVEMBER, 200))

    member, _, half = returned(member, original, [("bread", 0)])
    assert half.entry.lot_moves[:2] == (LotMove(LATER, 60), LotMove(OLD, 20))
    member, _, _ = returned(member, original, so_far=half.reversal)

    assert member.lots == rich.lots


@pytest.mark.parametrize(("today", "into"), [(OLD, OLD), (date(2027, 4, 1), date(2027, 5, 1))])
def test_a_lot_whose_day_has_passed_comes_back_with_days_of_grace(today: date, into: date) -> None:
    """On its last day a lot can still be redeemed; the day after, 30 days of grace begin."""
    member, original = bought(a_member(("2027-03-31", 100)), BREAD, programme=PROGRAMME, redeem=100)

    after, _, result = returned(member, original, today=today)

    assert result.entry.lot_moves == (LotMove(into, 100), LotMove(NOVEMBER, -100))
    assert after.lots == (Lot(into, 100),)


def test_several_lots_that_have_passed_come_back_as_one() -> None:
    member, original = bought(
        a_member(("2026-11-30", 50), ("2026-12-31", 50)), BREAD, programme=PROGRAMME, redeem=100
    )
    today = date(2027, 1, 1)

    _, _, result = returned(
        member, original, programme=replace(PROGRAMME, return_grace_days=0), today=today
    )

    assert result.entry.lot_moves == (LotMove(today, 100), LotMove(NOVEMBER, -100))


# --- earned points are taken ----------------------------------------------------------------


def test_what_is_still_pending_is_taken_first() -> None:
    member, original = bought(a_member(("2027-03-31", 500)), BREAD, SOAP, programme=WAITING)

    after, decision, result = returned(member, original, [("bread", 0)])

    assert result.entry.transfers == (Transfer(Account.PENDING, Account.ISSUED, 100),)
    assert (after.points, after.pending, decision.points_taken_back) == (500, 100, 100)
    assert result.reversal.points_from_pending == 100


def test_pending_points_of_another_receipt_of_the_day_stay() -> None:
    """They wait in the same pending lot; 60 of these 200 are this receipt's."""
    programme = replace(WAITING, clawback=Clawback.ONLY_PENDING)
    member, original = bought(a_member(), a_line_of("gum", 600), programme=programme)
    day = TODAY + timedelta(days=14)
    member = replace(member, pending=200, pending_lots=(PendingLot(day, NOVEMBER, 200),))

    after, decision, _ = returned(member, original)

    assert (decision.points_taken_back, after.pending) == (60, 140)


def test_points_that_no_longer_wait_are_taken_from_their_lot() -> None:
    member, original = bought(a_member(("2027-03-31", 500)), BREAD, SOAP, programme=WAITING)
    activated = replace(
        member,
        points=700,
        pending=0,
        pending_lots=(),
        lots=(*member.lots, Lot(NOVEMBER, 200)),
    )

    after, _, result = returned(activated, original, today=TODAY + timedelta(days=14))

    assert result.entry.transfers == (Transfer(Account.POINTS, Account.ISSUED, 200),)
    assert after.lots == (Lot(OLD, 500),)


def test_after_their_own_lot_the_soonest_to_expire_are_taken() -> None:
    """The member keeps the points that live longest."""
    member, original = bought(a_member(), BREAD, SOAP, programme=PROGRAMME)
    elsewhere = replace(
        member,
        points=350,
        lots=(Lot(OLD, 50), Lot(LATER, 50), Lot(NOVEMBER, 100), Lot(date(2029, 12, 31), 150)),
    )

    after, _, result = returned(elsewhere, original)

    assert result.entry.lot_moves == (
        LotMove(NOVEMBER, -100),
        LotMove(OLD, -50),
        LotMove(LATER, -50),
    )
    assert after.lots == (Lot(date(2029, 12, 31), 150),)


POLICIES = [
    # owed, let go, points left of 120
    (Clawback.UNLIMITED, 80, 0, 0),
    (Clawback.WITHIN_BALANCE, 0, 80, 0),
    (Clawback.ONLY_PENDING, 0, 200, 120),
]


@pytest.mark.parametrize(("clawback", "owed", "let_go", "left"), POLICIES)
def test_the_policy_says_what_becomes_of_points_that_are_gone(
    clawback: Clawback, owed: int, let_go: int, left: int
) -> None:
    """200 were earned, 80 of them spent since."""
    programme = replace(PROGRAMME, clawback=clawback)
    member, original = bought(a_member(), BREAD, SOAP, programme=programme)

    after, decision, result = returned(spent(member, 80), original)

    assert (decision.points_owed, decision.points_let_go) == (owed, let_go)
    assert decision.points_taken_back == 200 - owed - let_go
    assert (after.points, after.owed) == (left, owed)
    assert result.reversal.points_taken_back == 200
    issued = sum(t.points for t in result.entry.transfers if t.target is Account.ISSUED)
    assert issued == 200 - let_go, "points let go stay issued"


@pytest.mark.parametrize(("clawback", "owed", "let_go", "left"), POLICIES)
def test_the_policy_of_today_counts(clawback: Clawback, owed: int, let_go: int, left: int) -> None:
    member, original = bought(a_member(), BREAD, SOAP, programme=PROGRAMME)

    _, decision, _ = returned(
        spent(member, 80), original, programme=replace(PROGRAMME, clawback=clawback)
    )

    assert (decision.points_owed, decision.points_let_go) == (owed, let_go)


def test_held_points_are_not_taken() -> None:
    """What another till was promised stays promised; the member owes instead."""
    member, original = bought(a_member(("2027-03-31", 100)), BREAD, SOAP, programme=PROGRAMME)
    held = member.changed(reservations=(Reservation("r", "basket", 250, 0, 1),))

    after, decision, _ = returned(held, original)

    assert (decision.points_taken_back, decision.points_owed) == (50, 150)
    assert (after.points, after.held, after.available) == (250, 250, 0)


def test_restored_points_may_be_taken_at_once() -> None:
    """150 older points come back and 200 earned ones, spent since, are claimed: 50 are owed."""
    member, original = bought(
        a_member(("2027-03-31", 150)), BREAD, SOAP, programme=PROGRAMME, redeem=150
    )

    after, decision, _ = returned(spent(member, 200), original)

    assert (decision.points_restored, decision.points_taken_back) == (150, 150)
    assert (decision.points_owed, after.points) == (50, 0)


def test_points_that_paid_back_a_debt_are_claimed_like_the_rest() -> None:
    """Of 200 earned 120 had paid what was owed: 80 are there, 120 are owed again."""
    member, original = bought(a_member(receivable=-120), BREAD, SOAP, programme=PROGRAMME)
    assert (member.owed, member.points, original.captured.points_settled) == (0, 80, 120)

    after, decision, _ = returned(member, original)

    assert (decision.points_taken_back, decision.points_owed) == (80, 120)
    assert (after.points, after.receivable) == (0, -120)


def test_pending_points_are_taken_before_anything_is_owed() -> None:
    """The points that would net out came back with the gift and were spent before the bread came:
    of the 50 that half of it had earned, 35 still wait.
    """
    programme = replace(WAITING, category_percent={"GIFT": 0})
    gift = a_line_of("gift", 1000, category="GIFT")
    member, original = bought(a_member(), BREAD, gift, programme=programme, redeem=60)
    member, _, part = returned(member, original, [("gift", 0)])
    member = spent(member, 30)

    after, decision, result = returned(member, original, [("bread", 500)], so_far=part.reversal)

    assert (decision.points_restored, decision.points_taken_back) == (15, 50)
    assert (decision.points_owed, after.pending, after.points) == (0, 5, 0)
    assert (result.reversal.points_netted, result.reversal.points_from_pending) == (15, 35)


def test_a_receipt_takes_its_own_pending_points_once() -> None:
    """80 of 200 were waiting, 120 had paid a debt. What waits after half of it is back belongs to
    another receipt of the day.
    """
    member, original = bought(a_member(receivable=-120), BREAD, SOAP, programme=WAITING)
    day = TODAY + timedelta(days=14)
    member = replace(member, pending=180, pending_lots=(PendingLot(day, NOVEMBER, 180),))

    member, first, half = returned(member, original, [("bread", 0)])
    member, rest, _ = returned(member, original, so_far=half.reversal)

    assert (first.points_taken_back, first.points_owed) == (80, 20)
    assert (rest.points_taken_back, rest.points_owed) == (0, 100)
    assert (member.pending, member.owed) == (100, 120)
