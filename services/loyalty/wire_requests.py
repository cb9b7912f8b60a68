"""Till messages → commands and questions, or a refusal that names the field and the remedy.

Everything that needs no ledger is checked here, in the order of `Refusal`; what passes is
well-formed for ever.
"""

import re
from collections.abc import Sequence
from datetime import date
from hashlib import sha256
from typing import Any

import orjson

from bonpunkt.till.v1 import till_pb2 as pb
from services.loyalty.domain.basket import Basket, LineItem
from services.loyalty.domain.decision import (
    Abandon,
    Capture,
    Command,
    Maximum,
    Origin,
    Refusal,
    Refused,
)
from services.loyalty.quotes import AskStatus, Identify, Question, QuoteBasket

MINOR_MAX = 10**12  # of a line and of a basket, in minor units
LINES_MAX = 1000
CARD_MAX = 64
POINTS_MAX = 10**15
TEXTS_MAX = 1000  # characters of all texts of one line together
NO_BREAK_SPACE = "\u00a0"  # common in article texts; Python does not count it as printable
UUID_FORM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
# An operation id that others make: version 8 is for what time does (domain/due.py), so that nobody
# can take the id of an effect before it happens.
OPERATION_ID_FORM = re.compile(rf"(?!.{{14}}8){UUID_FORM.pattern}")

# Counts up when the fields that make a request the same request change; old fingerprints stay
# comparable by it.
FINGERPRINT_VERSION = 1
LINE_FIELDS = (
    "line_id",
    "article_number",
    "text",
    "category",
    "brand",
    "quantity_milli",
    "total_minor",
    "vat_rate_key",
)


def request_from_wire(
    operation: pb.Operation, *, terminal_id: str, store_id: str, currency: str
) -> Command | Question | Refused:
    """What the operation asks; `currency` is the programme's."""
    if not OPERATION_ID_FORM.fullmatch(operation.id):
        return _malformed_id("id")
    try:
        occurred_at_us = (
            operation.occurred_at.ToMicroseconds() if operation.HasField("occurred_at") else None
        )
    except ValueError:
        return Refused(
            Refusal.MALFORMED, "occurred_at", "send a time of the years 1 to 9999, or leave it out"
        )
    kind = operation.WhichOneof("kind")
    if kind == "capture":
        origin = Origin(terminal_id, store_id, "", occurred_at_us)
        return _capture(operation.id, operation.capture, origin, currency)
    if kind == "quote":
        return _quote(operation.quote, currency)
    if kind == "identify":
        return _card_refusal(operation.identify.card, "identify.card") or Identify(
            operation.identify.card
        )
    if kind == "status":
        if not UUID_FORM.fullmatch(operation.status.operation_id):
            return _malformed_id("status.operation_id")
        return AskStatus(operation.status.operation_id)
    if kind == "abandon":
        return _abandon(operation, Origin(terminal_id, store_id))
    return Refused(
        Refusal.MALFORMED, "kind", "set one of identify, quote, capture, status, abandon"
    )


def _capture(
    operation_id: str, message: pb.Capture, origin: Origin, currency: str
) -> Capture | Refused:
    refusal = _card_refusal(message.card, "capture.card")
    if refusal is not None:
        return refusal
    redeem = _redeem(message)
    if isinstance(redeem, Refused):
        return redeem
    read = _basket(message.basket, "capture.basket", currency)
    if isinstance(read, Refused):
        return read
    refusal = _receipt_refusal(message.basket)
    if refusal is not None:
        return refusal
    basket, lines_json = read
    fingerprint = _fingerprint(
        "capture",
        origin.terminal_id,
        message.card,
        redeem.value if isinstance(redeem, Maximum) else redeem,
        basket.basket_id,
        basket.receipt_number,
        basket.business_date,
        basket.cashier,
        basket.currency,
        lines=lines_json,
    )
    return Capture(operation_id, fingerprint, origin, message.card, basket, lines_json, redeem)


