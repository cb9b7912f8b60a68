"""What hangs on each line of a receipt: discount, VAT, points, also of coupons and deposits."""

from dataclasses import replace
from typing import Any

import pytest

from services.loyalty.domain.allocation import part_of, shares_of, split
from services.loyalty.domain.basket import Basket, LineItem
from services.loyalty.domain.decision import Returned
from services.loyalty.domain.earn import line_weight, rated_weight
from services.loyalty.domain.member import Member
from services.loyalty.domain.original import NOTHING_REVERSED, Original
from services.loyalty.domain.reversal import Reversing
from tests.loyalty.domain.members import a_member
from tests.loyalty.domain.receipts import a_line_of, bought, returned, returning
from tests.loyalty.examples import a_programme

RICH = a_member(("2027-03-31", 100_000))
# A point per 0.10 of what is not paid in points; produce double, tobacco none.
NET = a_programme(minor_per_point=10)
GROSS = replace(NET, net_of_points=False)


def a_receipt(*lines: LineItem, **how: Any) -> tuple[Member, Original]:
    return bought(RICH, *lines, **{"programme": NET, **how})


def returned_in_turn(
    member: Member, original: Original, *returns: list[tuple[str, int]]
) -> list[Returned]:
    so_far, decisions = NOTHING_REVERSED, []
    for lines in returns:
        member, decision, result = returned(member, original, lines, so_far=so_far)
        so_far = result.reversal
        decisions.append(decision)
    return decisions


def money(decision: Returned) -> int:
    return decision.refund_minor - decision.discount_minor


# --- splitting ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("points", "weights", "shares"),
    [
        (10, [1, 1, 1], (4, 3, 3)),
        (10, [100, 200, 300], (2, 3, 5)),
        (50, [1500, -500], (75, -25)),
        (7, [0, 3, 0], (0, 7, 0)),
        (0, [5, -5], (0, 0)),
        (0, [], ()),
        (1, [2, 1, -2], (2, 1, -2)),
    ],
)
def test_points_are_split_by_signed_weights_to_the_last_point(
    points: int, weights: list[int], shares: tuple[int, ...]
) -> None:
    assert split(points, weights) == shares


def test_points_that_hang_on_nothing_are_a_bug() -> None:
    with pytest.raises(AssertionError):
        split(1, [1, -1])


@pytest.mark.parametrize(
    ("recorded", "part", "whole", "expected"),
    [
        (350, 250, 1000, 87),
        (-350, -250, -1000, -87),
        (-350, 250, 1000, -87),
        (350, 1000, 1000, 350),
        (5, 0, 10, 0),
        (0, 0, 0, 0),
    ],
)
def test_a_part_is_rounded_towards_nothing_and_keeps_its_sign(
    recorded: int, part: int, whole: int, expected: int
) -> None:
    assert part_of(recorded, part, whole) == expected


def test_a_lines_weight_is_its_part_of_the_baskets() -> None:
    lines = (
        a_line_of("apples", 300, category="PRODUCE"),
        a_line_of("cigars", 900, category="TOBACCO"),
        a_line_of("coupon", -50),
    )
    basket = Basket("", "", "", "", "EUR", 1150, lines)

    weights = [line_weight(line, NET) for line in lines]

    assert weights == [60_000, 0, -5_000]
    assert sum(weights) == rated_weight(basket, NET)


def test_earned_points_hang_on_what_earned_them() -> None:
    """Double for produce, none for tobacco; the discount hangs on all lines alike."""
    _, original = a_receipt(
        a_line_of("apples", 500, category="PRODUCE"),
        a_line_of("cigars", 1000, category="TOBACCO"),
        a_line_of("bread", 500),
        redeem=400,
        programme=GROSS,
    )
    assert original.line_items is not None

    shares = shares_of(original, original.line_items)

    assert shares.points_earned == (100, 0, 50)
    assert shares.points_redeemed == shares.discount_minor == (100, 200, 100)


def test_the_rules_of_the_day_of_the_purchase_split_the_points() -> None:
    """Double points for produce ended since; the return still takes back what they earned."""
    member, original = a_receipt(
        a_line_of("apples", 500, category="PRODUCE"), a_line_of("bread", 500)
    )
    later = replace(NET, version=2, category_percent={"PRODUCE": 0}, minor_per_point=1)

    _, decision, _ = returned(member, original, [("apples", 0)], programme=later)

    assert decision.points_taken_back == 100


# --- lines of every kind --------------------------------------------------------------------


