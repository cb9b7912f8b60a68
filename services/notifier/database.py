"""The notifier's database: connections as it wants them, migrations, and who may work on it."""

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, event, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection, IsolationLevel
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from services.runtime.databases import write_ahead

# What a database that is away or restarting raises; to be tried again.
FAULTS = (SQLAlchemyError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError)

READERS = 5
LOCK_TIMEOUT_MS = 5_000
TAKE_OVER_S = 5.0  # so long a new process waits for an old one to be gone
RETRY_S = 0.1

# Advisory locks of PostgreSQL: any numbers that nobody else uses.
_MIGRATION_LOCK = 0x626F6E_01
_PROCESS_LOCK = 0x626F6E_02
ACTS_LOCK = 0x626F6E_03  # of what is chained in the audit
DUTIES_LOCK = 0x626F6E_04

# The notifier's tables start empty and may hold a million rows a minute later, before anything was
# analysed: plans must not be kept from the beginning, and every statement has its index.
_POSTGRESQL_SETTINGS = {
    "application_name": "bonpunkt notifier",
    "enable_seqscan": "off",
    "jit": "off",
    "plan_cache_mode": "force_custom_plan",
    "lock_timeout": str(LOCK_TIMEOUT_MS),
}


class AlreadyRunningError(Exception):
    """Another notifier works on this database, and the two do not share the work."""


class NotMigratedError(Exception):
    """The tables are not those of this version, and NOTIFIER_MIGRATE_AT_START is off."""


def async_url(url: str) -> URL:
    """`postgresql://…` and `sqlite:///…` as their asynchronous drivers want them."""
    parsed = make_url(url)
    drivers = {"postgresql": "postgresql+asyncpg", "sqlite": "sqlite+aiosqlite"}
    return parsed.set(drivername=drivers.get(parsed.drivername, parsed.drivername))


class Database:
    """One connection that writes and a few that read.

    All writers of the process take turns on the one connection; each of them collects what arrives
    while it waits. Several processes on one PostgreSQL lock rows in one order everywhere (cursors
    by bucket, deliveries by number, figures by endpoint), so that they cannot deadlock.
    """

    def __init__(self, url: str) -> None:
        self.url = async_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            self.writer = _sqlite(self.url, connections=1, begin="BEGIN IMMEDIATE")
            self.readers = _sqlite(self.url, connections=READERS, begin="BEGIN")
        else:
            self.writer = _postgresql(self.url, connections=1, isolation="READ COMMITTED")
            self.readers = _postgresql(self.url, connections=READERS, isolation="AUTOCOMMIT")
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def writing(self, *, lock: int | None = None) -> AsyncIterator[AsyncConnection]:
        """A transaction, committed at the end of the block unless that raises.

        With `lock`, no other process is in a transaction of the same lock meanwhile. SQLite has
        one writer at a time anyway.
        """
        async with self._turn, self.writer.begin() as connection:
            if lock is not None and not self.is_sqlite:
                await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock})
            yield connection

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        async with self.readers.connect() as connection:
            yield connection

    async def close(self) -> None:
        await self.writer.dispose()
        await self.readers.dispose()

    async def migrate(self) -> None:
        """Brings the tables to this version. Several processes may start at once: they queue."""
        async with self.writing(lock=_MIGRATION_LOCK) as connection:
            await connection.run_sync(_upgrade)

    async def now_us(self, connection: AsyncConnection) -> int:
        """The clock that all processes on this database share; it goes on within a transaction."""
        if self.is_sqlite:
            return time.time_ns() // 1_000
        clock = text("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
        return int((await connection.execute(clock)).scalar_one())

    async def check_migrated(self) -> None:
        async with self.reading() as connection:
            found = await connection.run_sync(_revision)
        wanted = ScriptDirectory.from_config(_config()).get_current_head()
        if found != wanted:
            raise NotMigratedError(f"the database is at {found}, this version needs {wanted}")

    @asynccontextmanager
    async def held(self, *, shared: bool, lost: Callable[[], None]) -> AsyncIterator[None]:
        """Holds the database for this process; raises AlreadyRunningError if another does.

        `shared`: with others that share the work, on PostgreSQL; a SQLite file has one process.
        `lost` is called if the hold is lost meanwhile, because PostgreSQL went away.
        """
        if self.is_sqlite:
            hold = _hold_file(self.url)
        else:
            hold = _hold_postgresql(self.url, shared=shared, lost=lost)
        async with hold:
            yield


def _postgresql(url: URL, *, connections: int, isolation: IsolationLevel) -> AsyncEngine:
    return create_async_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        isolation_level=isolation,
        connect_args={"server_settings": _POSTGRESQL_SETTINGS},
    )


def _sqlite(url: URL, *, connections: int, begin: str) -> AsyncEngine:
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(url, pool_size=connections, max_overflow=0)
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", lambda each: each.exec_driver_sql(begin))
    return engine


def _prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the driver must not begin by itself: see _sqlite
    cursor = connection.cursor()
    write_ahead(cursor.execute)
    cursor.execute("PRAGMA synchronous = FULL")  # NORMAL may lose what was committed
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute(f"PRAGMA busy_timeout = {LOCK_TIMEOUT_MS}")
    cursor.close()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _upgrade(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


@asynccontextmanager
async def _hold_file(url: URL) -> AsyncIterator[None]:
    assert url.database, "a database in memory cannot outlive a restart"
    path = Path(f"{url.database}.lock")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        await _hold(lambda: _lock_file(descriptor), name=str(path))
        yield
    finally:
        os.close(descriptor)


async def _lock_file(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@asynccontextmanager
async def _hold_postgresql(
    url: URL, *, shared: bool, lost: Callable[[], None]
) -> AsyncIterator[None]:
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(plain)

    function = "pg_try_advisory_lock_shared" if shared else "pg_try_advisory_lock"

    async def try_lock() -> bool:
        return bool(await connection.fetchval(f"SELECT {function}($1)", _PROCESS_LOCK))

    def ended(_: object) -> None:
        lost()

    try:
        await _hold(try_lock, name=url.render_as_string())
        connection.add_termination_listener(ended)
        yield
    finally:
        connection.remove_termination_listener(ended)
        await connection.close()


async def _hold(try_lock: Callable[[], Awaitable[bool]], *, name: str) -> None:
    """Tries for a few seconds: after a kill the old process's lock may outlive it a little."""
    try:
        async with asyncio.timeout(TAKE_OVER_S):
            while not await try_lock():  # noqa: ASYNC110 - another process holds it
                await asyncio.sleep(RETRY_S)
    except TimeoutError:
        raise AlreadyRunningError(f"another notifier is using {name}") from None
