"""What makes two requests the same request, and what does not."""

from collections.abc import Callable
from typing import Any

import pytest

from bonpunkt.till import operations
from bonpunkt.till.v1 import till_pb2 as pb
from services.loyalty.domain.command import Command
from services.loyalty.wire_lines import operation_from_bytes
from services.loyalty.wire_requests import request_from_wire
from tests.loyalty.ledgers import a_wire_capture, read
from tests.loyalty.wired import (
    CAPTURE_ID,
    CARD,
    RESERVATION_ID,
    a_wire_enrolment,
    a_wire_release,
    a_wire_reserve,
    a_wire_return,
    a_wire_void,
    lines,
)


def fingerprint(operation: pb.Operation) -> bytes:
    found: bytes = read(operation).fingerprint
    return found


def changes() -> dict[str, Callable[[pb.Operation], None]]:
    """Every field that makes it another request."""

    def line(name: str, value: Any) -> Callable[[pb.Operation], None]:
        return lambda op: setattr(op.capture.basket.line_items[0], name, value)

    def basket(name: str, value: Any) -> Callable[[pb.Operation], None]:
        return lambda op: setattr(op.capture.basket, name, value)

    def more(op: pb.Operation) -> None:
        op.capture.basket.line_items.append(operations.line_item("9", total_minor=0))

    def swapped(op: pb.Operation) -> None:
        first, second = op.capture.basket.line_items
        both = [pb.LineItem.FromString(part.SerializeToString()) for part in (second, first)]
        del op.capture.basket.line_items[:]
        op.capture.basket.line_items.extend(both)

    def spread(op: pb.Operation) -> None:
        op.capture.basket.line_items[0].total_minor = 1
        op.capture.basket.line_items[1].total_minor = 299

    return {
        "card": lambda op: setattr(op.capture, "card", "1"),
        "redeem_points": lambda op: setattr(op.capture, "redeem_points", 2),
        "redeem_maximum": lambda op: setattr(op.capture, "redeem_maximum", True),
        "no redemption": lambda op: op.capture.ClearField("redeem_points"),
        "reservation_id": lambda op: setattr(op.capture, "reservation_id", RESERVATION_ID),
        "basket_id": basket("basket_id", operations.new_id()),
        "receipt_number": basket("receipt_number", "other"),
        "business_date": basket("business_date", "2026-11-21"),
        "cashier": basket("cashier", "8"),
        "line_id": line("line_id", "other"),
        "article_number": line("article_number", "other"),
        "text": line("text", "other"),
        "category": line("category", "other"),
        "brand": line("brand", "other"),
        "quantity_milli": line("quantity_milli", 1),
        "vat_rate_key": line("vat_rate_key", "DE_7"),
        "another line": more,
        "lines in another order": swapped,
        "the same total, otherwise spread": spread,
    }


def an_operation() -> pb.Operation:
    return a_wire_capture(redeem=1, lines=lines(100, 200))


def copy(operation: pb.Operation) -> pb.Operation:
    return pb.Operation.FromString(operation.SerializeToString())


@pytest.mark.parametrize("what", changes())
def test_other_content_is_another_request(what: str) -> None:
    operation = an_operation()
    other = copy(operation)
    changes()[what](other)

    assert fingerprint(other) != fingerprint(operation)


# Every other command, and every field that makes it another request.
COMMANDS: dict[str, Callable[[], pb.Operation]] = {
    "capture": an_operation,
    "reserve": lambda: a_wire_reserve(redeem=1, basket_id=CAPTURE_ID),
    "release": a_wire_release,
    "void_receipt": a_wire_void,
    "return_items": lambda: a_wire_return(operations.return_line("1", 500)),
    "enrol": a_wire_enrolment,
    "abandon": lambda: operations.abandon(CAPTURE_ID),
}
OTHERS: list[tuple[str, Any]] = [
    ("reserve.card", "1"),
    ("reserve.redeem_points", 2),
    ("reserve.redeem_maximum", True),
    ("reserve.basket.basket_id", RESERVATION_ID),
    ("reserve.basket.cashier", "8"),
    ("reserve.basket.line_items.category", "other"),
    ("release.reservation_id", CAPTURE_ID),
    ("void_receipt.receipt.terminal_id", "till-8"),
    ("void_receipt.receipt.business_date", "2026-11-19"),
    ("void_receipt.receipt.receipt_number", "4710"),
    ("void_receipt.business_date", "2026-11-21"),
    ("void_receipt.cashier", "8"),
    ("return_items.receipt.terminal_id", "till-8"),
    ("return_items.receipt.business_date", "2026-11-19"),
    ("return_items.receipt.receipt_number", "4710"),
    ("return_items.receipt_number", "4713"),
    ("return_items.business_date", "2026-11-21"),
    ("return_items.cashier", "8"),
    ("return_items.lines.line_id", "2"),
    ("return_items.lines.quantity_milli", 499),
    ("enrol.card", "1"),
    ("enrol.language", "en"),
    ("abandon.operation_id", RESERVATION_ID),
]


def changed(operation: pb.Operation, path: str, value: Any) -> pb.Operation:
    """With another value at the path; of lines, in the first one."""
    other = copy(operation)
    *parents, name = path.split(".")
    message: Any = other
    for parent in parents:
        message = getattr(message, parent)
        message = message[0] if parent in ("line_items", "lines") else message
    setattr(message, name, value)
    return other


def test_every_command_of_a_till_is_looked_at() -> None:
    kinds = {field.name for field in pb.Operation.DESCRIPTOR.oneofs[0].fields}

    assert set(COMMANDS) == kinds - {"identify", "quote", "status"}
    assert {path.partition(".")[0] for path, _ in OTHERS} == set(COMMANDS) - {"capture"}


