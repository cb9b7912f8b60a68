"""The key store: one data key for each person, wrapped by a master key, in a database of its own.

Apart from the vault, so that its backups can be kept for a shorter time: whoever is erased is gone
once no copy of their key is left.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    delete,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from services.loyalty.identity.masterkeys import (
    MasterKey,
    MasterKeyFile,
    MasterKeys,
    MasterKeysError,
    make_file,
)
from services.loyalty.identity.sealing import new_key
from services.loyalty.office.instants import Clock, micros
from services.loyalty.schema import ID
from services.loyalty.store import normal_url
from services.loyalty.store_sqlite import sqlite_engine

ADVISORY_LOCK = 0x426F6E02

keys_metadata = MetaData()

data_key = Table(
    "data_key",
    keys_metadata,
    Column("member_id", ID, primary_key=True),
    Column("master_version", BigInteger, nullable=False, index=True),
    Column("wrapped", LargeBinary, nullable=False),
    Column("made_at_us", BigInteger, nullable=False),
)

# Which secret each version was: another one under the same number is refused.
master_key = Table(
    "master_key",
    keys_metadata,
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("fingerprint", LargeBinary(32), nullable=False),
)

key_store = Table(
    "key_store",
    keys_metadata,
    Column("only_row", SmallInteger, primary_key=True, autoincrement=False),
    Column("store_id", ID, nullable=False),
    CheckConstraint("only_row = 1", name="key_store_is_one_row"),
)


class KeyStore:
    """Data keys by member. All methods may be called by several processes at once."""

    def __init__(self, url: str, file: MasterKeyFile, clock: Clock) -> None:
        self._file, self._clock = file, clock
        self._checked: MasterKeys | None = None
        self.engine = _engine(normal_url(url))
        self.store_id = ""

    async def open(self, *, may_make_file: bool) -> None:
        """Makes what is missing. MasterKeysError if the file is not that of this store, or if it is
        missing and may not be made: never when there are keys that only the lost one opens.
        """
        async with self.engine.begin() as connection:
            await _alone(connection)
            await connection.run_sync(keys_metadata.create_all)
            self.store_id = await _store_id(connection)
            used = await connection.scalar(select(func.count()).select_from(master_key))
        if may_make_file and not used and not self._file.path.exists():
            make_file(self._file.path)
        keys = await self.master_keys()
        for version in await self.use():
            keys.of(version)

    async def close(self) -> None:
        await self.engine.dispose()

    async def master_keys(self) -> MasterKeys:
        """The keys of the file as it is now, each known to be the one of its number."""
        keys = self._file.keys()
        if keys is not self._checked:
            for key in keys.keys:
                await self._check(key)
            self._checked = keys
        return keys

    async def _check(self, key: MasterKey) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(
                _insert(connection, master_key)
                .values(version=key.version, fingerprint=key.fingerprint)
                .on_conflict_do_nothing()
            )
            known = await connection.scalar(
                select(master_key.c.fingerprint).where(master_key.c.version == key.version)
            )
        if known != key.fingerprint:
            raise MasterKeysError(
                f"LOYALTY_IDENTITY_KEYS_FILE: master key {key.version} is not the one with which "
                "the vault was written; put the right file back"
            )

    async def find(self, member_id: str) -> bytes | None:
        """The member's data key; None if there never was one, or no more.

        BrokenSealError if the row was changed.
        """
        async with self._reading() as connection:
            found = await connection.execute(
                select(data_key.c.master_version, data_key.c.wrapped).where(
                    data_key.c.member_id == member_id
                )
            )
            row = found.one_or_none()
        if row is None:
            return None
        keys = await self.master_keys()
        return keys.of(row.master_version).unwrapped(row.wrapped, member_id=member_id)

    async def make(self, member_id: str) -> bytes:
        """The member's data key, made unless there is one."""
        newest = (await self.master_keys()).newest
        wrapped = newest.wrapped(new_key(), member_id=member_id)
        async with self.engine.begin() as connection:
            await connection.execute(
                _insert(connection, data_key)
                .values(
                    member_id=member_id,
                    master_version=newest.version,
                    wrapped=wrapped,
                    made_at_us=micros(self._clock()),
                )
                .on_conflict_do_nothing()
            )
        made = await self.find(member_id)
        assert made is not None, "it was written, and only an erasure takes it away"
        return made

    async def destroy(self, *member_ids: str) -> None:
        """Deletes keys for ever. On SQLite no old copy stays in the file or its log."""
        async with self.engine.begin() as connection:
            await connection.execute(delete(data_key).where(data_key.c.member_id.in_(member_ids)))
        if self.engine.dialect.name == "sqlite":
            await checkpoint(self.engine)

    async def has(self, *member_ids: str) -> bool:
        """Whether any of them has a key."""
        async with self._reading() as connection:
            found = select(data_key.c.member_id).where(data_key.c.member_id.in_(member_ids))
            return await connection.scalar(found.limit(1)) is not None

    async def use(self) -> dict[int, int]:
        """How many data keys each master key wraps."""
        async with self._reading() as connection:
            found = await connection.execute(
                select(data_key.c.master_version, func.count()).group_by(data_key.c.master_version)
            )
            return {version: count for version, count in found}  # noqa: C416  rows are no pairs

    async def older_than(
        self, version: int, *, after: str, limit: int
    ) -> list[tuple[str, int, bytes]]:
        """Member, master version and wrapped key of those under other master keys, by member."""
        async with self._reading() as connection:
            found = await connection.execute(
                select(data_key.c.member_id, data_key.c.master_version, data_key.c.wrapped)
                .where(data_key.c.master_version != version)
                .where(data_key.c.member_id > after if after else text("1 = 1"))
                .order_by(data_key.c.member_id)
                .limit(limit)
            )
            return [(str(member), master, bytes(wrapped)) for member, master, wrapped in found]

    async def rewrap(self, member_id: str, *, before: int, after: int, wrapped: bytes) -> None:
        """Replaces a wrapped key unless somebody else did, or it was destroyed meanwhile."""
        async with self.engine.begin() as connection:
            await connection.execute(
                update(data_key)
                .where(data_key.c.member_id == member_id, data_key.c.master_version == before)
                .values(master_version=after, wrapped=wrapped)
            )

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        async with self.engine.connect() as connection:
            await connection.execution_options(read_only=True)
            yield connection


