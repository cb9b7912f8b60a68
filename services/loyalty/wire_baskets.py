"""A basket as the till sent it → the domain's basket and its line items as they are stored.

Lines are looked at all together first: a checkout has many, and hardly ever is one of them wrong.
"""

from typing import Final

from bonpunkt.till.v1 import till_pb2 as pb
from services.loyalty.domain.basket import LINE_FIELDS, Basket, LineItem
from services.loyalty.domain.decision import Refusal, Refused
from services.loyalty.wire_forms import (
    NO_BREAK_SPACE,
    TEXTS_MAX,
    UUID_FORM,
    cashier_refusal,
    malformed_id,
    malformed_text,
)
from services.loyalty.wire_lines import lines_from_wire

MINOR_MAX: Final = 10**12  # of a line and of a basket, in minor units
QUANTITY_MAX: Final = 10**12  # of a line, in thousandths
LINES_MAX = 1000
DEL = "\x7f"


def basket_from_wire(message: pb.Basket, path: str, currency: str) -> tuple[Basket, str] | Refused:
    """The basket and its line items as stored, from a basket that holds its lines as bytes. Receipt
    number and business date are taken as they are: they are judged where they count.
    """
    raw_lines: list[bytes] = message.line_items[:]  # type: ignore[assignment]
    if not raw_lines:
        return Refused(Refusal.BASKET_EMPTY, f"{path}.line_items", "send one line item or more")
    if len(raw_lines) > LINES_MAX:
        return Refused(
            Refusal.MALFORMED, f"{path}.line_items", f"send at most {LINES_MAX} line items"
        )
    basket_id, cashier = message.basket_id, message.cashier
    if not UUID_FORM.fullmatch(basket_id):
        return malformed_id(f"{path}.basket_id")
    refusal = cashier_refusal(cashier, path)
    if refusal is not None:
        return refusal
    read = lines_from_wire(raw_lines)
    if isinstance(read, int):
        return Refused(
            Refusal.MALFORMED,
            f"{path}.line_items[{read}]",
            "these bytes are no LineItem; build the message from the contract",
        )
    items, lines_json = read
    refusal = None if _are_plain(items, raw_lines, lines_json) else _lines_refusal(items, path)
    basket = Basket(
        basket_id,
        message.receipt_number,
        message.business_date,
        cashier,
        message.currency,
        message.total_minor,
        tuple(items),
    )
    refusal = refusal or _total_refusal(basket, path, currency)
    return refusal or (basket, lines_json)


def _are_plain(items: list[LineItem], raw_lines: list[bytes], lines_json: str) -> bool:
    """Whether a look at all lines together finds nothing to refuse; if not, each is looked at.

    JSON escapes what is no plain character, so one search finds it in any text of any line: all but
    the ASCII character DEL, and those beyond ASCII.
    """
    line_ids: set[str] = set()
    for number, line in enumerate(items):
        line_ids.add(line.line_id)
        if len(raw_lines[number]) > TEXTS_MAX and _texts(line) > TEXTS_MAX:
            return False
        if not (
            -MINOR_MAX <= line.total_minor <= MINOR_MAX
            and -QUANTITY_MAX <= line.quantity_milli <= QUANTITY_MAX
        ):
            return False
    return (
        "\\" not in lines_json
        and ((lines_json.isascii() and DEL not in lines_json) or lines_json.isprintable())
        and len(line_ids) == len(items)
        and "" not in line_ids
    )


def _texts(line: LineItem) -> int:
    """Characters of all texts of a line together."""
    return sum([len(text) for _, text in _named_texts(line)])


def _named_texts(line: LineItem) -> list[tuple[str, str]]:
    fields = [(name, getattr(line, name)) for name in LINE_FIELDS]
    return [(name, field) for name, field in fields if isinstance(field, str)]


def _lines_refusal(items: list[LineItem], path: str) -> Refused | None:
    seen: set[str] = set()
    for number, line in enumerate(items):
        at = f"{path}.line_items[{number}]"
        unprintable = _unprintable(line, at)
        if unprintable is not None or _texts(line) > TEXTS_MAX:
            return malformed_text(unprintable or at)
        if not line.line_id or line.line_id in seen:
            return Refused(
                Refusal.MALFORMED, f"{at}.line_id", "give each line item an id of its own"
            )
        seen.add(line.line_id)
        if not -MINOR_MAX <= line.total_minor <= MINOR_MAX:
            return Refused(
                Refusal.BASKET_TOTAL_OVERFLOWS,
                f"{at}.total_minor",
                f"a line is at most {MINOR_MAX} minor units; is this the right unit?",
            )
        refusal = quantity_refusal(line.quantity_milli, f"{at}.quantity_milli")
        if refusal is not None:
            return refusal
    return None


def quantity_refusal(quantity_milli: int, path: str) -> Refused | None:
    if -QUANTITY_MAX <= quantity_milli <= QUANTITY_MAX:
        return None
    return Refused(
        Refusal.MALFORMED,
        path,
        f"send at most {QUANTITY_MAX} thousandths; is this the right unit?",
    )


def _unprintable(line: LineItem, at: str) -> str | None:
    """Path of the first text of a line that is not printable; a no-break space is."""
    for name, text in _named_texts(line):
        if not text.replace(NO_BREAK_SPACE, " ").isprintable():
            return f"{at}.{name}"
    return None


def _total_refusal(basket: Basket, path: str, currency: str) -> Refused | None:
    at = f"{path}.total_minor"
    sent_minor = basket.total_minor
    total_minor = sum([line.total_minor for line in basket.line_items])
    if total_minor > MINOR_MAX or abs(sent_minor) > MINOR_MAX:
        return Refused(
            Refusal.BASKET_TOTAL_OVERFLOWS,
            at,
            f"a basket is at most {MINOR_MAX} minor units; is this the right unit?",
        )
    if total_minor < 0 or sent_minor < 0:
        return Refused(
            Refusal.BASKET_TOTAL_NEGATIVE, at, "a basket that pays money back is a return"
        )
    if total_minor != sent_minor:
        return Refused(
            Refusal.BASKET_TOTAL_DIFFERS,
            at,
            f"the line items add up to {total_minor}; send that, or the missing line",
        )
    if basket.currency != currency:
        return Refused(
            Refusal.CURRENCY_WRONG, f"{path}.currency", f"this programme counts in {currency}"
        )
    return None
