"""Earning and redeeming in one basket, against exact oracles in fractions and brute force."""

import math
from fractions import Fraction

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from services.loyalty.domain.basket import Basket, LineItem
from services.loyalty.domain.discount import split_over_lines, split_over_vat_rates
from services.loyalty.domain.earn import points_earned, rated_weight
from services.loyalty.domain.programme import Programme
from services.loyalty.domain.redemption import (
    Limit,
    RedemptionRefusal,
    discount_minor,
    earned_when_redeeming,
    quote,
    redeemable_maximum,
    redemption_refusal,
    share_cap_points,
)
from tests.loyalty.examples import a_basket, a_line, a_programme
from tests.scale import scaled

CATEGORIES = ("GROCERY", "PRODUCE", "TOBACCO", "FUEL")
VAT_RATE_KEYS = ("DE_19", "DE_7", "DE_0")
TOTAL_MINOR_MAX = 10**12

# On a busy machine drawing takes long, and no rule here is about time.
thorough = settings(
    max_examples=scaled(5_000), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


# --- what is drawn --------------------------------------------------------------------------


@st.composite
def baskets(draw: st.DrawFn, *, line_minor_max: int = 400) -> Basket:
    """One to seven lines, negative ones among them, whose total is not negative."""
    lines = draw(st.lists(_lines(line_minor_max), min_size=1, max_size=6))
    total_minor = sum(line.total_minor for line in lines)
    if total_minor < 0:
        lines.append(a_line(draw(st.integers(-total_minor, line_minor_max - total_minor))))
    return a_basket(*draw(st.permutations(lines)))


def _lines(line_minor_max: int) -> st.SearchStrategy[LineItem]:
    return st.builds(
        a_line,
        st.integers(-line_minor_max, line_minor_max) | st.integers(0, line_minor_max),
        st.sampled_from(CATEGORIES),
        st.sampled_from(VAT_RATE_KEYS),
    )


@st.composite
def programmes(draw: st.DrawFn) -> Programme:
    """Net and gross, several rates, value ratios, steps, minimums and shares."""
    value_points = draw(st.integers(1, 12))
    value_minor = draw(st.integers(1, 12))
    least_step = value_points // math.gcd(value_points, value_minor)
    step = least_step * draw(st.integers(1, 4))
    return a_programme(
        minor_per_point=draw(st.integers(1, 10) | st.integers(1, 300)),
        category_percent=draw(
            st.dictionaries(
                st.sampled_from(CATEGORIES), st.sampled_from([0, 1, 50, 150, 200, 1_000])
            )
        ),
        net_of_points=draw(st.booleans()),
        value_points=value_points,
        value_minor=value_minor,
        redeem_step=step,
        redeem_minimum=step * draw(st.just(1) | st.integers(1, 30)),
        redeem_share_percent=draw(st.just(100) | st.integers(0, 100)),
    )


available_points = st.integers(0, 60) | st.integers(0, 3_000)


# --- oracles, exact and slow ----------------------------------------------------------------


def earned_exactly(basket: Basket, programme: Programme, points: int) -> int:
    """Line by line in fractions: what of each line is not paid in points, times its rate."""
    if basket.total_minor == 0:
        return 0
    paid_in_points = Fraction(points * programme.value_minor, programme.value_points)
    unpaid = 1 - paid_in_points / basket.total_minor if programme.net_of_points else Fraction(1)
    rated = sum(
        line.total_minor
        * unpaid
        * Fraction(programme.category_percent.get(line.category, 100), 100)
        for line in basket.line_items
    )
    return max(0, math.floor(rated / programme.minor_per_point))


def is_within_share(basket: Basket, programme: Programme, points: int) -> bool:
    payable_minor = math.floor(Fraction(basket.total_minor * programme.redeem_share_percent, 100))
    return Fraction(points * programme.value_minor, programme.value_points) <= payable_minor


def is_possible(available: int, basket: Basket, programme: Programme, points: int) -> bool:
    """The rule itself, for one number of points."""
    return (
        points >= programme.redeem_minimum
        and points % programme.redeem_step == 0
        and is_within_share(basket, programme, points)
        and points <= available + earned_exactly(basket, programme, points)
    )


def all_steps(basket: Basket, programme: Programme) -> range:
    """Every whole step from 0 to two steps beyond the price of the whole basket."""
    price_points = basket.total_minor * programme.value_points // programme.value_minor
    return range(0, price_points + 2 * programme.redeem_step + 1, programme.redeem_step)


# --- redeeming ------------------------------------------------------------------------------


@thorough
@given(available=available_points, basket=baskets(), programme=programmes())
def test_the_maximum_is_affordable_and_nothing_above_it_is(
    available: int, basket: Basket, programme: Programme
) -> None:
    possible = [
        points
        for points in all_steps(basket, programme)
        if is_possible(available, basket, programme, points)
    ]

    maximum = redeemable_maximum(
        available=available,
        weight=rated_weight(basket, programme),
        total_minor=basket.total_minor,
        programme=programme,
    )

    assert maximum == max(possible, default=0)


@thorough
@given(
    available=available_points,
    basket=baskets(),
    programme=programmes(),
    points=st.integers(-5, 600),
)
def test_exactly_the_possible_redemptions_are_not_refused(
    available: int, basket: Basket, programme: Programme, points: int
) -> None:
    refusal = redemption_refusal(
        points,
        available=available,
        weight=rated_weight(basket, programme),
        total_minor=basket.total_minor,
        programme=programme,
    )

    assert (refusal is None) == is_possible(available, basket, programme, points)
    if refusal in (RedemptionRefusal.EXCEEDS_SHARE, RedemptionRefusal.EXCEEDS_AVAILABLE):
        within_share = is_within_share(basket, programme, points)
        assert (refusal is RedemptionRefusal.EXCEEDS_AVAILABLE) == within_share


@thorough
@given(available=available_points, basket=baskets(), programme=programmes())
def test_whatever_is_redeemed_leaves_the_member_with_no_less_than_nothing(
    available: int, basket: Basket, programme: Programme
) -> None:
    weight = rated_weight(basket, programme)

    told = quote(
        available=available, weight=weight, total_minor=basket.total_minor, programme=programme
    )

    assert available + told.points_earned_at_maximum - told.points_redeemable >= 0
    assert 0 <= told.discount_minor <= basket.total_minor
    assert told.points_earned == earned_exactly(basket, programme, 0)
    assert told.points_earned_at_maximum == earned_exactly(
        basket, programme, told.points_redeemable
    )


@thorough
@given(available=available_points, basket=baskets(), programme=programmes())
def test_the_limit_that_a_quote_names_is_the_one_that_holds(
    available: int, basket: Basket, programme: Programme
) -> None:
    weight = rated_weight(basket, programme)
    told = quote(
        available=available, weight=weight, total_minor=basket.total_minor, programme=programme
    )
    one_more = told.points_redeemable + programme.redeem_step

    if told.limit is Limit.MINIMUM:
        assert not is_possible(available, basket, programme, programme.redeem_minimum)
    else:
        assert told.points_redeemable >= programme.redeem_minimum
        within_share = is_within_share(basket, programme, one_more)
        assert (told.limit is Limit.POINTS) == within_share


@thorough
@given(
    available=st.integers(0, TOTAL_MINOR_MAX),
    total_minor=st.integers(0, 10_000) | st.integers(0, TOTAL_MINOR_MAX),
    minor_per_point=st.integers(1, 1_000),
    value_minor=st.integers(1, 100),
    share_percent=st.integers(0, 100),
)
def test_the_closed_form_agrees_where_it_applies(
    available: int, total_minor: int, minor_per_point: int, value_minor: int, share_percent: int
) -> None:
    """⌊(B + r·G) / (1 + r·v)⌋ for one rate, no exclusions, net, in single points."""
    programme = a_programme(
        minor_per_point=minor_per_point,
        category_percent={},
        value_minor=value_minor,
        redeem_share_percent=share_percent,
    )
    rate = Fraction(1, minor_per_point)
    affordable = math.floor((available + rate * total_minor) / (1 + rate * value_minor))
    within_share = total_minor * share_percent // 100 // value_minor

    maximum = redeemable_maximum(
        available=available,
        weight=rated_weight(a_basket(a_line(total_minor)), programme),
        total_minor=total_minor,
        programme=programme,
    )

    assert maximum == min(affordable, within_share)


# --- earning --------------------------------------------------------------------------------


@thorough
@given(basket=baskets(), programme=programmes())
def test_earning_is_exact_and_never_rises_with_points_spent(
    basket: Basket, programme: Programme
) -> None:
    weight = rated_weight(basket, programme)
    cap = share_cap_points(basket.total_minor, programme)

    earned = [
        earned_when_redeeming(points, weight, basket.total_minor, programme)
        for points in range(0, cap + 1, programme.redeem_step)
    ]

    assert earned == sorted(earned, reverse=True)
    assert earned[0] == earned_exactly(basket, programme, 0)
    assert earned[-1] == earned_exactly(basket, programme, cap)


@thorough
@given(basket=baskets(line_minor_max=10**9), programme=programmes(), data=st.data())
def test_earning_never_rises_with_the_discount(
    basket: Basket, programme: Programme, data: st.DataObject
) -> None:
    weight = rated_weight(basket, programme)
    less = data.draw(st.integers(0, basket.total_minor))
    more = data.draw(st.integers(less, basket.total_minor))

    earned = [
        points_earned(
            weight, total_minor=basket.total_minor, discount_minor=discount, programme=programme
        )
        for discount in (less, more)
    ]

    assert earned[0] >= earned[1] >= 0


@thorough
@given(basket=baskets(), programme=programmes(), data=st.data())
def test_neither_order_nor_splitting_of_lines_changes_what_is_earned(
    basket: Basket, programme: Programme, data: st.DataObject
) -> None:
    """A till may ring up three of a kind as one line or as three."""
    line = data.draw(st.sampled_from(basket.line_items))
    part_minor = data.draw(st.integers(-500, 500))
    others = [other for other in basket.line_items if other is not line]
    parts = [
        a_line(part_minor, line.category, line.vat_rate_key),
        a_line(line.total_minor - part_minor, line.category, line.vat_rate_key),
    ]

    rung_up_otherwise = a_basket(*data.draw(st.permutations([*others, *parts])))

    assert rated_weight(rung_up_otherwise, programme) == rated_weight(basket, programme)
    assert rung_up_otherwise.total_minor == basket.total_minor


# --- the discount ---------------------------------------------------------------------------


@thorough
@given(basket=baskets(line_minor_max=12) | baskets(line_minor_max=TOTAL_MINOR_MAX), data=st.data())
def test_the_discount_is_split_to_the_last_minor_unit_and_in_proportion(
    basket: Basket, data: st.DataObject
) -> None:
    discount = data.draw(st.integers(0, basket.total_minor))

    shares = split_over_lines(discount, basket)

    assert sum(shares) == discount
    for line, share in zip(basket.line_items, shares, strict=True):
        assert min(0, line.total_minor) <= share <= max(0, line.total_minor)
        if basket.total_minor:
            exact = Fraction(discount * line.total_minor, basket.total_minor)
            assert abs(share - exact) < 1


@thorough
@given(basket=baskets(line_minor_max=12) | baskets(line_minor_max=TOTAL_MINOR_MAX), data=st.data())
def test_each_vat_rate_pays_its_proportion_and_never_more_than_its_gross(
    basket: Basket, data: st.DataObject
) -> None:
    discount = data.draw(st.integers(0, basket.total_minor))

    by_rate = split_over_vat_rates(split_over_lines(discount, basket), basket)

    assert sum(share.discount_minor for share in by_rate) == discount
    assert sum(share.gross_minor for share in by_rate) == basket.total_minor
    assert [share.vat_rate_key for share in by_rate] == list(
        dict.fromkeys(line.vat_rate_key for line in basket.line_items)
    )
    for share in by_rate:
        assert share.gross_after_minor == share.gross_minor - share.discount_minor
        assert min(0, share.gross_minor) <= share.discount_minor <= max(0, share.gross_minor)
        if basket.total_minor:
            exact = Fraction(discount * share.gross_minor, basket.total_minor)
            assert abs(share.discount_minor - exact) < 1


@thorough
@given(available=available_points, basket=baskets(), programme=programmes())
def test_the_maximum_is_split_without_a_rest(
    available: int, basket: Basket, programme: Programme
) -> None:
    maximum = redeemable_maximum(
        available=available,
        weight=rated_weight(basket, programme),
        total_minor=basket.total_minor,
        programme=programme,
    )
    assume(maximum > 0)

    shares = split_over_lines(discount_minor(maximum, programme), basket)

    assert sum(shares) * programme.value_points == maximum * programme.value_minor, (
        "the discount is what the points are worth, exactly"
    )