def test_several_vat_rates_come_back_each_with_its_own_discount() -> None:
    """Golden vector of nopCommerce issue 836: 100.00 at 10 % and 100.00 at 20 %, 10.00 in
    points."""
    member, original = a_receipt(
        a_line_of("ten", 10_000, quantity_milli=3000, vat_rate_key="VAT_10"),
        a_line_of("twenty", 10_000, vat_rate_key="VAT_20"),
        redeem=1000,
    )

    first, rest = returned_in_turn(member, original, [("ten", 1000), ("twenty", 0)], [])

    assert [(v.vat_rate_key, v.refund_minor, v.discount_minor) for v in first.vat_refunds] == [
        ("VAT_10", 3333, 166),
        ("VAT_20", 10_000, 500),
    ]
    assert [(v.vat_rate_key, v.refund_minor, v.discount_minor) for v in rest.vat_refunds] == [
        ("VAT_10", 6667, 334),
    ]


def test_lines_are_told_in_the_order_of_the_receipt() -> None:
    member, original = a_receipt(
        a_line_of("a", 100, vat_rate_key="DE_7"),
        a_line_of("b", 100),
        a_line_of("c", 100, vat_rate_key="DE_7"),
    )

    _, decision, result = returned(member, original, [("c", 0), ("b", 0)])

    assert [line.line_id for line in decision.line_refunds] == ["b", "c"]
    assert [vat.vat_rate_key for vat in decision.vat_refunds] == ["DE_19", "DE_7"]
    assert [line_id for line_id, _, _ in result.reversal.lines] == ["b", "c"]


def test_a_gift_comes_back_for_nothing() -> None:
    member, original = a_receipt(a_line_of("soap", 1000), a_line_of("gift", 0), redeem=500)

    first, rest = returned_in_turn(member, original, [("gift", 0)], [])

    assert (first.refund_minor, first.discount_minor, first.points_taken_back) == (0, 0, 0)
    assert not first.complete
    assert (rest.refund_minor, rest.points_restored, rest.complete) == (1000, 500, True)


def test_a_weighed_line_comes_back_by_the_gram() -> None:
    """1.237 kg for 3.71: 0.500 kg of it are 1.49, the rest 2.22."""
    member, original = a_receipt(a_line_of("cheese", 371, quantity_milli=1237))

    first, rest = returned_in_turn(member, original, [("cheese", 500)], [("cheese", 737)])

    assert (first.refund_minor, rest.refund_minor) == (149, 222)
    assert rest.complete


def test_a_coupon_comes_back_with_its_goods() -> None:
    """40.00 and a coupon of 5.00, 7.00 in points: 8.00 and −1.00 hang on the lines."""
    member, original = a_receipt(
        a_line_of("shoes", 4000, quantity_milli=2000),
        a_line_of("coupon", -500),
        redeem=700,
        programme=GROSS,
    )
    assert original.captured.points_earned == 350

    (decision,) = returned_in_turn(member, original, [("shoes", 1000), ("coupon", 0)])

    assert [(line.refund_minor, line.discount_minor) for line in decision.line_refunds] == [
        (2000, 400),
        (-500, -100),
    ]
    assert (decision.points_restored, decision.points_taken_back) == (300, 150)


def test_goods_without_their_coupon_bring_back_no_more_than_the_receipt_had() -> None:
    """800 points would hang on the shoes; only 700 were redeemed, and 350 earned."""
    member, original = a_receipt(
        a_line_of("shoes", 4000, quantity_milli=2000),
        a_line_of("coupon", -500),
        redeem=700,
        programme=GROSS,
    )

    first, second = returned_in_turn(member, original, [("shoes", 1000)], [("shoes", 1000)])

    assert (first.points_restored, first.points_taken_back) == (400, 200)
    assert (second.points_restored, second.points_taken_back) == (300, 150)
    assert (first.discount_minor, second.discount_minor) == (400, 300)
    assert not second.complete


def test_a_deposit_that_had_paid_comes_back_as_money() -> None:
    """10.00 were paid with a deposit of 2.00 and 800 points. The goods come back: so do the 800
    points, and the deposit's 2.00; the bottles stay in the shop.
    """
    member, original = a_receipt(
        a_line_of("goods", 600, vat_rate_key="DE_7"),
        a_line_of("soap", 400),
        a_line_of("bottles", -200, quantity_milli=-8000),
        redeem=800,
    )

    first, second = returned_in_turn(member, original, [("goods", 0)], [("soap", 0)])

    assert (first.points_restored, money(first)) == (600, 0)
    assert (second.points_restored, money(second)) == (200, 200)
    assert [(v.refund_minor, v.discount_minor) for v in second.vat_refunds] == [(400, 200)]


