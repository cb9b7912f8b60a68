"""What can become of a shopping trip, step by step: each yields what the till sends and is given
the decision upon it.
"""

from collections.abc import Generator

from bonpunkt.till import operations as build
from bonpunkt.till.v1 import till_pb2 as pb
from tests.end_to_end.recorded import TIMEOUT_MS

Trip = Generator[pb.Operation, pb.Decision, None]


def buys(card: str, basket: pb.Basket) -> Trip:
    yield build.capture(card, basket, redeem="maximum", timeout_ms=TIMEOUT_MS)


def collects(card: str, basket: pb.Basket) -> Trip:
    """And pays with none of it."""
    yield build.capture(card, basket, timeout_ms=TIMEOUT_MS)


def reserves_and_buys(card: str, basket: pb.Basket) -> Trip:
    reserved = yield build.reserve(card, basket, timeout_ms=TIMEOUT_MS)
    yield build.capture(
        card,
        basket,
        redeem="maximum",
        reservation_id=reserved.operation_id,
        timeout_ms=TIMEOUT_MS,
    )


def gives_up(card: str, basket: pb.Basket) -> Trip:
    reserved = yield build.reserve(card, basket, timeout_ms=TIMEOUT_MS)
    yield build.release(reserved.operation_id, timeout_ms=TIMEOUT_MS)


def voids(card: str, basket: pb.Basket) -> Trip:
    captured = yield build.capture(card, basket, redeem="maximum", timeout_ms=TIMEOUT_MS)
    yield build.void_receipt(
        build.receipt_of(captured.operation_id),
        business_date=basket.business_date,
        timeout_ms=TIMEOUT_MS,
    )


def brings_back(card: str, basket: pb.Basket) -> Trip:
    """One line first, and then the rest."""
    captured = yield build.capture(card, basket, redeem="maximum", timeout_ms=TIMEOUT_MS)
    receipt = build.receipt_of(captured.operation_id)
    one = [build.return_line(basket.line_items[0].line_id)]
    for lines in (one, ()):
        yield build.return_items(
            receipt,
            lines,
            receipt_number=f"return-{build.new_id()}",
            business_date=basket.business_date,
            timeout_ms=TIMEOUT_MS,
        )


def joins(card: str, basket: pb.Basket) -> Trip:
    """With a fresh card, and is served with it at once."""
    yield build.enrol(card, language="de", timeout_ms=TIMEOUT_MS)
    yield build.capture(card, basket, redeem="maximum", timeout_ms=TIMEOUT_MS)


OF_MEMBERS = (buys, reserves_and_buys, gives_up, voids, brings_back, collects)
