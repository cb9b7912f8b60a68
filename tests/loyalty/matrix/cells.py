"""The cells of the matrix: an operation, a situation, and what is sent under its id again."""

from collections.abc import Mapping
from datetime import timedelta
from enum import Enum
from typing import NamedTuple

from bonpunkt.till.v1 import till_pb2 as pb
from tests.loyalty.commands import an_adjustment
from tests.loyalty.ledgers import NOON, a_block
from tests.loyalty.matrix.scene import Made, Scene
from tests.loyalty.matrix.table import OPERATIONS, Operation, Refusing

SAME_ANSWER, KEY_REUSED, ABANDONED = "the same answer", "key_reused", "abandoned"
ACCEPTED = "accepted"


class Situation(Enum):
    """When the second request comes."""

    SAME_BATCH = "in flight, in the same batch"
    BEING_COMMITTED = "in flight, while the first is being committed"
    REFUSED_BATCH = "in flight, in the same batch, refused"
    TWO_LANES = "in flight, on two lanes at once"
    TWO_PROCESSES = "in flight, at two loyalty processes at once"
    SUCCESS = "after success"
    REFUSAL = "after a refusal that is a row"
    NO_ROW = "after an answer that leaves no row"
    DAYS_400 = "after 400 days"
    LINES_DELETED = "after its line items were deleted"
    ELSEWHERE = "from another terminal, by another person"
    CARD_REPLACED = "after the card was replaced"
    MERGED = "after the member was merged"
    BLOCKED = "after the member was blocked"
    ERASED = "after the member was erased"
    ABANDONED = "after the id was abandoned"
    KILLED_ANSWERED = "after SIGKILL, all answered"
    KILLED_MIDDLE = "after SIGKILL, some answered"
    KILLED_WAITING = "after SIGKILL, none committed"


class Request(Enum):
    """What is sent under the id again."""

    SAME = "same request"
    OTHER = "other request"
    OTHER_KIND = "other operation"


class Cell(NamedTuple):
    operation: str
    request: Request

    def __str__(self) -> str:
        return f"{self.operation}, {self.request.value}"


CELLS = [Cell(operation, request) for operation in OPERATIONS for request in Request]

# What stands under an id for ever; for a till, also from which terminal it came.
FOR_EVER: Mapping[Cell, str] = {
    cell: SAME_ANSWER if cell.request is Request.SAME else KEY_REUSED for cell in CELLS
}


class Trial:
    """A cell with a scene and an operation id of its own."""

    def __init__(self, cell: Cell, *, apart: bool = False) -> None:
        self.cell = cell
        self.scene = Scene()
        self.id = self.scene.id_apart() if apart else Scene().new_id

    @property
    def operation(self) -> Operation:
        return OPERATIONS[self.cell.operation]

    @property
    def subject(self) -> str:
        """The member whom the operation is about."""
        return self.operation.subject(self.scene, self.id)

    def first(self) -> Made:
        return self.operation.request(self.scene, self.id)

    def second(self, first: Made | None = None) -> Made:
        """What comes under the same id; `first` is what came before, if not the ordinary."""
        match self.cell.request:
            case Request.SAME:
                return _repeated(first if first is not None else self.first())
            case Request.OTHER:
                return self.operation.other(self.scene, self.id)
            case Request.OTHER_KIND if self.cell.operation == "adjust":
                return a_block(self.scene.third_id, operation_id=self.id)
            case _:
                return an_adjustment(self.scene.third_id, 7, operation_id=self.id)

    def refusing(self, *, booked: bool) -> Refusing:
        """How the table has it refused: in a row of its own, or in none."""
        case = self.operation.booked if booked else self.operation.unbooked
        assert case is not None
        return case


def _repeated(first: Made) -> Made:
    """The same request, from a till whose clock was set back by a day meanwhile."""
    if isinstance(first, pb.Operation):
        again = pb.Operation()
        again.CopyFrom(first)
        again.occurred_at.FromDatetime(NOON - timedelta(days=1))
        again.timeout_ms = 20_000
        return again
    return first
