"""A basket paid with points: what a member may redeem for it, and what that takes off its lines."""

from services.loyalty.domain import tiers
from services.loyalty.domain.basket import Basket
from services.loyalty.domain.command import Maximum
from services.loyalty.domain.decision import Refusal, Refused
from services.loyalty.domain.discount import VatShare, split_over_lines, split_over_vat_rates
from services.loyalty.domain.earn import rated_weight
from services.loyalty.domain.member import Member
from services.loyalty.domain.programme import Programme
from services.loyalty.domain.redemption import (
    discount_minor,
    redeemable_maximum,
    redemption_refusal,
)
from services.loyalty.domain.value import value


@value
class Discount:
    """What points take off a basket: `line_discounts` are (line id, minor units)."""

    minor: int
    line_discounts: tuple[tuple[str, int], ...]
    vat_discounts: tuple[VatShare, ...]


NO_DISCOUNT = Discount(0, (), ())


def member_weight(member: Member, basket: Basket, programme: Programme) -> int:
    """The basket's rated weight with the percent of the member's tier."""
    return weight_in_tier(rated_weight(basket, programme), member.tier, programme)


def weight_in_tier(weight: int, tier: str, programme: Programme) -> int:
    """A rated weight with the percent of a tier, rounded down."""
    percent = tiers.earn_percent(tier, programme) if programme.tiers else 100
    return weight if percent == 100 else weight * percent // 100


def points_to_redeem(
    asked: int | Maximum | None,
    *,
    available: int,
    owed: int,
    weight: int,
    total_minor: int,
    programme: Programme,
    field: str,
) -> int | Refused:
    """Exactly the points that were asked for, or why not; `field` is the path to name.

    `available` is what this basket may use, its own reservation included.
    """
    if asked is None:
        return 0
    if asked is Maximum.MAXIMUM:
        return redeemable_maximum(
            available=available,
            weight=weight,
            total_minor=total_minor,
            programme=programme,
            owed=owed,
        )
    assert isinstance(asked, int)
    refusal = redemption_refusal(
        asked,
        available=available,
        weight=weight,
        total_minor=total_minor,
        programme=programme,
        owed=owed,
    )
    if refusal is None:
        return asked
    most = redeemable_maximum(
        available=available, weight=weight, total_minor=total_minor, programme=programme, owed=owed
    )
    reason = Refusal(refusal.value)
    return Refused(
        reason, field, _remedy(reason, most=most, programme=programme), points_maximum=most
    )


def _remedy(reason: Refusal, *, most: int, programme: Programme) -> str:
    if reason is Refusal.REDEMPTION_BELOW_MINIMUM:
        return f"redeem {programme.redeem_minimum} points or more, or none"
    if reason is Refusal.REDEMPTION_NOT_A_STEP:
        return f"redeem a multiple of {programme.redeem_step} points"
    return f"under a new id, redeem at most {most} points"


def discount_of(points: int, basket: Basket, programme: Programme) -> Discount:
    """What `points` pay, split over lines and VAT rates."""
    if not points:
        return NO_DISCOUNT
    minor = discount_minor(points, programme)
    shares = split_over_lines(minor, basket)
    return Discount(
        minor=minor,
        line_discounts=tuple(
            [
                (line.line_id, shares[number])
                for number, line in enumerate(basket.line_items)
                if shares[number]
            ]
        ),
        vat_discounts=split_over_vat_rates(shares, basket),
    )
