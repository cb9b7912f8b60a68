"""The ledger in PostgreSQL with a lane for each bucket, as a distributed engine wants it.

Every statement is of one table and one bucket: `bucket = $n`, or an INSERT of one row. Citus sends
such a statement to the node of that bucket without planning it, and keeps the plan. What leads from
one bucket to another (key → journal row → member) is therefore followed here, not joined there.
docs/decisions/0032-citus.md tells what that costs, and which statements Citus would have refused.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import groupby
from typing import Any

import asyncpg
from sqlalchemy import Column, Table, Update, any_, bindparam, insert, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert

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
    JsonRow,
    Located,
    Recorded,
    StoreLostError,
    Transaction,
    bucket_from_row,
    member_from_row,
)
from services.loyalty.store_postgresql import LOST, PostgresReader, PostgresStore, Statement

Place = tuple[int, int]  # bucket and sequence of a journal row


def _one_of(column: Column[Any], name: str) -> Any:
    """`column = ANY (:name)`"""
    return column == any_(bindparam(name, type_=ARRAY(column.type)))


def _in_bucket(table: Table, *columns: str) -> Any:
    """`SELECT columns FROM table WHERE table.bucket = :bucket`"""
    return select(*[table.c[name] for name in columns]).where(table.c.bucket == bindparam("bucket"))


def _insert(table: Table, columns: Iterable[str]) -> Statement:
    """Of one row; its values are named after the columns, behind `new_`."""
    return Statement(insert(table).values({name: bindparam(f"new_{name}") for name in columns}))


def _update(table: Table, changes: Iterable[str], *key: str) -> Statement:
    """Of one row, which `bucket` and `key` name; values as for `_insert`."""
    changed: Update = update(table).values({name: bindparam(f"new_{name}") for name in changes})
    for name in ("bucket", *key):
        changed = changed.where(table.c[name] == bindparam(f"new_{name}"))
    return Statement(changed)


def _upsert_reversal() -> Statement:
    names = [column.name for column in schema.reversal.columns]
    new = upsert(schema.reversal).values({name: bindparam(f"new_{name}") for name in names})
    return Statement(
        new.on_conflict_do_update(
            index_elements=["bucket", "sequence"], set_={"so_far": new.excluded.so_far}
        )
    )


LOCK = Statement(_in_bucket(schema.bucket, *BUCKET_COLUMNS).with_for_update())
MEMBERS = Statement(
    _in_bucket(schema.member, *MEMBER_COLUMNS).where(
        _one_of(schema.member.c.member_id, "member_ids")
    )
)
# Every kind with every key: those that were not asked for are left out by `_located`.
LOCATED = Statement(
    _in_bucket(schema.locator, "kind", "key", *Located._fields)
    .where(_one_of(schema.locator.c.kind, "kinds"))
    .where(_one_of(schema.locator.c.key, "keys"))
)
DECIDED = Statement(
    _in_bucket(schema.journal, "sequence", *Decided._fields).where(
        _one_of(schema.journal.c.sequence, "sequences")
    )
)
RECORDED = Statement(
    _in_bucket(schema.journal, *Recorded._fields[:-1]).where(
        _one_of(schema.journal.c.sequence, "sequences")
    )
)
LINE_ITEMS = Statement(
    _in_bucket(schema.basket, "sequence", "line_items").where(
        _one_of(schema.basket.c.sequence, "sequences")
    )
)
REVERSALS = Statement(
    _in_bucket(schema.reversal, "sequence", "so_far").where(
        _one_of(schema.reversal.c.sequence, "sequences")
    )
)
NEW_JOURNAL = _insert(schema.journal, schema.journal.columns.keys())
NEW_LOCATOR = _insert(schema.locator, schema.locator.columns.keys())
NEW_BASKET = _insert(schema.basket, schema.basket.columns.keys())
NEW_MEMBER = _insert(schema.member, MEMBER_COLUMNS)
NEW_REVERSAL = _upsert_reversal()
CHANGED_MEMBER = _update(schema.member, MEMBER_CHANGES, "member_id")
CHANGED_BUCKET = _update(schema.bucket, BUCKET_COLUMNS[1:])


class _Buckets:
    """Reads of several buckets, one after the other, on one connection."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection

    async def members(self, wanted: Iterable[tuple[int, str]]) -> dict[str, Member]:
        found: dict[str, Member] = {}
        for bucket, member_ids in _by_bucket(wanted).items():
            values = {"bucket": bucket, "member_ids": member_ids}
            for row in await MEMBERS.rows(self.connection, values):
                member = member_from_row(row)
                found[member.member_id] = member
        return found

    async def located(self, keys: Iterable[Key]) -> dict[Key, Located]:
        wanted = set(keys)
        found: dict[Key, Located] = {}
        for bucket, some in groupby(sorted(wanted), key=lambda key: key.bucket):
            asked = list(some)
            values = {
                "bucket": bucket,
                "kinds": sorted({key.kind for key in asked}),
                "keys": [key.key for key in asked],
            }
            for kind, key, home_bucket, sequence, member_id in await self._rows(LOCATED, values):
                owner = None if member_id is None else str(member_id)
                if (at := Key(bucket, kind, key)) in wanted:
                    found[at] = Located(home_bucket, sequence, owner)
        return found

    async def decided(self, keys: Iterable[Key]) -> dict[Key, Decided]:
        located = await self.located(keys)
        rows = await self._at(DECIDED, _places(located))
        found = {at: Decided(str(operation_id), *rest) for at, (operation_id, *rest) in rows}
        return {key: found[at] for key, at in _followed(located, found)}

    async def recorded(self, keys: Iterable[Key]) -> dict[Key, Recorded]:
        located = await self.located(keys)
        found: dict[Place, Recorded] = {}
        for bucket, sequences in _by_bucket(_places(located)).items():
            values = {"bucket": bucket, "sequences": sequences}
            line_items = dict(await self._rows(LINE_ITEMS, values))
            for row in await self._rows(RECORDED, values):
                found[bucket, row["sequence"]] = _recorded(row, line_items.get(row["sequence"]))
        of_members = ((key, found[at]) for key, at in _followed(located, found))
        return {key: row for key, row in of_members if row.member_id}

    async def reversals(self, places: Iterable[Place]) -> dict[Place, str]:
        return {at: so_far for at, (so_far,) in await self._at(REVERSALS, places)}

    async def _at(
        self, statement: Statement, places: Iterable[Place]
    ) -> list[tuple[Place, list[Any]]]:
        """Where rows are, and what they hold besides their sequence."""
        found = []
        for bucket, sequences in _by_bucket(places).items():
            values = {"bucket": bucket, "sequences": sequences}
            for sequence, *rest in await self._rows(statement, values):
                found.append(((bucket, sequence), rest))
        return found

    async def _rows(self, statement: Statement, values: dict[str, Any]) -> list[Any]:
        return await statement.rows(self.connection, values)


