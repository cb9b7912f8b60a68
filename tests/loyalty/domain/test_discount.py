"""The payment in points as a discount by line and by VAT rate."""

from collections.abc import Sequence
from fractions import Fraction
from math import floor

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from services.loyalty.domain.discount import VatShare, split_over_lines, split_over_vat_rates
from tests.loyalty.examples import a_basket, a_line


def test_every_line_pays_its_proportion() -> None:
    basket = a_basket(a_line(1000), a_line(3000), a_line(6000))

    assert split_over_lines(1000, basket) == (100, 300, 600)


def test_vat_falls_on_each_rate_by_its_own_gross() -> None:
    """Golden vector of nopCommerce issue 836: 100.00 at 10 % and 100.00 at 20 %, 10.00 in points.

    Taking the payment off after tax would charge 25.76 of VAT instead of 24.47.
    """
    basket = a_basket(a_line(10_000, vat_rate_key="VAT_10"), a_line(10_000, vat_rate_key="VAT_20"))

    by_rate = split_over_vat_rates(split_over_lines(1000, basket), basket)

    assert by_rate == (
        VatShare("VAT_10", discount_minor=500, gross_minor=10_000, gross_after_minor=9_500),
        VatShare("VAT_20", discount_minor=500, gross_minor=10_000, gross_after_minor=9_500),
    )
    percents = {"VAT_10": 10, "VAT_20": 20}
    vat_minor = [
        round(
            Fraction(share.gross_after_minor * percents[share.vat_rate_key])
            / (100 + percents[share.vat_rate_key])
        )
        for share in by_rate
    ]
    assert vat_minor == [864, 1583]
    assert sum(vat_minor) == 2447


def test_the_largest_remainder_gets_the_odd_cent() -> None:
    """Exact shares of 10 are 1.67, 3.33 and 5."""
    basket = a_basket(a_line(100), a_line(200), a_line(300))

    assert split_over_lines(10, basket) == (2, 3, 5)


def test_among_equal_remainders_the_earlier_line_gets_the_odd_cent() -> None:
    basket = a_basket(a_line(100), a_line(100), a_line(100))

    assert split_over_lines(1, basket) == (1, 0, 0)
    assert split_over_lines(2, basket) == (1, 1, 0)


def test_a_negative_line_shrinks_by_the_same_proportion() -> None:
    """Otherwise a deposit given back would carry the discount of bottles that were bought."""
    basket = a_basket(a_line(1500), a_line(-500))

    assert split_over_lines(500, basket) == (750, -250)


def test_a_basket_paid_with_points_alone_mirrors_every_line() -> None:
    basket = a_basket(a_line(799), a_line(-25), a_line(0), a_line(1), a_line(333))

    assert split_over_lines(basket.total_minor, basket) == (799, -25, 0, 1, 333)


def test_a_line_of_nothing_gets_nothing() -> None:
    basket = a_basket(a_line(0), a_line(1), a_line(0), a_line(2))

    assert split_over_lines(1, basket) == (0, 0, 0, 1)


def test_without_points_no_line_is_discounted() -> None:
    basket = a_basket(a_line(10), a_line(-10), a_line(0))

    assert split_over_lines(0, basket) == (0, 0, 0)


def test_a_rate_whose_lines_cancel_out_is_not_discounted() -> None:
    """By remainders over all lines at once, DE_19 would get −1 of its 0, and DE_7 2 of its 3."""
    basket = a_basket(
        a_line(2, vat_rate_key="DE_7"),
        a_line(1, vat_rate_key="DE_7"),
        a_line(1, vat_rate_key="DE_19"),
        a_line(1, vat_rate_key="DE_19"),
        a_line(1, vat_rate_key="DE_19"),
        a_line(-3, vat_rate_key="DE_19"),
    )

    shares = split_over_lines(1, basket)

    assert shares == (1, 0, 1, 0, 0, -1)
    assert [share.discount_minor for share in split_over_vat_rates(shares, basket)] == [1, 0]


def test_a_rate_that_is_negative_as_a_whole_shrinks_too() -> None:
    basket = a_basket(a_line(2000, vat_rate_key="DE_7"), a_line(-1000, vat_rate_key="DE_19"))

    by_rate = split_over_vat_rates(split_over_lines(500, basket), basket)

    assert by_rate == (
        VatShare("DE_7", discount_minor=1000, gross_minor=2000, gross_after_minor=1000),
        VatShare("DE_19", discount_minor=-500, gross_minor=-1000, gross_after_minor=-500),
    )


def test_rates_come_in_the_order_of_their_first_line() -> None:
    basket = a_basket(
        a_line(300, vat_rate_key="DE_7"),
        a_line(100, vat_rate_key="DE_19"),
        a_line(100, vat_rate_key="DE_7"),
    )

    by_rate = split_over_vat_rates(split_over_lines(50, basket), basket)

    assert by_rate == (
        VatShare("DE_7", discount_minor=40, gross_minor=400, gross_after_minor=360),
        VatShare("DE_19", discount_minor=10, gross_minor=100, gross_after_minor=90),
    )


@given(st.lists(st.tuples(st.integers(-50, 999), st.sampled_from("ABC")), min_size=1), st.data())
def test_shares_are_rounded_by_largest_remainder_first_among_rates_then_within_each(
    lines: list[tuple[int, str]], data: st.DataObject
) -> None:
    """Once more, by fractions and without a thought for speed."""
    total = sum(minor for minor, _ in lines)
    assume(total > 0)
    discount = data.draw(st.integers(0, total))
    exact = [Fraction(discount * minor, total) for minor, _ in lines]
    of_rate = {rate: [n for n, line in enumerate(lines) if line[1] == rate] for _, rate in lines}
    by_rate = by_largest_remainder(
        [sum(exact[n] for n in own) for own in of_rate.values()], discount
    )
    expected = [0] * len(lines)
    for own, of_it in zip(of_rate.values(), by_rate, strict=True):
        shares = by_largest_remainder([exact[n] for n in own], of_it)
        for n, share in zip(own, shares, strict=True):
            expected[n] = share

    basket = a_basket(*[a_line(minor, vat_rate_key=rate) for minor, rate in lines])

    assert split_over_lines(discount, basket) == tuple(expected)
    assert [
        (share.vat_rate_key, share.discount_minor)
        for share in split_over_vat_rates(tuple(expected), basket)
    ] == list(zip(of_rate, by_rate, strict=True))


def by_largest_remainder(exact: Sequence[Fraction | int], rounded_sum: int) -> list[int]:
    rounded = [floor(each) for each in exact]
    by_remainder = sorted(range(len(exact)), key=lambda n: rounded[n] - exact[n])
    for n in by_remainder[: rounded_sum - sum(rounded)]:
        rounded[n] += 1
    return rounded


@pytest.mark.parametrize("discount_minor", [-1, 101])
def test_a_discount_outside_of_the_basket_is_a_bug(discount_minor: int) -> None:
    with pytest.raises(AssertionError):
        split_over_lines(discount_minor, a_basket(a_line(100)))
