"""The ledger in PostgreSQL.

Statements are written in SQLAlchemy Core and compiled once; the checkout path runs them on asyncpg
connections of its own, as arrays, so that a batch of any size is the same four prepared statements.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import asyncpg
from sqlalchemy import (
    ColumnElement,
    FromClause,
    Table,
    and_,
    any_,
    bindparam,
    column,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.sql.elements import ClauseElement

from services.loyalty import schema
from services.loyalty.domain.member import Member
from services.loyalty.keys import Key
from services.loyalty.rows_postgresql import (
    BASKETS,
    BUCKETS,
    JOURNAL,
    LOCATORS,
    MEMBERS,
    REVERSALS,
)
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

# Statements are planned once, from arrays of unknown length: without these settings a plan made
# while the tables were small (a sequential scan, a hash join) would stay for the life of the
# connection.
SESSION = {
    "plan_cache_mode": "force_generic_plan",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "jit": "off",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "2s",
    "synchronous_commit": "on",
}
CONNECTING_MAX_S = 5.0
# A server that froze, or a network that swallows what it is given, ends no connection. Longer than
# any lock is waited for, and than a commit takes on a disk that stutters.
ANSWER_MAX_S = 10.0
# Long baskets are compressed; where the server can, by a method that takes a tenth of the time.
COMPRESSION = """
    SELECT set_config(name, 'lz4', false) FROM pg_settings
    WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)