class _Transaction(_Buckets):
    """An open transaction on the connection; see store.Transaction."""

    async def lock(self, buckets: Sequence[int]) -> dict[int, BucketState]:
        found = {}
        for bucket in sorted(buckets):
            (row,) = await self._rows(LOCK, {"bucket": bucket})
            found[bucket] = bucket_from_row(row)
        return found

    async def owners(self, cards: Sequence[Key]) -> dict[Key, Located]:
        return await self.located(cards)

    async def append(self, batch: Batch) -> None:
        await self._each(NEW_REVERSAL, batch.reversals)
        await self._each(NEW_MEMBER, batch.new_members)
        await self._each(NEW_JOURNAL, batch.journal)
        # in key order: two writers that inserted the same two keys the other way round would
        # deadlock
        keys = [key._asdict() | at._asdict() for key, at in sorted(batch.locators)]
        await self._each(NEW_LOCATOR, keys)
        await self._each(NEW_BASKET, batch.baskets)
        await self._each(CHANGED_MEMBER, batch.changed_members)
        await self._each(CHANGED_BUCKET, batch.buckets)

    async def _each(self, statement: Statement, rows: Sequence[JsonRow]) -> None:
        """The statement for each row, all of them sent before the first is answered."""
        if rows:
            order = [name.removeprefix("new_") for name in statement.order]
            values = [[row[name] for name in order] for row in rows]
            await self.connection.executemany(statement.sql, values)


class _Reader(PostgresReader):
    """Committed state, by statements of one bucket each."""

    async def owners(self, cards: Sequence[Key]) -> dict[Key, Located]:
        async with self._reading() as buckets:
            return await buckets.located(cards)

    async def card_members(self, cards: Sequence[Key]) -> dict[Key, Member]:
        async with self._reading() as buckets:
            located = await buckets.located(cards)
            homes = {key: (at.home_bucket, at.member_id or "") for key, at in located.items()}
            members = await buckets.members(homes.values())
        return {key: members[home[1]] for key, home in homes.items() if home[1] in members}

    async def members(self, wanted: Sequence[tuple[int, str]]) -> dict[str, Member]:
        async with self._reading() as buckets:
            return await buckets.members(wanted)

    async def decided(self, keys: Sequence[Key]) -> dict[Key, Decided]:
        async with self._reading() as buckets:
            return await buckets.decided(keys)

    async def recorded(self, keys: Sequence[Key]) -> dict[Key, Recorded]:
        async with self._reading() as buckets:
            return await buckets.recorded(keys)

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[_Buckets]:
        try:
            yield _Buckets(await self.connection.get())
        except LOST as error:
            await self.connection.close()
            raise StoreLostError(str(error)) from error


class DistributedStore(PostgresStore):
    """As PostgresStore, with other statements."""

    reads = _Reader

    @asynccontextmanager
    async def writing(self, lane: int = 0) -> AsyncIterator[Transaction]:  # type: ignore[override]
        async with super().writing(lane) as transaction:
            yield _Transaction(transaction.connection)


def _by_bucket(places: Iterable[tuple[int, Any]]) -> dict[int, list[Any]]:
    """What is wanted of each bucket, once, in ascending order."""
    grouped: defaultdict[int, list[Any]] = defaultdict(list)
    for bucket, wanted in sorted(set(places)):
        grouped[bucket].append(wanted)
    return grouped


def _places(located: Mapping[Key, Located]) -> list[Place]:
    return [(at.home_bucket, at.sequence) for at in located.values()]


def _followed(
    located: Mapping[Key, Located], found: Mapping[Place, Any]
) -> Iterable[tuple[Key, Place]]:
    """Each key and the place of its journal row.

    Raises StoreLostError if there is none: a commit over two nodes is visible on one before the
    other, so whoever asks has to ask again.
    """
    for key, at in located.items():
        place = (at.home_bucket, at.sequence)
        if place not in found:
            raise StoreLostError(f"journal row {place[0]}/{place[1]} is not committed yet")
        yield key, place


def _recorded(row: Any, line_items: str | None) -> Recorded:
    member_id = row["member_id"]
    return Recorded._make((*row, line_items))._replace(
        operation_id=str(row["operation_id"]), member_id=str(member_id) if member_id else ""
    )