async def checkpoint(engine: AsyncEngine) -> None:
    """Writes SQLite's log into its file and empties it. Who reads meanwhile keeps it from being
    emptied; the next checkpoint does it then.
    """
    async with engine.connect() as connection:
        raw = await connection.get_raw_connection()
        driver: Any = (
            raw.driver_connection
        )  # outside of a transaction, which the engine would begin
        async with driver.execute("PRAGMA wal_checkpoint(TRUNCATE)") as cursor:
            await cursor.fetchall()


def _engine(url: str) -> AsyncEngine:
    if not url.startswith("sqlite"):
        return create_async_engine(url)
    path = make_url(url).database
    if not path or path == ":memory:":
        raise ValueError("LOYALTY_KEYS_DATABASE_URL: keys need a file, not SQLite in memory")
    file = Path(path)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))  # its log takes over the mode
    return sqlite_engine(url)


async def _alone(connection: AsyncConnection) -> None:
    """Waits for other processes that open the store. On SQLite BEGIN has done it."""
    if connection.dialect.name == "postgresql":
        await connection.execute(select(func.pg_advisory_xact_lock(ADVISORY_LOCK)))


async def _store_id(connection: AsyncConnection) -> str:
    known = await connection.scalar(select(key_store.c.store_id))
    if known is None:
        known = str(uuid4())
        await connection.execute(insert(key_store).values(only_row=1, store_id=known))
    return str(known)


def _insert(connection: AsyncConnection, table: Table) -> Any:
    """An INSERT that knows ON CONFLICT, which Core has for each database apart."""
    of = postgresql if connection.dialect.name == "postgresql" else sqlite
    return of.insert(table)
