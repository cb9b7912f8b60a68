"""What makes two requests the same request, and what does not."""

from collections.abc import Callable
from typing import Any

import pytest

from bonpunkt.till import operations
from bonpunkt.till.v1 import till_pb2 as pb
from services.loyalty.wire_requests import request_from_wire
from tests.loyalty.ledgers import a_wire_capture, read


def lines(*totals_minor: int) -> list[pb.LineItem]:
    return [
        operations.line_item(str(number), total_minor=total, vat_rate_key="DE_19")
        for number, total in enumerate(totals_minor, start=1)
    ]


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


def test_another_terminal_is_another_request() -> None:
    operation, abandon = an_operation(), operations.abandon(operations.new_id())

    for sent in (operation, abandon):
        here, there = read(sent, terminal_id="till-1"), read(sent, terminal_id="till-2")
        assert here.fingerprint != there.fingerprint


def test_another_target_is_another_abandon() -> None:
    one, other = read(operations.abandon(operations.new_id())), operations.new_id()

    assert read(operations.abandon(other)).fingerprint != one.fingerprint


@pytest.mark.parametrize("kind", [an_operation, lambda: operations.abandon(operations.new_id())])
def test_clocks_and_deadlines_do_not_matter(kind: Callable[[], pb.Operation]) -> None:
    """A retry carries a later clock and what is left of its time."""
    operation = kind()
    retry = copy(operation)
    retry.occurred_at.seconds += 60
    retry.timeout_ms = 17

    assert read(retry).fingerprint == read(operation).fingerprint


def test_where_a_terminal_stands_does_not_matter() -> None:
    """A till may be moved between two retries."""
    fingerprints = {
        request_from_wire(
            operation, terminal_id="till-1", store_id=store_id, currency="EUR"
        ).fingerprint  # type: ignore[union-attr]
        for operation in [an_operation()]
        for store_id in ("s-1", "s-2")
    }

    assert len(fingerprints) == 1


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
