"""Till messages → commands and questions, or a refusal that names the field and the remedy.

Everything that needs no ledger is checked here, in the order of `Refusal`; what passes is
well-formed for ever.
"""

from dataclasses import replace

from bonpunkt.till.v1 import till_pb2 as pb
from services.loyalty.domain.command import (
    Abandon,
    Capture,
    Command,
    Enrol,
    Maximum,
    Origin,
    Release,
    Reserve,
)
from services.loyalty.domain.decision import Refusal, Refused
from services.loyalty.domain.due import derived_id
from services.loyalty.quotes import AskStatus, Identify, Question, QuoteBasket
from services.loyalty.wire_baskets import basket_from_wire
from services.loyalty.wire_forms import (
    OPERATION_ID_FORM,
    card_refusal,
    command_fingerprint,
    is_language,
    malformed_id,
    receipt_refusal,
)
from services.loyalty.wire_returns import return_from_wire, void_from_wire

POINTS_MAX = 10**15
YEAR_1_S, YEAR_9999_S = -62_135_596_800, 253_402_300_799  # what a Timestamp may hold


def request_from_wire(
    operation: pb.Operation, *, terminal_id: str, store_id: str, currency: str
) -> Command | Question | Refused:
    """What an operation of `operation_from_bytes` asks; `currency` is the programme's."""
    operation_id = operation.id
    if not OPERATION_ID_FORM.fullmatch(operation_id):
        return malformed_id("id")
    occurred_at_us: int | None = None
    if operation.HasField("occurred_at"):
        occurred_at = operation.occurred_at
        seconds, nanos = occurred_at.seconds, occurred_at.nanos
        if not YEAR_1_S <= seconds <= YEAR_9999_S or not 0 <= nanos < 1_000_000_000:
            return Refused(
                Refusal.MALFORMED,
                "occurred_at",
                "send a time of the years 1 to 9999, or leave it out",
            )
        occurred_at_us = seconds * 1_000_000 + nanos // 1000
    origin = Origin(terminal_id, store_id, "", occurred_at_us)
    match operation.WhichOneof("kind"):
        case "capture":
            return _capture(operation_id, operation.capture, origin, currency)
        case "quote":
            return _quote(operation.quote, currency)
        case "identify":
            return _identify(operation.identify)
        case "reserve":
            return _reserve(operation_id, operation.reserve, origin, currency)
        case "release":
            return _release(operation_id, operation.release, origin)
        case "return_items":
            return return_from_wire(operation_id, operation.return_items, origin)
        case "void_receipt":
            return void_from_wire(operation_id, operation.void_receipt, origin)
        case "enrol":
            return _enrol(operation_id, operation.enrol, origin)
        case "status":
            return _status(operation.status)
        case "abandon":
            return _abandon(operation_id, operation.abandon, origin)
        case _:
            return Refused(
                Refusal.MALFORMED,
                "kind",
                "set one of identify, quote, reserve, release, capture, void_receipt, "
                "return_items, enrol, status, abandon",
            )


def _capture(
    operation_id: str, message: pb.Capture, origin: Origin, currency: str
) -> Capture | Refused:
    card = message.card
    refusal = card_refusal(card, "capture")
    if refusal is not None:
        return refusal
    redeem = _redeem(message, "capture")
    if isinstance(redeem, Refused):
        return redeem
    reservation_id = message.reservation_id
    if reservation_id and not OPERATION_ID_FORM.fullmatch(reservation_id):
        return malformed_id("capture.reservation_id")
    read = basket_from_wire(message.basket, "capture.basket", currency)
    if isinstance(read, Refused):
        return read
    basket, lines_json = read
    refusal = receipt_refusal(basket.receipt_number, basket.business_date, "capture.basket")
    if refusal is not None:
        return refusal
    fingerprint = command_fingerprint(
        "capture",
        origin.terminal_id,
        card,
        redeem.value if isinstance(redeem, Maximum) else redeem,
        basket.basket_id,
        basket.receipt_number,
        basket.business_date,
        basket.cashier,
        basket.currency,
        *((reservation_id,) if reservation_id else ()),  # else as before there were reservations
        lines=lines_json,
    )
    return Capture(
        operation_id, fingerprint, origin, card, basket, lines_json, redeem, reservation_id
    )


