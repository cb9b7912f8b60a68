"""Whatever a member has: looked at daily or once, they end alike, and nothing gets lost between."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from services.loyalty.domain.days import month_number, start_of_day_us
from services.loyalty.domain.decision import Announced, Entry, Kind, TierMoved
from services.loyalty.domain.due import NEVER_US, due_at_us, settle_due
from services.loyalty.domain.ledger import Account, moved
from services.loyalty.domain.member import Member, PendingLot, Reservation, Standing
from services.loyalty.domain.programme import Programme, Tier, TierPeriod
from tests.loyalty.domain.members import a_member
from tests.loyalty.examples import a_programme

ZONE = "Europe/Berlin"
BEGIN = date(2027, 3, 1)  # the change to summer time is in its month
LEVELS = (Tier("base", 0, 100), Tier("silver", 100, 110), Tier("gold", 300, 125))
DAY_US = 86_400_000_000
PENDING_AND_POINTS = (Account.POINTS, Account.PENDING)

near = st.integers(0, 60).map(lambda days: BEGIN + timedelta(days=days))
programmes = st.builds(
    a_programme,
    announce_days=st.sampled_from([(), (7,), (30, 7), (30, 14, 1)]),
    tiers=st.sampled_from([(), LEVELS]),
    tier_period=st.sampled_from(TierPeriod),
    tier_grace_days=st.sampled_from([0, 20, 90]),
)


@st.composite
def members(draw: st.DrawFn) -> Member:
    """With lots, pending lots, reservations and a tier that all end within the next months."""
    lots = draw(st.dictionaries(near, st.integers(1, 99), max_size=4))
    pending = draw(
        st.dictionaries(st.tuples(near, near), st.integers(1, 99), max_size=3).map(
            lambda found: tuple(PendingLot(*days, found[days]) for days in sorted(found))
        )
    )
    free, reservations = sum(lots.values()), list[Reservation]()
    for number in range(draw(st.integers(0, 3))):
        held = draw(st.integers(0, free))
        free -= held
        end_us = draw(instants)
        reservations.append(Reservation(f"r{number}", f"b{number}", held, 0, end_us))
    counted = draw(
        st.dictionaries(
            st.integers(month_number(BEGIN) - 11, month_number(BEGIN)),
            st.integers(1, 200),
            max_size=4,
        )
    )
    tier = draw(st.sampled_from(LEVELS)).name
    until = None if tier == "base" else draw(near)
    member = a_member(
        *((day.isoformat(), lots[day]) for day in sorted(lots)),
        pending_lots=pending,
        pending=sum(lot.points for lot in pending),
        tier=tier,
        standing=Standing(until, tuple(sorted(counted.items()))),
    )
    return member.changed(reservations=tuple(reservations))


instants = st.one_of(
    near.map(lambda day: start_of_day_us(day, ZONE)),  # exactly midnight
    st.integers(0, 61 * DAY_US).map(lambda us: start_of_day_us(BEGIN, ZONE) + us),
)


def settle(member: Member, now_us: int, programme: Programme) -> tuple[Member, list[Entry]]:
    """Settled at this instant; every entry is checked against the one before."""
    today = day_of(now_us)
    settled, entries = settle_due(member, programme=programme, now_us=now_us, today=today)
    before = member
    for entry in entries:
        assert entry.member is not None
        assert_books(before, entry, entry.member)
        before = entry.member
    assert before == settled
    return settled, list(entries)


def day_of(now_us: int) -> date:
    instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=now_us)
    return instant.astimezone(ZoneInfo(ZONE)).date()


def assert_books(before: Member, entry: Entry, after: Member) -> None:
    """What the entry says moved is what moved; I2 and I3 hold after it."""
    change = moved(entry.transfers)
    assert sum(change.values()) == 0
    assert after.points - before.points == change.get(Account.POINTS, 0)
    assert after.pending - before.pending == change.get(Account.PENDING, 0)
    assert after.receivable == before.receivable
    assert after.points - before.points == sum(move.points for move in entry.lot_moves)
    assert after.pending - before.pending == sum(move.points for move in entry.pending_moves)
    assert after.points == sum(lot.points for lot in after.lots)
    assert after.available >= 0
    assert after.held == sum(reservation.held for reservation in after.reservations)
    gone = {r.reservation_id for r in before.reservations} - set(entry.ended)
    assert gone == {r.reservation_id for r in after.reservations}
    assert after.version == before.version + 1


def told_apart(entries: Iterable[Entry]) -> list[Any]:
    """Everything but announcements, without the versions that they push on."""
    return [
        (
            entry.kind,
            entry.transfers,
            entry.lot_moves,
            entry.pending_moves,
            entry.facts,
            entry.ended,
        )
        for entry in entries
        if entry.kind is not Kind.ANNOUNCE
    ]


def possessions(member: Member) -> Any:
    return (
        member.points,
        member.lots,
        member.pending_lots,
        member.reservations,
        member.tier,
        member.standing,
        member.receivable,
    )


@settings(deadline=None)
@given(members(), programmes, st.lists(instants, max_size=60), instants)
def test_looked_at_often_or_once_a_member_ends_alike(
    member: Member, programme: Programme, looks: list[int], last_us: int
) -> None:
    often, entries = member, list[Entry]()
    for now_us in sorted(look for look in looks if look < last_us):
        often, new = settle(often, now_us, programme)
        entries += new
    often, new = settle(often, last_us, programme)

    once, at_once = settle(member, last_us, programme)

    assert possessions(once) == possessions(often)
    assert told_apart(at_once) == told_apart([*entries, *new])
    told = announcements([*entries, *new])
    if not member.reservations:  # what was held when a later lot was told is passed over
        assert announcements(at_once) <= told


def announcements(entries: Iterable[Entry]) -> set[tuple[int, date]]:
    found = [
        (entry.decision.days_ahead, entry.decision.expires_on)
        for entry in entries
        if isinstance(entry.decision, Announced)
    ]
    assert len(found) == len(set(found)), "nothing is told twice"
    return set(found)


@settings(deadline=None)
@given(members(), programmes)
def test_daily_and_once_are_alike_to_the_end_of_everything(
    member: Member, programme: Programme
) -> None:
    """And every lot that lives on undisturbed is told of at each of its stages."""
    daily, entries = member, list[Entry]()
    for days in range(480):
        day_us = start_of_day_us(BEGIN + timedelta(days=days), ZONE)
        if due_at_us(daily, programme=programme) <= day_us:
            daily, new = settle(daily, day_us, programme)
            entries += new

    once, at_once = settle(member, day_us, programme)

    assert possessions(once) == possessions(daily)
    assert told_apart(at_once) == told_apart(entries)
    assert (daily.points, daily.pending, daily.held) == (0, 0, 0)
    if not member.reservations and not member.pending_lots and programme.announce_days:
        nearest = programme.announce_days[-1]
        days_told = {day for stage, day in announcements(entries) if stage == nearest}
        assert days_told == {lot.expires_on for lot in member.lots}


@settings(deadline=None)
@given(members(), programmes, instants)
def test_settled_twice_finds_nothing_the_second_time(
    member: Member, programme: Programme, now_us: int
) -> None:
    settled, _ = settle(member, now_us, programme)

    assert settle(settled, now_us, programme) == (settled, [])
    assert due_at_us(settled, programme=programme) > now_us


@settings(deadline=None)
@given(members(), programmes, instants)
def test_nothing_happens_before_it_is_due_and_something_does_then(
    member: Member, programme: Programme, now_us: int
) -> None:
    member, _ = settle(member, now_us, programme)
    due_us = due_at_us(member, programme=programme)

    if due_us == NEVER_US:
        assert settle(member, start_of_day_us(date(2100, 1, 1), ZONE), programme) == (member, [])
    else:
        assert settle(member, due_us - 1, programme) == (member, [])
        assert settle(member, due_us, programme)[1] != []


@settings(deadline=None)
@given(members(), programmes, instants)
def test_what_the_row_says_is_due_spares_a_look_and_nothing_else(
    member: Member, programme: Programme, now_us: int
) -> None:
    """With the stored instant the outcome is that of a look at everything."""
    stored = member.journalled(41, due_at_us(member, programme=programme))

    _, entries = settle(stored, now_us, programme)

    assert told_apart(entries) == told_apart(settle(member, now_us, programme)[1])
    assert announcements(entries) == announcements(settle(member, now_us, programme)[1])


@settings(deadline=None)
@given(members(), programmes, instants)
def test_time_never_raises_a_tier(member: Member, programme: Programme, now_us: int) -> None:
    """Where the programme stays as it is; and each move says from where to where."""
    standing = Standing(member.standing.until, ())  # nothing counted, so nothing supports a rise
    tier = member.tier
    for entry in settle(member.changed(standing=standing), now_us, programme)[1]:
        if isinstance(entry.decision, TierMoved):
            assert entry.decision.tier_before == tier
            assert rank(entry.decision.member.tier) < rank(tier)
            tier = entry.decision.member.tier


def rank(name: str) -> int:
    return [tier.name for tier in LEVELS].index(name)
