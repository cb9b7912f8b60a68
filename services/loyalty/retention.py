"""How long each class of record is kept. The nightly job calls `run`; docs/privacy.md tells why.

Everything is deleted in slices, each a transaction of its own, so that no checkout waits for long;
broken off, the next run goes on. 0 days: kept for ever. The journal and the erasure log always are.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from environs import Env, validate
from sqlalchemy import ColumnElement, Select, Table, delete, select, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine

from services.loyalty import schema
from services.loyalty.identity.schema import identity_tombstone
from services.loyalty.office.audit import forget_audit, lock_audit
from services.loyalty.office.instants import micros
from services.loyalty.office.schema import sign_in_attempt, staff_session

SLICE = 500
_DAY_US = timedelta(days=1) // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Retention:
    """Days; 0: for ever."""

    baskets_days: int
    tombstones_days: int
    sessions_days: int
    audit_days: int


def read(env: Env) -> Retention:
    """From the environment."""
    at_least_none = validate.Range(min=0)
    return Retention(
        baskets_days=env.int("LOYALTY_RETENTION_BASKETS_DAYS", 1096, validate=at_least_none),
        tombstones_days=env.int("LOYALTY_RETENTION_TOMBSTONES_DAYS", 4018, validate=at_least_none),
        sessions_days=env.int("LOYALTY_RETENTION_SESSIONS_DAYS", 1, validate=at_least_none),
        audit_days=env.int("LOYALTY_RETENTION_AUDIT_DAYS", 4018, validate=at_least_none),
    )


async def run(
    engine: AsyncEngine, retention: Retention, *, ledger_now_us: int, now: datetime
) -> Counter[str]:
    """Deletes what is older than its class allows; answers how many rows of each table.

    `ledger_now_us` is the ledger's clock, by which baskets grow old; `now` the real time, by which
    everything of the office does.
    """
    deleted: Counter[str] = Counter()
    if retention.baskets_days:
        until_us = ledger_now_us - retention.baskets_days * _DAY_US
        deleted["basket"] = await _delete_baskets(engine, until_us)
    if retention.tombstones_days:
        until_us = micros(now) - retention.tombstones_days * _DAY_US
        is_over = identity_tombstone.c.erased_at_us < until_us
        deleted["identity_tombstone"] = await _delete(engine, identity_tombstone, is_over)
    if retention.sessions_days:
        until_us = micros(now) - retention.sessions_days * _DAY_US
        is_over = staff_session.c.used_at_us < until_us
        deleted["staff_session"] = await _delete(engine, staff_session, is_over)
        is_over = sign_in_attempt.c.at_us < until_us
        deleted["sign_in_attempt"] = await _delete(engine, sign_in_attempt, is_over)
    if retention.audit_days:
        until_us = micros(now) - retention.audit_days * _DAY_US
        deleted["audit"] = await _forget_audit(engine, until_us)
    return deleted


async def _delete_baskets(engine: AsyncEngine, until_us: int) -> int:
    """Times ascend within a bucket, so the oldest baskets are the first."""
    deleted = 0
    async with engine.connect() as connection:
        await connection.execution_options(read_only=True)
        buckets = list(await connection.scalars(select(schema.bucket.c.bucket)))
    for bucket in buckets:
        while count := await _delete_slice_of_baskets(engine, bucket, until_us):
            deleted += count
    return deleted


async def _delete_slice_of_baskets(engine: AsyncEngine, bucket: int, until_us: int) -> int:
    basket, journal = schema.basket, schema.journal
    oldest = (
        select(basket.c.sequence, journal.c.effective_at_us)
        .join(
            journal,
            (journal.c.bucket == basket.c.bucket) & (journal.c.sequence == basket.c.sequence),
        )
        .where(basket.c.bucket == bucket)
        .order_by(basket.c.sequence)
        .limit(SLICE)
    )
    async with engine.connect() as connection:
        await connection.execution_options(read_only=True)
        found = await connection.execute(oldest)
        over = [sequence for sequence, effective_at_us in found if effective_at_us < until_us]
    if over:
        async with engine.begin() as connection:
            await connection.execute(
                delete(basket).where(basket.c.bucket == bucket, basket.c.sequence.in_(over))
            )
    return len(over)


async def _delete(engine: AsyncEngine, table: Table, is_over: ColumnElement[bool]) -> int:
    deleted = 0
    key = list(table.primary_key.columns)
    while True:
        async with engine.begin() as connection:
            await lock_audit(connection)
            rows = [tuple(row) for row in await connection.execute(_first(key, is_over))]
            if rows:
                await connection.execute(delete(table).where(tuple_(*key).in_(rows)))
        deleted += len(rows)
        if len(rows) < SLICE:
            return deleted


def _first(key: list[Any], is_over: ColumnElement[bool]) -> Select[Any]:
    return select(*key).where(is_over).limit(SLICE)


async def _forget_audit(engine: AsyncEngine, until_us: int) -> int:
    deleted = 0
    while True:
        async with engine.begin() as connection:
            count = await forget_audit(connection, until_us=until_us, limit=SLICE)
        deleted += count
        if count < SLICE:
            return deleted