"""
LOST = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what the driver says of a connection that ended while idle
    asyncpg.exceptions.OperatorInterventionError,
    asyncpg.exceptions.LockNotAvailableError,
    asyncpg.exceptions.DeadlockDetectedError,
    asyncpg.exceptions.SerializationError,
    asyncpg.exceptions.IdleInTransactionSessionTimeoutError,
    asyncpg.exceptions.InsufficientResourcesError,
)


_DIALECT = asyncpg_dialect()  # type: ignore[no-untyped-call]


class Statement:
    """A Core statement as asyncpg runs it: SQL with $n, and the names behind the numbers."""

    def __init__(self, statement: ClauseElement) -> None:
        compiled = statement.compile(dialect=_DIALECT)
        self.sql: str = str(compiled)
        self.order: list[str] = list(compiled.positiontup)  # type: ignore[attr-defined]

    async def rows(self, connection: asyncpg.Connection, values: dict[str, Any]) -> list[Any]:
        found: list[Any] = await connection.fetch(self.sql, *[values[n] for n in self.order])
        return found


def _unnested(table: Table, columns: Sequence[str], *, prefix: str) -> FromClause:
    """One row per array element: `unnest(:prefix_a, :prefix_b, …) AS prefix(a, b, …)`."""
    arrays: list[ColumnElement[Any]] = [
        bindparam(f"{prefix}_{name}", type_=ARRAY(table.c[name].type)) for name in columns
    ]
    columns_typed = [column(name, table.c[name].type) for name in columns]
    return func.unnest(*arrays).table_valued(*columns_typed).render_derived(name=prefix)


DECIDED = (
    schema.journal.c.operation_id,
    schema.journal.c.fingerprint,
    schema.journal.c.effective_at_us,
    schema.journal.c.decision,
)


def _write_statement() -> Statement:
    """Journal, keys, baskets, members and bucket rows of a batch in one round trip."""
    changed, buckets = MEMBERS.source(), BUCKETS.source()
    members = (
        update(schema.member)
        .values({name: changed.c[name] for name in MEMBER_CHANGES})
        .where(schema.member.c.bucket == changed.c.bucket)
        .where(schema.member.c.member_id == changed.c.member_id)
    )
    return Statement(
        update(schema.bucket)
        .values({name: buckets.c[name] for name in BUCKET_COLUMNS[1:]})
        .where(schema.bucket.c.bucket == buckets.c.bucket)
        .add_cte(
            JOURNAL.inserted().cte("journal_rows"),
            LOCATORS.inserted().cte("locator_rows"),
            BASKETS.inserted().cte("basket_rows"),
            members.cte("member_rows"),
        )
    )


_LOCK = Statement(
    select(*[schema.bucket.c[name] for name in BUCKET_COLUMNS])
    .where(
        schema.bucket.c.bucket
        == any_(bindparam("buckets", type_=ARRAY(schema.bucket.c.bucket.type)))
    )
    .order_by(schema.bucket.c.bucket)
    .with_for_update()
)
_wanted_members = _unnested(schema.member, ("bucket", "member_id"), prefix="wanted")
_MEMBERS = Statement(
    select(*[schema.member.c[name] for name in MEMBER_COLUMNS]).join_from(
        _wanted_members,
        schema.member,
        and_(
            schema.member.c.bucket == _wanted_members.c.bucket,
            schema.member.c.member_id == _wanted_members.c.member_id,
        ),
    )
)
_wanted_keys = _unnested(schema.locator, ("bucket", "kind", "key"), prefix="wanted")
_same_key = and_(
    schema.locator.c.bucket == _wanted_keys.c.bucket,
    schema.locator.c.kind == _wanted_keys.c.kind,
    schema.locator.c.key == _wanted_keys.c.key,
)
_key_columns = (schema.locator.c.bucket, schema.locator.c.kind, schema.locator.c.key)
_OWNERS = Statement(
    select(
        *_key_columns,
        schema.locator.c.home_bucket,
        schema.locator.c.sequence,
        schema.locator.c.member_id,
    ).join_from(_wanted_keys, schema.locator, _same_key)
)
_CARD_MEMBERS = Statement(
    select(*_key_columns, *[schema.member.c[name] for name in MEMBER_COLUMNS])
    .join_from(_wanted_keys, schema.locator, _same_key)
    .join(schema.member, schema.owned)
)
_DECIDED = Statement(
    select(*_key_columns, *DECIDED)
    .join_from(_wanted_keys, schema.locator, _same_key)
    .join(schema.journal, schema.located)
)
RECORDED = (
    *[schema.journal.c[name] for name in Recorded._fields[:-1]],
    schema.basket.c.line_items,
)
_RECORDED = Statement(
    select(*_key_columns, *RECORDED)
    .join_from(_wanted_keys, schema.locator, _same_key)
    .join(schema.journal, schema.located)
    .outerjoin(schema.basket, schema.rung_up)
    .where(schema.journal.c.member_id.is_not(None))
)
_wanted_receipts = _unnested(schema.reversal, ("bucket", "sequence"), prefix="wanted")
_REVERSALS = Statement(
    select(
        schema.reversal.c.bucket, schema.reversal.c.sequence, schema.reversal.c.so_far
    ).join_from(
        _wanted_receipts,
        schema.reversal,
        and_(
            schema.reversal.c.bucket == _wanted_receipts.c.bucket,
            schema.reversal.c.sequence == _wanted_receipts.c.sequence,
        ),
    )
)


def _reversal_statement() -> Statement:
    source = REVERSALS.source()
    new = upsert(schema.reversal).from_select(
        [column.name for column in schema.reversal.columns], select(*source.c)
    )
    return Statement(
        new.on_conflict_do_update(
            index_elements=["bucket", "sequence"], set_={"so_far": new.excluded.so_far}
        )
    )


_WRITE = _write_statement()
_WRITE_REVERSALS = _reversal_statement()
_NEW_MEMBERS = Statement(MEMBERS.inserted())


def _wanted(keys: Sequence[Key]) -> dict[str, Any]:
    return {
        "wanted_bucket": [key.bucket for key in keys],
        "wanted_kind": [key.kind for key in keys],
        "wanted_key": [key.key for key in keys],
    }


def _located(found: Sequence[Any]) -> dict[Key, Located]:
    return {Key(*row[:3]): Located(row[3], row[4], str(row[5])) for row in found}


def _decided(found: Sequence[Any]) -> dict[Key, Decided]:
    return {Key(*row[:3]): Decided(str(row[3]), *row[4:]) for row in found}


def _recorded(found: Sequence[Any]) -> dict[Key, Recorded]:
    return {
        Key(*row[:3]): Recorded(*row[3:])._replace(
            operation_id=str(row["operation_id"]), member_id=str(row["member_id"])
        )
        for row in found
    }


def _wanted_members_values(wanted: Sequence[tuple[int, str]]) -> dict[str, Any]:
    return {
        "wanted_bucket": [bucket for bucket, _ in wanted],
        "wanted_member_id": [member_id for _, member_id in wanted],
    }


def _members(found: Sequence[Any]) -> dict[str, Member]:
    members = map(member_from_row, found)
    return {member.member_id: member for member in members}


class _Transaction:
    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection

    async def lock(self, buckets: Sequence[int]) -> dict[int, BucketState]:
        rows = await _LOCK.rows(self.connection, {"buckets": sorted(buckets)})
        return {row[0]: bucket_from_row(row) for row in rows}

    async def members(self, wanted: Sequence[tuple[int, str]]) -> dict[str, Member]:
        return _members(await _MEMBERS.rows(self.connection, _wanted_members_values(wanted)))

    async def owners(self, cards: Sequence[Key]) -> dict[Key, Located]:
        return _located(await _OWNERS.rows(self.connection, _wanted(cards)))

    async def decided(self, keys: Sequence[Key]) -> dict[Key, Decided]:
        return _decided(await _DECIDED.rows(self.connection, _wanted(keys)))

    async def recorded(self, keys: Sequence[Key]) -> dict[Key, Recorded]:
        return _recorded(await _RECORDED.rows(self.connection, _wanted(keys)))

    async def reversals(self, places: Sequence[tuple[int, int]]) -> dict[tuple[int, int], str]:
        values = {
            "wanted_bucket": [bucket for bucket, _ in places],
            "wanted_sequence": [sequence for _, sequence in places],
        }
        found = await _REVERSALS.rows(self.connection, values)
        return {(bucket, sequence): so_far for bucket, sequence, so_far in found}

    async def append(self, batch: Batch) -> None:
        if batch.reversals:
            changed = {"reversal": REVERSALS.values(batch.reversals)}
            await _WRITE_REVERSALS.rows(self.connection, changed)
        if batch.new_members:
            new = {"member": MEMBERS.values(batch.new_members)}
            await _NEW_MEMBERS.rows(self.connection, new)
        # in key order: two writers that inserted the same two keys the other way round would
        # deadlock
        await _WRITE.rows(
            self.connection,
            {
                "journal": JOURNAL.values(batch.journal),
                "locator": sorted([key + located for key, located in batch.locators]),
                "basket": BASKETS.values(batch.baskets),
                "member": MEMBERS.values(batch.changed_members),
                "bucket": BUCKETS.values(batch.buckets),
            },
        )


class _Connection:
    """One asyncpg connection that is opened again when it broke."""

    def __init__(self, dsn: str, settings: dict[str, str]) -> None:
        self._dsn, self._settings = dsn, settings
        self._open: asyncpg.Connection | None = None

    async def get(self) -> asyncpg.Connection:
        if self._open is None or self._open.is_closed():
            opened = await asyncpg.connect(
                self._dsn,
                server_settings=self._settings,
                timeout=CONNECTING_MAX_S,
                command_timeout=ANSWER_MAX_S,
            )
            await opened.execute(COMPRESSION)
            self._open = opened
        return self._open

    async def close(self) -> None:
        if self._open is not None:
            opened, self._open = self._open, None
            opened.terminate()


class PostgresReader:
    """Committed state, on a connection of its own."""

    def __init__(self, connection: _Connection) -> None:
        self.connection = connection

    async def owners(self, cards: Sequence[Key]) -> dict[Key, Located]:
        return _located(await self._rows(_OWNERS, cards))

    async def card_members(self, cards: Sequence[Key]) -> dict[Key, Member]:
        found = await self._rows(_CARD_MEMBERS, cards)
        return {Key(*row[:3]): member_from_row(row[3:]) for row in found}

    async def members(self, wanted: Sequence[tuple[int, str]]) -> dict[str, Member]:
        return _members(await self._found(_MEMBERS, _wanted_members_values(wanted)))

    async def decided(self, keys: Sequence[Key]) -> dict[Key, Decided]:
        return _decided(await self._rows(_DECIDED, keys))

    async def recorded(self, keys: Sequence[Key]) -> dict[Key, Recorded]:
        return _recorded(await self._rows(_RECORDED, keys))

    async def _rows(self, statement: Statement, keys: Sequence[Key]) -> list[Any]:
        return await self._found(statement, _wanted(keys))

    async def _found(self, statement: Statement, values: dict[str, Any]) -> list[Any]:
        try:
            return await statement.rows(await self.connection.get(), values)
        except LOST as error:
            await self.connection.close()
            raise StoreLostError(str(error)) from error


class PostgresStore:
    """Holds a writing connection for each lane, one for cards and one for questions; everything
    unhurried uses the engine's pool.
    """

    reads: ClassVar[type[PostgresReader]] = PostgresReader

    def __init__(self, url: str, *, lanes: int = 1) -> None:
        dsn = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self.engine = create_async_engine(url, pool_size=5, pool_pre_ping=True)
        self.lanes = lanes
        self._writers = [_Connection(dsn, SESSION) for _ in range(lanes)]
        self._looking_up = self.reads(_Connection(dsn, SESSION))
        self._reading = self.reads(_Connection(dsn, SESSION))

    @property
    def reader(self) -> Reader:
        return self._reading

    async def owners(self, cards: Sequence[Key]) -> dict[Key, Located]:
        return await self._looking_up.owners(cards)

    async def recorded(self, keys: Sequence[Key]) -> dict[Key, Recorded]:
        return await self._looking_up.recorded(keys)

    @asynccontextmanager
    async def writing(self, lane: int = 0) -> AsyncIterator[_Transaction]:
        writer = self._writers[lane]
        try:
            connection = await writer.get()
            transaction = connection.transaction()
            await transaction.start()
            try:
                yield _Transaction(connection)
            except BaseException:
                if not connection.is_closed():
                    await transaction.rollback()
                raise
            await transaction.commit()
        except asyncpg.UniqueViolationError as error:
            raise KeyTakenError(error.constraint_name) from error
        except LOST as error:
            await writer.close()
            raise StoreLostError(str(error)) from error

    async def close(self) -> None:
        for connection in (*self._writers, self._looking_up.connection, self._reading.connection):
            await connection.close()
        await self.engine.dispose()
