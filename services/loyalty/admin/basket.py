"""The line items of a journal entry, with the discount that each line and each VAT rate got."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# docs/ledger.md: columns of a stored line item.
COLUMNS = (
    "line_id",
    "article_number",
    "text",
    "category",
    "brand",
    "quantity_milli",
    "total_minor",
    "vat_rate_key",
)


@dataclass(frozen=True, slots=True)
class Line:
    text: str
    article_number: str
    category: str
    quantity_milli: int
    total_minor: int
    discount_minor: int
    vat_rate_key: str


@dataclass(frozen=True, slots=True)
class VatRate:
    vat_rate_key: str
    gross_minor: int
    discount_minor: int
    gross_after_minor: int


def lines_of(basket: Sequence[Any], decision: Mapping[str, Any]) -> list[Line]:
    """In the order of the receipt; empty once the retention of line items is over."""
    discounts = {str(line): int(minor) for line, minor in decision.get("line_discounts", [])}
    return [_line(_named(item), discounts) for item in basket]


def vat_of(basket: Sequence[Any], decision: Mapping[str, Any]) -> list[VatRate]:
    """As it was decided; summed from the lines where there was no discount to split."""
    decided = [
        VatRate(str(key), int(gross), int(discount), int(after))
        for key, discount, gross, after in decision.get("vat_discounts", [])
    ]
    if decided:
        return decided
    gross_of: dict[str, int] = {}
    for item in map(_named, basket):
        key = str(item.get("vat_rate_key", ""))
        gross_of[key] = gross_of.get(key, 0) + int(item.get("total_minor", 0))
    return [VatRate(key, gross, 0, gross) for key, gross in sorted(gross_of.items())]


def _line(item: Mapping[str, Any], discounts: Mapping[str, int]) -> Line:
    return Line(
        text=str(item.get("text", "")),
        article_number=str(item.get("article_number", "")),
        category=str(item.get("category", "")),
        quantity_milli=int(item.get("quantity_milli", 0)),
        total_minor=int(item.get("total_minor", 0)),
        discount_minor=discounts.get(str(item.get("line_id", "")), 0),
        vat_rate_key=str(item.get("vat_rate_key", "")),
    )


def _named(item: Any) -> Mapping[str, Any]:
    """A line item is stored as a list of its columns."""
    return item if isinstance(item, Mapping) else dict(zip(COLUMNS, item, strict=False))
