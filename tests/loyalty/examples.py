"""A programme and baskets to vary: each test names only what its rule is about."""

from dataclasses import replace
from typing import Any

from services.loyalty.domain.basket import Basket, LineItem
from services.loyalty.domain.programme import Programme

PROGRAMME = Programme(
    name="Example",
    version=1,
    currency="EUR",
    time_zone="Europe/Berlin",
    minor_per_point=200,
    category_percent={"TOBACCO": 0, "PRODUCE": 200},
    net_of_points=True,
    value_points=1,
    value_minor=1,
    redeem_minimum=1,
    redeem_step=1,
    redeem_share_percent=100,
    expiry_months=36,
)


def a_programme(**changes: Any) -> Programme:
    """One point per 2.00, net of points; a point is worth 0.01, redeemable from the first."""
    return replace(PROGRAMME, **changes)


def a_line(total_minor: int, category: str = "GROCERY", vat_rate_key: str = "DE_19") -> LineItem:
    return LineItem(
        line_id="",
        article_number="4006381333931",
        text="Example",
        category=category,
        brand="",
        quantity_milli=1000,
        total_minor=total_minor,
        vat_rate_key=vat_rate_key,
    )


def a_basket(*lines: LineItem) -> Basket:
    return Basket(
        basket_id="0198c6f4-0000-7000-8000-000000000001",
        receipt_number="1",
        business_date="2025-08-20",
        cashier="7",
        currency="EUR",
        total_minor=sum(line.total_minor for line in lines),
        line_items=tuple(
            replace(line, line_id=str(number)) for number, line in enumerate(lines, start=1)
        ),
    )
