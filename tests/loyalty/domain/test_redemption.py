"""How many points a basket may be paid with, and why not more."""

import pytest

from services.loyalty.domain.programme import Programme
from services.loyalty.domain.redemption import (
    Limit,
    Quote,
    RedemptionRefusal,
    discount_minor,
    earned_when_redeeming,
    quote,
    redeemable_maximum,
    redemption_refusal,
    share_cap_points,
)
from tests.loyalty.examples import a_programme

DEMO = a_programme()
COARSE = a_programme(value_points=100, value_minor=50, redeem_step=50, redeem_minimum=200)


def maximum(available: int, total_minor: int, programme: Programme = DEMO) -> int:
    return redeemable_maximum(
        available=available,
        weight=total_minor * 100,
        total_minor=total_minor,
        programme=programme,
    )


def quoted(available: int, total_minor: int, programme: Programme = DEMO) -> Quote:
    return quote(
        available=available,
        weight=total_minor * 100,
        total_minor=total_minor,
        programme=programme,
    )


def refusal(
    points: int, available: int, total_minor: int, programme: Programme = DEMO
) -> RedemptionRefusal | None:
    return redemption_refusal(
        points,
        available=available,
        weight=total_minor * 100,
        total_minor=total_minor,
        programme=programme,
    )


def test_points_of_this_basket_pay_for_it() -> None:
    """A new member's first basket of 20.00 earns 10 points, and 9 when they are spent at once."""
    first = quoted(0, 2000)

    assert first == Quote(
        points_earned=10,
        points_redeemable=9,
        discount_minor=9,
        points_earned_at_maximum=9,
        limit=Limit.POINTS,
    )


def test_one_point_more_than_affordable_is_refused() -> None:
    assert maximum(115, 2000) == 124  # 115 + earned on 18.76 = 9
    assert refusal(124, 115, 2000) is None
    assert refusal(125, 115, 2000) == RedemptionRefusal.EXCEEDS_AVAILABLE


def test_a_step_is_never_split() -> None:
    """With their own 49 and 9 points, the baskets bring 288 and 248 points in reach."""
    assert maximum(239, 10_000, COARSE) == 250
    assert maximum(239, 2_000, COARSE) == 200


def test_below_the_minimum_nothing_is_redeemable() -> None:
    none_earned = a_programme(
        redeem_minimum=200, redeem_step=50, category_percent={}, minor_per_point=1_000_000
    )

    assert maximum(199, 10_000, none_earned) == 0
    assert maximum(200, 10_000, none_earned) == 200


@pytest.mark.parametrize(
    ("total_minor", "points"), [(0, 0), (1, 0), (3, 0), (4, 1), (7, 1), (8, 2), (1003, 250)]
)
def test_the_share_of_the_basket_is_rounded_down(total_minor: int, points: int) -> None:
    assert share_cap_points(total_minor, a_programme(redeem_share_percent=25)) == points


def test_the_share_is_rounded_down_to_whole_steps() -> None:
    """A step of 50 points is worth 25; 99 minor units hold three of them."""
    assert share_cap_points(99, COARSE) == 150
    assert share_cap_points(100, COARSE) == 200


def test_points_worth_more_than_a_minor_unit_never_pay_more_than_the_basket() -> None:
    worth_five = a_programme(value_minor=5)

    assert share_cap_points(14, worth_five) == 2
    assert share_cap_points(15, worth_five) == 3


def test_a_share_of_zero_lets_points_pay_nothing() -> None:
    assert quoted(10_000, 10_000, a_programme(redeem_share_percent=0)).points_redeemable == 0


@pytest.mark.parametrize(
    ("points", "minor"), [(0, 0), (50, 25), (100, 50), (250, 125), (1_000_000, 500_000)]
)
def test_each_step_is_worth_whole_minor_units(points: int, minor: int) -> None:
    assert discount_minor(points, COARSE) == minor


@pytest.mark.parametrize("points", [-50, 1, 49, 51])
def test_the_value_of_a_split_step_is_a_bug(points: int) -> None:
    with pytest.raises(AssertionError):
        discount_minor(points, COARSE)


