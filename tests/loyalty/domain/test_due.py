"""What time alone does to a member: reservations, pending points, lots, tiers; and what each
effect is called.
"""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.loyalty.domain.days import end_of_day_us, start_of_day_us
from services.loyalty.domain.decision import (
    Activated,
    Entry,
    Expired,
    Kind,
    Released,
    TierMoved,
)
from services.loyalty.domain.due import NEVER_US, derived_id, due_at_us, settle_due
from services.loyalty.domain.ledger import Account, Transfer
from services.loyalty.domain.lots import Lot, LotMove
from services.loyalty.domain.member import (
    Member,
    PendingLot,
    PendingMove,
    Reservation,
    Standing,
    Status,
)
from services.loyalty.domain.programme import Tier
from tests.loyalty.domain.members import MEMBER_ID, a_member
from tests.loyalty.examples import a_programme

BERLIN = "Europe/Berlin"
LAST_DAY, DAY_AFTER = date(2027, 3, 31), date(2027, 4, 1)
QUIET = a_programme(announce_days=())  # nothing is announced, so each test sees its own effect
TIERED = a_programme(
    announce_days=(), tiers=(Tier("base", 0, 100), Tier("silver", 100, 110)), tier_grace_days=90
)
MINUTE_US = 60_000_000


def at(day: date, *, plus_us: int = 0) -> dict[str, Any]:
    """The time arguments of `settle_due`: so long after the day began, or before it."""
    today = day if plus_us >= 0 else day - timedelta(days=1)
    return {"now_us": start_of_day_us(day, BERLIN) + plus_us, "today": today}


def kinds(entries: tuple[Entry, ...]) -> list[Kind]:
    return [entry.kind for entry in entries]


def reserved(held: int, expires_at_us: int, number: int = 1) -> Reservation:
    return Reservation(f"reservation-{number}", f"basket-{number}", held, 0, expires_at_us)


def holding(member: Member, *reservations: Reservation) -> Member:
    return member.changed(reservations=reservations)


# --- lots ----------------------------------------------------------------------------------


def test_a_lot_lives_through_its_last_day() -> None:
    member = a_member(("2027-03-31", 10))

    assert settle_due(member, programme=QUIET, **at(DAY_AFTER, plus_us=-1)) == (member, ())
    settled, entries = settle_due(member, programme=QUIET, **at(DAY_AFTER))
    assert (settled.points, settled.lots, settled.version) == (0, (), 8)
    assert kinds(entries) == [Kind.EXPIRE]


@pytest.mark.parametrize("last_day", [date(2027, 3, 27), date(2027, 3, 28), date(2027, 10, 31)])
def test_a_lot_ends_with_its_day_however_long_that_is(last_day: date) -> None:
    """The 28th of March has 23 hours in Berlin, the 31st of October 25."""
    member = a_member((last_day.isoformat(), 10))
    end_us = end_of_day_us(last_day, BERLIN)

    _, before = settle_due(member, programme=QUIET, now_us=end_us - 1, today=last_day)
    _, after = settle_due(
        member, programme=QUIET, now_us=end_us, today=last_day + timedelta(days=1)
    )

    assert (kinds(before), kinds(after)) == ([], [Kind.EXPIRE])


def test_an_ended_lot_goes_to_the_expired_account() -> None:
    member = a_member(("2027-03-31", 10), ("2027-04-30", 5))

    _, (entry,) = settle_due(member, programme=QUIET, **at(DAY_AFTER))

    assert (entry.kind, entry.accepted) == (Kind.EXPIRE, True)
    assert entry.transfers == (Transfer(Account.POINTS, Account.EXPIRED, 10),)
    assert entry.lot_moves == (LotMove(LAST_DAY, -10),)
    assert entry.facts == {"expires_on": "2027-03-31"}
    assert isinstance(entry.decision, Expired)
    assert (entry.decision.points_expired, entry.decision.member.points) == (10, 5)
    assert entry.member is not None
    assert entry.member.lots == (Lot(date(2027, 4, 30), 5),)


def test_several_lots_end_one_after_the_other() -> None:
    lots = [("2027-01-31", 1), ("2027-02-28", 2), ("2027-03-31", 4), ("2027-04-30", 8)]

    settled, entries = settle_due(a_member(*lots), programme=QUIET, **at(DAY_AFTER))

    assert [e.facts["expires_on"] for e in entries] == ["2027-01-31", "2027-02-28", "2027-03-31"]
    assert [e.member.version for e in entries if e.member] == [8, 9, 10]
    assert (settled.points, settled.version) == (8, 10)
    assert len({e.operation_id for e in entries}) == 3


