"""The cells of the matrix: an operation, a situation, and what is sent under its id again."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from enum import Enum
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Row

from bonpunkt.till.v1 import till_pb2 as pb
from services.loyalty import schema
from services.loyalty.domain.decision import Refused
from services.loyalty.record import decision_json
from services.loyalty.wire_answers import REASONS
from services.loyalty.writer import Answer
from tests.loyalty.commands import an_adjustment
from tests.loyalty.ledgers import NOON, Ledger, a_block, wire
from tests.loyalty.matrix.scene import Made, Scene, command_of
from tests.loyalty.matrix.table import OPERATIONS, Once, Operation, Refusing

SAME_ANSWER, KEY_REUSED, ABANDONED = "the same answer", "key_reused", "abandoned"
ACCEPTED = "accepted"


class Situation(Enum):
    """When the second request comes."""

    SAME_BATCH = "in flight, in the same batch"
    BEING_COMMITTED = "in flight, while the first is being committed"
    TWO_PROCESSES = "in flight, at two loyalty processes at once"
    SUCCESS = "after success"
    REFUSAL = "after a refusal that is a row"
    NO_ROW = "after an answer that leaves no row"
    DAYS_400 = "after 400 days"
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


def _repeated(first: Made) -> Made:
    """The same request, from a till whose clock was set back by a day meanwhile."""
    if isinstance(first, pb.Operation):
        again = pb.Operation()
        again.CopyFrom(first)
        again.occurred_at.FromDatetime(NOON - timedelta(days=1))
        again.timeout_ms = 20_000
        return again
    return first


# --- playing --------------------------------------------------------------------------------


async def trials_on(
    ledger: Ledger, cells: Iterable[Cell] = CELLS, *, apart: bool = False
) -> list[Trial]:
    """A trial of each cell, whose scene is set."""
    trials = [Trial(cell, apart=apart) for cell in cells]
    for step in (0, 1):
        await accepted(ledger, [made for t in trials for made in t.scene.steps()[step]])
    await accepted(ledger, [made for t in trials for made in t.operation.before(t.scene)])
    return trials


async def accepted(ledger: Ledger, made: Sequence[Made]) -> None:
    """Books what sets a scene."""
    for each, answer in zip(made, await answers(ledger, made), strict=True):
        assert answer.decision is not None, (each, answer)
        assert not isinstance(answer.decision, Refused), (each, answer)


async def answers(ledger: Ledger, made: Sequence[Made], *, elsewhere: bool = False) -> list[Answer]:
    """Submitted in one go, so that they share batches."""
    return await ledger.answers(*[command_of(each, elsewhere=elsewhere) for each in made])


def told(operation_id: str, answer: Answer) -> tuple[bytes, str, int]:
    """The answer byte for byte: as a till gets it (some refusals are for staff only), and as the
    journal has it.
    """
    decision = answer.decision
    assert decision is not None, answer
    for_tills = not isinstance(decision, Refused) or decision.reason in REASONS
    on_the_wire = wire(operation_id, answer) if for_tills else b""
    return on_the_wire, decision_json(decision), answer.effective_at_us


def verdict(operation_id: str, answer: Answer, first: Answer | None = None) -> str:
    """In a word, whether an answer is the `first` one once more, or what else it is."""
    if first is not None and told(operation_id, answer) == told(operation_id, first):
        return SAME_ANSWER
    return outcome(answer)


def outcome(answer: Answer) -> str:
    decision = answer.decision
    if decision is None:
        return str(answer.cause)
    if isinstance(decision, Refused):
        return decision.reason.value
    return "already_decided" if answer.original is not None else ACCEPTED


# --- the books ------------------------------------------------------------------------------


class Books(NamedTuple):
    """The whole ledger at one moment."""

    journal: Sequence[Row[Any]]
    members: Mapping[str, Row[Any]]
    everything: Sequence[Any]

    def change_of(self, trial: Trial, before: "Books") -> Once:
        """What happened to the trial's member since, and the rows of the trial's operation."""
        was, now = (books.members.get(trial.subject) for books in (before, self))
        rows = [row for row in self.journal if trial.id in (row.operation_id, _main_id(row))]
        return Once(
            points=(now.points if now else 0) - (was.points if was else 0),
            held=(now.held if now else 0) - (was.held if was else 0),
            rows=len(rows),
        )

    def booked_since(self, before: "Books") -> list[str]:
        """Rows that are new, but for those of time; without any, everything has to be as it was."""
        known = {(row.bucket, row.sequence) for row in before.journal}
        new = [row for row in self.journal if (row.bucket, row.sequence) not in known]
        assert new or self.everything == before.everything, "something changed without a row"
        return [f"{row.kind} {row.operation_id}" for row in new if row.actor != "time"]


async def books(ledger: Ledger) -> Books:
    everything = await ledger.state()
    by_table = dict(zip(schema.CHECKOUT_TABLES, everything, strict=True))
    members = {row.member_id: row for row in by_table[schema.member]}
    return Books(by_table[schema.journal], members, everything)


def _main_id(row: Row[Any]) -> str | None:
    """The operation of which this is the second row."""
    if row.kind not in ("merged", "leg"):
        return None
    main_id: str = orjson.loads(row.decision)["main_id"]
    return main_id


def refusing(trial: Trial, *, booked: bool) -> Refusing:
    case = trial.operation.booked if booked else trial.operation.unbooked
    assert case is not None
    return case
