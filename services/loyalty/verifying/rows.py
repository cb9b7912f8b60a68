"""Rows of one snapshot, streamed, and a journal row with its JSON read."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Integer, Row, Select, Table, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncConnection

from services.loyalty import schema

ROWS_AT_ONCE = 1_000

Json = dict[str, Any]


class Told(NamedTuple):
    """A journal row as a dictionary, and its four JSON texts; `at` is its name in a problem."""

    at: str
    row: Json
    decision: Json
    movements: Json
    facts: Json
    after: Json


def named(table: str, bucket: object, sequence: object) -> str:
    """What a problem calls a row that has a place in a bucket."""
    return f"{table} {bucket}/{sequence}"


def read(row: Json) -> Told:
    """Raises an error of whatever kind where a text is not the JSON of a journal row."""
    return Told(
        named("journal", row["bucket"], row["sequence"]),
        row,
        orjson.loads(row["decision"]),
        orjson.loads(row["movements"]),
        orjson.loads(row["facts"]),
        orjson.loads(row["after"]),
    )


async def journal_rows(snapshot: AsyncConnection, bucket: int) -> AsyncIterator[Json]:
    """The rows of a bucket, first to last, as `chain.row_hash` takes them."""
    table = schema.journal
    # SQLite keeps numbers where booleans belong: one that is neither 0 nor 1 must not become True.
    columns = [type_coerce(c, Integer) if c is table.c.accepted else c for c in table.columns]
    names = [column.name for column in table.columns]
    ordered = select(*columns).where(table.c.bucket == bucket).order_by(table.c.sequence)
    async for row in streamed(snapshot, ordered):
        found = dict(zip(names, row, strict=True))
        if found["accepted"] in (0, 1):
            found["accepted"] = bool(found["accepted"])
        yield found


def in_order(snapshot: AsyncConnection, table: Table, bucket: int) -> AsyncIterator[Row[Any]]:
    in_bucket = select(table).where(table.c.bucket == bucket)
    return streamed(snapshot, in_bucket.order_by(table.c.sequence))


async def streamed(snapshot: AsyncConnection, statement: Select[Any]) -> AsyncIterator[Row[Any]]:
    rows = await snapshot.stream(statement.execution_options(yield_per=ROWS_AT_ONCE))
    async for some in rows.partitions():
        for row in some:
            yield row
