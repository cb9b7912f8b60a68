"""Databases elsewhere: their passwords come from files, and services wait until they answer."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import asyncpg
from environs import Env
from sqlalchemy import make_url

from services.runtime.logs import logger
from services.runtime.settings import refuse

RETRY_S_MIN, RETRY_S_MAX = 0.1, 2.0
CONNECT_TIMEOUT_S = 5.0
SWITCH_RETRY_S, SWITCH_TIMEOUT_S = 0.005, 5.0

# Of a server that is not there yet, starts, or stops. A wrong password or name is no such thing:
# waiting does not mend it.
AWAY = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
)

log = logger(__name__)


def with_password(env: Env, url: str, *, setting: str, file: Path | None) -> str:
    """The address with the password of `file`, which the setting of that name names.

    Whatever stands in the environment, everybody sees who may look at the process.
    """
    if file is None:
        return url
    parsed = make_url(url)
    if parsed.password is not None:
        refuse(env, setting, "the address has a password already; leave it out of the address")
        return url
    try:
        password = file.read_text(encoding="utf-8").strip()
    except OSError as error:
        refuse(env, setting, f"cannot read {file} ({error.strerror})")
        return url
    return parsed.set(password=password).render_as_string(hide_password=False)


async def until_it_answers(url: str, *, stop: asyncio.Event) -> bool:
    """Waits for a PostgreSQL server to accept connections; False if `stop` was set before it did.

    A file is always there. Errors that waiting does not mend are raised as asyncpg does.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "postgresql":
        return True
    plain = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
    wait_s = RETRY_S_MIN
    while not stop.is_set():
        try:
            connection = await asyncpg.connect(plain, timeout=CONNECT_TIMEOUT_S)
        except AWAY as error:
            where = f"{parsed.host}:{parsed.port or 5432}"
            log.warning("the database is away; trying again", at=where, error=str(error))
        else:
            await connection.close()
            return True
        try:
            async with asyncio.timeout(wait_s):
                await stop.wait()
        except TimeoutError:
            wait_s = min(2 * wait_s, RETRY_S_MAX)
    return False


def write_ahead(execute: Callable[[str], object]) -> None:
    """Puts the SQLite file behind `execute` (a cursor's or a connection's) into WAL mode.

    Of two that open a new file at once, one is told "database is locked" whatever its
    busy_timeout: SQLite does not let a reader wait to become the only one. So it asks again,
    and raises sqlite3.OperationalError after five seconds.
    """
    deadline = time.monotonic() + SWITCH_TIMEOUT_S
    while True:
        try:
            execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(SWITCH_RETRY_S)
        else:
            return
