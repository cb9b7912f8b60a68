"""How many points a basket may be paid with, the points of this very basket included.

`available` is what the member may spend before the basket, 0 or more; `weight` is the basket's
`rated_weight`; `owed` is what the basket's points pay back before they can be spent. Redeeming P
points is affordable when P ≤ available + max(0, earned(P) − owed), where earned(P) is what the
basket earns if P points pay for it.
"""

from enum import Enum

from services.loyalty.domain.earn import points_earned
from services.loyalty.domain.programme import Programme
from services.loyalty.domain.value import value


class Limit(Enum):
    """What keeps the redeemable maximum from being higher."""

    POINTS = "points"
    SHARE_OF_BASKET = "share_of_basket"
    MINIMUM = "minimum"  # not even the smallest redemption is in reach


class RedemptionRefusal(Enum):
    """Why exactly these points cannot be redeemed, in the order in which the checks run."""

    BELOW_MINIMUM = "redemption_below_minimum"
    NOT_A_STEP = "redemption_not_a_step"
    EXCEEDS_SHARE = "exceeds_share"
    EXCEEDS_AVAILABLE = "exceeds_available"


@value
class Quote:
    """What a till may offer for the basket so far."""

    points_earned: int  # if nothing is redeemed
    points_redeemable: int
    discount_minor: int  # what points_redeemable are worth
    points_earned_at_maximum: int  # if points_redeemable are redeemed
    limit: Limit


def quote(
    *, available: int, weight: int, total_minor: int, programme: Programme, owed: int = 0
) -> Quote:
    """What the basket earns and how much of it points may pay now.

    When points and share end at the same maximum, the share is named: more points would not help.
    """
    maximum = redeemable_maximum(
        available=available,
        weight=weight,
        total_minor=total_minor,
        programme=programme,
        owed=owed,
    )
    if maximum == 0:
        limit = Limit.MINIMUM
    elif maximum == share_cap_points(total_minor, programme):
        limit = Limit.SHARE_OF_BASKET
    else:
        limit = Limit.POINTS
    return Quote(
        points_earned=earned_when_redeeming(0, weight, total_minor, programme),
        points_redeemable=maximum,
        discount_minor=discount_minor(maximum, programme),
        points_earned_at_maximum=earned_when_redeeming(maximum, weight, total_minor, programme),
        limit=limit,
    )


def redeemable_maximum(
    *, available: int, weight: int, total_minor: int, programme: Programme, owed: int = 0
) -> int:
    """The most points that may be redeemed: 0, or a multiple of the step from the minimum upwards.

    Found by bisection over the real earn function. That is sound because earning never rises with
    points spent: whatever is affordable stays affordable with one step less.
    """
    assert available >= 0, "available points are never negative"
    step = programme.redeem_step
    ceiling = min(
        share_cap_points(total_minor, programme),
        available + max(0, earned_when_redeeming(0, weight, total_minor, programme) - owed),
    )
    # In steps. Above the candidate nothing is affordable; what the basket still earns when the
    # candidate is redeemed it earns with fewer points too, so that much is affordable.
    candidate = ceiling // step
    least_earned = earned_when_redeeming(candidate * step, weight, total_minor, programme)
    affordable = min(candidate, (available + max(0, least_earned - owed)) // step)
    while affordable < candidate:
        middle = (affordable + candidate + 1) // 2
        points = middle * step
        earned = earned_when_redeeming(points, weight, total_minor, programme)
        if points <= available + max(0, earned - owed):
            affordable = middle
        else:
            candidate = middle - 1
    points = affordable * step
    return points if points >= programme.redeem_minimum else 0


def redemption_refusal(
    points: int,
    *,
    available: int,
    weight: int,
    total_minor: int,
    programme: Programme,
    owed: int = 0,
) -> RedemptionRefusal | None:
    """Why exactly `points` cannot be redeemed, or None when they can.

    Refuses nothing from the minimum up to `redeemable_maximum` that is a whole number of steps.
    """
    assert available >= 0, "available points are never negative"
    if points < programme.redeem_minimum:
        return RedemptionRefusal.BELOW_MINIMUM
    if points % programme.redeem_step != 0:
        return RedemptionRefusal.NOT_A_STEP
    if points > share_cap_points(total_minor, programme):
        return RedemptionRefusal.EXCEEDS_SHARE
    earned = earned_when_redeeming(points, weight, total_minor, programme)
    if points > available + max(0, earned - owed):
        return RedemptionRefusal.EXCEEDS_AVAILABLE
    return None


def discount_minor(points: int, programme: Programme) -> int:
    """What `points`, a whole number of steps, pay in minor units; exact."""
    assert points >= 0
    assert points % programme.redeem_step == 0, "points are redeemed in whole steps"
    return points * programme.value_minor // programme.value_points


def earned_when_redeeming(points: int, weight: int, total_minor: int, programme: Programme) -> int:
    """What the basket earns if `points`, a whole number of steps within the share, pay for it."""
    return points_earned(
        weight,
        total_minor=total_minor,
        discount_minor=discount_minor(points, programme),
        programme=programme,
    )


def share_cap_points(total_minor: int, programme: Programme) -> int:
    """The most points, in whole steps, whose value stays within the programme's share.

    The share of the total is rounded down to minor units first.
    """
    payable_minor = total_minor * programme.redeem_share_percent // 100
    step_minor = discount_minor(programme.redeem_step, programme)
    return payable_minor // step_minor * programme.redeem_step
