"""The ledger in a SQLite file: the embedded default.

The checkout path runs compiled Core statements on two connections of the standard library's driver,
each in a thread of its own, so that a whole batch crosses threads a few times however many rows it
has. WAL with `synchronous=FULL`: what was committed survives a power cut. One process owns the
file; a second one refuses to start.
"""

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Table, bindparam, event, insert, select, update
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.sql.elements import ClauseElement

from services.loyalty import schema
from services.loyalty.domain.member import Member
from services.loyalty.keys import Key
from services.loyalty.store import (
    BUCKET_COLUMNS,
    MEMBER_CHANGES,
    MEMBER_COLUMNS,
    Batch,
    BucketState,
    Decided,
    KeyTakenError,
    Located,
    Reader,
    Recorded,
    StoreLostError,
    bucket_from_row,
    member_from_row,
)
from services.runtime.databases import write_ahead

T = TypeVar("T")
PRAGMAS = (
    "PRAGMA busy_timeout=5000",
    "PRAGMA synchronous=FULL",
    "PRAGMA cache_size=-65536",
    "PRAGMA secure_delete=ON",  # what is erased is overwritten, not merely unlinked
)


class AlreadyOpenError(Exception):
    """Another loyalty process owns this database file."""


def _sql(statement: ClauseElement) -> str:
    named = sqlite_dialect(paramstyle="named")
    return str(statement.compile(dialect=named))


def _insert(table: Table) -> str:
    return _sql(insert(table).values({c.name: bindparam(c.name) for c in table.columns}))


def _by(table: Table, *names: str) -> list[Any]:
    """Conditions `column = :column`; the parameters of an UPDATE may not be called like its
    columns, hence the prefix.
    """
    return [table.c[name] == bindparam(f"the_{name}", type_=table.c[name].type) for name in names]


_KEY = ("bucket", "kind", "key")
_LOCK = _sql(
    select(*[schema.bucket.c[n] for n in BUCKET_COLUMNS]).where(*_by(schema.bucket, "bucket"))
)
_MEMBER = _sql(
    select(*[schema.member.c[n] for n in MEMBER_COLUMNS]).where(
        *_by(schema.member, "bucket", "member_id")
    )
)
_OWNER = _sql(
    select(
        schema.locator.c.home_bucket, schema.locator.c.sequence, schema.locator.c.member_id
    ).where(*_by(schema.locator, *_KEY))
)
_CARD_MEMBER = _sql(
    select(*[schema.member.c[n] for n in MEMBER_COLUMNS])
    .join_from(schema.locator, schema.member, schema.owned)
    .where(*_by(schema.locator, *_KEY))
)
_DECIDED = _sql(
    select(
        schema.journal.c.operation_id,
        schema.journal.c.fingerprint,
        schema.journal.c.effective_at_us,
        schema.journal.c.decision,
    )
    .join_from(schema.locator, schema.journal, schema.located)
    .where(*_by(schema.locator, *_KEY))
)
_RECORDED = _sql(
    select(*[schema.journal.c[n] for n in Recorded._fields[:-1]], schema.basket.c.line_items)
    .join_from(schema.locator, schema.journal, schema.located)
    .outerjoin(schema.basket, schema.rung_up)
    .where(*_by(schema.locator, *_KEY), schema.journal.c.member_id.is_not(None))
)
_REVERSAL = _sql(
    select(schema.reversal.c.so_far).where(*_by(schema.reversal, "bucket", "sequence"))
)
_new_reversal = upsert(schema.reversal).values(
    {c.name: bindparam(c.name) for c in schema.reversal.columns}
)
_WRITE_REVERSAL = _sql(
    _new_reversal.on_conflict_do_update(
        index_elements=["bucket", "sequence"], set_={"so_far": _new_reversal.excluded.so_far}
    )
)
_CHANGE_MEMBER = _sql(
    update(schema.member)
    .values({name: bindparam(name) for name in MEMBER_CHANGES})
    .where(*_by(schema.member, "bucket", "member_id"))
)
_CHANGE_BUCKET = _sql(
    update(schema.bucket)
    .values({name: bindparam(name) for name in BUCKET_COLUMNS[1:]})
    .where(*_by(schema.bucket, "bucket"))
)
_INSERT_JOURNAL = _insert(schema.journal)
_INSERT_LOCATOR = _insert(schema.locator)
_INSERT_BASKET = _insert(schema.basket)
_INSERT_MEMBER = _insert(schema.member)


