"""Every command of till and staff, ready to be submitted; what a test does not name is ordinary."""

from typing import Any

from bonpunkt.till import operations
from bonpunkt.till.v1 import till_pb2 as pb
from services.loyalty.domain.command import (
    Adjust,
    ChangeCards,
    Enrol,
    Erase,
    Merge,
    Origin,
    Release,
    Reserve,
    ReturnItems,
    Settle,
    VoidReceipt,
)
from services.loyalty.wire_forms import command_fingerprint
from tests.loyalty.ledgers import a_wire_capture, read

STAFF = Origin(actor="cli:test")
BUSINESS_DATE = "2026-11-20"


def a_basket_of(*minors: int, **basket: Any) -> pb.Basket:
    """A basket of lines of these totals, all of one VAT rate, with ids "1", "2", …"""
    items = [
        operations.line_item(str(number), total_minor=minor, vat_rate_key="DE_19")
        for number, minor in enumerate(minors, start=1)
    ]
    return operations.basket(items, **{"currency": "EUR", **basket})


def a_reserve(
    card: str = "2900000000018",
    *minors: int,
    redeem: operations.RedeemSome = "maximum",
    basket_id: str | None = None,
    operation_id: str | None = None,
    terminal_id: str = "till-1",
) -> Reserve:
    basket = a_basket_of(*(minors or (2000,)), basket_id=basket_id)
    wire = operations.reserve(card, basket, redeem=redeem, operation_id=operation_id)
    command = read(wire, terminal_id=terminal_id)
    assert isinstance(command, Reserve), command
    return command


def a_release(
    reservation_id: str, *, operation_id: str | None = None, terminal_id: str = "till-1"
) -> Release:
    wire = operations.release(reservation_id, operation_id=operation_id)
    command = read(wire, terminal_id=terminal_id)
    assert isinstance(command, Release), command
    return command


def a_void(
    capture_id: str,
    *,
    business_date: str = BUSINESS_DATE,
    operation_id: str | None = None,
    terminal_id: str = "till-1",
) -> VoidReceipt:
    wire = operations.void_receipt(
        operations.receipt_of(capture_id), business_date=business_date, operation_id=operation_id
    )
    command = read(wire, terminal_id=terminal_id)
    assert isinstance(command, VoidReceipt), command
    return command


def a_return(
    capture_id: str,
    *lines: tuple[str, int],
    receipt_number: str | None = None,
    business_date: str = BUSINESS_DATE,
    operation_id: str | None = None,
    terminal_id: str = "till-1",
) -> ReturnItems:
    wire = operations.return_items(
        operations.receipt_of(capture_id),
        [operations.return_line(line_id, quantity) for line_id, quantity in lines],
        receipt_number=receipt_number or f"R-{operations.new_id()}",
        business_date=business_date,
        operation_id=operation_id,
    )
    command = read(wire, terminal_id=terminal_id)
    assert isinstance(command, ReturnItems), command
    return command


def a_till_enrolment(
    card: str, *, operation_id: str | None = None, terminal_id: str = "till-1"
) -> Enrol:
    wire = operations.enrol(card, language="de", operation_id=operation_id)
    command = read(wire, terminal_id=terminal_id)
    assert isinstance(command, Enrol), command
    return command


def an_opening(
    member_id: str, card: str, *, points: int = 0, operation_id: str | None = None
) -> Enrol:
    """An enrolment by staff, with points that the member brings along."""
    return Enrol(
        operation_id=operation_id or operations.new_id(),
        fingerprint=command_fingerprint("enrol", member_id, card, "de", points),
        origin=STAFF,
        member_id=member_id,
        card=card,
        language="de",
        opening_points=points,
    )


def an_adjustment(
    member_id: str, points: int, *, operation_id: str | None = None, reason: str = "as a test"
) -> Adjust:
    return Adjust(
        operation_id=operation_id or operations.new_id(),
        fingerprint=command_fingerprint("adjust", member_id, points, "goodwill", reason),
        origin=STAFF,
        member_id=member_id,
        points=points,
        reason_code="goodwill",
        reason=reason,
    )


def a_merge(survivor_id: str, merged_id: str, *, operation_id: str | None = None) -> Merge:
    return Merge(
        operation_id=operation_id or operations.new_id(),
        fingerprint=command_fingerprint("merge", survivor_id, merged_id, "the same person"),
        origin=STAFF,
        survivor_id=survivor_id,
        merged_id=merged_id,
        reason="the same person",
    )


def a_change_of_cards(
    member_id: str, *, lost: str = "", new: str = "", operation_id: str | None = None
) -> ChangeCards:
    return ChangeCards(
        operation_id=operation_id or operations.new_id(),
        fingerprint=command_fingerprint("cards", member_id, lost, new, "was lost"),
        origin=STAFF,
        member_id=member_id,
        lost_card=lost,
        new_card=new,
        reason="was lost",
    )


def an_erasure(member_id: str, *, operation_id: str | None = None) -> Erase:
    return Erase(
        operation_id=operation_id or operations.new_id(),
        fingerprint=command_fingerprint("erase", member_id, "asked for it"),
        origin=STAFF,
        member_id=member_id,
        reason="asked for it",
    )


def a_settling(member_id: str) -> Settle:
    return Settle(
        operation_id=operations.new_id(),
        fingerprint=command_fingerprint("settle", member_id),
        origin=STAFF,
        member_id=member_id,
    )


def a_capture_of(basket: pb.Basket, card: str = "2900000000018", **how: Any) -> pb.Operation:
    """A capture of this very basket, as when it had been reserved for."""
    return a_wire_capture(card, lines=list(basket.line_items), basket_id=basket.basket_id, **how)
