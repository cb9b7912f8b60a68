"""A member's whole history: their journal rows, the baskets to them, and the members that were
merged into them.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import orjson
from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.loyalty import schema
from services.loyalty.domain.decision import Kind
from services.loyalty.journal_reading import member_history
from services.loyalty.keys import member_bucket

ROWS_MAX = 200  # read at once

_basket, _member = schema.basket, schema.member


async def history(connection: AsyncConnection, member_id: str) -> AsyncIterator[list[Row[Any]]]:
    """Journal rows, newest first, in slices."""
    bucket = member_bucket(member_id)
    following = await connection.scalar(
        select(_member.c.last_sequence).where(
            _member.c.bucket == bucket, _member.c.member_id == member_id
        )
    )
    while following:
        rows = list(await connection.execute(member_history(bucket, following, ROWS_MAX)))
        if not rows:
            return
        yield rows
        following = rows[-1].member_previous


async def baskets_of(connection: AsyncConnection, rows: Sequence[Row[Any]]) -> dict[int, Row[Any]]:
    """The baskets of journal rows of one bucket that are still kept, by sequence."""
    sequences = [row.sequence for row in rows]
    found = await connection.execute(
        select(_basket).where(_basket.c.bucket == rows[0].bucket, _basket.c.sequence.in_(sequences))
    )
    return {row.sequence: row for row in found}


async def with_merged(connection: AsyncConnection, member_id: str) -> list[str]:
    """The member and everybody who was ever merged into them, also by way of others."""
    found = [member_id]
    for one in found:  # grows while it is walked
        async for rows in history(connection, one):
            merges = [row for row in rows if row.kind == Kind.MERGE.value and row.accepted]
            found.extend([orjson.loads(row.decision)["merged_id"] for row in merges])
    return found
