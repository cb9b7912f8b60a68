"""Commands on their way through a writer, and what becomes of them."""

from collections import OrderedDict
from collections.abc import Callable
from enum import Enum

from services.loyalty.domain.command import Command, Enrol, ReturnItems
from services.loyalty.domain.decision import (
    JOURNALLED,
    AlreadyDecided,
    Decision,
    Refusal,
    Refused,
    Settled,
)
from services.loyalty.domain.value import value
from services.loyalty.keys import Key, KeyKind
from services.loyalty.record import decision_from_json
from services.loyalty.store import Decided

RECENT_MAX = 10_000


class Cause(Enum):
    """Why an operation was not answered with a decision; values are those of the till contract."""

    OVERLOADED = 1
    UNAVAILABLE = 2
    EXPIRED = 3
    ANSWER_LOST = 4


@value
class Answer:
    """What became of a command: a decision at `effective_at_us`, or a cause why there is none.

    `original` is the answer of the operation that an abandon named, where that one had been
    decided.
    """

    decision: Decision | None = None
    effective_at_us: int = 0
    cause: Cause | None = None
    original: "Answer | None" = None


class Item:
    """A command on its way through the writer. Times are the loop's, in seconds."""

    __slots__ = ("arrived_s", "command", "deadline_s", "maybe_committed", "reply")

    def __init__(
        self,
        command: Command,
        deadline_s: float,
        reply: Callable[[Answer], None],
        *,
        arrived_s: float = 0.0,
    ) -> None:
        self.command = command
        self.deadline_s, self.arrived_s = deadline_s, arrived_s
        self.reply = reply
        self.maybe_committed = False


class Recent:
    """The latest answers by operation id, so that an ordinary retry costs the database nothing."""

    def __init__(self) -> None:
        self._answers: OrderedDict[str, tuple[bytes, Answer]] = OrderedDict()

    def find(self, command: Command) -> Answer | None:
        """The answer under the command's id, if it is remembered: a repeated one, or a refusal
        where the request is another.
        """
        found = self._answers.get(command.operation_id)
        if found is None:
            return None
        fingerprint, answer = found
        return answer if command.fingerprint == fingerprint else Answer(KEY_REUSED)

    def keep(self, command: Command, answer: Answer) -> None:
        """Remembers the answer if it was booked."""
        decision = answer.decision
        if isinstance(decision, Settled):
            return
        if isinstance(decision, Refused) and decision.reason not in JOURNALLED:
            return
        self._answers[command.operation_id] = (command.fingerprint, answer)
        if len(self._answers) > RECENT_MAX:
            self._answers.popitem(last=False)


def too_late(item: Item) -> Answer:
    return Answer(cause=Cause.ANSWER_LOST if item.maybe_committed else Cause.EXPIRED)


def too_late_to_burn(decision: Decision, target: Decided) -> Answer:
    """The answer of an abandon that found its id taken. Its time is that of the row it rests on,
    so that a repeat is the same answer.
    """
    original = answer_from_journal(target) if isinstance(decision, AlreadyDecided) else None
    return Answer(decision, target.effective_at_us, original=original)


def from_journal(command: Command, found: Decided) -> Answer:
    """The answer under an id that is taken: the decision of then, or why it is not this
    request's.
    """
    if found.operation_id != command.operation_id:
        return Answer(ABANDONED)  # the row of the abandon that burnt this id
    if found.fingerprint != command.fingerprint:
        return Answer(KEY_REUSED)
    return answer_from_journal(found)


def answer_from_journal(found: Decided) -> Answer:
    return Answer(decision_from_json(found.decision), found.effective_at_us)


KEY_REUSED = Refused(
    Refusal.KEY_REUSED,
    "id",
    "this id belongs to another request; make a new id for a new operation",
)
ABANDONED = Refused(
    Refusal.ABANDONED, "id", "this id was abandoned; make a new id if the purchase still stands"
)


def key_refusal(key: Key, command: Command) -> Refused:
    """Why a command is refused whose key, other than its id, is taken."""
    if key.kind == KeyKind.RECEIPT:
        at = "return_items" if isinstance(command, ReturnItems) else "capture.basket"
        return Refused(
            Refusal.RECEIPT_REUSED,
            f"{at}.receipt_number",
            "this receipt was captured under another id; ask its status, or correct the number",
        )
    assert key.kind == KeyKind.CARD
    at = "card" if isinstance(command, Enrol) else "new_card"
    return Refused(Refusal.CARD_TAKEN, at, "this card belongs to a member already")
