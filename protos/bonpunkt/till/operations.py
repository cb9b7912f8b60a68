"""What a till sends, built with names instead of nested messages.

    basket = operations.basket([operations.line_item("1", total_minor=1_99)], currency="EUR", …)
    operation = operations.capture("2999990000017", basket, redeem="maximum")

Nothing is checked here: what is malformed is refused by name, with the field's path.
"""

import os
import time
import uuid
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Literal

from bonpunkt.till.v1.till_pb2 import (
    Abandon,
    Basket,
    Capture,
    Identify,
    LineItem,
    Operation,
    Quote,
    Status,
)

__all__ = [
    "Redeem",
    "abandon",
    "basket",
    "capture",
    "identify",
    "line_item",
    "new_id",
    "quote",
    "status",
]

# Exactly so many points, as many as possible, or none.
Redeem = int | Literal["maximum"] | None


def random_uuid7() -> uuid.UUID:
    """RFC 9562, 5.7: 48 bits of Unix time in milliseconds, then randomness."""
    time_ms = time.time_ns() // 1_000_000
    random_bits = int.from_bytes(os.urandom(10), "big")
    number = time_ms << 80 | random_bits
    number = number & ~(0xF << 76) | 7 << 76  # version
    number = number & ~(0b11 << 62) | 0b10 << 62  # variant
    return uuid.UUID(int=number)


try:
    from uuid_utils import uuid7 as _uuid7
except ImportError:  # the client works without; an id then takes a few microseconds more
    _uuid7 = random_uuid7  # type: ignore[assignment]


def new_id() -> str:
    """An operation's or basket's id: a UUID of version 7, in canonical text form."""
    return str(_uuid7())


def line_item(
    line_id: str,
    *,
    total_minor: int,
    quantity_milli: int = 1000,
    article_number: str = "",
    text: str = "",
    category: str = "",
    brand: str = "",
    vat_rate_key: str = "",
) -> LineItem:
    """A line of a basket; `total_minor` is gross, after the till's own discounts."""
    return LineItem(
        line_id=line_id,
        article_number=article_number,
        text=text,
        category=category,
        brand=brand,
        quantity_milli=quantity_milli,
        total_minor=total_minor,
        vat_rate_key=vat_rate_key,
    )


def basket(
    line_items: Iterable[LineItem],
    *,
    currency: str,
    basket_id: str | None = None,
    receipt_number: str = "",
    business_date: date | str = "",
    cashier: str = "",
) -> Basket:
    """A basket whose total is the sum of its line items; a new id unless one is given.

    A quote can do without receipt number and business date, a capture cannot.
    """
    items = list(line_items)
    return Basket(
        basket_id=basket_id or new_id(),
        receipt_number=receipt_number,
        business_date=str(business_date),
        cashier=cashier,
        currency=currency,
        total_minor=sum(item.total_minor for item in items),
        line_items=items,
    )


def identify(card: str, *, timeout_ms: int = 0) -> Operation:
    operation = _operation(None, None, timeout_ms)
    operation.identify.CopyFrom(Identify(card=card))
    return operation


def quote(card: str, basket: Basket, *, timeout_ms: int = 0) -> Operation:
    operation = _operation(None, None, timeout_ms)
    operation.quote.CopyFrom(Quote(card=card, basket=basket))
    return operation


def capture(
    card: str,
    basket: Basket,
    *,
    redeem: Redeem = None,
    operation_id: str | None = None,
    occurred_at: datetime | None = None,
    timeout_ms: int = 0,
) -> Operation:
    """To be stored by the till before it is sent, so that it can be settled after a crash."""
    operation = _operation(operation_id, occurred_at, timeout_ms)
    operation.capture.CopyFrom(Capture(card=card, basket=basket))
    if redeem == "maximum":
        operation.capture.redeem_maximum = True
    elif redeem is not None:
        operation.capture.redeem_points = redeem
    return operation


def status(operation_id: str, *, timeout_ms: int = 0) -> Operation:
    """Asks what became of the operation `operation_id`; has an id of its own."""
    operation = _operation(None, None, timeout_ms)
    operation.status.CopyFrom(Status(operation_id=operation_id))
    return operation


def abandon(operation_id: str, *, timeout_ms: int = 0) -> Operation:
    """Burns the id `operation_id`; has an id of its own."""
    operation = _operation(None, None, timeout_ms)
    operation.abandon.CopyFrom(Abandon(operation_id=operation_id))
    return operation


def _operation(
    operation_id: str | None, occurred_at: datetime | None, timeout_ms: int
) -> Operation:
    operation = Operation(id=operation_id or new_id(), timeout_ms=timeout_ms)
    operation.occurred_at.FromDatetime(occurred_at or datetime.now(UTC))
    return operation
