"""What a till sends, built with names instead of nested messages.

    basket = operations.basket([operations.line_item("1", total_minor=1_99)], currency="EUR", …)
    operation = operations.capture("2999990000017", basket, redeem="maximum")

What books (reserve, release, capture, void_receipt, return_items, enrol, abandon) is stored by the
till before it is sent, so that it can be settled after a crash. Each takes `operation_id` (else a
new one), `occurred_at` (the till's clock, else now) and `timeout_ms` (0: 5 s).

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
    Enrol,
    Identify,
    LineItem,
    Operation,
    Quote,
    ReceiptReference,
    Release,
    Reserve,
    Return,
    ReturnLine,
    Status,
    Void,
)

__all__ = [
    "Redeem",
    "RedeemSome",
    "abandon",
    "basket",
    "capture",
    "enrol",
    "identify",
    "line_item",
    "new_id",
    "quote",
    "receipt",
    "receipt_of",
    "release",
    "reserve",
    "return_items",
    "return_line",
    "status",
    "void_receipt",
]

# Exactly so many points, as many as possible …
RedeemSome = int | Literal["maximum"]
# … or none.
Redeem = RedeemSome | None


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

    Quote and reserve can do without receipt number and business date, a capture cannot.
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


def reserve(
    card: str,
    basket: Basket,
    *,
    redeem: RedeemSome = "maximum",
    operation_id: str | None = None,
    occurred_at: datetime | None = None,
    timeout_ms: int = 0,
) -> Operation:
    """Sets points aside for a basket that is not paid yet. The operation's id is the reservation's.

    Reserving again under the same `basket.basket_id` replaces the reservation and renews its time.
    """
    operation = _operation(operation_id, occurred_at, timeout_ms)
    operation.reserve.CopyFrom(Reserve(card=card, basket=basket))
    _redeem(operation.reserve, redeem)
    return operation


def release(
    reservation_id: str,
    *,
    operation_id: str | None = None,
    occurred_at: datetime | None = None,
    timeout_ms: int = 0,
) -> Operation:
    """Gives up what the operation `reservation_id` reserved."""
    operation = _operation(operation_id, occurred_at, timeout_ms)
    operation.release.CopyFrom(Release(reservation_id=reservation_id))
    return operation


def capture(
    card: str,
    basket: Basket,
    *,
    redeem: Redeem = None,
    reservation_id: str = "",
    operation_id: str | None = None,
    occurred_at: datetime | None = None,
    timeout_ms: int = 0,
) -> Operation:
    """Books a paid basket. `reservation_id` is the id of the operation that reserved for it, if
    one did; `redeem` is said all the same.
    """
    operation = _operation(operation_id, occurred_at, timeout_ms)
    operation.capture.CopyFrom(Capture(card=card, basket=basket, reservation_id=reservation_id))
    _redeem(operation.capture, redeem)
    return operation


def receipt(
    receipt_number: str, business_date: date | str, *, terminal_id: str = ""
) -> ReceiptReference:
    """An earlier receipt, by what is printed on it; without `terminal_id`, one of this terminal."""
    return ReceiptReference(
        terminal_id=terminal_id, business_date=str(business_date), receipt_number=receipt_number
    )


def receipt_of(capture_id: str) -> ReceiptReference:
    """The receipt that the operation `capture_id` booked."""
    return ReceiptReference(capture_id=capture_id)


def void_receipt(
    receipt: ReceiptReference,
    *,
    business_date: date | str,
    cashier: str = "",
    operation_id: str | None = None,
    occurred_at: datetime | None = None,
    timeout_ms: int = 0,
) -> Operation:
    """Takes back a whole receipt; `business_date` is the till's day now."""
    operation = _operation(operation_id, occurred_at, timeout_ms)
    operation.void_receipt.CopyFrom(
        Void(receipt=receipt, business_date=str(business_date), cashier=cashier)
    )
    return operation


def return_line(line_id: str, quantity_milli: int = 0) -> ReturnLine:
    """So many thousandths of a line, with the line's sign; 0: what is left of it."""
    return ReturnLine(line_id=line_id, quantity_milli=quantity_milli)


def return_items(
    receipt: ReceiptReference,
    lines: Iterable[ReturnLine] = (),
    *,
    receipt_number: str,
    business_date: date | str,
    cashier: str = "",
    operation_id: str | None = None,
    occurred_at: datetime | None = None,
    timeout_ms: int = 0,
) -> Operation:
    """Takes back lines of an earlier `receipt`, or without any everything that is left of it.

    `receipt_number` and `business_date` are those of the receipt printed for the return itself.
    """
    operation = _operation(operation_id, occurred_at, timeout_ms)
    operation.return_items.CopyFrom(
        Return(
            receipt=receipt,
            lines=lines,
            receipt_number=receipt_number,
            business_date=str(business_date),
            cashier=cashier,
        )
    )
    return operation


def enrol(
    card: str,
    *,
    language: str,
    operation_id: str | None = None,
    occurred_at: datetime | None = None,
    timeout_ms: int = 0,
) -> Operation:
    """A new member with a fresh card; `language` is BCP 47, such as "de"."""
    operation = _operation(operation_id, occurred_at, timeout_ms)
    operation.enrol.CopyFrom(Enrol(card=card, language=language))
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


def _redeem(into: Capture | Reserve, redeem: Redeem) -> None:
    if redeem == "maximum":
        into.redeem_maximum = True
    elif redeem is not None:
        into.redeem_points = redeem
