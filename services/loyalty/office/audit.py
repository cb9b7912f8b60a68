"""Who did what: a trail in which nothing is changed, left out or put in without it showing.

Each entry's hash covers the entry and the hash before it. The head of the chain is one row, which
every writer locks before it reads or changes anything of the office.
"""

import hashlib
import struct
from datetime import datetime
from typing import Any, TypedDict

from sqlalchemy import Row, delete, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.loyalty.office.instants import micros
from services.loyalty.office.schema import audit, audit_base, audit_head

GENESIS = bytes(32)
_ENCODING = b"bonpunkt.audit.1"
_TEXT_CHARACTERS_MAX = 1_000


class Entry(TypedDict):
    """What the hash of an entry covers."""

    sequence: int
    at_us: int
    actor: str
    action: str
    subject: str
    detail: str


async def append_audit(
    connection: AsyncConnection,
    *,
    at: datetime,
    actor: str,
    action: str,
    subject: str,
    detail: str = "",
) -> int:
    """Records an act inside the transaction that does it; answers the entry's sequence.

    Locks the head of the chain until that transaction ends: call it after every other lock is
    taken. Control characters become spaces, so that no text forges an entry in a printed list; long
    texts are cut.
    """
    sequence, previous = await lock_audit(connection)
    entry: Entry = {
        "sequence": sequence + 1,
        "at_us": micros(at),
        "actor": _one_line(actor),
        "action": _one_line(action),
        "subject": _one_line(subject),
        "detail": _one_line(detail),
    }
    chained = _entry_hash(previous, entry)
    await connection.execute(insert(audit).values(**entry, hash=chained))
    await connection.execute(update(audit_head).values(sequence=sequence + 1, hash=chained))
    return sequence + 1


async def lock_audit(connection: AsyncConnection) -> tuple[int, bytes]:
    """Locks the head and answers its sequence and hash; makes the head when the database is new.

    A write, not a read: SQLite then takes its write lock at once rather than fail later when a read
    turns into a write.
    """
    statement = (
        update(audit_head)
        .values(sequence=audit_head.c.sequence)
        .returning(audit_head.c.sequence, audit_head.c.hash)
    )
    head = (await connection.execute(statement)).first()
    if head is None:
        await connection.execute(
            text(
                "INSERT INTO audit_head (only_row, sequence, hash) VALUES (1, 0, :hash) "
                "ON CONFLICT DO NOTHING"
            ),
            {"hash": GENESIS},
        )
        head = (await connection.execute(statement)).one()
    return head.sequence, bytes(head.hash)


def reading(engine: AsyncEngine) -> AsyncEngine:
    """The same engine for transactions that only read: on SQLite they wait for no writer."""
    return engine.execution_options(read_only=True)


async def newest_audit(connection: AsyncConnection, limit: int) -> list[Row[Any]]:
    """The latest `limit` entries, newest first."""
    found = await connection.execute(select(audit).order_by(audit.c.sequence.desc()).limit(limit))
    return list(found)


async def forget_audit(connection: AsyncConnection, *, until_us: int, limit: int) -> int:
    """Deletes the oldest entries, those before `until_us` and at most `limit`; answers how many.

    The chain then begins behind the last one deleted, whose hash is kept. The newest entry always
    stays: it is what the head ends with.
    """
    head, _ = await lock_audit(connection)
    found = await connection.execute(
        select(audit.c.sequence, audit.c.at_us, audit.c.hash)
        .where(audit.c.sequence < head)
        .order_by(audit.c.sequence)
        .limit(limit)
    )
    count = 0
    for row in found:
        if row.at_us >= until_us:
            break
        count, last = count + 1, row
    if count:
        await connection.execute(delete(audit).where(audit.c.sequence <= last.sequence))
        await connection.execute(delete(audit_base))
        await connection.execute(
            insert(audit_base).values(only_row=1, sequence=last.sequence, hash=bytes(last.hash))
        )
    return count


async def verify_audit(connection: AsyncConnection) -> list[str]:
    """Recomputes the chain from all rows that are kept; one sentence for each thing that is wrong.

    Give it a connection whose reads are one snapshot, or entries appended meanwhile look like a
    wrong head.
    """
    problems: list[str] = []
    base = (await connection.execute(select(audit_base))).first()
    begin = (base.sequence, bytes(base.hash)) if base else (0, GENESIS)
    sequence, previous = begin
    async with connection.stream(select(audit).order_by(audit.c.sequence)) as rows:
        async for row in rows:
            if row.sequence != sequence + 1:
                problems.append(f"audit entries {sequence + 1} to {row.sequence - 1} are missing")
            entry: Entry = {
                "sequence": row.sequence,
                "at_us": row.at_us,
                "actor": row.actor,
                "action": row.action,
                "subject": row.subject,
                "detail": row.detail,
            }
            expected = _entry_hash(previous, entry)
            sequence, previous = row.sequence, bytes(row.hash)
            if previous != expected:
                problems.append(f"audit entry {sequence} does not hash to what was recorded")
    head = (await connection.execute(select(audit_head))).first()
    recorded = (head.sequence, bytes(head.hash)) if head else begin
    if recorded != (sequence, previous):
        problems.append(f"the audit ends at entry {sequence}, its head says {recorded[0]}")
    return problems


def _entry_hash(previous: bytes, entry: Entry) -> bytes:
    """SHA-256(name ‖ previous hash ‖ sequence ‖ instant ‖ each text after its length)."""
    digest = hashlib.sha256(_ENCODING + previous)
    digest.update(struct.pack(">Qq", entry["sequence"], entry["at_us"]))
    for part in (entry["actor"], entry["action"], entry["subject"], entry["detail"]):
        encoded = part.encode()
        digest.update(struct.pack(">I", len(encoded)) + encoded)
    return digest.digest()


def _one_line(words: str) -> str:
    cut = words[:_TEXT_CHARACTERS_MAX]
    return "".join(sign if sign.isprintable() else " " for sign in cut)
