"""The notifier's own acts, each row sealing all rows before it."""

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import orjson
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.schema import audit

FIRST_HASH = bytes(32)


@dataclass(frozen=True, slots=True)
class Act:
    """Who did what to which endpoint or delivery."""

    at_us: int
    actor: str
    action: str  # "endpoint.add", "endpoint.disable", "endpoint.enable", "delivery.redeliver"
    subject: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Sealed:
    sequence: int
    act: Act
    hash: bytes


def seal(act: Act, *, sequence: int, before: bytes) -> bytes:
    """SHA-256(hash before ‖ JSON array of the row's fields in the order of the table)."""
    fields = [sequence, act.at_us, act.actor, act.action, act.subject, act.detail]
    return hashlib.sha256(before + orjson.dumps(fields)).digest()


def first_broken(rows: Iterable[Sealed]) -> int | None:
    """The sequence of the first row that is missing, changed or out of place; None if none is."""
    before = FIRST_HASH
    for expected, row in enumerate(rows, start=1):
        if row.sequence != expected or row.hash != seal(row.act, sequence=expected, before=before):
            return expected
        before = row.hash
    return None


async def append(connection: AsyncConnection, act: Act) -> None:
    """Adds a row; in the transaction that acts. Under ACTS_LOCK the last row is the last."""
    newest = select(audit.c.sequence, audit.c.hash).order_by(audit.c.sequence.desc()).limit(1)
    last = (await connection.execute(newest)).one_or_none()
    sequence, before = (last.sequence + 1, last.hash) if last else (1, FIRST_HASH)
    sealed = {"sequence": sequence, "hash": seal(act, sequence=sequence, before=before)}
    await connection.execute(insert(audit), {**asdict(act), **sealed})


async def read(connection: AsyncConnection) -> list[Sealed]:
    """All rows, oldest first."""
    rows = await connection.execute(select(audit).order_by(audit.c.sequence))
    return [
        Sealed(
            sequence=row.sequence,
            act=Act(row.at_us, row.actor, row.action, row.subject, row.detail),
            hash=row.hash,
        )
        for row in rows
    ]
