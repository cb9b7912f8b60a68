"""Taking back what an earlier receipt booked, as a whole (void) or line by line (return)."""

from bonpunkt.till.v1 import till_pb2 as pb
from services.loyalty.domain.command import Origin, ReceiptReference, ReturnItems, VoidReceipt
from services.loyalty.domain.decision import Refusal, Refused
from services.loyalty.wire_baskets import LINES_MAX, quantity_refusal
from services.loyalty.wire_forms import (
    CARD_MAX,
    NO_BREAK_SPACE,
    OPERATION_ID_FORM,
    TEXTS_MAX,
    business_date_refusal,
    cashier_refusal,
    command_fingerprint,
    malformed_id,
    receipt_refusal,
)

RETURN_LINES_MAX = LINES_MAX


def void_from_wire(operation_id: str, message: pb.Void, origin: Origin) -> VoidReceipt | Refused:
    receipt = _reference(message.receipt, "void_receipt.receipt", origin.terminal_id)
    if isinstance(receipt, Refused):
        return receipt
    refusal = business_date_refusal(message.business_date, "void_receipt") or cashier_refusal(
        message.cashier, "void_receipt"
    )
    if refusal is not None:
        return refusal
    fingerprint = command_fingerprint(
        "void",
        origin.terminal_id,
        *_named(receipt),
        message.business_date,
        message.cashier,
    )
    return VoidReceipt(
        operation_id, fingerprint, origin, receipt, message.business_date, message.cashier
    )


def return_from_wire(
    operation_id: str, message: pb.Return, origin: Origin
) -> ReturnItems | Refused:
    receipt = _reference(message.receipt, "return_items.receipt", origin.terminal_id)
    if isinstance(receipt, Refused):
        return receipt
    refusal = (
        receipt_refusal(message.receipt_number, message.business_date, "return_items")
        or cashier_refusal(message.cashier, "return_items")
        or _lines_refusal(message)
    )
    if refusal is not None:
        return refusal
    lines = tuple([(line.line_id, line.quantity_milli) for line in message.lines])
    fingerprint = command_fingerprint(
        "return",
        origin.terminal_id,
        *_named(receipt),
        message.receipt_number,
        message.business_date,
        message.cashier,
        lines,
    )
    return ReturnItems(
        operation_id,
        fingerprint,
        origin,
        receipt,
        lines,
        message.receipt_number,
        message.business_date,
        message.cashier,
    )


def _reference(
    message: pb.ReceiptReference, path: str, terminal_id: str
) -> ReceiptReference | Refused:
    """The receipt that is meant; without a terminal's name, one of the terminal that asks."""
    printed = (message.terminal_id, message.business_date, message.receipt_number)
    if message.capture_id:
        if any(printed):
            return Refused(
                Refusal.MALFORMED,
                f"{path}.capture_id",
                "name the receipt by its capture or by what is printed on it, not by both",
            )
        if not OPERATION_ID_FORM.fullmatch(message.capture_id):
            return malformed_id(f"{path}.capture_id")
        return ReceiptReference(capture_id=message.capture_id)
    if len(message.terminal_id) > CARD_MAX or not message.terminal_id.isprintable():
        return Refused(
            Refusal.MALFORMED,
            f"{path}.terminal_id",
            "send the name of the terminal that printed the receipt; none if it was this one",
        )
    refusal = receipt_refusal(message.receipt_number, message.business_date, path)
    if refusal is not None:
        return refusal
    return ReceiptReference(
        message.terminal_id or terminal_id, message.business_date, message.receipt_number
    )


def _named(receipt: ReceiptReference) -> tuple[str, str, str, str]:
    return receipt.terminal_id, receipt.business_date, receipt.receipt_number, receipt.capture_id


def _lines_refusal(message: pb.Return) -> Refused | None:
    if len(message.lines) > RETURN_LINES_MAX:
        return Refused(
            Refusal.MALFORMED, "return_items.lines", f"send at most {RETURN_LINES_MAX} lines"
        )
    seen: set[str] = set()
    for number, line in enumerate(message.lines):
        at = f"return_items.lines[{number}]"
        if not _is_line_id(line.line_id) or line.line_id in seen:
            return Refused(
                Refusal.MALFORMED,
                f"{at}.line_id",
                "name each line that comes back once, as the capture named it",
            )
        seen.add(line.line_id)
        refusal = quantity_refusal(line.quantity_milli, f"{at}.quantity_milli")
        if refusal is not None:
            return refusal
    return None


def _is_line_id(line_id: str) -> bool:
    """Whether a capture can have named a line so: else a line could not be returned by its id."""
    plain = line_id.replace(NO_BREAK_SPACE, " ")
    return 1 <= len(plain) <= TEXTS_MAX and plain.isprintable()