def _reserve(
    operation_id: str, message: pb.Reserve, origin: Origin, currency: str
) -> Reserve | Refused:
    refusal = card_refusal(message.card, "reserve")
    if refusal is not None:
        return refusal
    redeem = _redeem(message, "reserve")
    if isinstance(redeem, Refused):
        return redeem
    if redeem is None:
        return Refused(
            Refusal.MALFORMED,
            "reserve.redeem_points",
            "say how many points to set aside, or set redeem_maximum",
        )
    read = basket_from_wire(message.basket, "reserve.basket", currency)
    if isinstance(read, Refused):
        return read
    basket, lines_json = read
    fingerprint = command_fingerprint(
        "reserve",
        origin.terminal_id,
        message.card,
        redeem.value if isinstance(redeem, Maximum) else redeem,
        basket.basket_id,
        basket.cashier,
        basket.currency,
        lines=lines_json,
    )
    # There is no receipt yet: what was not checked goes no further.
    basket = replace(basket, receipt_number="", business_date="")
    return Reserve(operation_id, fingerprint, origin, message.card, basket, redeem)


def _redeem(message: pb.Capture | pb.Reserve, path: str) -> int | Maximum | Refused | None:
    kind = message.WhichOneof("redemption")
    if kind == "redeem_points":
        if not 1 <= message.redeem_points <= POINTS_MAX:
            return Refused(
                Refusal.MALFORMED,
                f"{path}.redeem_points",
                "redeem 1 point or more, or leave the field out",
            )
        return message.redeem_points
    if kind == "redeem_maximum" and message.redeem_maximum:
        return Maximum.MAXIMUM
    return None


def _release(operation_id: str, message: pb.Release, origin: Origin) -> Release | Refused:
    if not OPERATION_ID_FORM.fullmatch(message.reservation_id):
        return malformed_id("release.reservation_id")
    fingerprint = command_fingerprint("release", origin.terminal_id, message.reservation_id)
    return Release(operation_id, fingerprint, origin, message.reservation_id)


def _enrol(operation_id: str, message: pb.Enrol, origin: Origin) -> Enrol | Refused:
    """The member's id follows from the operation's, so that a retry is the same member."""
    refusal = card_refusal(message.card, "enrol")
    if refusal is not None:
        return refusal
    if not is_language(message.language):
        return Refused(
            Refusal.MALFORMED, "enrol.language", 'send a BCP 47 tag such as "de" or "de-AT"'
        )
    fingerprint = command_fingerprint("enrol", origin.terminal_id, message.card, message.language)
    member_id = derived_id(operation_id, "member")
    return Enrol(operation_id, fingerprint, origin, member_id, message.card, message.language)


def _abandon(operation_id: str, message: pb.Abandon, origin: Origin) -> Abandon | Refused:
    target_id = message.operation_id
    if not OPERATION_ID_FORM.fullmatch(target_id):
        return malformed_id("abandon.operation_id")
    if target_id == operation_id:
        return Refused(
            Refusal.MALFORMED,
            "abandon.operation_id",
            "give the abandon an id of its own and name the other operation here",
        )
    fingerprint = command_fingerprint("abandon", origin.terminal_id, target_id)
    by = Origin(origin.terminal_id, origin.store_id)  # it happens when it is decided
    return Abandon(operation_id, fingerprint, by, target_id)


def _quote(message: pb.Quote, currency: str) -> QuoteBasket | Refused:
    refusal = card_refusal(message.card, "quote")
    if refusal is not None:
        return refusal
    read = basket_from_wire(message.basket, "quote.basket", currency)
    return read if isinstance(read, Refused) else QuoteBasket(message.card, read[0])


def _identify(message: pb.Identify) -> Identify | Refused:
    return card_refusal(message.card, "identify") or Identify(message.card)


def _status(message: pb.Status) -> AskStatus | Refused:
    """What has an id of the ledger's own is nobody's operation, and not for tills to look at."""
    if not OPERATION_ID_FORM.fullmatch(message.operation_id):
        return malformed_id("status.operation_id")
    return AskStatus(message.operation_id)
