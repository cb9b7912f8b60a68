"""Voids and returns as tills send them: which receipt, which lines, how much of each."""

import pytest

from bonpunkt.till import operations
from bonpunkt.till.v1 import till_pb2 as pb
from services.loyalty.domain.command import ReceiptReference, ReturnItems, VoidReceipt
from services.loyalty.domain.decision import Refusal
from services.loyalty.wire_baskets import QUANTITY_MAX
from services.loyalty.wire_forms import CARD_MAX, TEXTS_MAX
from services.loyalty.wire_returns import RETURN_LINES_MAX
from tests.loyalty.ledgers import a_wire_capture, read
from tests.loyalty.wired import (
    CAPTURE_ID,
    DAY,
    MALFORMED_IDS,
    UNPRINTABLE,
    a_wire_return,
    a_wire_void,
    captured,
    refused,
)


def voided(operation: pb.Operation) -> VoidReceipt:
    result = read(operation)
    assert isinstance(result, VoidReceipt), result
    return result


def returned(operation: pb.Operation) -> ReturnItems:
    result = read(operation)
    assert isinstance(result, ReturnItems), result
    return result


def both(receipt: pb.ReceiptReference) -> list[tuple[str, pb.Operation]]:
    return [
        ("void_receipt.receipt", a_wire_void(receipt)),
        ("return_items.receipt", a_wire_return(receipt=receipt)),
    ]


# --- which receipt --------------------------------------------------------------------------


def test_a_receipt_is_named_by_what_is_printed_on_it() -> None:
    printed = ReceiptReference("till-7", DAY, "4711")

    assert voided(a_wire_void()).receipt == printed
    assert returned(a_wire_return()).receipt == printed


def test_without_a_terminal_it_is_one_of_the_terminal_that_asks() -> None:
    """The same request, whether the till says its own name or leaves it out."""
    for short, long in zip(
        both(operations.receipt("4711", DAY)),
        both(operations.receipt("4711", DAY, terminal_id="till-1")),
        strict=True,
    ):
        mine, named = read(short[1]), read(long[1])

        assert mine.receipt == named.receipt == ReceiptReference("till-1", DAY, "4711")
        assert mine.fingerprint == named.fingerprint


def test_a_receipt_may_be_named_by_its_capture_instead() -> None:
    receipt = operations.receipt_of(CAPTURE_ID)

    assert voided(a_wire_void(receipt)).receipt == ReceiptReference(capture_id=CAPTURE_ID)
    assert returned(a_wire_return(receipt=receipt)).receipt == ReceiptReference(
        capture_id=CAPTURE_ID
    )


@pytest.mark.parametrize("field", ["terminal_id", "business_date", "receipt_number"])
def test_a_receipt_is_not_named_twice(field: str) -> None:
    """Else the two might be two."""
    receipt = operations.receipt_of(CAPTURE_ID)
    setattr(receipt, field, DAY)

    for path, operation in both(receipt):
        assert refused(operation) == (Refusal.MALFORMED, f"{path}.capture_id")


@pytest.mark.parametrize("malformed", [each for each in MALFORMED_IDS if each])
def test_a_capture_that_is_named_has_the_form_of_an_id(malformed: str) -> None:
    for path, operation in both(operations.receipt_of(malformed)):
        assert refused(operation) == (Refusal.MALFORMED_ID, f"{path}.capture_id")


def test_some_receipt_has_to_be_named() -> None:
    for path, operation in both(pb.ReceiptReference()):
        assert refused(operation) == (Refusal.MALFORMED, f"{path}.receipt_number")


@pytest.mark.parametrize("number", ["", "1" * (CARD_MAX + 1), *UNPRINTABLE])
def test_the_number_of_the_receipt_is_printable_and_of_a_length(number: str) -> None:
    for path, operation in both(operations.receipt(number, DAY)):
        assert refused(operation) == (Refusal.MALFORMED, f"{path}.receipt_number")


@pytest.mark.parametrize("day", ["", "20.11.2026", "2026-11-31", "2026-11-2"])
def test_the_date_of_the_receipt_is_a_day(day: str) -> None:
    for path, operation in both(operations.receipt("4711", day)):
        assert refused(operation) == (Refusal.MALFORMED, f"{path}.business_date")


@pytest.mark.parametrize("terminal_id", ["x" * (CARD_MAX + 1), *UNPRINTABLE])
def test_the_terminal_of_the_receipt_is_printable_and_of_a_length(terminal_id: str) -> None:
    for path, operation in both(operations.receipt("4711", DAY, terminal_id=terminal_id)):
        assert refused(operation) == (Refusal.MALFORMED, f"{path}.terminal_id")
    longest = operations.receipt("4711", DAY, terminal_id="x" * CARD_MAX)
    assert voided(a_wire_void(longest)).receipt.terminal_id == "x" * CARD_MAX


