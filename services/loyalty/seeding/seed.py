"""Fills a new ledger: all of it in one transaction, so that a seed is whole or never was."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import asyncpg
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bonpunkt.till.v1 import till_pb2 as pb
from services.loyalty import schema
from services.loyalty.installation import open_installation, open_programmes
from services.loyalty.keys import BUCKET_COUNT
from services.loyalty.migrations import migrate
from services.loyalty.office.audit import append_audit
from services.loyalty.office.instants import micros
from services.loyalty.restored import connections_of_others
from services.loyalty.seeding import copying
from services.loyalty.seeding.cohorts import Share, Size, cohorts
from services.loyalty.seeding.workers import Versions, chunks, programmes_of, purchases_of
from services.loyalty.store import JsonRow, open_store

SQLITE_ROWS_MAX = 1_000_000
DAY_US = 86_400_000_000

Told = Callable[[str, int], None]  # what is being done, and how many journal rows there are


class NotNewError(Exception):
    """The ledger is in use, or was; says what to do."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be made, as of `now`; in `processes` at once. 0 `baskets_days`: line items are
    kept for ever.
    """

    size: Size
    baskets: Sequence[pb.Basket]
    baskets_days: int
    now: datetime
    actor: str
    processes: int

    def shares(self) -> list[Share]:
        count = min(self.processes, self.size.members, BUCKET_COUNT)
        now_us = micros(self.now)
        since_us = now_us - self.baskets_days * DAY_US if self.baskets_days else 0
        return [Share(self.size, number, count, now_us, since_us) for number in range(count)]


async def seed(url: str, order: Order, *, programme: Path, told: Told) -> None:
    """Brings the schema to this version, opens the ledger if nobody did, and fills it.

    NotNewError if anything was ever booked, or if somebody is connected to the database;
    ValueError if the order does not fit the database or the programme. Nothing is booked then, nor
    if it is broken off.
    """
    store = await open_store(url)
    engine = store.engine
    try:
        if engine.dialect.name == "sqlite" and order.size.journal_rows > SQLITE_ROWS_MAX:
            raise ValueError(
                f"a SQLite file takes {SQLITE_ROWS_MAX:,} journal rows at most; name a PostgreSQL "
                "database in LOYALTY_DATABASE_URL for more"
            )
        others = await connections_of_others(engine)
        if others:
            raise NotNewError(f"the database is in use by {', '.join(others)}; stop that first")
        await migrate(engine)
        await open_installation(engine)
        async with engine.begin() as connection:  # a ledger in use gets no other programme by this
            await _refuse_unless_new(connection)
        await open_programmes(engine, programme, now_us=micros(order.now))
        async with engine.begin() as connection:
            await _refuse_unless_new(connection)
            await _fill(connection, order, told)
            await append_audit(
                connection,
                at=order.now,
                actor=order.actor,
                action="installation.seed",
                subject=f"{order.size.members} members",
                detail=f"{order.size.journal_rows} journal rows, all of them made up",
            )
    finally:
        await store.close()


async def _refuse_unless_new(connection: AsyncConnection) -> None:
    """Locks the ledger on PostgreSQL: whoever starts now waits, and finds it seeded."""
    if connection.dialect.name == "postgresql":
        names = ", ".join([*copying.NAMES, schema.bucket.name])
        await connection.execute(text(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE"))
    booked = await connection.scalar(select(func.sum(schema.bucket.c.sequence)))
    filled = [
        table.name
        for table in copying.FILLED
        if await connection.scalar(select(table.c.bucket).limit(1)) is not None
    ]
    if booked or filled:
        raise NotNewError(
            f"{int(booked or 0):,} operations are booked in this ledger; only a new one can be "
            "seeded: name an empty database in LOYALTY_DATABASE_URL"
        )


async def _fill(connection: AsyncConnection, order: Order, told: Told) -> None:
    rows = await connection.execute(
        select(schema.programme.c.effective_from_us, schema.programme.c.document)
    )
    versions = [(since, document) for since, document in rows]
    filled = _copied if connection.dialect.name == "postgresql" else _inserted
    buckets: dict[int, JsonRow] = {}
    done = 0
    async for count, changed in filled(connection, order, versions, told):
        done += count
        buckets |= {row["bucket"]: row for row in changed}
        told("rows", done)
    for number, row in buckets.items():
        table = schema.bucket
        await connection.execute(update(table).where(table.c.bucket == number).values(row))
    if connection.dialect.name == "postgresql":
        told("statistics", done)
        await connection.execute(text(f"ANALYZE {', '.join([*copying.NAMES, 'bucket'])}"))


Filled = AsyncIterator[tuple[int, Sequence[JsonRow]]]  # journal rows, and bucket rows after them


async def _copied(
    connection: AsyncConnection, order: Order, versions: Versions, told: Told
) -> Filled:
    """Into PostgreSQL: tables without keys are filled, then the keys are made."""
    raw = (await connection.get_raw_connection()).driver_connection
    assert isinstance(raw, asyncpg.Connection)
    keys = await copying.empty_without_keys(raw)
    async for chunk in chunks(order.shares(), versions=versions, baskets=order.baskets):
        await copying.copy(raw, chunk)
        yield chunk.journal_rows, chunk.buckets
    for key in keys:
        told(f"key of {key[0]}", order.size.journal_rows)
        await copying.make_key(raw, key)


async def _inserted(
    connection: AsyncConnection, order: Order, versions: Versions, _: Told
) -> Filled:
    """Into SQLite, which has one writer: in this very process."""
    programmes = programmes_of(versions)
    purchases = purchases_of(order.baskets, programmes)
    for share in replace(order, processes=1).shares():
        for batch in cohorts(share, programmes=programmes, purchases=purchases):
            located = [key._asdict() | place._asdict() for key, place in batch.locators]
            for table, rows in (
                (schema.journal, batch.journal),
                (schema.locator, located),
                (schema.basket, batch.baskets),
                (schema.member, batch.new_members),
            ):
                if rows:
                    await connection.execute(insert(table), rows)
            yield len(batch.journal), batch.buckets
