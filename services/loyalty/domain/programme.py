"""The rules of one programme, as the pure functions of earning and redeeming read them."""

from collections.abc import Mapping
from dataclasses import dataclass


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

    expiry_months: int  # points live to the end of the month so many months later

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