def test_bottles_that_are_taken_home_again_are_paid_for() -> None:
    """10.00 less 2.00 for bottles, 4.00 of it in points. With half of the bottles, 9.00 come back:
    all 400 points, and the 4.00 of money, and 1.00 for the bottles that stay.
    """
    member, original = a_receipt(
        a_line_of("goods", 1000), a_line_of("bottles", -200, quantity_milli=-8000), redeem=400
    )

    (decision,) = returned_in_turn(member, original, [("goods", 0), ("bottles", -4000)])

    assert [(line.quantity_milli, line.refund_minor) for line in decision.line_refunds] == [
        (1000, 1000),
        (-4000, -100),
    ]
    assert (decision.points_restored, money(decision)) == (400, 500)


def test_what_is_paid_out_is_never_less_than_nothing() -> None:
    """By their own shares the first two lines would give 1 in points for nothing at all."""
    member, original = a_receipt(
        a_line_of("goods", 3), a_line_of("coupon", -3), a_line_of("more", 7), redeem=4
    )
    assert original.captured.line_discounts == (("goods", 2), ("coupon", -2), ("more", 4))
    uneven = replace(
        original,
        captured=replace(
            original.captured, line_discounts=(("goods", 2), ("coupon", -1), ("more", 3))
        ),
    )

    first, rest = returned_in_turn(member, uneven, [("goods", 0), ("coupon", 0)], [])

    assert (first.refund_minor, first.discount_minor) == (0, 0)
    assert [line.discount_minor for line in first.line_refunds] == [0, 0]
    assert (rest.refund_minor, rest.discount_minor) == (7, 4)


def test_no_more_money_comes_back_than_was_paid() -> None:
    """0.03 were paid, 0.01 of it with a point, which hangs on the nails alone. By its own share no
    point would come back with three of four, and 0.03 of money though only 0.02 were paid.
    """
    member, original = a_receipt(
        a_line_of("nails", 4, quantity_milli=4000), a_line_of("coupon", -1), redeem=1
    )
    assert original.captured.line_discounts == (("nails", 1),)

    first, rest = returned_in_turn(member, original, [("nails", 3000)], [])

    assert (first.refund_minor, money(first), first.points_restored) == (3, 2, 1)
    assert (rest.refund_minor, money(rest), rest.points_restored) == (0, 0, 0)
    assert rest.complete


def test_no_vat_rate_carries_more_than_all_of_its_refund() -> None:
    """By their own shares the lines of DE_7 would give 1 in points for a refund of 0."""
    member, original = a_receipt(
        a_line_of("milk", 3, vat_rate_key="DE_7"),
        a_line_of("coupon", -3, vat_rate_key="DE_7"),
        a_line_of("soap", 6),
        redeem=3,
    )
    uneven = replace(
        original,
        captured=replace(
            original.captured, line_discounts=(("milk", 2), ("coupon", -1), ("soap", 2))
        ),
    )

    (decision,) = returned_in_turn(member, uneven, [])

    assert [(v.vat_rate_key, v.refund_minor, v.discount_minor) for v in decision.vat_refunds] == [
        ("DE_7", 0, 0),
        ("DE_19", 6, 3),
    ]


def test_nothing_that_was_taken_back_comes_again() -> None:
    """A coupon on produce costs double: with tobacco it would give 50 of the 40 points back."""
    member, original = a_receipt(
        a_line_of("bread", 1000),
        a_line_of("cigars", 1000, category="TOBACCO"),
        a_line_of("coupon", -300, category="PRODUCE"),
    )
    assert original.captured.points_earned == 40

    decisions = returned_in_turn(
        member, original, [("bread", 500)], [("cigars", 0), ("coupon", 0)], []
    )

    assert [decision.points_taken_back for decision in decisions] == [40, 0, 0]
    assert decisions[-1].complete


def test_a_receipt_whose_rest_takes_money_away_is_left_as_it_is() -> None:
    member, original = a_receipt(
        a_line_of("goods", 1000), a_line_of("bottles", -200, quantity_milli=-8000)
    )
    member, _, first = returned(member, original, [("goods", 0)])

    rest = returning(member, original, so_far=first.reversal)

    assert not isinstance(rest, Reversing)
