"""A basket as the till rang it up: values only, validated where they come from the wire."""

from dataclasses import fields

from services.loyalty.domain.value import value


@value
class LineItem:
    """One line. `total_minor` is gross, after the till's own discounts; it may be negative."""

    line_id: str
    article_number: str
    text: str
    category: str
    brand: str
    quantity_milli: int  # thousandths of the unit of sale
    total_minor: int
    vat_rate_key: str


# The columns of a line item as it is stored (docs/ledger.md).
LINE_FIELDS = tuple([field.name for field in fields(LineItem)])


@value
class Basket:
    """What is paid together. `total_minor` is the sum of its lines and never negative."""

    basket_id: str
    receipt_number: str
    business_date: str  # YYYY-MM-DD, the day in the till's books
    cashier: str
    currency: str  # ISO 4217
    total_minor: int
    line_items: tuple[LineItem, ...]
