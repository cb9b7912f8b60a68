"""The parts of a notifier, put together on a real database, with a clock that tests may move."""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select

from bonpunkt.loyalty.v1.feed_pb2 import JournalEntry
from services.notifier import schema
from services.notifier.addresses import Policy
from services.notifier.database import Database
from services.notifier.endpoints import Endpoint, Endpoints
from services.notifier.events import entry_from_journal
from services.notifier.feed import Feed
from services.notifier.intake import Intake, taken_from
from services.notifier.line import Habits
from services.notifier.schema import State
from services.notifier.sender import Sender
from services.notifier.store import Place, Store, Taken
from services.runtime.grpc import bearer, channel
from tests.notifier.feed import BUCKETS, TOKEN, Loyalty, entry
from tests.notifier.receivers import SECRET

LOOPBACK = Policy(allow_loopback=True)
AT_ONCE = (0,) * 8  # a schedule that never waits
HOUR_US = 3_600_000_000


def taken(entries: Iterable[JournalEntry], place: Place) -> Taken:
    """What intake stores for these entries, which follow on `place`."""
    kept = [entry_from_journal(each, epoch=place.epoch) for each in entries]
    return taken_from(kept, heads=place.heads)


class Clock:
    """The real time, plus what a test adds to it."""

    def __init__(self) -> None:
        self.ahead_us = 0

    def __call__(self) -> int:
        return time.time_ns() // 1_000 + self.ahead_us


@dataclass(slots=True)
class Rig:
    database: Database
    store: Store
    endpoints: Endpoints
    clock: Clock
    versions: Counter[int] = field(default_factory=Counter)

    async def change(self, *members: int) -> None:
        """Takes in the next version of each of these members, in this order."""
        place = await self.store.place()
        if not place.heads:
            place = await self.store.adopt(epoch=1, bucket_count=BUCKETS)
        sequences = {bucket: head.sequence for bucket, head in place.heads.items()}
        entries = []
        for member in members:
            bucket = member % BUCKETS
            self.versions[member] += 1
            sequences[bucket] += 1
            entries.append(
                entry(
                    bucket=bucket,
                    sequence=sequences[bucket],
                    member_id=str(uuid.UUID(int=member)),
                    member_version=self.versions[member],
                )
            )
        await self.store.take_in(taken(entries, place), now_us=self.clock())

    async def add(self, name: str, url: str, *event_types: str) -> Endpoint:
        added = await self.endpoints.add(
            name=name,
            url=url,
            event_types=event_types,
            secret=SECRET,
            actor="demo",
            now_us=self.clock(),
        )
        assert added is not None
        return added

    async def count(self, state: State, endpoint: Endpoint | None = None) -> int:
        """Counted from the rows; and the figures have to say the same."""
        rows = select(func.count()).select_from(schema.delivery)
        kept = select(func.coalesce(func.sum(schema.figures.c[state.name.lower()]), 0))
        if endpoint is not None:
            rows = rows.where(schema.delivery.c.endpoint_id == endpoint.endpoint_id)
            kept = kept.where(schema.figures.c.endpoint_id == endpoint.endpoint_id)
        async with self.database.reading() as connection:
            rows = rows.where(schema.delivery.c.state == state.value)
            both = select(rows.scalar_subquery(), kept.scalar_subquery())
            counted, figure = (await connection.execute(both)).one()
        assert counted == figure
        return int(counted)

    @asynccontextmanager
    async def taking_in(
        self, loyalty: Loyalty, *, announce: Callable[[set[int]], None] = lambda _: None
    ) -> AsyncIterator[asyncio.Task[None]]:
        """A running intake; its task ends only if it stopped for good."""
        async with channel(f"127.0.0.1:{loyalty.port}") as to_loyalty:
            feed = Feed(channel=to_loyalty, metadata=bearer(TOKEN))
            intake = Intake(store=self.store, feed=feed, clock=self.clock, announce=announce)
            async with running(intake.run()) as task:
                yield task

    @asynccontextmanager
    async def sending(
        self,
        *,
        schedule_s: Sequence[int] = AT_ONCE,
        concurrency: int = 8,
        timeout_s: float = 5,
        disable_after_s: int = 0,
        buckets: Callable[[], Collection[int] | None] = lambda: None,
    ) -> AsyncIterator[Sender]:
        sender = Sender(
            store=self.store,
            endpoints=self.endpoints,
            habits=Habits(
                concurrency=concurrency, schedule_s=schedule_s, disable_after_s=disable_after_s
            ),
            timeout_s=timeout_s,
            policy=LOOPBACK,
            clock=self.clock,
            buckets=buckets,
        )
        async with running(sender.run()):
            yield sender


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def rig(url: str) -> AsyncIterator[Rig]:
    database = Database(url)
    try:
        await database.migrate()
        yield Rig(database, Store(database), Endpoints(database), Clock())
    finally:
        await database.close()
