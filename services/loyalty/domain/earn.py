"""What a basket earns: one weight over its lines, then one division, rounded down once."""

from services.loyalty.domain.basket import Basket, LineItem
from services.loyalty.domain.programme import Programme

PERCENT_OF_A_SINGLE_RATE = 100


def rated_weight(basket: Basket, programme: Programme) -> int:
    """The basket before points, each line times the percent of its category.

    In hundredths of a minor unit and signed: a coupon or a returned deposit takes away what its
    own category earns. Negative as a whole when such lines outweigh the rest.
    """
    percent_of, weight = programme.category_percent, 0
    for line in basket.line_items:  # `line_weight` of each line, without the calls
        percent = PERCENT_OF_A_SINGLE_RATE
        if line.category in percent_of:  # few are, and to look is cheaper than to get
            percent = percent_of[line.category]
        weight += line.total_minor * percent
    return weight


def line_weight(line: LineItem, programme: Programme) -> int:
    """One line's part of the rated weight."""
    percent = programme.category_percent.get(line.category, PERCENT_OF_A_SINGLE_RATE)
    return line.total_minor * percent


def points_earned(
    weight: int, *, total_minor: int, discount_minor: int, programme: Programme
) -> int:
    """Whole points for a basket of `total_minor` of which points pay `discount_minor`.

    `weight` is the basket's `rated_weight`. Where the programme rates net of points, the payment
    in points is spread over all lines in proportion, which scales the weight by
    (total − discount) / total: exactly, not by the split in whole cents that the receipt shows,
    and rounded down once, so that ten small lines earn what one large line does. The discount
    grows with the points spent, so earning never rises with them. A programme that rates gross
    ignores the discount. A basket of 0 and a weight below 0 earn nothing.
    """
    assert 0 <= discount_minor <= total_minor, "points pay no more than the basket"
    if weight <= 0 or total_minor == 0:
        return 0
    weight_per_point = programme.minor_per_point * PERCENT_OF_A_SINGLE_RATE
    if not programme.net_of_points:
        return weight // weight_per_point
    return weight * (total_minor - discount_minor) // (total_minor * weight_per_point)
