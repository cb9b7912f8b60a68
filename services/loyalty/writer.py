"""Group commit: one loop, one writing connection, one transaction a batch.

Idle: what is there is committed at once. Busy: arrivals collect; when the commit returns they are
the next batch. No timer. An answer leaves only after COMMIT returned, so what was acknowledged
survives SIGKILL.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from services.loyalty.answers import (
    Answer,
    Cause,
    Item,
    Recent,
    from_journal,
    key_refusal,
    too_late,
)
from services.loyalty.clock import Clock
from services.loyalty.domain.command import Abandon
from services.loyalty.domain.decision import Reserved
from services.loyalty.draft import Draft
from services.loyalty.keys import operation_key
from services.loyalty.owners import Owners
from services.loyalty.places import keys_of
from services.loyalty.programmes.versions import Programmes
from services.loyalty.store import KeyTakenError, Store, StoreLostError, Transaction
from services.loyalty.turn import Turn, unanswered
from services.runtime.logs import logger

BATCH_MAX = 512
QUEUE_MAX = 20_000
RETRY_S = (0.05, 0.1, 0.2, 0.5, 1.0)

log = logger(__name__)


def nobody(*_: object) -> None:
    """Listens to what no one wants to hear of."""


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
        self._recent = Recent()
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
            now_s = asyncio.get_running_loop().time()
            items, twins = unanswered(batch, self._recent, now_s=now_s)
            self._queue.extend(twins)
            await self._settle(items)

    def stop(self) -> None:
        """No new commands; `run` returns once the queue is empty."""
        self._stopping = True
        self._wake.set()

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
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        turn = Turn(items, self._owners)
        async with self._store.writing(self._lane) as transaction:
            draft, now_us = await self._draft(transaction, turn)
            turn.decide(draft, loop.time)
            keyless = turn.keyless(draft)
            found = await transaction.decided(keyless) if keyless else {}
            rows = draft.rows()
            if rows.journal:
                for item, _ in turn.answers:
                    item.maybe_committed = True
                await transaction.append(rows)
        for member_id, merged_into in turn.moves:  # not before: the merge is booked only now
            self._owners.moved[member_id] = merged_into
        self._observed(len(turn.answers), begun_s - items[0].arrived_s, loop.time() - begun_s)
        self._queue.extendleft(reversed(turn.later))
        turn.reply(draft, found, self._recent, self._reserved, now_us=now_us)
        if rows.journal:
            self._committed()

    async def _draft(self, transaction: Transaction, turn: Turn) -> tuple[Draft, int]:
        """Locks, then reads: what is decided upon is never older than the lock."""
        found = await transaction.owners(list(turn.unknown)) if turn.unknown else {}
        recorded = await transaction.recorded(turn.referred) if turn.referred else {}
        known = turn.learn(found, recorded, self._owners)
        buckets = await transaction.lock(sorted({home.bucket for home in turn.homes}))
        members = await transaction.members([home for home in turn.homes if home.member_id])
        receipts = [(row.bucket, row.sequence) for row in recorded.values()]
        now_us = max([self._clock.now_us(), *[b.last_time_us for b in buckets.values()]])
        draft = Draft(
            moment=self._programmes.moment(now_us),
            programmes=self._programmes,
            buckets=buckets,
            members=members,
            known=known,
            decided_before=await transaction.decided(turn.named) if turn.named else {},
            reversals=await transaction.reversals(receipts) if receipts else {},
        )
        return draft, now_us

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
                item.reply(from_journal(item.command, found[own]))
            elif taken and not isinstance(item.command, Abandon):
                item.reply(Answer(key_refusal(taken[0], item.command)))
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
                item.reply(too_late(item))
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
