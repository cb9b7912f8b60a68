"""What runs beside the checkouts: the nightly walk over idle members, and the end of reservations.

Every decision settles its member first, so nothing depends on these jobs but the punctuality of
events. They go through the writer like any command, a few members at a time, so that checkouts in
between wait for a handful of them at most.
"""

import asyncio
import heapq
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple
from uuid import uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from services.loyalty import retention, schema
from services.loyalty.clock import Clock
from services.loyalty.domain.command import Origin, Settle
from services.loyalty.domain.decision import Reserved
from services.loyalty.keys import BUCKET_COUNT
from services.loyalty.lanes import Lanes
from services.loyalty.office.instants import micros
from services.loyalty.retention import Retention
from services.loyalty.wire_forms import command_fingerprint
from services.runtime.logs import logger

NIGHTLY = "nightly"
SLICE = 500  # members read at a time
SETTLES_MAX = 32  # members settled at a time
SETTLE_TIMEOUT_S = 60.0
LEASE = timedelta(minutes=2)
BY_ITSELF = Origin(actor="nightly")

log = logger(__name__)
_job, _member = schema.job, schema.member


class JobTakenError(Exception):
    """Another process is at this job."""


class Progress(NamedTuple):
    buckets_done: int
    looked_at: int
    settled: int
    deleted: int = 0
    finished: bool = False


class _Place(NamedTuple):
    """Where a run goes on, and what it has done so far."""

    bucket: int
    after_member_id: str
    looked_at: int
    settled: int


class Nightly:
    """One walk over all members. Broken off anywhere, the next run goes on there; repeated, it
    finds nothing left to do.
    """

    def __init__(
        self,
        lanes: Lanes,
        engine: AsyncEngine,
        clock: Clock,
        *,
        retention: Retention,
        wall_clock: Callable[[], datetime],
    ) -> None:
        self._lanes, self._engine, self._clock = lanes, engine, clock
        self._retention, self._wall_clock = retention, wall_clock
        self._owner = str(uuid4())

    async def run(self) -> AsyncIterator[Progress]:
        """Tells how far it is after each slice. Raises JobTakenError."""
        place = await self._begin()
        while place.bucket < BUCKET_COUNT:
            place = await self._slice(place)
            await self._keep(place)
            yield Progress(place.bucket, place.looked_at, place.settled)
        deleted = await retention.run(
            self._engine,
            self._retention,
            ledger_now_us=self._clock.now_us(),
            now=self._wall_clock(),
        )
        await self._finish()
        yield Progress(
            BUCKET_COUNT, place.looked_at, place.settled, sum(deleted.values()), finished=True
        )

    async def _slice(self, place: _Place) -> _Place:
        """Settles the members of one slice; a slice that is not full ends its bucket."""
        statement = (
            select(_member.c.member_id, _member.c.due_at_us)
            .where(_member.c.bucket == place.bucket)
            .order_by(_member.c.member_id)
            .limit(SLICE)
        )
        if place.after_member_id:
            statement = statement.where(_member.c.member_id > place.after_member_id)
        async with self._engine.connect() as connection:
            await connection.execution_options(read_only=True)
            rows = (await connection.execute(statement)).all()
        now_us = self._clock.now_us()
        due = [row.member_id for row in rows if row.due_at_us <= now_us]
        for start in range(0, len(due), SETTLES_MAX):
            await settle(self._lanes, due[start : start + SETTLES_MAX])
        looked_at, settled = place.looked_at + len(rows), place.settled + len(due)
        if len(rows) < SLICE:
            return _Place(place.bucket + 1, "", looked_at, settled)
        return _Place(place.bucket, rows[-1].member_id, looked_at, settled)

    async def _begin(self) -> _Place:
        """Takes the job, unless somebody else is at it; goes on where it was broken off."""
        now_us = self._clock.now_us()
        async with self._engine.begin() as connection:
            row = (
                await connection.execute(
                    select(_job).where(_job.c.name == NIGHTLY).with_for_update()
                )
            ).one_or_none()
            if (
                row is not None
                and row.owner != self._owner
                and row.lease_until_us > micros(self._wall_clock())
            ):
                raise JobTakenError("another process is at the nightly run; it goes on by itself")
            broken_off = row is not None and row.finished_at_us is None
            place = (
                _Place(row.bucket, row.after_member_id, row.looked_at, row.settled)
                if row is not None and broken_off
                else _Place(0, "", 0, 0)
            )
            values = {
                "owner": self._owner,
                "lease_until_us": self._leased_until_us(),
                "started_at_us": row.started_at_us if row is not None and broken_off else now_us,
                "finished_at_us": None,
                **place._asdict(),
            }
            if row is None:
                await connection.execute(schema.job.insert().values(name=NIGHTLY, **values))
            else:
                await connection.execute(
                    update(_job).where(_job.c.name == NIGHTLY).values(**values)
                )
        return place

    async def _keep(self, place: _Place) -> None:
        await self._write(lease_until_us=self._leased_until_us(), **place._asdict())

    async def _finish(self) -> None:
        await self._write(lease_until_us=0, finished_at_us=self._clock.now_us())

    async def _write(self, **values: object) -> None:
        """JobTakenError: the lease ran out meanwhile and another process went on."""
        async with self._engine.begin() as connection:
            written = await connection.execute(
                update(_job)
                .where(_job.c.name == NIGHTLY, _job.c.owner == self._owner)
                .values(**values)
            )
            if written.rowcount != 1:
                raise JobTakenError("another process took the nightly run over")

    def _leased_until_us(self) -> int:
        return micros(self._wall_clock() + LEASE)


