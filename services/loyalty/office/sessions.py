"""Sessions of staff: 256 random bits in the browser, their SHA-256 here."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.loyalty.office.instants import micros
from services.loyalty.office.schema import staff, staff_session

IDLE_MAX = timedelta(minutes=30)
AGE_MAX = timedelta(hours=12)
# Use is written down at most this often, which ends an idle session up to a minute early and never
# late.
USE_RECORDED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Session:
    """A live session and whose it is. The recorded use is at most a minute behind the last."""

    token_sha256: bytes
    name: str
    role: str
    used_at_us: int


async def start_session(connection: AsyncConnection, *, name: str, now: datetime) -> str:
    """A new session's token, never one that existed before. Clears away sessions that have died."""
    await connection.execute(delete(staff_session).where(_dead(now)))
    token = secrets.token_urlsafe(32)
    await connection.execute(
        insert(staff_session).values(
            token_sha256=_sha256(token),
            name=name,
            started_at_us=micros(now),
            used_at_us=micros(now),
        )
    )
    return token


async def find_session(connection: AsyncConnection, token: str, *, now: datetime) -> Session | None:
    """The session if it is alive; looking is no use of it."""
    found = await connection.execute(
        select(staff_session.c.token_sha256, staff_session.c.used_at_us, staff.c.name, staff.c.role)
        .join(staff, staff.c.name == staff_session.c.name)
        .where(staff_session.c.token_sha256 == _sha256(token), ~_dead(now))
    )
    row = found.first()
    if row is None:
        return None
    return Session(bytes(row.token_sha256), row.name, row.role, row.used_at_us)


def is_use_due(session: Session, *, now: datetime) -> bool:
    """Whether this use has to be written down."""
    return micros(now) - session.used_at_us >= USE_RECORDED_EVERY // timedelta(microseconds=1)


async def record_use(connection: AsyncConnection, session: Session, *, now: datetime) -> None:
    """Keeps the session from growing idle; one that has ended meanwhile stays ended."""
    await connection.execute(
        update(staff_session)
        .where(staff_session.c.token_sha256 == session.token_sha256)
        .values(used_at_us=micros(now))
    )


async def end_session(connection: AsyncConnection, session: Session) -> None:
    await connection.execute(
        delete(staff_session).where(staff_session.c.token_sha256 == session.token_sha256)
    )


async def end_sessions_of(connection: AsyncConnection, name: str) -> None:
    await connection.execute(delete(staff_session).where(staff_session.c.name == name))


def _dead(now: datetime) -> ColumnElement[bool]:
    """A limit is the first instant at which the session is over."""
    return or_(
        staff_session.c.used_at_us <= micros(now - IDLE_MAX),
        staff_session.c.started_at_us <= micros(now - AGE_MAX),
    )


def _sha256(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
