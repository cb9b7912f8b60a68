"""The rules of one programme, as the pure functions of earning and redeeming read them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Ends(Enum):
    """At the end of what points expire."""

    MONTH = "end_of_month"
    QUARTER = "end_of_quarter"
    YEAR = "end_of_year"


class Clawback(Enum):
    """What a return may take of points that it had earned."""

    ONLY_PENDING = "only_pending"  # what is not spendable yet; the rest is let go
    WITHIN_BALANCE = "within_balance"  # what is available; the rest is let go
    UNLIMITED = "unlimited"  # the rest is owed, and netted from the next points earned


class TierPeriod(Enum):
    """Over which time points count towards a tier."""

    CALENDAR_YEAR = "calendar_year"
    ROLLING_12_MONTHS = "rolling_12_months"  # this month and the eleven before it


@dataclass(frozen=True, slots=True)
class Tier:
    """A level that is reached with `from_points` qualifying points; earns `earn_percent`."""

    name: str
    from_points: int
    earn_percent: int  # 100 earns like everybody


@dataclass(frozen=True, slots=True)
class Programme:
    """One version of the rules. Documents become programmes in `services.loyalty.programmes`,
    which tells the author of a bad document what to mend; here a bad programme is a bug.
    """

    name: str
    version: int
    currency: str  # ISO 4217
    time_zone: str  # IANA; the programme's dates are days of this zone

    minor_per_point: int  # earn: one point per so many minor units of rated spend
    category_percent: Mapping[str, int]  # 100 single, 200 double, 0 excluded; absent is 100
    net_of_points: bool  # True: only what is not paid in points is rated

    value_points: int  # redeem: so many points …
    value_minor: int  # … pay so many minor units
    redeem_minimum: int  # points of the smallest redemption
    redeem_step: int  # points by which a redemption grows
    redeem_share_percent: int  # of the basket total that points may pay, 0 to 100

    expiry_months: int  # points live to the end of the month so many months later …
    expiry_ends: Ends = Ends.MONTH  # … or of its quarter, or of its year
    announce_days: tuple[int, ...] = (30, 7)  # so many days before expiry it is told; descending
    return_grace_days: int = 30  # for points that come back into a lot that has expired

    pending_days: int = 0  # from earning to spending, 0 to 90
    reservation_s: int = 600  # a reservation ends by itself after so many seconds
    void_hours: int | None = None  # None: on the same business date only
    clawback: Clawback = Clawback.UNLIMITED
    adjust_limit_points: int = 1_000  # an adjustment of more waits for a second person

    tiers: tuple[Tier, ...] = ()  # ascending; the first is everybody's
    tier_period: TierPeriod = TierPeriod.CALENDAR_YEAR
    tier_grace_days: int = 0  # a tier lasts so many days after it no longer qualifies

    def __post_init__(self) -> None:
        assert self.version >= 1
        assert self.minor_per_point >= 1
        assert all(percent >= 0 for percent in self.category_percent.values())
        assert self.value_points >= 1
        assert self.value_minor >= 1
        assert self.redeem_step >= 1
        assert self.redeem_step * self.value_minor % self.value_points == 0, (
            "a step is worth whole minor units"
        )
        assert self.redeem_minimum >= self.redeem_step
        assert self.redeem_minimum % self.redeem_step == 0, "the minimum is a whole step"
        assert 0 <= self.redeem_share_percent <= 100
        assert self.expiry_months >= 1
        assert 0 <= self.pending_days <= 90
        assert self.reservation_s >= 1, "a reservation always ends"
        assert sorted(self.announce_days, reverse=True) == list(self.announce_days)
        assert [tier.from_points for tier in self.tiers] == sorted(
            {tier.from_points for tier in self.tiers}
        ), "tiers ascend"
        assert not self.tiers or self.tiers[0].from_points == 0, "everybody has a first tier"