# --- when, and by whom ----------------------------------------------------------------------


@pytest.mark.parametrize("day", ["", "20.11.2026", "2026-11-31", "2026-11-2"])
def test_the_tills_own_day_is_a_day(day: str) -> None:
    malformed = Refusal.MALFORMED

    assert refused(a_wire_void(business_date=day)) == (malformed, "void_receipt.business_date")
    assert refused(a_wire_return(business_date=day)) == (malformed, "return_items.business_date")
    assert voided(a_wire_void(business_date="2026-11-21")).business_date == "2026-11-21"
    assert returned(a_wire_return(business_date="2026-11-21")).business_date == "2026-11-21"


@pytest.mark.parametrize("cashier", ["x" * (CARD_MAX + 1), *UNPRINTABLE])
def test_the_cashier_is_printable_and_of_a_length(cashier: str) -> None:
    malformed = Refusal.MALFORMED

    assert refused(a_wire_void(cashier=cashier)) == (malformed, "void_receipt.cashier")
    assert refused(a_wire_return(cashier=cashier)) == (malformed, "return_items.cashier")
    assert voided(a_wire_void(cashier="x" * CARD_MAX)).cashier == "x" * CARD_MAX
    assert returned(a_wire_return(cashier="")).cashier == ""


@pytest.mark.parametrize("number", ["", "1" * (CARD_MAX + 1), *UNPRINTABLE])
def test_a_return_has_a_receipt_of_its_own(number: str) -> None:
    assert refused(a_wire_return(receipt_number=number)) == (
        Refusal.MALFORMED,
        "return_items.receipt_number",
    )
    longest = a_wire_return(receipt_number="1" * CARD_MAX)
    assert returned(longest).receipt_number == "1" * CARD_MAX


# --- which lines ----------------------------------------------------------------------------


def test_lines_are_returned_in_parts_as_a_whole_or_all_of_them() -> None:
    some = a_wire_return(operations.return_line("1", 500), operations.return_line("2"))

    assert returned(some).lines == (("1", 500), ("2", 0))
    assert returned(a_wire_return()).lines == ()


@pytest.mark.parametrize("line_id", ["", "x" * (TEXTS_MAX + 1), *UNPRINTABLE])
def test_a_line_is_named_as_a_capture_can_have_named_it(line_id: str) -> None:
    operation = a_wire_return(operations.return_line("1"), operations.return_line(line_id))

    assert refused(operation) == (Refusal.MALFORMED, "return_items.lines[1].line_id")


@pytest.mark.parametrize("line_id", ["1", "100\xa0g", "x" * TEXTS_MAX])
def test_whatever_a_capture_calls_a_line_a_return_can_name(line_id: str) -> None:
    sold = captured(a_wire_capture(lines=[operations.line_item(line_id, total_minor=100)]))

    assert returned(a_wire_return(operations.return_line(line_id))).lines == (
        (sold.basket.line_items[0].line_id, 0),
    )


def test_a_line_is_named_once() -> None:
    """Else "what is left of it" would depend on the order of the two."""
    twice = a_wire_return(operations.return_line("1", 500), operations.return_line("1", 500))

    assert refused(twice) == (Refusal.MALFORMED, "return_items.lines[1].line_id")


def test_a_return_has_a_thousand_lines_at_most() -> None:
    lines = [operations.return_line(str(number)) for number in range(RETURN_LINES_MAX + 1)]

    assert len(returned(a_wire_return(*lines[1:])).lines) == RETURN_LINES_MAX == 1000
    assert refused(a_wire_return(*lines)) == (Refusal.MALFORMED, "return_items.lines")


@pytest.mark.parametrize("quantity_milli", [QUANTITY_MAX + 1, -QUANTITY_MAX - 1, 2**63 - 1])
def test_a_quantity_beyond_all_goods_is_named(quantity_milli: int) -> None:
    operation = a_wire_return(operations.return_line("1", quantity_milli))

    assert refused(operation) == (Refusal.MALFORMED, "return_items.lines[0].quantity_milli")


@pytest.mark.parametrize("quantity_milli", [QUANTITY_MAX, -QUANTITY_MAX, 0, 475, -1000])
def test_quantities_carry_the_sign_of_their_line(quantity_milli: int) -> None:
    operation = a_wire_return(operations.return_line("1", quantity_milli))

    assert returned(operation).lines == (("1", quantity_milli),)