def _named(key: Key) -> dict[str, Any]:
    return {"the_bucket": key.bucket, "the_kind": key.kind, "the_key": key.key}


class _Connection:
    """A sqlite3 connection and the one thread that touches it."""

    def __init__(self, path: str) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sqlite")
        self._path = path
        self._raw: sqlite3.Connection | None = None

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, self._with, work)
        except sqlite3.IntegrityError as error:
            if "UNIQUE" in str(error):
                raise KeyTakenError(str(error)) from error
            raise
        except sqlite3.OperationalError as error:
            raise StoreLostError(str(error)) from error

    def _with(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._raw is None:
            self._raw = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            write_ahead(self._raw.execute)
            for pragma in PRAGMAS:
                self._raw.execute(pragma)
        return work(self._raw)

    def close(self) -> None:
        self._thread.shutdown(wait=True)
        if self._raw is not None:
            self._raw.close()


class _Transaction:
    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    async def lock(self, buckets: Sequence[int]) -> dict[int, BucketState]:
        """BEGIN IMMEDIATE has locked the whole file; this only reads."""

        def read(raw: sqlite3.Connection) -> dict[int, BucketState]:
            found = [raw.execute(_LOCK, {"the_bucket": b}).fetchone() for b in sorted(buckets)]
            return {row[0]: bucket_from_row(row) for row in found if row is not None}

        return await self._connection.run(read)

    async def members(self, wanted: Sequence[tuple[int, str]]) -> dict[str, Member]:
        return await self._connection.run(lambda raw: _members(raw, wanted))

    async def owners(self, cards: Sequence[Key]) -> dict[Key, Located]:
        return await self._connection.run(lambda raw: _owners(raw, cards))

    async def decided(self, keys: Sequence[Key]) -> dict[Key, Decided]:
        return await self._connection.run(lambda raw: _decided(raw, keys))

    async def recorded(self, keys: Sequence[Key]) -> dict[Key, Recorded]:
        return await self._connection.run(lambda raw: _recorded(raw, keys))

    async def reversals(self, places: Sequence[tuple[int, int]]) -> dict[tuple[int, int], str]:
        return await self._connection.run(lambda raw: _reversals(raw, places))

    async def append(self, batch: Batch) -> None:
        await self._connection.run(lambda raw: _append(raw, batch))


def _append(raw: sqlite3.Connection, batch: Batch) -> None:
    raw.executemany(
        _INSERT_LOCATOR, [key._asdict() | place._asdict() for key, place in batch.locators]
    )
    raw.executemany(_INSERT_JOURNAL, batch.journal)
    raw.executemany(_INSERT_BASKET, batch.baskets)
    raw.executemany(_INSERT_MEMBER, batch.new_members)
    raw.executemany(
        _CHANGE_MEMBER,
        [
            {**row, "the_bucket": row["bucket"], "the_member_id": row["member_id"]}
            for row in batch.changed_members
        ],
    )
    raw.executemany(_WRITE_REVERSAL, batch.reversals)
    raw.executemany(_CHANGE_BUCKET, [{**row, "the_bucket": row["bucket"]} for row in batch.buckets])


def _owners(raw: sqlite3.Connection, cards: Sequence[Key]) -> dict[Key, Located]:
    found = ((card, raw.execute(_OWNER, _named(card)).fetchone()) for card in cards)
    return {card: Located(*row) for card, row in found if row is not None}


def _decided(raw: sqlite3.Connection, keys: Sequence[Key]) -> dict[Key, Decided]:
    found = ((key, raw.execute(_DECIDED, _named(key)).fetchone()) for key in keys)
    return {key: Decided(*row) for key, row in found if row is not None}


def _members(raw: sqlite3.Connection, wanted: Sequence[tuple[int, str]]) -> dict[str, Member]:
    members: dict[str, Member] = {}
    for bucket, member_id in wanted:
        values = {"the_bucket": bucket, "the_member_id": member_id}
        row = raw.execute(_MEMBER, values).fetchone()
        if row is not None:
            members[member_id] = member_from_row(row)
    return members


def _recorded(raw: sqlite3.Connection, keys: Sequence[Key]) -> dict[Key, Recorded]:
    found = ((key, raw.execute(_RECORDED, _named(key)).fetchone()) for key in keys)
    return {key: _recorded_row(row) for key, row in found if row is not None}


def _recorded_row(row: Sequence[Any]) -> Recorded:
    """SQLite has no truth values, only numbers."""
    recorded = Recorded(*row)
    return recorded._replace(accepted=bool(recorded.accepted))


def _reversals(
    raw: sqlite3.Connection, places: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], str]:
    found: dict[tuple[int, int], str] = {}
    for bucket, sequence in places:
        values = {"the_bucket": bucket, "the_sequence": sequence}
        row = raw.execute(_REVERSAL, values).fetchone()
        if row is not None:
            found[bucket, sequence] = row[0]
    return found