def test_a_member_without_anything_has_nothing_due() -> None:
    assert settle_due(a_member(), programme=TIERED, **at(DAY_AFTER)) == (a_member(), ())
    assert due_at_us(a_member(), programme=TIERED) == NEVER_US


@pytest.mark.parametrize("status", [Status.MERGED, Status.ERASED])
def test_nothing_is_ever_due_to_who_is_no_more(status: Status) -> None:
    member = a_member(("2027-03-31", 10), status=status)

    assert settle_due(member, programme=QUIET, **at(DAY_AFTER)) == (member, ())
    assert due_at_us(member, programme=QUIET) == NEVER_US


def test_time_does_not_stop_for_a_blocked_member() -> None:
    member = a_member(("2027-03-31", 10), status=Status.BLOCKED)

    assert kinds(settle_due(member, programme=QUIET, **at(DAY_AFTER))[1]) == [Kind.EXPIRE]


# --- when to look --------------------------------------------------------------------------


def test_nobody_is_looked_at_before_something_is_due() -> None:
    """What the member row says is enough: the lots are not even read."""
    due_us = start_of_day_us(DAY_AFTER, BERLIN)
    member = a_member(("2027-03-31", 10)).journalled(41, due_us + 1)

    early = settle_due(member, programme=QUIET, now_us=due_us, today=DAY_AFTER)
    due = settle_due(member, programme=QUIET, now_us=due_us + 1, today=DAY_AFTER)

    assert early == (member, ())
    assert kinds(due[1]) == [Kind.EXPIRE]


def test_the_earliest_of_all_is_due_first() -> None:
    member = a_member(
        ("2027-03-31", 50),
        pending_lots=(PendingLot(date(2027, 3, 10), date(2027, 12, 31), 5),),
        pending=5,
        standing=Standing(date(2027, 3, 20)),
        tier="silver",
    )
    programme = a_programme(tiers=TIERED.tiers, announce_days=(30, 7))
    moments = []
    while (due_us := due_at_us(member, programme=programme)) != NEVER_US:
        moments.append(due_us)
        today = date(2027, 1, 1)
        while start_of_day_us(today + timedelta(days=1), BERLIN) <= due_us:
            today += timedelta(days=1)
        member, _ = settle_due(member, programme=programme, now_us=due_us, today=today)

    assert moments == [
        start_of_day_us(day, BERLIN)
        for day in (
            date(2027, 3, 1),  # 30 days ahead of the first lot
            date(2027, 3, 10),  # pending points
            date(2027, 3, 21),  # the tier
            date(2027, 3, 24),  # 7 days ahead
            date(2027, 4, 1),  # the first lot
            date(2027, 12, 1),  # and so on with what had been pending
            date(2027, 12, 24),
            date(2028, 1, 1),
        )
    ]


# --- reservations --------------------------------------------------------------------------


def test_a_reservation_ends_by_itself_at_its_instant() -> None:
    end_us = start_of_day_us(LAST_DAY, BERLIN) + 10 * MINUTE_US
    member = holding(a_member(("2027-03-31", 100)), reserved(60, end_us))
    assert (member.available, due_at_us(member, programme=QUIET)) == (40, end_us)

    before = settle_due(member, programme=QUIET, now_us=end_us - 1, today=LAST_DAY)
    after, (entry,) = settle_due(member, programme=QUIET, now_us=end_us, today=LAST_DAY)

    assert before == (member, ())
    assert (after.available, after.held, after.reservations) == (100, 0, ())
    assert (entry.kind, entry.transfers, entry.lot_moves) == (Kind.TIMEOUT, (), ())
    assert entry.ended == ("reservation-1",)
    assert isinstance(entry.decision, Released)
    assert (entry.decision.points_held, entry.decision.timed_out) == (60, True)
    assert entry.decision.member.available == 100


def test_reservations_end_in_the_order_of_their_ends() -> None:
    now = at(LAST_DAY, plus_us=9)
    late, early = reserved(60, now["now_us"], 1), reserved(40, now["now_us"] - 1, 2)
    never_yet = reserved(1, now["now_us"] + 1, 3)

    after, entries = settle_due(
        holding(a_member(("2027-03-31", 101)), late, early, never_yet), programme=QUIET, **now
    )

    assert [entry.ended for entry in entries] == [("reservation-2",), ("reservation-1",)]
    assert after.reservations == (never_yet,)
    assert due_at_us(after, programme=QUIET) == now["now_us"] + 1