async def settle(lanes: Lanes, member_ids: Sequence[str]) -> None:
    """Does to the members what time has done to them. Whoever cannot be settled now is the next
    run's.
    """
    commands = [
        Settle(str(uuid4()), command_fingerprint("settle", member_id), BY_ITSELF, member_id)
        for member_id in member_ids
    ]
    await asyncio.gather(
        *[lanes.commit(command, timeout_s=SETTLE_TIMEOUT_S) for command in commands]
    )


class ReservationTimer:
    """Ends reservations of this process when their time is over, so that their points are seen
    again at once. Those of a process that died are ended by whoever looks at the member next.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ends: list[tuple[int, str]] = []  # heap of (expires_at_us, member id)
        self._wake = asyncio.Event()

    def reserved(self, decision: Reserved) -> None:
        """A reservation was booked."""
        heapq.heappush(self._ends, (decision.expires_at_us, decision.member.member_id))
        self._wake.set()

    async def run(self, lanes: Lanes) -> None:
        """Until cancelled."""
        while True:
            self._wake.clear()
            wait_s = self._wait_s()
            if wait_s is None or wait_s > 0:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), wait_s)
                continue
            now_us = self._clock.now_us()
            over: set[str] = set()
            while self._ends and self._ends[0][0] <= now_us and len(over) < SETTLES_MAX:
                over.add(heapq.heappop(self._ends)[1])
            await settle(lanes, sorted(over))

    def _wait_s(self) -> float | None:
        """Until the next one ends, by the ledger's clock; None: there is none."""
        if not self._ends:
            return None
        return (self._ends[0][0] - self._clock.now_us()) / 1_000_000


async def every_night(
    nightly: Nightly, *, at: time, time_zone: str, wall_clock: Callable[[], datetime]
) -> None:
    """Runs the job each night at `at` (local time of the programme), until cancelled."""
    while True:
        await asyncio.sleep(_until(at, wall_clock().astimezone(ZoneInfo(time_zone))))
        try:
            async for progress in nightly.run():
                if progress.finished:
                    log.info("nightly run finished", **progress._asdict())
        except JobTakenError as error:
            log.info("nightly run is another process's", reason=str(error))
        except Exception as error:
            log.error("nightly run broken off", error=repr(error), exc_info=error)


def _until(at: time, now: datetime) -> float:
    """Seconds to the next time of day `at`; `now` is local."""
    next_run = datetime.combine(now.date(), at, tzinfo=now.tzinfo)
    if next_run <= now:
        next_run = datetime.combine(now.date() + timedelta(days=1), at, tzinfo=now.tzinfo)
    return (next_run.astimezone(UTC) - now.astimezone(UTC)).total_seconds()