def _redeem(message: pb.Capture) -> int | Maximum | Refused | None:
    kind = message.WhichOneof("redemption")
    if kind == "redeem_points":
        if not 1 <= message.redeem_points <= POINTS_MAX:
            return Refused(
                Refusal.MALFORMED,
                "capture.redeem_points",
                "redeem 1 point or more, or leave the field out",
            )
        return message.redeem_points
    if kind == "redeem_maximum" and message.redeem_maximum:
        return Maximum.MAXIMUM
    return None


def _quote(message: pb.Quote, currency: str) -> QuoteBasket | Refused:
    refusal = _card_refusal(message.card, "quote.card")
    if refusal is not None:
        return refusal
    read = _basket(message.basket, "quote.basket", currency)
    return read if isinstance(read, Refused) else QuoteBasket(message.card, read[0])


def _abandon(operation: pb.Operation, origin: Origin) -> Abandon | Refused:
    target_id = operation.abandon.operation_id
    if not OPERATION_ID_FORM.fullmatch(target_id):
        return _malformed_id("abandon.operation_id")
    if target_id == operation.id:
        return Refused(
            Refusal.MALFORMED,
            "abandon.operation_id",
            "give the abandon an id of its own and name the other operation here",
        )
    fingerprint = _fingerprint("abandon", origin.terminal_id, target_id)
    return Abandon(operation.id, fingerprint, origin, target_id)


def _basket(message: pb.Basket, path: str, currency: str) -> tuple[Basket, str] | Refused:
    """The basket and its line items as stored."""
    if not message.line_items:
        return Refused(Refusal.BASKET_EMPTY, f"{path}.line_items", "send one line item or more")
    if len(message.line_items) > LINES_MAX:
        return Refused(
            Refusal.MALFORMED, f"{path}.line_items", f"send at most {LINES_MAX} line items"
        )
    if not UUID_FORM.fullmatch(message.basket_id):
        return _malformed_id(f"{path}.basket_id")
    if len(message.cashier) > CARD_MAX or not message.cashier.isprintable():
        return _malformed_text(f"{path}.cashier")
    rows = [
        [
            line.line_id,
            line.article_number,
            line.text,
            line.category,
            line.brand,
            line.quantity_milli,
            line.total_minor,
            line.vat_rate_key,
        ]
        for line in message.line_items
    ]
    lines_json = orjson.dumps(rows).decode()
    refusal = None if _are_plain(rows, lines_json) else _lines_refusal(rows, path)
    refusal = refusal or _total_refusal(message, rows, path, currency)
    if refusal is not None:
        return refusal
    basket = Basket(
        message.basket_id,
        message.receipt_number,
        message.business_date,
        message.cashier,
        message.currency,
        message.total_minor,
        tuple([LineItem(*row) for row in rows]),  # type: ignore[arg-type]
    )
    return basket, lines_json


def _are_plain(rows: Sequence[Sequence[Any]], lines_json: str) -> bool:
    """Whether a look at all lines together finds nothing to refuse; if not, each is looked at.

    JSON escapes what is no plain character, so one search finds it in any text of any line.
    """
    line_ids = {row[0] for row in rows}
    minors = [row[6] for row in rows]
    quantities = [row[5] for row in rows]
    return (
        "\\" not in lines_json
        and lines_json.isprintable()
        and (len(lines_json) <= TEXTS_MAX or max([_texts(row) for row in rows]) <= TEXTS_MAX)
        and len(line_ids) == len(rows)
        and "" not in line_ids
        and min(minors) >= -MINOR_MAX
        and max(minors) <= MINOR_MAX
        and min(quantities) >= -MINOR_MAX
        and max(quantities) <= MINOR_MAX
    )


def _texts(row: Sequence[Any]) -> int:
    """Characters of all texts of a line together."""
    line_id, article_number, text, category, brand, _, _, vat_rate_key = row
    return len(line_id + article_number + text + category + brand + vat_rate_key)