class _Reader:
    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    async def card_members(self, cards: Sequence[Key]) -> dict[Key, Member]:
        def read(raw: sqlite3.Connection) -> dict[Key, Member]:
            found = ((card, raw.execute(_CARD_MEMBER, _named(card)).fetchone()) for card in cards)
            return {card: member_from_row(row) for card, row in found if row is not None}

        return await self._connection.run(read)

    async def members(self, wanted: Sequence[tuple[int, str]]) -> dict[str, Member]:
        return await self._connection.run(lambda raw: _members(raw, wanted))

    async def decided(self, keys: Sequence[Key]) -> dict[Key, Decided]:
        return await self._connection.run(lambda raw: _decided(raw, keys))


class SqliteStore:
    """Holds the file's lock, a writing and a reading connection, and an engine for everything
    unhurried.
    """

    def __init__(self, url: str) -> None:
        path = make_url(url).database
        if not path or path == ":memory:":
            raise ValueError("LOYALTY_DATABASE_URL: a ledger needs a file, not SQLite in memory")
        self._lock = _own(Path(f"{path}.lock"))
        self.engine = sqlite_engine(url)
        self._writer = _Connection(path)
        self._read = _Connection(path)
        self.lanes = 1
        self._reading = _Reader(self._read)

    @property
    def reader(self) -> Reader:
        return self._reading

    async def owners(self, cards: Sequence[Key]) -> dict[Key, Located]:
        return await self._read.run(lambda raw: _owners(raw, cards))

    async def recorded(self, keys: Sequence[Key]) -> dict[Key, Recorded]:
        return await self._read.run(lambda raw: _recorded(raw, keys))

    @asynccontextmanager
    async def writing(self, lane: int = 0) -> AsyncIterator[_Transaction]:
        assert lane == 0, "a SQLite file has one writer"
        await self._writer.run(lambda raw: raw.execute("BEGIN IMMEDIATE") and None)
        try:
            yield _Transaction(self._writer)
            await self._writer.run(lambda raw: raw.execute("COMMIT") and None)
        except BaseException:  # a COMMIT that failed (a full disk) may leave the transaction open
            await self._writer.run(lambda raw: raw.rollback())
            raise

    async def close(self) -> None:
        self._writer.close()
        self._read.close()
        await self.engine.dispose()
        os.close(self._lock)


def sqlite_engine(url: str) -> AsyncEngine:
    """An engine whose transactions begin IMMEDIATE: the driver's own BEGIN comes too late to lock
    what is read.
    """
    engine = create_async_engine(url)

    @event.listens_for(engine.sync_engine, "connect")
    def _connect(raw: Any, _: object) -> None:
        raw.isolation_level = None
        cursor = raw.cursor()
        write_ahead(cursor.execute)
        for pragma in PRAGMAS:
            cursor.execute(pragma)
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:
        deferred = connection.get_execution_options().get("read_only", False)
        connection.exec_driver_sql("BEGIN" if deferred else "BEGIN IMMEDIATE")

    return engine


def _own(path: Path) -> int:
    """Takes the file's lock for the life of this process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise AlreadyOpenError(
            f"another loyalty process owns {path.with_suffix('').name}; "
            "stop it, or use PostgreSQL (LOYALTY_DATABASE_URL) for several processes"
        ) from None
    return descriptor
