"""What a basket earns: weights of categories, net of points, one rounding."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.loyalty.domain.earn import line_weight, points_earned, rated_weight
from services.loyalty.domain.programme import Programme
from tests.loyalty.examples import a_basket, a_line, a_programme

NET = a_programme()
GROSS = a_programme(net_of_points=False)


def earned(
    weight: int, *, total_minor: int, discount_minor: int = 0, programme: Programme = NET
) -> int:
    return points_earned(
        weight, total_minor=total_minor, discount_minor=discount_minor, programme=programme
    )


def test_a_category_counts_with_its_percent_and_any_other_once() -> None:
    basket = a_basket(a_line(1000), a_line(300, "PRODUCE"), a_line(5000, "TOBACCO"), a_line(7, ""))

    assert rated_weight(basket, NET) == 1000 * 100 + 300 * 200 + 5000 * 0 + 7 * 100


def test_a_negative_line_takes_away_what_its_own_category_earns() -> None:
    basket = a_basket(a_line(1000), a_line(-300, "PRODUCE"), a_line(-500, "TOBACCO"))

    assert rated_weight(basket, NET) == 1000 * 100 - 300 * 200


@given(
    st.lists(
        st.tuples(st.integers(-(10**12), 10**12), st.sampled_from(["TOBACCO", "PRODUCE", "DELI"]))
    )
)
def test_a_basket_weighs_what_its_lines_do(lines: list[tuple[int, str]]) -> None:
    basket = a_basket(*[a_line(minor, category) for minor, category in lines])

    assert rated_weight(basket, NET) == sum(line_weight(each, NET) for each in basket.line_items)


@pytest.mark.parametrize(
    ("total_minor", "points"), [(0, 0), (199, 0), (200, 1), (399, 1), (400, 2)]
)
def test_a_point_is_earned_when_its_price_is_full(total_minor: int, points: int) -> None:
    assert earned(total_minor * 100, total_minor=total_minor) == points


def test_ten_small_lines_earn_what_one_large_line_does() -> None:
    """Rounding each line would pay 0 for ten lines of 1.99."""
    small = a_basket(*[a_line(199)] * 10)
    large = a_basket(a_line(1990))

    assert earned(rated_weight(small, NET), total_minor=1990) == 9
    assert earned(rated_weight(large, NET), total_minor=1990) == 9


def test_the_points_are_rounded_once_after_the_payment_is_taken_off() -> None:
    """Of 11.99, 10.99 are rated: 5 points. Taking the payment off 5 whole points would leave 4."""
    assert earned(1199 * 100, total_minor=1199, discount_minor=100) == 5


def test_net_rates_only_what_is_not_paid_in_points() -> None:
    assert earned(1000 * 100, total_minor=1000, discount_minor=200) == 4
    assert earned(1000 * 100, total_minor=1000, discount_minor=201) == 3
    assert earned(1000 * 100, total_minor=1000, discount_minor=1000) == 0


def test_gross_rates_what_is_paid_in_points_too() -> None:
    assert earned(1000 * 100, total_minor=1000, discount_minor=1000, programme=GROSS) == 5


def test_the_payment_in_points_is_spread_over_excluded_lines_as_well() -> None:
    """Half of the basket is tobacco, so half of the payment is; only the rest lowers the rating."""
    basket = a_basket(a_line(1000), a_line(1000, "TOBACCO"))
    weight = rated_weight(basket, NET)

    assert earned(weight, total_minor=2000, discount_minor=400) == 4
    assert earned(weight, total_minor=2000, discount_minor=401) == 3


def test_the_payment_is_spread_exactly_and_not_by_whole_cents() -> None:
    """Of 1 cent over lines of 200 and 400, a third falls on the first: 199 2/3 are no 200."""
    basket = a_basket(a_line(200), a_line(400, "TOBACCO"))

    assert earned(rated_weight(basket, NET), total_minor=600, discount_minor=0) == 1
    assert earned(rated_weight(basket, NET), total_minor=600, discount_minor=1) == 0


def test_a_basket_of_nothing_earns_nothing() -> None:
    assert earned(0, total_minor=0) == 0
    assert earned(100_000, total_minor=0) == 0, "an excluded coupon may leave weight without total"
    assert earned(100_000, total_minor=0, programme=GROSS) == 0


@pytest.mark.parametrize("programme", [NET, GROSS])
def test_a_weight_below_zero_earns_nothing(programme: Programme) -> None:
    """A double-rated return can outweigh the basket; earning never takes points."""
    assert earned(-1, total_minor=1000, programme=programme) == 0
    assert earned(-1_000_000, total_minor=1000, programme=programme) == 0


@pytest.mark.parametrize("discount_minor", [-1, 1001])
def test_a_discount_outside_of_the_basket_is_a_bug(discount_minor: int) -> None:
    with pytest.raises(AssertionError):
        earned(100_000, total_minor=1000, discount_minor=discount_minor)


def test_the_largest_basket_is_rated_exactly() -> None:
    """Beyond 2^53 floating point would lose points."""
    total_minor = 10**15 + 1

    assert earned(total_minor * 1000, total_minor=total_minor) == total_minor * 10 // 200
