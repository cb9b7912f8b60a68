"""What tills may get wrong, and what loyalty makes of their operations."""

from typing import Any

from bonpunkt.till import operations
from bonpunkt.till.v1 import till_pb2 as pb
from services.loyalty.domain.command import Capture
from services.loyalty.domain.decision import Refusal, Refused
from tests.loyalty.ledgers import NOON, a_wire_capture, read

CARD = "2900000000018"
MALFORMED_IDS = [
    "",
    "x",
    "0198C6F4-0000-7000-8000-000000000001",  # upper case
    "0198c6f400007000800000000000000a",  # no hyphens
    "{0198c6f4-0000-7000-8000-000000000001}",
    "0198c6f4-0000-7000-c000-000000000001",  # of another variant
    "0198c6f4-0000-7000-8000-00000000000",
    "0198c6f4-0000-7000-8000-0000000000011",
    "0198c6f4-0000-7000-8000-00000000000g",
    " 0198c6f4-0000-7000-8000-000000000001",
    "0198c6f4-0000-7000-8000-000000000001\n",
    "٠198c6f4-0000-7000-8000-000000000001",  # another alphabet's nought
]
UNPRINTABLE = ["a\nb", "\0", "\x7f", "\x1b[31m", "\u2028", "\u202e", "\ufeff"]


def refused(operation: pb.Operation) -> tuple[Refusal, str]:
    result = read(operation)
    assert isinstance(result, Refused), result
    assert result.remedy, "a refusal says what to do"
    return result.reason, result.field


def captured(operation: pb.Operation) -> Capture:
    result = read(operation)
    assert isinstance(result, Capture), result
    return result


def lines(*totals_minor: int) -> list[pb.LineItem]:
    return [
        operations.line_item(str(number), total_minor=total, vat_rate_key="DE_19")
        for number, total in enumerate(totals_minor, start=1)
    ]


# --- well-formed operations ---------------------------------------------------------------------

RESERVATION_ID = "0198c6f4-0000-7000-8000-0000000000aa"
CAPTURE_ID = "0198c6f4-0000-7000-8000-0000000000bb"
DAY = "2026-11-20"


def a_wire_reserve(
    card: str = CARD, *, redeem: operations.RedeemSome = "maximum", **changes: Any
) -> pb.Operation:
    """Of a basket that has no receipt yet."""
    basket = a_wire_capture(**changes).capture.basket
    basket.receipt_number = basket.business_date = ""
    return operations.reserve(card, basket, redeem=redeem, occurred_at=NOON)


def a_wire_release(reservation_id: str = RESERVATION_ID) -> pb.Operation:
    return operations.release(reservation_id, occurred_at=NOON)


def a_wire_void(receipt: pb.ReceiptReference | None = None, **changes: Any) -> pb.Operation:
    how = {"business_date": DAY, "cashier": "7", **changes}
    return operations.void_receipt(receipt or a_receipt(), occurred_at=NOON, **how)


def a_wire_return(
    *lines: pb.ReturnLine, receipt: pb.ReceiptReference | None = None, **changes: Any
) -> pb.Operation:
    """Of another receipt than its own."""
    how = {"receipt_number": "4712", "business_date": DAY, "cashier": "7", **changes}
    return operations.return_items(receipt or a_receipt(), lines, occurred_at=NOON, **how)


def a_receipt() -> pb.ReceiptReference:
    return operations.receipt("4711", DAY, terminal_id="till-7")


def a_wire_enrolment(card: str = CARD, language: str = "de") -> pb.Operation:
    return operations.enrol(card, language=language, occurred_at=NOON)
