"""What one cell of the matrix acts upon, and no other cell does."""

from collections.abc import Sequence
from dataclasses import replace

from bonpunkt.till import operations
from bonpunkt.till.v1 import till_pb2 as pb
from services.loyalty.domain.command import Command, Origin
from services.loyalty.domain.due import derived_id
from services.loyalty.keys import member_bucket, operation_key
from tests.loyalty.commands import BUSINESS_DATE, a_basket_of, an_opening
from tests.loyalty.ledgers import a_wire_capture, read

TILL, ANOTHER_TILL = "till-1", "till-2"
ANOTHER_PERSON = Origin(actor="cli:another")
RECEIPT_MINOR, RESERVED_MINOR = 20_000, 5_000  # what was paid, what is in the reserved baskets
REDEEMED, RESERVED = 100, 100  # points of each receipt, of each reservation

# What a till sends, or what staff order.
Made = pb.Operation | Command


class Scene:
    """Three members: the first has two receipts and two live reservations, 998 points in all."""

    def __init__(self) -> None:
        self.member_id, self.other_id, self.third_id = _ids(3)
        self.card, self.other_card, self.third_card = _cards(3)
        self.receipt_id, self.other_receipt_id = _ids(2)
        self.reservation_id, self.other_reservation_id = _ids(2)
        self.basket_id, self.other_basket_id = _ids(2)
        # not used yet
        self.new_id, self.target_id, self.other_target_id, self.new_basket_id = _ids(4)
        self.new_card, self.other_new_card, self.spare_card = _cards(3)
        self.number = f"N-{operations.new_id()}"

    def steps(self) -> tuple[Sequence[Made], Sequence[Made]]:
        """What sets the scene; the second part needs the first."""
        members = (
            an_opening(self.member_id, self.card, points=1_000),
            an_opening(self.other_id, self.other_card, points=300),
            an_opening(self.third_id, self.third_card),
        )
        return members, (
            self.purchase(self.receipt_id),
            self.purchase(self.other_receipt_id),
            self.reservation(self.reservation_id, self.basket_id),
            self.reservation(self.other_reservation_id, self.other_basket_id),
        )

    def purchase(self, operation_id: str) -> pb.Operation:
        """A receipt of 200.00 that earned 99 points and redeemed 100."""
        return a_wire_capture(
            self.card,
            RECEIPT_MINOR,
            redeem=REDEEMED,
            operation_id=operation_id,
            receipt_number=operation_id,
        )

    def reservation(
        self,
        operation_id: str,
        basket_id: str,
        *,
        points: int = RESERVED,
        minor: int = RESERVED_MINOR,
        card: str = "",
    ) -> pb.Operation:
        basket = a_basket_of(minor, basket_id=basket_id)
        return operations.reserve(
            card or self.card, basket, redeem=points, operation_id=operation_id
        )

    def capture(
        self, operation_id: str, *, redeem: int, minor: int = 2_000, card: str = ""
    ) -> pb.Operation:
        """Of a basket that nothing was reserved for."""
        return a_wire_capture(
            card or self.card,
            minor,
            redeem=redeem,
            operation_id=operation_id,
            basket_id=self.new_basket_id,
            receipt_number=self.number,
        )

    def capture_of(self, operation_id: str, reservation_id: str, basket_id: str) -> pb.Operation:
        """Of the basket that was reserved for."""
        return a_wire_capture(
            self.card,
            RESERVED_MINOR,
            redeem=RESERVED,
            reservation_id=reservation_id,
            operation_id=operation_id,
            basket_id=basket_id,
            receipt_number=self.number,
        )

    def id_apart(self) -> str:
        """A new operation's id whose key lies in no bucket in which the scene is decided."""
        here = {member_bucket(m) for m in (self.member_id, self.other_id, self.third_id)}
        here |= {member_bucket(self.new_id), operation_key(self.target_id).bucket}
        while True:
            new = operations.new_id()
            if operation_key(new).bucket not in {*here, member_bucket(enrolled_at_the_till(new))}:
                return new


def _ids(count: int) -> list[str]:
    return [operations.new_id() for _ in range(count)]


def _cards(count: int) -> list[str]:
    return [f"card-{new}" for new in _ids(count)]


def a_wire_return(operation_id: str, capture_id: str, number: str) -> pb.Operation:
    return operations.return_items(
        operations.receipt_of(capture_id),
        receipt_number=number,
        business_date=BUSINESS_DATE,
        operation_id=operation_id,
    )


def a_wire_void(operation_id: str, capture_id: str) -> pb.Operation:
    return operations.void_receipt(
        operations.receipt_of(capture_id), business_date=BUSINESS_DATE, operation_id=operation_id
    )


def a_wire_abandon(operation_id: str, target_id: str) -> pb.Operation:
    abandon = operations.abandon(target_id)
    abandon.id = operation_id
    return abandon


def enrolled_at_the_till(operation_id: str) -> str:
    """The member who the enrolment with this id opened."""
    return derived_id(operation_id, "member")


def command_of(made: Made, *, elsewhere: bool = False) -> Command:
    """What the ledger is asked; `elsewhere`: by another terminal, by another person."""
    if isinstance(made, pb.Operation):
        command: Command = read(made, terminal_id=ANOTHER_TILL if elsewhere else TILL)
        assert hasattr(command, "operation_id"), command
        return command
    return replace(made, origin=ANOTHER_PERSON) if elsewhere else made
