"""How often anybody may try to sign in.

Guessing is slowed by name and over all names. That alone would let an attacker keep a victim out
for as long as they keep guessing; so a browser that has signed in under a name before (the admin
page vouches for it) has a count of its own, which strangers cannot use up.
"""

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.loyalty.office.audit import lock_audit
from services.loyalty.office.instants import micros
from services.loyalty.office.schema import sign_in_attempt

WINDOW = timedelta(minutes=15)
FAILURES_OF_A_NAME_MAX = 10
FAILURES_OF_ALL_MAX = 200  # from browsers that are not known; each costs some 30 ms of a core

_MICROS_A_SECOND = 1_000_000


async def begin_attempt(
    connection: AsyncConnection, *, name: str, browser: str, now: datetime
) -> int:
    """0 if the attempt may go on, else the seconds to wait. Counts it as failed until it succeeds.

    Counting first is what keeps many attempts at once from all passing before the first has failed.
    An attempt that is turned away is not counted: whoever waits gets their turn.
    """
    await lock_audit(connection)
    window_us = WINDOW // timedelta(microseconds=1)
    now_us = micros(now)
    await connection.execute(
        delete(sign_in_attempt).where(sign_in_attempt.c.at_us <= now_us - window_us)
    )
    free_at_us = max(
        [
            await _free_at_us(connection, is_counted, most, now_us=now_us, window_us=window_us)
            for is_counted, most in _limits(name, browser)
        ]
    )
    if free_at_us > now_us:
        return -(-(free_at_us - now_us) // _MICROS_A_SECOND)
    await connection.execute(
        insert(sign_in_attempt).values(
            attempt_id=secrets.token_bytes(16),
            name_sha256=_name_sha256(name),
            browser=browser,
            at_us=now_us,
        )
    )
    return 0


async def forget_attempts(connection: AsyncConnection, *, name: str, browser: str) -> None:
    """After a success: what was counted against this name and browser counts no more."""
    await connection.execute(delete(sign_in_attempt).where(_is_of_name(name, browser)))


async def forget_attempts_of(connection: AsyncConnection, name: str) -> None:
    """After the password was replaced: nothing counts against the name, whatever the browser."""
    await connection.execute(
        delete(sign_in_attempt).where(sign_in_attempt.c.name_sha256 == _name_sha256(name))
    )


def _limits(name: str, browser: str) -> list[tuple[ColumnElement[bool], int]]:
    limits = [(_is_of_name(name, browser), FAILURES_OF_A_NAME_MAX)]
    if not browser:
        limits.append((sign_in_attempt.c.browser == "", FAILURES_OF_ALL_MAX))
    return limits


async def _free_at_us(
    connection: AsyncConnection,
    is_counted: ColumnElement[bool],
    most: int,
    *,
    now_us: int,
    window_us: int,
) -> int:
    """When the next attempt may be made: once fewer than `most` lie inside the window."""
    count = await connection.scalar(
        select(func.count()).select_from(sign_in_attempt).where(is_counted)
    )
    if (count or 0) < most:
        return now_us
    leaves_next = await connection.scalar(
        select(sign_in_attempt.c.at_us)
        .where(is_counted)
        .order_by(sign_in_attempt.c.at_us.desc())
        .offset(most - 1)
        .limit(1)
    )
    assert leaves_next is not None, "as many attempts were counted"
    return int(leaves_next) + window_us


def _is_of_name(name: str, browser: str) -> ColumnElement[bool]:
    return (sign_in_attempt.c.name_sha256 == _name_sha256(name)) & (
        sign_in_attempt.c.browser == browser
    )


def _name_sha256(name: str) -> bytes:
    """Hashed because people type their password into the wrong field."""
    return hashlib.sha256(name.encode()).digest()
