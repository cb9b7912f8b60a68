"""Who does what, where several notifiers share the work of one database.

There are as many duties as buckets, and the relay. Each process renews a lease every second, takes
its share of what nobody does, and gives up what exceeds its share once nothing of it is under way.
A process whose lease has ended does nothing more, and the others take its duties over. If two do
the same for a moment all the same, cursors and states of deliveries in the database say so.
"""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import delete, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.database import DUTIES_LOCK, Database
from services.notifier.schema import cursor, duty, worker

RELAY = -1  # buckets have the numbers from 0 on
LEASE_S = 5.0
BEAT_S = 1.0

_US = 1_000_000
_NOTHING: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Plan:
    """What one process is to take of what nobody does, or to give up of its own."""

    take: frozenset[int]
    give: frozenset[int]


def plan(
    me: str, *, workers: Collection[str], done_by: Mapping[int, str], duties: Collection[int]
) -> Plan:
    """Equal shares, to one duty. If all keep to it, nothing is left over and nobody waits for long.

    `workers`: all that live, `me` among them. `done_by`: of each duty that is done, by whom.
    """
    assert me in workers, "a plan is made by whoever lives"
    size, rest = divmod(len(duties), len(workers))
    share = size + (sorted(workers).index(me) < rest)
    mine = sorted(each for each in duties if done_by.get(each) == me)
    free = sorted(each for each in duties if each not in done_by)
    missing = max(0, share - len(mine))
    return Plan(take=frozenset(free[:missing]), give=frozenset(mine[share:]))


class Duties:
    """This process's duties, as of the last `beat`."""

    def __init__(
        self, database: Database, *, name: str, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = name
        self._database = database
        self._monotonic = monotonic
        self._mine = _NOTHING
        self._leaving = _NOTHING  # still ours in the database; nothing new is begun
        self._ends = -1.0  # of the lease, on our own clock and a little early

    def buckets(self) -> frozenset[int]:
        return self._held() - {RELAY}

    def is_relay(self) -> bool:
        return RELAY in self._held()

    def _held(self) -> frozenset[int]:
        return self._mine if self._monotonic() < self._ends else _NOTHING

    async def beat(self, *, busy: Collection[int]) -> None:
        """Renews the lease and keeps to the plan. `busy`: buckets with something under way."""
        begun = self._monotonic()
        async with self._database.writing(lock=DUTIES_LOCK) as connection:
            workers = await self._renew(connection)
            buckets = await connection.scalars(select(cursor.c.bucket))
            found = await connection.execute(select(duty.c.duty, duty.c.worker))
            done_by = {row.duty: row.worker for row in found}
            made = plan(self.name, workers=workers, done_by=done_by, duties={RELAY, *buckets.all()})
            over = {each for each in made.give if each in self._leaving and each not in busy}
            await self._drop(connection, over)
            if made.take:
                rows = [{"duty": each, "worker": self.name} for each in sorted(made.take)]
                await connection.execute(insert(duty), rows)
        mine = {each for each, by in done_by.items() if by == self.name}
        self._mine = frozenset(mine - made.give | made.take)
        self._leaving = made.give - over
        self._ends = begun + LEASE_S - BEAT_S

    async def _renew(self, connection: AsyncConnection) -> list[str]:
        """Everybody who lives, this process among them; the duties of others are nobody's then."""
        now_us = await self._database.now_us(connection)
        gone = or_(worker.c.name == self.name, worker.c.until_us < now_us)
        await connection.execute(delete(worker).where(gone))
        until_us = now_us + round(LEASE_S * _US)
        await connection.execute(insert(worker), {"name": self.name, "until_us": until_us})
        names = select(worker.c.name)
        await connection.execute(delete(duty).where(duty.c.worker.not_in(names)))
        return list((await connection.scalars(names)).all())

    async def _drop(self, connection: AsyncConnection, over: Collection[int]) -> None:
        if over:
            statement = delete(duty).where(duty.c.duty.in_(over), duty.c.worker == self.name)
            await connection.execute(statement)

    async def leave(self) -> None:
        """Gives everything up at once: nothing is under way any more."""
        self._mine = self._leaving = _NOTHING
        async with self._database.writing(lock=DUTIES_LOCK) as connection:
            await connection.execute(delete(duty).where(duty.c.worker == self.name))
            await connection.execute(delete(worker).where(worker.c.name == self.name))
