"""The payment in points as a discount: split over lines and VAT rates, to the last minor unit."""

from collections.abc import Sequence

from services.loyalty.domain.basket import Basket
from services.loyalty.domain.value import value


@value
class VatShare:
    """What the discount takes from the lines of one VAT rate."""

    vat_rate_key: str
    discount_minor: int
    gross_minor: int
    gross_after_minor: int


def split_over_lines(discount_minor: int, basket: Basket) -> tuple[int, ...]:
    """One share per line in their order, adding up to `discount_minor`."""
    return split_by_vat_rate(
        discount_minor,
        totals_minor=[line.total_minor for line in basket.line_items],
        vat_rate_keys=[line.vat_rate_key for line in basket.line_items],
    )


def split_by_vat_rate(
    discount_minor: int, *, totals_minor: Sequence[int], vat_rate_keys: Sequence[str]
) -> tuple[int, ...]:
    """One share per line, given the total and the VAT rate of each, adding up to `discount_minor`.

    Proportional to the signed line totals: every line shrinks by the same proportion, so a
    negative line has a negative share. Rounded by largest remainder (ties: the earlier), first
    among the VAT rates, then among the lines of each: so every share lies between 0 and the total
    of its line, and no VAT rate is discounted by more than its gross.
    """
    total_minor = sum(totals_minor)
    assert 0 <= discount_minor <= total_minor, "points pay no more than the basket"
    if discount_minor == 0:
        return (0,) * len(totals_minor)
    exact = [discount_minor * line_minor for line_minor in totals_minor]  # over total_minor
    lines_of_rate: dict[str, list[int]] = {}
    for index, key in enumerate(vat_rate_keys):
        lines_of_rate.setdefault(key, []).append(index)
    rate_shares = rounded_to_sum(
        [sum([exact[index] for index in indexes]) for indexes in lines_of_rate.values()],
        denominator=total_minor,
        rounded_sum=discount_minor,
    )
    shares = [0] * len(exact)
    for number, indexes in enumerate(lines_of_rate.values()):
        line_shares = rounded_to_sum(
            [exact[index] for index in indexes],
            denominator=total_minor,
            rounded_sum=rate_shares[number],
        )
        for place, index in enumerate(indexes):
            shares[index] = line_shares[place]
    return tuple(shares)


def split_over_vat_rates(shares: Sequence[int], basket: Basket) -> tuple[VatShare, ...]:
    """The line shares of `split_over_lines` summed by VAT rate, in order of first appearance."""
    assert len(shares) == len(basket.line_items), "each line has its share"
    discount_of: dict[str, int] = {}
    gross_of: dict[str, int] = {}
    for number, line in enumerate(basket.line_items):
        key, share = line.vat_rate_key, shares[number]
        discount_of[key] = discount_of.get(key, 0) + share
        gross_of[key] = gross_of.get(key, 0) + line.total_minor
    return tuple(
        [
            VatShare(
                vat_rate_key=key,
                discount_minor=discount,
                gross_minor=gross_of[key],
                gross_after_minor=gross_of[key] - discount,
            )
            for key, discount in discount_of.items()
        ]
    )


def rounded_to_sum(numerators: Sequence[int], *, denominator: int, rounded_sum: int) -> list[int]:
    """The fractions rounded so that they add up to `rounded_sum`: largest remainder goes up.

    `rounded_sum` is the fractions' sum, itself rounded down or up; so no fraction moves by a whole
    unit, and what is a whole number already stays.
    """
    rounded = [numerator // denominator for numerator in numerators]
    missing = rounded_sum - sum(rounded)
    assert 0 <= missing <= len(rounded)
    if missing:
        largest_first = sorted(
            [(-(numerator % denominator), index) for index, numerator in enumerate(numerators)]
        )  # among equals the earlier comes first
        for _, index in largest_first[:missing]:
            rounded[index] += 1
    return rounded
