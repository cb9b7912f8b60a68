"""How the model reckons: by exact fractions, by trying one after the other, by counting month by
month. Slow and plain on purpose, and with nothing in common with the code that it judges.
"""

from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from math import floor
from typing import NamedTuple
from zoneinfo import ZoneInfo

ONE_DAY = timedelta(days=1)


class Line(NamedTuple):
    line_id: str
    category: str
    vat: str
    quantity_milli: int
    total_minor: int


class Tier(NamedTuple):
    name: str
    from_points: int
    percent: int


@dataclass(frozen=True)
class Rules:
    """A programme as the model reads it; the names are those of the programme's own fields."""

    time_zone: str = "Europe/Berlin"
    minor_per_point: int = 200
    category_percent: Mapping[str, int] = field(default_factory=dict)
    net_of_points: bool = True
    value_points: int = 1
    value_minor: int = 1
    redeem_minimum: int = 1
    redeem_step: int = 1
    redeem_share_percent: int = 100
    expiry_months: int = 2
    expiry_ends: str = "end_of_month"
    return_grace_days: int = 30
    pending_days: int = 0
    reservation_s: int = 600
    void_hours: int | None = None
    clawback: str = "unlimited"
    tiers: tuple[Tier, ...] = ()
    tier_period: str = "calendar_year"
    tier_grace_days: int = 0

    def tier_percent(self, name: str) -> int:
        return next((tier.percent for tier in self.tiers if tier.name == name), 100)


# --- earning and redeeming ------------------------------------------------------------------


def total(lines: Sequence[Line]) -> int:
    return sum(line.total_minor for line in lines)


def weight(line: Line, rules: Rules) -> int:
    """What a line counts for earning, in hundredths of a minor unit."""
    return line.total_minor * rules.category_percent.get(line.category, 100)


def earned(lines: Sequence[Line], redeemed: int, rules: Rules, *, percent: int = 100) -> int:
    """Points for a basket of which `redeemed` points pay a part, rounded down once."""
    whole = total(lines)
    rated = Fraction(sum(weight(line, rules) for line in lines) * percent, 100 * 100)
    if rated <= 0 or whole == 0:
        return 0
    if rules.net_of_points:
        rated *= Fraction(whole - worth(redeemed, rules), whole)
    return floor(rated / rules.minor_per_point)


def worth(points: int, rules: Rules) -> int:
    """Minor units."""
    value = Fraction(points * rules.value_minor, rules.value_points)
    assert value.denominator == 1, "points are redeemed in steps that are worth whole minor units"
    return int(value)


def share_cap(lines: Sequence[Line], rules: Rules) -> int:
    """The most points that may pay for such a basket, whoever has them."""
    payable = total(lines) * rules.redeem_share_percent // 100
    return payable // worth(rules.redeem_step, rules) * rules.redeem_step


def within_reach(
    points: int, lines: Sequence[Line], usable: int, owed: int, rules: Rules, *, percent: int
) -> bool:
    """Whether what is there, and what the basket earns beyond what is owed, cover the points."""
    return points <= usable + max(0, earned(lines, points, rules, percent=percent) - owed)


def most(lines: Sequence[Line], usable: int, owed: int, rules: Rules, *, percent: int) -> int:
    """The redeemable maximum, tried one after the other from the top."""
    top = min(share_cap(lines, rules), usable + earned(lines, 0, rules, percent=percent))
    step = rules.redeem_step
    for points in range(top // step * step, rules.redeem_minimum - 1, -step):
        if within_reach(points, lines, usable, owed, rules, percent=percent):
            return points
    return 0


# --- splitting ------------------------------------------------------------------------------


def by_largest_remainder(whole: int, weights: Sequence[int]) -> list[int]:
    """`whole` in proportion to the weights; what rounding down leaves goes to the largest
    remainders, the earlier first.
    """
    if not whole:
        return [0] * len(weights)
    exact = [Fraction(whole * each, sum(weights)) for each in weights]
    shares = [floor(each) for each in exact]
    order = sorted(range(len(weights)), key=lambda place: (shares[place] - exact[place], place))
    for place in order[: whole - sum(shares)]:
        shares[place] += 1
    return shares


def discount_by_line(minor: int, lines: Sequence[Line]) -> list[int]:
    """The payment in points over the VAT rates, and the part of each rate over its lines."""
    shares = [0] * len(lines)
    if not minor:
        return shares
    rates = list(dict.fromkeys(line.vat for line in lines))
    grosses = [sum(line.total_minor for line in lines if line.vat == rate) for rate in rates]
    parts = dict(zip(rates, by_largest_remainder(minor, grosses), strict=True))
    for rate in rates:
        places = [place for place, line in enumerate(lines) if line.vat == rate]
        exact = [Fraction(minor * lines[place].total_minor, total(lines)) for place in places]
        down = [floor(each) for each in exact]
        order = sorted(range(len(places)), key=lambda at: (down[at] - exact[at], at))
        for at in order[: parts[rate] - sum(down)]:
            down[at] += 1
        for at, place in enumerate(places):
            shares[place] = down[at]
    return shares


def part(recorded: int, came_back: int, whole: int) -> int:
    """⌊recorded × came back ÷ whole⌋, with the sign of what was recorded."""
    if not whole:
        return 0
    size = abs(recorded) * abs(came_back) // abs(whole)
    return size if recorded >= 0 else -size


# --- days and months ------------------------------------------------------------------------


def day_of(at: datetime, rules: Rules) -> date:
    return at.astimezone(ZoneInfo(rules.time_zone)).date()


def begin_of(day: date, rules: Rules) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(rules.time_zone)).astimezone(UTC)


def last_day_of(earned_on: date, rules: Rules) -> date:
    """On which points earned that day can be spent for the last time."""
    year, month = divmod(earned_on.year * 12 + earned_on.month - 1 + rules.expiry_months, 12)
    month += 1
    months = {"end_of_month": 1, "end_of_quarter": 3, "end_of_year": 12}[rules.expiry_ends]
    while month % months:
        month += 1
    return date(year, month, monthrange(year, month)[1])


# --- tiers ----------------------------------------------------------------------------------


def month_of(day: date) -> int:
    return 12 * day.year + day.month - 1


def window_begin(day: date, rules: Rules) -> int:
    """The first month that counts towards a tier on `day`."""
    return 12 * day.year if rules.tier_period == "calendar_year" else month_of(day) - 11


def qualifying(counted: Mapping[int, int], begin: int) -> int:
    return sum(points for month, points in counted.items() if month >= begin)


def rank_reached(counted: Mapping[int, int], day: date, rules: Rules) -> int:
    points = qualifying(counted, window_begin(day, rules))
    return max(rank for rank, tier in enumerate(rules.tiers) if points >= tier.from_points)


def tier_until(rank: int, counted: Mapping[int, int], day: date, rules: Rules) -> date | None:
    """The last day of a tier that is reached on `day`, if nothing more is counted."""
    if rank == 0:
        return None
    grace = timedelta(days=rules.tier_grace_days)
    if rules.tier_period == "calendar_year":
        return date(day.year, 12, 31) + grace
    month = month_of(day)
    while qualifying(counted, month - 11) >= rules.tiers[rank].from_points:
        month += 1
    return date(month // 12, month % 12 + 1, 1) - ONE_DAY + grace
