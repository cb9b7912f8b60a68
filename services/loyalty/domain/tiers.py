"""Tiers: what a member's qualifying points make of them, and how long that lasts.

Qualifying points are what baskets would have earned without paying in points, so spending never
demotes. They are counted by month and looked at through a window, the calendar year or twelve
months, which begins on a boundary day: 1 January, or the first of a month.
"""

from collections.abc import Iterable
from datetime import date, timedelta

from services.loyalty.domain.days import ONE_DAY, first_of_month, month_number
from services.loyalty.domain.member import Member, Standing
from services.loyalty.domain.programme import Programme, Tier, TierPeriod

BASE = "base"  # everybody's tier in a programme that has none

Months = tuple[tuple[int, int], ...]


def counted(
    member: Member, points: int, *, on: date, today: date, programme: Programme
) -> tuple[str, Standing]:
    """The member's tier and standing after `points` more qualifying points, as of `today`.

    `points` is negative when a return takes back what a capture `on` that day had counted. The
    member is settled as of `today`. A tier is reached at once. It is taken away here only by a
    return, and only if it rested on the window and rests on it no longer; a tier that already
    lives on grace goes on to its last day. In a programme without tiers nothing changes.
    """
    month = month_number(on)
    if not programme.tiers or not points or month < _window_start(today, programme):
        return member.tier, member.standing
    before = _kept(member.standing.qualifying, today, programme)
    months = _added(before, ((month, points),))
    reached = _supported(months, today, programme)
    rank = _rank(member.tier, programme)
    if reached < rank and (points > 0 or _supported(before, today, programme) < rank):
        return member.tier, Standing(member.standing.until, months)  # lives on grace
    return _placed(reached, months, today, programme)


def combined(
    survivor: Member, merged: Member, *, today: date, programme: Programme
) -> tuple[str, Standing]:
    """Tier and standing of two members who become one: what both have counted, and the better
    tier of the two to its last day, if not more.
    """
    if not programme.tiers:
        return survivor.tier, survivor.standing
    months = _kept(
        _added(survivor.standing.qualifying, merged.standing.qualifying), today, programme
    )
    reached = _supported(months, today, programme)
    better = max(
        (survivor, merged),
        key=lambda member: (
            _rank(member.tier, programme),
            member.standing.until or date.max,
        ),
    )
    if reached < _rank(better.tier, programme):
        return better.tier, Standing(better.standing.until, months)
    return _placed(reached, months, today, programme)


def fallen(member: Member, *, on: date, programme: Programme) -> tuple[str, Standing]:
    """Tier and standing on the day `on`, the first after the tier's last: what the window then
    supports.
    """
    months = _kept(member.standing.qualifying, on, programme)
    return _placed(_supported(months, on, programme), months, on, programme)


def earn_percent(tier_name: str, programme: Programme) -> int:
    """100 earns like everybody; so does a tier that the programme does not know."""
    for tier in programme.tiers:
        if tier.name == tier_name:
            return tier.earn_percent
    return 100


def first_tier(programme: Programme) -> str:
    """The tier of a new member."""
    return programme.tiers[0].name if programme.tiers else BASE


def qualifying_points(standing: Standing, *, today: date, programme: Programme) -> int:
    """What counts towards a tier as of `today`."""
    return _total(_kept(standing.qualifying, today, programme))


# --- the window -----------------------------------------------------------------------------


def _window_start(day: date, programme: Programme) -> int:
    """The first month that counts on `day`."""
    if programme.tier_period is TierPeriod.CALENDAR_YEAR:
        return 12 * day.year
    return month_number(day) - 11


def _kept(months: Months, day: date, programme: Programme) -> Months:
    """Without the months that count neither on `day` nor later."""
    start = _window_start(day, programme)
    if not months or months[0][0] >= start:
        return months
    return tuple([counted for counted in months if counted[0] >= start])


def _added(months: Months, more: Iterable[tuple[int, int]]) -> Months:
    """Months with `more` added, oldest first. A month never counts less than nothing: points that
    were earned before there were tiers can come back, too.
    """
    points = dict(months)
    for month, change in more:
        points[month] = points.get(month, 0) + change
    return tuple([(month, left) for month, left in sorted(points.items()) if left > 0])


def _total(months: Months) -> int:
    return sum([points for _, points in months])


# --- the tiers ------------------------------------------------------------------------------


def _rank(tier_name: str, programme: Programme) -> int:
    """The place of a tier, 0 being the first; a name of earlier rules is below all."""
    for rank, tier in enumerate(programme.tiers):
        if tier.name == tier_name:
            return rank
    return -1


def _supported(months: Months, day: date, programme: Programme) -> int:
    """The rank of the highest tier that the window of `day` qualifies for."""
    total = _total(_kept(months, day, programme))
    rank = 0
    for higher, tier in enumerate(programme.tiers):
        if total >= tier.from_points:
            rank = higher
    return rank


def _placed(rank: int, months: Months, day: date, programme: Programme) -> tuple[str, Standing]:
    """In the tier of this rank, which the window of `day` supports, until its last day."""
    tier = programme.tiers[rank]
    until = _last_day(tier, months, day, programme) if rank else None
    return tier.name, Standing(until, months)


def _last_day(tier: Tier, months: Months, day: date, programme: Programme) -> date:
    """The day before the first boundary day at which the window no longer qualifies for `tier`,
    if nothing is counted any more; and the days of grace after it.
    """
    grace = timedelta(days=programme.tier_grace_days)
    if programme.tier_period is TierPeriod.CALENDAR_YEAR:
        return date(day.year, 12, 31) + grace
    left = _total(months)
    for month, points in months:
        left -= points
        if left < tier.from_points:
            return first_of_month(month + 12) - ONE_DAY + grace  # when `month` leaves the window
    raise AssertionError("the window supports the tier, and it is not everybody's")
