"""That points will expire is told ahead of it: once, in time, and never of what is gone."""

from datetime import date, timedelta
from typing import Any

import pytest

from services.loyalty.domain.days import start_of_day_us
from services.loyalty.domain.decision import Announced, Entry, Kind
from services.loyalty.domain.due import NEVER_US, due_at_us, settle_due
from services.loyalty.domain.lots import Lot
from services.loyalty.domain.member import Member, Reservation
from tests.loyalty.domain.members import a_member
from tests.loyalty.examples import a_programme

PROGRAMME = a_programme(announce_days=(30, 7))
LAST_DAY = date(2027, 3, 31)
LOT = ("2027-03-31", 10)
Told = tuple[int, str, int]  # days ahead, last day, points


def settle(
    member: Member, today: date, *, plus_us: int = 0, **changes: Any
) -> tuple[Member, list[Told]]:
    programme = a_programme(**changes) if changes else PROGRAMME
    now_us = start_of_day_us(today, programme.time_zone) + plus_us
    if plus_us < 0:
        today -= timedelta(days=1)
    member, entries = settle_due(member, programme=programme, now_us=now_us, today=today)
    return member, [told(entry) for entry in entries if entry.kind is Kind.ANNOUNCE]


def told(entry: Entry) -> Told:
    assert isinstance(entry.decision, Announced)
    assert (entry.transfers, entry.lot_moves) == ((), ())
    return entry.decision.days_ahead, str(entry.decision.expires_on), entry.decision.points


def days_ahead(days: int) -> date:
    return LAST_DAY - timedelta(days=days)


@pytest.mark.parametrize("days", [30, 7])
def test_it_is_told_when_the_day_begins_that_is_so_many_days_ahead(days: int) -> None:
    """Across the change of clocks of 28 March, too."""
    member, _ = settle(a_member(LOT), days_ahead(days + 1))

    before, early = settle(member, days_ahead(days), plus_us=-1)
    after, on_the_day = settle(before, days_ahead(days))

    assert early == []
    assert on_the_day == [(days, "2027-03-31", 10)]
    assert dict(after.announced)[days] == LAST_DAY
    assert (after.points, after.lots, after.version) == (10, before.lots, before.version + 1)


def test_each_stage_is_told_once() -> None:
    member, heard = a_member(LOT), list[tuple[date, Told]]()
    for days in range(40, -1, -1):
        member, new = settle(member, days_ahead(days))
        heard += [(days_ahead(days), each) for each in new]

    assert heard == [
        (days_ahead(30), (30, "2027-03-31", 10)),
        (days_ahead(7), (7, "2027-03-31", 10)),
    ]
    assert member.announced == ((30, LAST_DAY), (7, LAST_DAY))


@pytest.mark.parametrize(("days", "stage"), [(30, 30), (8, 30), (7, 7), (5, 7), (0, 7)])
def test_who_is_looked_at_late_is_told_the_nearest_stage_alone(days: int, stage: int) -> None:
    member, heard = settle(a_member(LOT), days_ahead(days))

    assert heard == [(stage, "2027-03-31", 10)]
    assert settle(member, days_ahead(days))[1] == []
    earlier_stage_us = start_of_day_us(days_ahead(30), "Europe/Berlin")
    assert due_at_us(member, programme=PROGRAMME) > earlier_stage_us


def test_what_is_gone_is_not_told() -> None:
    member, heard = settle(a_member(LOT), days_ahead(-1))

    assert (heard, member.points) == ([], 0)


def test_points_added_to_a_day_that_was_told_are_not_told_again() -> None:
    member, _ = settle(a_member(LOT), days_ahead(30))
    more = member.changed(points=25, lots=(Lot(LAST_DAY, 25),))

    assert settle(more, days_ahead(29))[1] == []
    assert settle(more, days_ahead(7))[1] == [(7, "2027-03-31", 25)]


def test_a_day_before_one_that_was_told_is_not_told_at_this_stage_any_more() -> None:
    """Points that come back into a lot that ends soon: whoever asks hears of them."""
    member, _ = settle(a_member(LOT), days_ahead(30))
    sooner = member.changed(points=15, lots=(Lot(days_ahead(10), 5), *member.lots))

    assert settle(sooner, days_ahead(29))[1] == []
    assert settle(sooner, days_ahead(17))[1] == [(7, str(days_ahead(10)), 5)]


def test_every_lot_is_told_by_itself_soonest_first() -> None:
    """As of 10 March: one lot a week ahead, two a month ahead, one later."""
    lots = [("2027-03-17", 1), ("2027-03-18", 2), ("2027-04-09", 3), ("2027-04-10", 4)]

    _, heard = settle(a_member(*lots), date(2027, 3, 10))

    assert heard == [(7, "2027-03-17", 1), (30, "2027-03-18", 2), (30, "2027-04-09", 3)]


def test_the_entries_of_one_look_have_ids_of_their_own() -> None:
    member = a_member(("2027-03-30", 1), LOT)

    _, entries = settle_due(
        member,
        programme=PROGRAMME,
        now_us=start_of_day_us(days_ahead(3), "Europe/Berlin"),
        today=days_ahead(3),
    )

    assert len({entry.operation_id for entry in entries}) == len(entries) == 2
    assert [entry.facts for entry in entries] == [{"programme_version": 1}] * 2


def test_held_points_are_about_to_be_spent_and_not_announced() -> None:
    reservation = Reservation("reservation-1", "basket-1", 10, 0, NEVER_US)
    held = a_member(LOT, ("2027-04-02", 5)).changed(reservations=(reservation,))

    heard_while_held = settle(held, days_ahead(5))[1]
    heard_after = settle(held.changed(reservations=()), days_ahead(5))[1]

    assert heard_while_held == [(7, "2027-04-02", 5)]
    assert heard_after == [(7, "2027-03-31", 10), (7, "2027-04-02", 5)]


def test_a_programme_that_announces_nothing_announces_nothing() -> None:
    member = a_member(LOT)

    assert settle(member, days_ahead(5), announce_days=())[1] == []
    end_us = start_of_day_us(days_ahead(-1), "Europe/Berlin")
    assert due_at_us(member, programme=a_programme(announce_days=())) == end_us


def test_a_new_stage_is_not_told_of_what_was_told_nearer() -> None:
    """The programme changes from 30 and 7 days to 14 days."""
    member, _ = settle(a_member(LOT, ("2027-04-10", 4)), days_ahead(7))
    assert [day for day, _ in member.announced] == [30, 7]

    _, heard = settle(member, days_ahead(4), announce_days=(14,))

    assert heard == [(14, "2027-04-10", 4)]


def test_what_was_told_of_days_gone_by_is_forgotten() -> None:
    member, _ = settle(a_member(LOT), days_ahead(7))
    later = member.changed(points=3, lots=(Lot(date(2027, 6, 30), 3),))

    member, _ = settle(later, date(2027, 6, 1))

    assert member.announced == ((30, date(2027, 6, 30)),)


def test_what_was_told_of_today_is_not_forgotten_today() -> None:
    """One lot ends today; another is announced a month ahead."""
    member, _ = settle(a_member(LOT, ("2027-04-30", 4)), days_ahead(7))

    member, heard = settle(member, LAST_DAY)

    assert heard == [(30, "2027-04-30", 4)]
    assert settle(member, LAST_DAY)[1] == []
