"""Group commit: one loop, one writing connection, one transaction a batch.

Idle: what is there is committed at once. Busy: arrivals collect; when the commit returns they are
the next batch. No timer. An answer leaves only after COMMIT returned, so what was acknowledged
survives SIGKILL.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from enum import Enum

from services.loyalty.clock import Clock
from services.loyalty.domain.command import (
    Abandon,
    Capture,
    Command,
    Enrol,
    Reserve,
    ReturnItems,
    Settle,
)
from services.loyalty.domain.decision import (
    JOURNALLED,
    AlreadyDecided,
    Decision,
    Refusal,
    Refused,
    Reserved,
    Settled,
)
from services.loyalty.domain.value import value
from services.loyalty.draft import DEFERRED, Deferred, Draft, Moved
from services.loyalty.keys import Key, KeyKind, card_key, operation_key
from services.loyalty.owners import Owners
from services.loyalty.places import (
    Known,
    Place,
    homes_of,
    keys_of,
    names_decided,
    names_record,
)
from services.loyalty.programmes.versions import Programmes
from services.loyalty.record import decision_from_json
from services.loyalty.store import (
    Decided,
    KeyTakenError,
    Located,
    Store,
    StoreLostError,
    Transaction,
)
from services.runtime.logs import logger

BATCH_MAX = 512
DECIDING_MAX_S = 0.005
RECENT_MAX = 10_000
QUEUE_MAX = 20_000
RETRY_S = (0.05, 0.1, 0.2, 0.5, 1.0)

log = logger(__name__)


def nobody(*_: object) -> None:
    """Listens to what no one wants to hear of."""


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


class Writer:
    """Decides and books commands; the only place that sees both the decision and the SQL."""

    def __init__(
        self,
        store: Store,
        programmes: Programmes,
        clock: Clock,
        *,
        committed: Callable[[], None] = nobody,
        reserved: Callable[[Reserved], None] = nobody,
        observed: Callable[[int, float, float], None] = nobody,
        lane: int = 0,
        owners: Owners | None = None,
    ) -> None:
        self._store = store
        self._lane = lane
        self._programmes = programmes
        self._clock = clock
        self._committed, self._reserved, self._observed = committed, reserved, observed
        self._queue: deque[Item] = deque()
        self._wake = asyncio.Event()
        self._stopping = False
        self._recent: OrderedDict[str, tuple[bytes, Answer]] = OrderedDict()
        self._owners = owners if owners is not None else Owners()

    @property
    def queued(self) -> int:
        """Commands that wait for a batch."""
        return len(self._queue)

    def submit(self, item: Item) -> None:
        """Takes a command; its reply is called exactly once, from the loop, never from here but
        for overload.
        """
        if len(self._queue) >= QUEUE_MAX or self._stopping:
            item.reply(Answer(cause=Cause.OVERLOADED))
            return
        self._queue.append(item)
        self._wake.set()

    async def run(self) -> None:
        """Commits until `stop`; then finishes what had arrived."""
        while True:
            if not self._queue:
                if self._stopping:
                    return
                self._wake.clear()
                await self._wake.wait()
                continue
            batch = [self._queue.popleft() for _ in range(min(BATCH_MAX, len(self._queue)))]
            await self._settle(self._unanswered(batch))

    def stop(self) -> None:
        """No new commands; `run` returns once the queue is empty."""
        self._stopping = True
        self._wake.set()

    def _unanswered(self, batch: Sequence[Item]) -> list[Item]:
        """The items that need the ledger: in time, not answered lately, one per operation id."""
        now_s = asyncio.get_running_loop().time()
        wanted: dict[str, Item] = {}
        for item in batch:
            operation_id = item.command.operation_id
            recent = self._recent.get(operation_id)
            if recent is not None:
                item.reply(_repeated(item.command, *recent))
            elif item.deadline_s <= now_s:
                item.reply(_too_late(item))
            elif operation_id in wanted:
                self._queue.append(item)  # answered from memory once its twin is committed
            else:
                wanted[operation_id] = item
        return list(wanted.values())

    async def _settle(self, items: list[Item]) -> None:
        """Sees the items through, whatever the database does: every one of them is answered or
        queued again.
        """
        attempt = 0
        while items:
            try:
                items = await self._round(items)
            except StoreLostError as error:
                wait_s = RETRY_S[min(attempt, len(RETRY_S) - 1)]
                log.warning("database lost, trying again", error=str(error), wait_s=wait_s)
                attempt += 1
                await asyncio.sleep(wait_s)
                items = self._in_time(items)
            except Exception as error:
                if len(items) == 1:
                    self._answer_poison(items[0], error)
                    return
                half = len(items) // 2
                await self._settle(items[:half])
                items = items[half:]

    async def _round(self, items: list[Item]) -> list[Item]:
        """Commits the items; if a key was taken, answers its repeats and returns the rest."""
        try:
            await self._commit(items)
        except KeyTakenError:
            return await self._answer_taken(items)
        return []

    async def _commit(self, items: list[Item]) -> None:
        """One transaction. Deciding stops after a few milliseconds; the rest goes back to the head
        of the queue.
        """
        answers: list[tuple[Item, Decision]] = []
        late: list[Item] = []
        begun_s = asyncio.get_running_loop().time()
        moves: list[Moved] = []
        async with self._store.writing(self._lane) as transaction:
            draft, places, now_us = await self._draft(transaction, items)
            later = self._decide(items, draft, places, answers, late, moves)
            found = await self._decided_before(transaction, draft, answers)
            rows = draft.rows()
            if rows.journal:
                for item, _ in answers:
                    item.maybe_committed = True
                await transaction.append(rows)
        for member_id, merged_into in moves:  # not before: a merge of this batch is booked only now
            self._owners.moved[member_id] = merged_into
        ended_s = asyncio.get_running_loop().time()
        self._observed(len(answers), begun_s - items[0].arrived_s, ended_s - begun_s)
        self._queue.extendleft(reversed(later))
        for item in late:
            item.reply(_too_late(item))
        for item, decision in answers:
            before = found.get(operation_key(item.command.operation_id)) if found else None
            target = draft.found_by(item.command)
            if before is not None:
                item.reply(_from_journal(item.command, before))
            elif target is not None:
                item.reply(_too_late_to_burn(decision, target))
            else:
                item.reply(self._remembered(item.command, Answer(decision, now_us)))
        if rows.journal:
            self._committed()

    async def _draft(
        self, transaction: Transaction, items: list[Item]
    ) -> tuple[Draft, list[Place], int]:
        """Locks, then reads: what is decided upon is never older than the lock. Returns with the
        draft where each item is decided, and when.
        """
        known = await self._known(transaction, items)
        places = [homes_of(item.command, known) for item in items]
        homes = {home for place in places if not isinstance(place, Refused) for home in place}
        buckets = await transaction.lock(sorted({home.bucket for home in homes}))
        members = await transaction.members([home for home in homes if home.member_id])
        named = [key for item in items if (key := names_decided(item.command)) is not None]
        receipts = [(row.bucket, row.sequence) for row in known.recorded.values()]
        now_us = max([self._clock.now_us(), *[b.last_time_us for b in buckets.values()]])
        draft = Draft(
            moment=self._programmes.moment(now_us),
            programmes=self._programmes,
            buckets=buckets,
            members=members,
            known=known,
            decided_before=await transaction.decided(named) if named else {},
            reversals=await transaction.reversals(receipts) if receipts else {},
        )
        return draft, places, now_us

    def _decide(
        self,
        items: list[Item],
        draft: Draft,
        places: list[Place],
        answers: list[tuple[Item, Decision]],
        late: list[Item],
        moves: list[Moved],
    ) -> list[Item]:
        """Fills `answers`, `late` with those whose time ended in the wait for the locks, and
        `moves` with what was learnt of members who were merged; returns the items for the next
        batch.
        """
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        until_s = now_s + DECIDING_MAX_S
        later: list[Item] = []
        for number, item in enumerate(items):
            if number % 16 == 15 and loop.time() > until_s:
                return later + items[number:]
            if item.deadline_s <= now_s:
                late.append(item)
                continue
            decision = draft.decide(item.command, places[number])
            if isinstance(decision, Deferred):
                assert decision is DEFERRED
                later.append(item)
            elif isinstance(decision, Moved):
                moves.append(decision)
                later.append(item)
            else:
                answers.append((item, decision))
        return later

    async def _known(self, transaction: Transaction, items: list[Item]) -> Known:
        """Cards → members and what else the commands refer to, before the lock. A member's own
        cards are checked again under it; journal rows never change.
        """
        owners: dict[str, Located] = {}
        unknown: dict[Key, str] = {}
        referred: list[Key] = []
        for item in items:
            command = item.command
            if isinstance(command, Capture | Reserve):
                owner = self._owners.known(command.card)
                if owner is not None:
                    owners[command.card] = owner
                else:
                    unknown[card_key(command.card)] = command.card
            elif (key := names_record(command)) is not None:
                referred.append(key)
        if unknown:
            for key, owner in (await transaction.owners(list(unknown))).items():
                owners[unknown[key]] = owner
                self._owners.remember(unknown[key], owner)
        recorded = await transaction.recorded(referred) if referred else {}
        concerned = [owner.member_id for owner in owners.values() if owner.member_id]
        concerned += [row.member_id for row in recorded.values()]
        concerned += [i.command.member_id for i in items if isinstance(i.command, Settle)]
        return Known(owners, recorded, self._owners.moves_of(concerned))

    async def _decided_before(
        self, transaction: Transaction, draft: Draft, answers: list[tuple[Item, Decision]]
    ) -> dict[Key, Decided]:
        """An answer that inserts no key says nothing about repeats: look whether its id was
        decided before.
        """
        keys = [
            operation_key(item.command.operation_id)
            for item, decision in answers
            if (isinstance(decision, Refused) and decision.reason not in JOURNALLED)
            or draft.found_by(item.command) is not None
        ]
        return await transaction.decided(keys) if keys else {}

    def _remembered(self, command: Command, answer: Answer) -> Answer:
        """Keeps what was booked at hand, so that an ordinary retry costs the database nothing."""
        decision = answer.decision
        if isinstance(decision, Settled):
            return answer
        if isinstance(decision, Reserved):
            self._reserved(decision)
        if not isinstance(decision, Refused) or decision.reason in JOURNALLED:
            self._recent[command.operation_id] = (command.fingerprint, answer)
            if len(self._recent) > RECENT_MAX:
                self._recent.popitem(last=False)
        return answer

    async def _answer_taken(self, items: list[Item]) -> list[Item]:
        """After a unique violation: repeats are answered from the journal; what is left can be
        committed.
        """
        keys = {key for item in items for key in keys_of(item.command)}
        async with self._store.writing(self._lane) as transaction:
            found = await transaction.decided(list(keys))
        left: list[Item] = []
        for item in items:
            taken = [key for key in keys_of(item.command) if key in found]
            own = operation_key(item.command.operation_id)
            if own in found:
                item.reply(_from_journal(item.command, found[own]))
            elif taken and not isinstance(item.command, Abandon):
                item.reply(Answer(_key_refusal(taken[0], item.command)))
            else:
                left.append(item)
        if len(left) == len(items) and not any(isinstance(i.command, Abandon) for i in items):
            raise AssertionError("a unique violation without a taken key")
        return left

    def _in_time(self, items: Sequence[Item]) -> list[Item]:
        """Answers those whose time is over, in hand and in the queue, while the database is
        away.
        """
        now_s = asyncio.get_running_loop().time()
        for item in (*items, *self._queue):
            if item.deadline_s <= now_s:
                item.reply(_too_late(item))
        self._queue = deque(item for item in self._queue if item.deadline_s > now_s)
        return [item for item in items if item.deadline_s > now_s]

    def _answer_poison(self, item: Item, error: Exception) -> None:
        """One operation that cannot be booked harms no other."""
        log.error(
            "operation cannot be booked",
            operation_id=item.command.operation_id,
            error=repr(error),
            exc_info=error,
        )
        item.reply(Answer(cause=Cause.UNAVAILABLE))


def _too_late(item: Item) -> Answer:
    return Answer(cause=Cause.ANSWER_LOST if item.maybe_committed else Cause.EXPIRED)


def _too_late_to_burn(decision: Decision, target: Decided) -> Answer:
    """The answer of an abandon that found its id taken. Its time is that of the row it rests on,
    so that a repeat is the same answer.
    """
    original = answer_from_journal(target) if isinstance(decision, AlreadyDecided) else None
    return Answer(decision, target.effective_at_us, original=original)


def _repeated(command: Command, fingerprint: bytes, answer: Answer) -> Answer:
    return answer if command.fingerprint == fingerprint else Answer(KEY_REUSED)


def _from_journal(command: Command, found: Decided) -> Answer:
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


def _key_refusal(key: Key, command: Command) -> Refused:
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