def test_held_points_outlive_their_day_as_long_as_they_are_held() -> None:
    """I3: what is available never becomes negative. What nobody holds expires at midnight."""
    midnight_us = start_of_day_us(DAY_AFTER, BERLIN)
    member = holding(
        a_member(("2027-03-31", 100), ("2027-04-30", 5)), reserved(60, midnight_us + MINUTE_US)
    )

    at_midnight, first = settle_due(member, programme=QUIET, **at(DAY_AFTER))
    later, then = settle_due(at_midnight, programme=QUIET, **at(DAY_AFTER, plus_us=MINUTE_US))

    assert (at_midnight.points, at_midnight.held, at_midnight.available) == (65, 60, 5)
    assert [entry.lot_moves for entry in first] == [(LotMove(LAST_DAY, -40),)]
    assert first[0].facts == {"expires_on": "2027-03-31", "held": 60}
    assert due_at_us(at_midnight, programme=QUIET) == midnight_us + MINUTE_US
    assert kinds(then) == [Kind.TIMEOUT, Kind.EXPIRE]
    assert (later.points, later.available) == (5, 5)
    assert first[0].operation_id != then[1].operation_id


def test_what_is_held_is_the_soonest_so_later_lots_stay_available() -> None:
    member = holding(a_member(("2027-03-31", 60), ("2027-04-30", 50)), reserved(60, NEVER_US))

    assert settle_due(member, programme=QUIET, **at(DAY_AFTER)) == (member, ())
    assert member.available == 50


def test_a_reservation_that_ends_lets_go_of_points_whose_day_is_over() -> None:
    """Released at the till after midnight: what it had kept is due at once."""
    member = holding(a_member(("2027-03-31", 60)), reserved(60, NEVER_US))
    member, _ = settle_due(member, programme=QUIET, **at(DAY_AFTER))
    released = member.changed(reservations=())

    assert due_at_us(released, programme=QUIET) == start_of_day_us(DAY_AFTER, BERLIN)
    settled, entries = settle_due(released, programme=QUIET, **at(DAY_AFTER, plus_us=5))
    assert (settled.points, kinds(entries)) == (0, [Kind.EXPIRE])


def test_a_capture_after_midnight_takes_the_held_points() -> None:
    """It takes the soonest lots, so nothing of what was held is left to expire."""
    member = holding(a_member(("2027-03-31", 100)), reserved(60, NEVER_US))
    member, _ = settle_due(member, programme=QUIET, **at(DAY_AFTER))
    captured = member.changed(points=0, lots=(), reservations=())

    assert due_at_us(captured, programme=QUIET) == NEVER_US


def test_a_timeout_at_midnight_comes_before_the_expiry() -> None:
    """So the lot expires as a whole, in one row."""
    member = holding(
        a_member(("2027-03-31", 100)), reserved(60, start_of_day_us(DAY_AFTER, BERLIN))
    )

    _, entries = settle_due(member, programme=QUIET, **at(DAY_AFTER))

    assert kinds(entries) == [Kind.TIMEOUT, Kind.EXPIRE]


# --- pending points ------------------------------------------------------------------------


def waiting(*lots: tuple[str, str, int]) -> dict[str, Any]:
    pending = tuple(
        PendingLot(date.fromisoformat(on), date.fromisoformat(until), points)
        for on, until, points in lots
    )
    return {"pending_lots": pending, "pending": sum(lot.points for lot in pending)}


def test_pending_points_become_spendable_when_their_day_begins() -> None:
    member = a_member(("2029-03-31", 5), **waiting(("2027-04-01", "2029-03-31", 20)), receivable=-7)

    before = settle_due(member, programme=QUIET, **at(DAY_AFTER, plus_us=-1))
    after, (entry,) = settle_due(member, programme=QUIET, **at(DAY_AFTER))

    assert before == (member, ())
    assert (after.points, after.pending, after.pending_lots) == (25, 0, ())
    assert after.lots == (Lot(date(2029, 3, 31), 25),)
    assert after.receivable == -7, "what is owed was netted when the points were earned"
    assert entry.kind is Kind.ACTIVATE
    assert entry.transfers == (Transfer(Account.PENDING, Account.POINTS, 20),)
    assert entry.pending_moves == (PendingMove(DAY_AFTER, date(2029, 3, 31), -20),)
    assert entry.lot_moves == (LotMove(date(2029, 3, 31), 20),)
    assert isinstance(entry.decision, Activated)
    assert (entry.decision.points_activated, entry.decision.member.pending) == (20, 0)