@pytest.mark.parametrize(("path", "value"), OTHERS)
def test_other_content_of_every_command_is_another_request(path: str, value: Any) -> None:
    operation = COMMANDS[path.partition(".")[0]]()
    other = changed(operation, path, value)

    assert isinstance(read(other), Command), read(other)
    assert fingerprint(other) != fingerprint(operation)


def test_a_receipt_named_by_its_capture_is_another_request() -> None:
    """The ledger may not be asked which receipt that is, to tell two requests apart."""
    by_id = operations.receipt_of(CAPTURE_ID)

    assert fingerprint(a_wire_void(by_id)) != fingerprint(a_wire_void())
    assert fingerprint(a_wire_return(receipt=by_id)) != fingerprint(a_wire_return())


def test_returning_all_that_is_left_is_another_request_than_returning_lines() -> None:
    one, two = operations.return_line("1"), operations.return_line("2")

    assert len({fingerprint(a_wire_return(*ls)) for ls in ((), (one,), (one, two))}) == 3


@pytest.mark.parametrize("kind", COMMANDS)
def test_another_terminal_is_another_request(kind: str) -> None:
    sent = COMMANDS[kind]()

    here, there = read(sent, terminal_id="till-1"), read(sent, terminal_id="till-2")

    assert here.fingerprint != there.fingerprint


def test_no_two_kinds_of_command_are_the_same_request() -> None:
    """Though they may name the same ids."""
    about = {
        "release": operations.release(CAPTURE_ID),
        "abandon": operations.abandon(CAPTURE_ID),
        "void": a_wire_void(operations.receipt_of(CAPTURE_ID)),
        "return": a_wire_return(receipt=operations.receipt_of(CAPTURE_ID)),
    }

    assert len({fingerprint(operation) for operation in about.values()}) == len(about)


@pytest.mark.parametrize("kind", COMMANDS)
def test_clocks_and_deadlines_do_not_matter(kind: str) -> None:
    """A retry carries a later clock and what is left of its time."""
    operation = COMMANDS[kind]()
    retry = copy(operation)
    retry.occurred_at.seconds += 60
    retry.timeout_ms = 17

    assert fingerprint(retry) == fingerprint(operation)


@pytest.mark.parametrize("kind", COMMANDS)
def test_where_a_terminal_stands_does_not_matter(kind: str) -> None:
    """A till may be moved between two retries."""
    operation = COMMANDS[kind]()
    fingerprints = {
        request_from_wire(
            operation_from_bytes(operation.SerializeToString()),
            terminal_id="till-1",
            store_id=store_id,
            currency="EUR",
        ).fingerprint  # type: ignore[union-attr]
        for store_id in ("s-1", "s-2")
    }

    assert len(fingerprints) == 1


def test_the_order_of_returned_lines_is_part_of_the_request() -> None:
    one, other = operations.return_line("1"), operations.return_line("2")

    assert fingerprint(a_wire_return(one, other)) != fingerprint(a_wire_return(other, one))


def test_leaving_redeem_maximum_false_is_leaving_it_out() -> None:
    operation = an_operation()
    operation.capture.ClearField("redeem_points")
    other = copy(operation)
    other.capture.redeem_maximum = False

    assert fingerprint(other) == fingerprint(operation)


def test_texts_cannot_move_between_fields_unseen() -> None:
    one, other = an_operation(), None
    one.capture.basket.line_items[0].article_number = "ab"
    other = copy(one)
    other.capture.basket.line_items[0].article_number = "a"
    other.capture.basket.line_items[0].text = "b"

    assert fingerprint(other) != fingerprint(one)


# --- for ever -------------------------------------------------------------------------------


def a_recorded_capture(redeem: operations.Redeem = None) -> pb.Operation:
    basket = operations.basket(
        [
            operations.line_item(
                "1", total_minor=600, text="Brot", category="BAKERY", vat_rate_key="DE_7"
            ),
            operations.line_item(
                "2",
                total_minor=400,
                quantity_milli=475,
                article_number="4006381333931",
                brand="B",
                vat_rate_key="DE_19",
            ),
        ],
        currency="EUR",
        basket_id="0198c6f4-0000-7000-8000-000000000001",
        receipt_number="4711",
        business_date="2026-11-20",
        cashier="7",
    )
    return operations.capture(CARD, basket, redeem=redeem)


@pytest.mark.parametrize(
    ("operation", "recorded"),
    [
        (
            a_recorded_capture(),
            "cd14e6fb8c19a2dec8d906b895f9bf2f7762a9d82c9b9ad1325f8f9cb83f7e58",
        ),
        (
            a_recorded_capture(50),
            "de7726df0c9a837ef08c8558e9528ca5204d099ead5eac7cae6603d9ceaf83c3",
        ),
        (
            a_recorded_capture("maximum"),
            "e9bb5aa4ded4aee1f46d5ed8a01f80bc483eeaf5fd28cb5bba9fc4a60d1a1b59",
        ),
        (
            operations.abandon("0198c6f4-0000-7000-8000-000000000001"),
            "12c2b319b3fdd3b16ea44011afb6140b743564c543dfa9c6496ddb2181a48004",
        ),
    ],
    ids=["capture", "capture of 50 points", "capture of the most", "abandon"],
)
def test_a_request_of_an_older_release_is_still_the_same_request(
    operation: pb.Operation, recorded: str
) -> None:
    """Recorded with 0.1.0: a till's retry after an upgrade is no other request."""
    assert fingerprint(operation).hex() == recorded