def test_earning_is_told_for_the_points_that_are_spent() -> None:
    assert earned_when_redeeming(0, 200_000, 2000, DEMO) == 10
    assert earned_when_redeeming(200, 200_000, 2000, DEMO) == 9
    assert earned_when_redeeming(201, 200_000, 2000, DEMO) == 8
    assert earned_when_redeeming(2000, 200_000, 2000, DEMO) == 0


@pytest.mark.parametrize(
    ("available", "total_minor", "programme", "limit"),
    [
        (100, 10_000, DEMO, Limit.POINTS),
        (0, 10_000, DEMO, Limit.POINTS),  # all of it from the basket itself
        (10_000, 10_000, DEMO, Limit.SHARE_OF_BASKET),
        (9_999, 10_000, DEMO, Limit.POINTS),
        (10_000, 10_000, a_programme(redeem_share_percent=50), Limit.SHARE_OF_BASKET),
        (0, 100, DEMO, Limit.MINIMUM),
        (0, 0, DEMO, Limit.MINIMUM),
        (10_000, 0, DEMO, Limit.MINIMUM),
        (10_000, 99, COARSE, Limit.MINIMUM),  # the share holds 150 points only
        (199, 100, COARSE, Limit.MINIMUM),
        (200, 100, COARSE, Limit.SHARE_OF_BASKET),
    ],
)
def test_a_quote_names_what_keeps_the_maximum_down(
    available: int, total_minor: int, programme: Programme, limit: Limit
) -> None:
    assert quoted(available, total_minor, programme).limit == limit


def test_more_points_would_not_help_where_the_share_is_named() -> None:
    """Both limits meet at 100 points."""
    programme = a_programme(minor_per_point=1_000_000)

    assert quoted(100, 100, programme).limit == Limit.SHARE_OF_BASKET
    assert maximum(101, 100, programme) == maximum(100, 100, programme) == 100


@pytest.mark.parametrize(
    ("points", "available", "total_minor", "expected"),
    [
        (200, 200, 10_000, None),
        (250, 250, 10_000, None),
        (199, 0, 0, RedemptionRefusal.BELOW_MINIMUM),
        (1, 10_000, 10_000, RedemptionRefusal.BELOW_MINIMUM),
        (0, 10_000, 10_000, RedemptionRefusal.BELOW_MINIMUM),
        (-50, 10_000, 10_000, RedemptionRefusal.BELOW_MINIMUM),
        (201, 0, 0, RedemptionRefusal.NOT_A_STEP),
        (249, 10_000, 10_000, RedemptionRefusal.NOT_A_STEP),
        (200, 200, 100, None),
        (200, 0, 99, RedemptionRefusal.EXCEEDS_SHARE),
        (200, 10_000, 99, RedemptionRefusal.EXCEEDS_SHARE),
        (200, 0, 10_000, RedemptionRefusal.EXCEEDS_AVAILABLE),
        (200, 150, 10_000, RedemptionRefusal.EXCEEDS_AVAILABLE),  # earned at 200 points: 49
        (200, 151, 10_000, None),
    ],
)
def test_the_first_check_that_fails_names_the_refusal(
    points: int, available: int, total_minor: int, expected: RedemptionRefusal | None
) -> None:
    assert refusal(points, available, total_minor, COARSE) == expected


def test_gross_rating_lets_all_points_of_the_basket_pay_for_it() -> None:
    gross = a_programme(net_of_points=False)

    assert maximum(0, 2000, gross) == 10
    assert maximum(0, 2000) == 9


def test_available_below_zero_is_a_bug() -> None:
    with pytest.raises(AssertionError):
        maximum(-1, 100)
    with pytest.raises(AssertionError):
        refusal(1, -1, 100)


def test_the_largest_balance_is_found_exactly() -> None:
    """Beyond 2^53 floating point would be off by points."""
    assert maximum(2**62, 10**15 + 1) == 10**15 + 1