def _lines_refusal(rows: Sequence[Sequence[Any]], path: str) -> Refused | None:
    seen: set[str] = set()
    for number, row in enumerate(rows):
        line_id, quantity_milli, total_minor = row[0], row[5], row[6]
        at = f"{path}.line_items[{number}]"
        unprintable = _unprintable(row, at)
        if unprintable is not None or _texts(row) > TEXTS_MAX:
            return _malformed_text(unprintable or at)
        if not line_id or line_id in seen:
            return Refused(
                Refusal.MALFORMED, f"{at}.line_id", "give each line item an id of its own"
            )
        seen.add(line_id)
        if not -MINOR_MAX <= total_minor <= MINOR_MAX:
            return Refused(
                Refusal.BASKET_TOTAL_OVERFLOWS,
                f"{at}.total_minor",
                f"a line is at most {MINOR_MAX} minor units; is this the right unit?",
            )
        if not -MINOR_MAX <= quantity_milli <= MINOR_MAX:
            return Refused(
                Refusal.MALFORMED,
                f"{at}.quantity_milli",
                f"send at most {MINOR_MAX} thousandths; is this the right unit?",
            )
    return None


def _unprintable(row: Sequence[Any], at: str) -> str | None:
    """Path of the first text of a line that is not printable; a no-break space is."""
    for name, field in zip(LINE_FIELDS, row, strict=True):
        if isinstance(field, str) and not field.replace(NO_BREAK_SPACE, " ").isprintable():
            return f"{at}.{name}"
    return None


def _total_refusal(
    message: pb.Basket, rows: Sequence[Sequence[Any]], path: str, currency: str
) -> Refused | None:
    at = f"{path}.total_minor"
    total_minor = sum([row[6] for row in rows])
    if total_minor > MINOR_MAX or abs(message.total_minor) > MINOR_MAX:
        return Refused(
            Refusal.BASKET_TOTAL_OVERFLOWS,
            at,
            f"a basket is at most {MINOR_MAX} minor units; is this the right unit?",
        )
    if total_minor < 0 or message.total_minor < 0:
        return Refused(
            Refusal.BASKET_TOTAL_NEGATIVE, at, "a basket that pays money back is a return"
        )
    if total_minor != message.total_minor:
        return Refused(
            Refusal.BASKET_TOTAL_DIFFERS,
            at,
            f"the line items add up to {total_minor}; send that, or the missing line",
        )
    if message.currency != currency:
        return Refused(
            Refusal.CURRENCY_WRONG, f"{path}.currency", f"this programme counts in {currency}"
        )
    return None


def _receipt_refusal(message: pb.Basket) -> Refused | None:
    number = message.receipt_number
    if not 1 <= len(number) <= CARD_MAX or not number.isprintable():
        return Refused(
            Refusal.MALFORMED,
            "capture.basket.receipt_number",
            f"send the printed number, 1 to {CARD_MAX} printable characters",
        )
    day = message.business_date
    try:
        well_formed = date.fromisoformat(day).isoformat() == day
    except ValueError:
        well_formed = False
    if not well_formed:
        return Refused(
            Refusal.MALFORMED,
            "capture.basket.business_date",
            "send the till's business day as YYYY-MM-DD",
        )
    return None


def _card_refusal(card: str, path: str) -> Refused | None:
    if 1 <= len(card) <= CARD_MAX and card.isprintable():
        return None
    return Refused(
        Refusal.MALFORMED, path, f"send the card number, 1 to {CARD_MAX} printable characters"
    )


def _malformed_id(path: str) -> Refused:
    return Refused(
        Refusal.MALFORMED_ID,
        path,
        "send a UUID (version 7 advised, not 8) in its canonical text form, in lower case",
    )


def _malformed_text(path: str) -> Refused:
    return Refused(
        Refusal.MALFORMED,
        path,
        f"send printable characters only, at most {CARD_MAX} of a cashier and {TEXTS_MAX} a line",
    )


def _fingerprint(*fields: object, lines: str = "") -> bytes:
    return sha256(orjson.dumps([FINGERPRINT_VERSION, *fields]) + lines.encode()).digest()


def command_fingerprint(kind: str, *fields: object) -> bytes:
    """The fingerprint of a command that comes from inside the house."""
    return _fingerprint(kind, *fields)
