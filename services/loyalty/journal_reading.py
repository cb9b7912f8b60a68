"""How the journal is read without a scan: newest rows of a bucket, a member's linked rows, the rows
of some days.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, Select, and_, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.loyalty import schema

_journal = schema.journal

Place = tuple[int, int]  # bucket, sequence


def newest_of(bucket: int, size: int) -> Select[Any]:
    rows = (
        select(_journal)
        .where(_journal.c.bucket == bucket)
        .order_by(_journal.c.sequence.desc())
        .limit(size)
        .subquery()
    )
    return select(rows)


def member_history(bucket: int, start: int, size: int) -> Select[Any]:
    """A member's rows, newest first: each names the one before it, so no index is needed."""
    step = (
        select(_journal.c.sequence, _journal.c.member_previous, literal(1).label("depth"))
        .where(_journal.c.bucket == bucket, _journal.c.sequence == start)
        .cte("step", recursive=True)
    )
    step = step.union_all(
        select(_journal.c.sequence, _journal.c.member_previous, step.c.depth + 1).where(
            _journal.c.bucket == bucket,
            _journal.c.sequence == step.c.member_previous,
            step.c.depth < size,
        )
    )
    return (
        select(_journal)
        .join(step, (_journal.c.bucket == bucket) & (_journal.c.sequence == step.c.sequence))
        .order_by(step.c.depth)
    )


async def first_since(
    connection: AsyncConnection, heads: Mapping[int, int], times_us: Sequence[int]
) -> dict[tuple[int, int], int]:
    """By (bucket, time): the first sequence at or after that time; one past the head if there is
    none. `heads` are the last sequences of the buckets.

    Time never runs backwards in a bucket, so bisection finds it: all buckets and times at once,
    one look-up by primary key each, some twenty rounds for a million rows.
    """
    low = {(bucket, time_us): 1 for bucket in heads for time_us in times_us}
    high = {(bucket, time_us): heads[bucket] + 1 for bucket in heads for time_us in times_us}
    while open_ends := [key for key in low if low[key] < high[key]]:
        middles = {key: (low[key] + high[key]) // 2 for key in open_ends}
        found = await _times(connection, {(key[0], middle) for key, middle in middles.items()})
        for key, middle in middles.items():
            if found[key[0], middle] < key[1]:
                low[key] = middle + 1
            else:
                high[key] = middle
    return low


async def _times(connection: AsyncConnection, places: Iterable[Place]) -> dict[Place, int]:
    columns = (_journal.c.bucket, _journal.c.sequence, _journal.c.effective_at_us)
    rows = await rows_at(connection, columns, sorted(places))
    return {(row.bucket, row.sequence): row.effective_at_us for row in rows}


async def rows_at(
    connection: AsyncConnection, columns: Sequence[Any], places: Sequence[Place]
) -> Sequence[Row[Any]]:
    """The rows at these places, some hundreds at most, in any order."""
    found = await connection.execute(at_places(columns, places))
    rows: Sequence[Row[Any]] = found.all()
    return rows


def at_places(columns: Sequence[Any], places: Sequence[Place]) -> Select[Any]:
    """One look-up by primary key each: for a list of pairs SQLite would read the whole table."""
    is_one_of = or_(
        *[
            and_(_journal.c.bucket == bucket, _journal.c.sequence == sequence)
            for bucket, sequence in places
        ]
    )
    return select(*columns).where(is_one_of)


async def rows_between(
    connection: AsyncConnection,
    columns: Sequence[Any],
    *,
    bucket: int,
    first: int,
    end: int,
    such: Sequence[Any] = (),
    page_size: int,
) -> AsyncIterator[Sequence[Row[Any]]]:
    """The rows of a bucket from sequence `first` to before `end` that fulfil `such`, by pages: a
    long day holds up nobody who commits meanwhile. `columns` contain the sequence.
    """
    while first < end:
        found = await connection.execute(
            select(*columns)
            .where(
                _journal.c.bucket == bucket,
                _journal.c.sequence >= first,
                _journal.c.sequence < end,
                *such,
            )
            .order_by(_journal.c.sequence)
            .limit(page_size)
        )
        page = found.all()
        if page:
            yield page
        if len(page) < page_size:
            return
        first = page[-1].sequence + 1