def test_each_day_of_activation_is_a_row_of_its_own() -> None:
    member = a_member(
        **waiting(
            ("2027-03-31", "2029-03-31", 1),
            ("2027-04-01", "2029-03-31", 2),
            ("2027-04-01", "2029-04-30", 4),
            ("2027-04-02", "2029-04-30", 8),
        )
    )

    after, entries = settle_due(member, programme=QUIET, **at(DAY_AFTER))

    assert [e.decision.points_activated for e in entries if isinstance(e.decision, Activated)] == [
        1,
        6,
    ]
    assert after.lots == (Lot(date(2029, 3, 31), 3), Lot(date(2029, 4, 30), 4))
    assert (after.points, after.pending) == (7, 8)


def test_who_comes_late_lives_through_everything_in_its_order() -> None:
    """Points that were activated, and expired, while nobody looked."""
    member = a_member(
        ("2027-01-31", 3),
        **waiting(("2027-02-10", "2027-02-28", 20)),
        standing=Standing(date(2027, 2, 15)),
        tier="silver",
    )
    member = holding(member, reserved(2, start_of_day_us(date(2027, 1, 1), BERLIN)))

    _, entries = settle_due(member, programme=TIERED, **at(DAY_AFTER))

    assert kinds(entries) == [
        Kind.TIMEOUT,
        Kind.EXPIRE,
        Kind.ACTIVATE,
        Kind.TIER,
        Kind.EXPIRE,
    ]


# --- tiers ---------------------------------------------------------------------------------


def test_a_tier_lives_through_its_last_day() -> None:
    member = a_member(
        tier="silver", standing=Standing(LAST_DAY, ((12 * 2026 + 4, 100), (12 * 2027, 7)))
    )

    before = settle_due(member, programme=TIERED, **at(DAY_AFTER, plus_us=-1))
    after, (entry,) = settle_due(member, programme=TIERED, **at(DAY_AFTER))

    assert before == (member, ())
    assert (after.tier, after.standing) == ("base", Standing(None, ((12 * 2027, 7),)))
    assert (entry.kind, entry.transfers) == (Kind.TIER, ())
    assert isinstance(entry.decision, TierMoved)
    assert (entry.decision.tier_before, entry.decision.member.tier) == ("silver", "base")
    assert entry.facts == {"programme_version": 1, "until": "2027-03-31", "qualifying_points": 7}


def test_a_programme_that_gave_up_its_tiers_moves_nobody() -> None:
    member = a_member(tier="silver", standing=Standing(LAST_DAY))

    assert settle_due(member, programme=QUIET, **at(DAY_AFTER)) == (member, ())
    assert due_at_us(member, programme=QUIET) == NEVER_US


# --- ids -----------------------------------------------------------------------------------


def test_the_same_effect_has_the_same_id_for_ever() -> None:
    """The journal of years ago was written with it."""
    assert derived_id(MEMBER_ID, "expire 2027-03-31 7") == "b7f3f9b2-017e-8fba-8030-7c2fd572f515"
    first = settle_due(a_member(("2027-03-31", 10)), programme=QUIET, **at(DAY_AFTER))
    again = settle_due(a_member(("2027-03-31", 10)), programme=QUIET, **at(date(2030, 1, 1)))
    assert first[1][0].operation_id == again[1][0].operation_id
    assert first[1][0].operation_id == "b7f3f9b2-017e-8fba-8030-7c2fd572f515"


@settings(deadline=None)
@given(st.uuids(), st.text(max_size=20))
def test_a_derived_id_is_a_uuid_of_a_version_that_nobody_else_may_use(
    member_id: UUID, effect: str
) -> None:
    derived = UUID(derived_id(str(member_id), effect))

    assert derived.version == 8
    assert str(derived) == derived_id(str(member_id), effect)


def test_other_effects_have_other_ids() -> None:
    ids = {
        derived_id(member_id, effect)
        for member_id in (MEMBER_ID, MEMBER_ID.replace("1", "2"))
        for effect in ("expire 2027-03-31 7", "expire 2027-03-31 8", "expire 2027-04-30 7")
    }

    assert len(ids) == 6
