"""Recomputes the invariants of the ledger (DESIGN §3) from its rows, in one snapshot.

Reads the database directly and alone: what the service believes does not count. Nothing is
written. Each bucket is replayed from its first row, so memory holds one bucket's members at a
time, and of the others the operations that have a second row elsewhere. A row that cannot even be
read is a finding like any other.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from services.loyalty import schema
from services.loyalty.keys import Key
from services.loyalty.office.audit import verify_audit
from services.loyalty.store import normal_url
from services.loyalty.store_sqlite import sqlite_engine
from services.loyalty.verifying.crossing import Crossing
from services.loyalty.verifying.keys import KeySums, shown
from services.loyalty.verifying.replay import BucketReplay
from services.loyalty.verifying.report import CHECKS, NOT_PROVABLE_FROM_ROWS, PROBLEMS_MAX, Report
from services.loyalty.verifying.rows import named, streamed
from services.loyalty.verifying.rules import Rules, check_installation

__all__ = ["CHECKS", "NOT_PROVABLE_FROM_ROWS", "PROBLEMS_MAX", "Progress", "Report", "verify"]

Progress = Callable[[int, int], None]


async def verify(url: str, *, progress: Progress = lambda done, total: None) -> Report:
    """Checks the ledger behind a database URL. `progress` hears of buckets done and in all.

    Raises FileNotFoundError where there is no SQLite file.
    """
    engine = _engine(normal_url(url))
    try:
        return await _verify(engine, progress)
    finally:
        await engine.dispose()


def _engine(url: str) -> AsyncEngine:
    """Reads in one snapshot, writes nothing, and makes no file where there is none."""
    if not url.startswith("sqlite"):
        engine = create_async_engine(url, isolation_level="REPEATABLE READ")
        return engine.execution_options(postgresql_readonly=True)
    path = make_url(url).database
    if not path or not Path(path).is_file():
        raise FileNotFoundError(f"there is no ledger at {path}")
    return sqlite_engine(url).execution_options(read_only=True)


async def _verify(engine: AsyncEngine, progress: Progress) -> Report:
    report = Report()
    keys, rules, crossing = KeySums(), Rules(), Crossing(report)
    async with engine.connect() as snapshot:
        buckets = (await snapshot.execute(select(schema.bucket).order_by("bucket"))).all()
        numbers = [row.bucket for row in buckets]
        await check_installation(snapshot, numbers, report)
        await _check_strays(snapshot, numbers, report)
        for done, row in enumerate(buckets):
            progress(done, len(buckets))
            try:
                await BucketReplay(row, report, keys, rules, crossing).run(snapshot)
            except Exception as error:  # such as text where a number belongs
                report.check("I8", False, "bucket {} cannot be read: {!r}", row.bucket, error)
        in_transit = await snapshot.scalar(select(func.sum(schema.bucket.c.in_transit)))
        report.check("I1", not in_transit, "in_transit is {} over all buckets", in_transit)
        crossing.match()
        await rules.compare(snapshot, report)
        await keys.compare(snapshot, report)
        for problem in await verify_audit(snapshot):
            report.check("audit", False, problem)
        report.rows["audit"] += 1
        progress(len(buckets), len(buckets))
    return report


async def _check_strays(snapshot: AsyncConnection, buckets: list[int], report: Report) -> None:
    """No row lies outside of the buckets."""
    for table in schema.CHECKOUT_TABLES[1:]:
        key = list(table.primary_key.columns)
        strays = 0
        async for row in streamed(snapshot, select(*key).where(table.c.bucket.not_in(buckets))):
            strays += 1
            report.check("I8", False, "{} is in none of the buckets", _name(table.name, row))
        report.check("I8", not strays, "{} rows of {} are in no bucket", strays, table.name)


def _name(table: str, row: Row[Any]) -> str:
    match table:
        case "member":
            return f"member {row.member_id} in bucket {row.bucket}"
        case "locator":
            return f"locator: {shown(Key(row.bucket, row.kind, row.key))} in bucket {row.bucket}"
        case _:
            return named(table, row.bucket, row.sequence)
