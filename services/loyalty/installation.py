"""What a ledger is told once, when its database is created, and checks at every start."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.loyalty import schema
from services.loyalty.chain import GENESIS
from services.loyalty.keys import BUCKET_COUNT
from services.loyalty.migrations import ADVISORY_LOCK
from services.loyalty.office.audit import append_audit
from services.loyalty.programmes.document import document_hash, load_programme, read_document
from services.loyalty.programmes.versions import Programmes
from services.loyalty.store import ACCOUNT_COLUMNS, COUNTERS


class WrongInstallationError(Exception):
    """The database belongs to another set-up than this process; says what to do."""


@dataclass(frozen=True, slots=True)
class Installation:
    bucket_count: int
    epoch: int


async def open_installation(engine: AsyncEngine) -> Installation:
    """The facts of this database; writes them and the bucket rows if it is new."""
    async with engine.begin() as connection:
        await _alone(connection)
        facts = await _facts(connection)
        if not facts:
            await _create(connection)
            facts = await _facts(connection)
    bucket_count = int(facts["bucket_count"])
    if bucket_count != BUCKET_COUNT:
        raise WrongInstallationError(
            f"this database was created with {bucket_count} buckets, this release has "
            f"{BUCKET_COUNT}; the number cannot change: use the release that made it"
        )
    return Installation(bucket_count=bucket_count, epoch=int(facts["epoch"]))


async def raise_epoch(engine: AsyncEngine, *, at: datetime, actor: str) -> int:
    """Makes every position and version of before older than all to come; answers the new epoch.

    For a database that was restored, while nothing serves it. The epoch is the time in seconds
    since 1970, or one more than before: counting alone would give two restores of one backup the
    same epoch, and followers would take the second history for the first.
    """
    async with engine.begin() as connection:
        await _alone(connection)
        before = int((await _facts(connection))["epoch"])
        epoch = max(before + 1, int(at.timestamp()))
        table = schema.installation
        await connection.execute(
            update(table).where(table.c.name == "epoch").values(value=str(epoch))
        )
        await append_audit(
            connection,
            at=at,
            actor=actor,
            action="installation.restore",
            subject=f"epoch {epoch}",
            detail=f"after epoch {before}",
        )
    return epoch


async def _alone(connection: AsyncConnection) -> None:
    """Waits for other processes that start on this database. On SQLite BEGIN has done it."""
    if connection.dialect.name == "postgresql":
        await connection.execute(select(func.pg_advisory_xact_lock(ADVISORY_LOCK)))


async def _facts(connection: AsyncConnection) -> Mapping[str, str]:
    rows = await connection.execute(select(schema.installation.c.name, schema.installation.c.value))
    return {row.name: row.value for row in rows}


async def _create(connection: AsyncConnection) -> None:
    facts = {"bucket_count": str(BUCKET_COUNT), "epoch": "1"}
    await connection.execute(
        insert(schema.installation), [{"name": n, "value": v} for n, v in facts.items()]
    )
    empty = dict.fromkeys((*ACCOUNT_COLUMNS, *COUNTERS, "sequence", "last_time_us"), 0)
    await connection.execute(
        insert(schema.bucket),
        [{"bucket": b, "chain_head": GENESIS, **empty} for b in range(BUCKET_COUNT)],
    )


async def open_programmes(engine: AsyncEngine, path: Path, *, now_us: int) -> Programmes:
    """All versions of the programme; the one in the file at `path` is in force from now on if it
    is new.

    A version once in force never changes: another document under its number is refused.
    """
    document = read_document(path)
    programme = load_programme(document)
    found_hash = bytes.fromhex(document_hash(document))
    table = schema.programme
    async with engine.begin() as connection:
        await _alone(connection)
        known = await connection.execute(
            select(table.c.document_hash).where(table.c.version == programme.version)
        )
        stored_hash = known.scalar_one_or_none()
        if stored_hash is None:
            first = await connection.scalar(select(func.count()).select_from(table)) == 0
            await connection.execute(
                insert(table).values(
                    version=programme.version,
                    effective_from_us=0 if first else now_us,
                    document=json.dumps(document, ensure_ascii=False),
                    document_hash=found_hash,
                )
            )
        elif stored_hash != found_hash:
            raise WrongInstallationError(
                f"LOYALTY_PROGRAMME: version {programme.version} was in force with other rules; "
                "give the changed document a higher version"
            )
        rows = await connection.execute(select(table.c.effective_from_us, table.c.document))
        return Programmes([(since, load_programme(_parsed(text))) for since, text in rows])


def _parsed(text: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(text)
    return document
