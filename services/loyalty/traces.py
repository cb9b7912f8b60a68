"""Loyalty's part of a trace: from taking a command to its answer, with the steps of its batch.

Stands before the lanes and around the store, and only if traces are told: the writer knows nothing
of it.
"""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from services.loyalty.answers import Answer, Item
from services.loyalty.clock import Clock
from services.loyalty.domain.command import (
    ChangeCards,
    Command,
    ReturnItems,
    SetBlocked,
    Settle,
    VoidReceipt,
)
from services.loyalty.domain.decision import Refused
from services.loyalty.domain.member import Member
from services.loyalty.keys import Key
from services.loyalty.lanes import Lanes
from services.loyalty.programmes.versions import Programmes
from services.loyalty.store import (
    Batch,
    BucketState,
    Located,
    Reader,
    Recorded,
    Store,
    Transaction,
)
from services.runtime.tracing import Kind, Span, Tracing

_NAMES: dict[type, str] = {
    ChangeCards: "cards",
    ReturnItems: "return",
    SetBlocked: "block",
    VoidReceipt: "void",
}


@dataclass(slots=True)
class _Steps:
    """When a batch had got how far, in nanoseconds since 1970; 0: it did not."""

    lane: int
    begun_ns: int
    locked_ns: int = 0
    members_read_ns: int = 0
    decided_ns: int = 0
    written_ns: int = 0
    committed_ns: int = 0
    rows: int = 0  # of the journal

    def events(self) -> list[tuple[str, int]]:
        named = (
            ("batch begins", self.begun_ns),
            ("buckets locked", self.locked_ns),
            ("members read", self.members_read_ns),
            ("decided", self.decided_ns),
            ("written", self.written_ns),
            ("committed", self.committed_ns),
        )
        return [(name, at_ns) for name, at_ns in named if at_ns]


@dataclass(slots=True)
class _Followed:
    """A command under way whose trace is kept; `steps` are those of the batch that booked it."""

    command: Command
    reply: Callable[[Answer], None]
    begun_ns: int
    steps: _Steps | None = None


class TracedLanes(Lanes):
    """Lanes that tell a span for each command they were given, as far as its trace is kept."""

    def __init__(
        self,
        tracing: Tracing,
        store: Store,
        programmes: Programmes,
        clock: Clock,
        **observers: Any,
    ) -> None:
        self._tracing = tracing
        self._followed: dict[str, _Followed] = {}  # by operation id
        super().__init__(_TimedStore(store, self._followed), programmes, clock, **observers)

    def submit(self, item: Item) -> None:
        """What time does to idle members is nobody's operation, and is not followed."""
        command = item.command
        if self._tracing.keeps(command.operation_id) and not isinstance(command, Settle):
            followed = _Followed(command, item.reply, time.time_ns())
            self._followed[command.operation_id] = followed
            item.reply = partial(self._answered, followed)
        super().submit(item)

    def _answered(self, followed: _Followed, answer: Answer) -> None:
        """Whoever asked first."""
        followed.reply(answer)
        command, steps = followed.command, followed.steps
        operation_id = command.operation_id
        if self._followed.get(operation_id) is followed:
            del self._followed[operation_id]
        asked_by_till = bool(command.origin.terminal_id)
        place = self._tracing.place(operation_id, below="gateway" if asked_by_till else None)
        attributes = {"bonpunkt.result": _result(answer)}
        if isinstance(answer.decision, Refused):
            attributes["bonpunkt.reason"] = answer.decision.reason.value
        span = Span(
            trace_id=operation_id,
            span_id=place.span_id,
            above=place.above,
            name=f"book {_NAMES.get(type(command)) or type(command).__name__.lower()}",
            kind=Kind.SERVER,
            begun_ns=followed.begun_ns,
            ended_ns=time.time_ns(),
            attributes=attributes | _batch(steps),
            events=steps.events() if steps is not None else (),
            error=answer.cause.name.lower() if answer.cause is not None else None,
        )
        self._tracing.tell(span)


def _result(answer: Answer) -> str:
    return "undecided" if answer.decision is None else type(answer.decision).__name__.lower()


def _batch(steps: _Steps | None) -> dict[str, str | int]:
    """Of the batch that booked it; a repeat, or a refusal that is not journalled, has none."""
    if steps is None or not steps.committed_ns:
        return {}
    return {"bonpunkt.batch_rows": steps.rows, "bonpunkt.lane": steps.lane}


class _TimedStore:
    """A store whose writing transactions note their steps for those who are followed."""

    def __init__(self, store: Store, followed: dict[str, _Followed]) -> None:
        self._store, self._followed = store, followed
        self.engine: AsyncEngine = store.engine
        self.lanes = store.lanes

    @property
    def reader(self) -> Reader:
        return self._store.reader

    @asynccontextmanager
    async def writing(self, lane: int = 0) -> AsyncIterator[Transaction]:
        steps = _Steps(lane, time.time_ns())
        async with self._store.writing(lane) as transaction:
            yield _TimedTransaction(transaction, steps, self._followed)
        steps.committed_ns = time.time_ns()

    async def owners(self, cards: Sequence[Key]) -> dict[Key, Located]:
        return await self._store.owners(cards)

    async def recorded(self, keys: Sequence[Key]) -> dict[Key, Recorded]:
        return await self._store.recorded(keys)

    async def close(self) -> None:
        await self._store.close()


class _TimedTransaction:
    def __init__(
        self, transaction: Transaction, steps: _Steps, followed: dict[str, _Followed]
    ) -> None:
        self._transaction, self._steps, self._followed = transaction, steps, followed
        self.owners, self.decided = transaction.owners, transaction.decided
        self.recorded, self.reversals = transaction.recorded, transaction.reversals

    async def lock(self, buckets: Sequence[int]) -> dict[int, BucketState]:
        locked = await self._transaction.lock(buckets)
        self._steps.locked_ns = time.time_ns()
        return locked

    async def members(self, wanted: Sequence[tuple[int, str]]) -> dict[str, Member]:
        found = await self._transaction.members(wanted)
        self._steps.members_read_ns = time.time_ns()
        return found

    async def append(self, batch: Batch) -> None:
        """Deciding ends where writing begins."""
        self._steps.decided_ns = time.time_ns()
        self._steps.rows = len(batch.journal)
        if self._followed:
            for row in batch.journal:
                followed = self._followed.get(row["operation_id"])
                if followed is not None:
                    followed.steps = self._steps
        await self._transaction.append(batch)
        self._steps.written_ns = time.time_ns()
