"""The journal is read by its keys: no question of staff makes a database read it whole."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from services.loyalty import schema
from services.loyalty.journal_reading import at_places, first_since, rows_between
from tests.loyalty.ledgers import Ledger, a_capture

CARDS = [str(number) for number in range(8)]


async def a_week(ledger: Ledger) -> dict[int, list[Any]]:
    """Rows of several buckets over a week; by bucket."""
    await ledger.enrolled(*CARDS)
    for _ in range(7):
        await ledger.answers(*(a_capture(card, 200) for card in CARDS))
        ledger.clock.move(timedelta(days=1))
    rows: dict[int, list[Any]] = {bucket: [] for bucket in range(32)}
    for row in await ledger.journal():
        rows[row.bucket].append(row)
    return rows


async def heads(ledger: Ledger) -> dict[int, int]:
    return {row.bucket: row.sequence for row in await ledger.rows(schema.bucket)}


async def test_bisection_finds_the_first_row_of_each_time(ledger: Ledger) -> None:
    """Before, at, between and after rows; in every bucket, also the empty ones."""
    rows = await a_week(ledger)
    times = {row.effective_at_us for of_bucket in rows.values() for row in of_bucket}
    asked = sorted({0, 2**60, *times, *(time + 1 for time in times)})

    async with ledger.engine.connect() as connection:
        found = await first_since(connection, await heads(ledger), asked)

    for bucket, of_bucket in rows.items():
        for time in asked:
            later = [row.sequence for row in of_bucket if row.effective_at_us >= time]
            assert found[bucket, time] == min(later, default=len(of_bucket) + 1)


@pytest.mark.parametrize("page_size", [1, 2, 7, 8, 9, 200])
async def test_rows_between_are_all_and_in_order(ledger: Ledger, page_size: int) -> None:
    rows = await a_week(ledger)
    bucket, of_bucket = max(rows.items(), key=lambda item: len(item[1]))
    first, end = 2, len(of_bucket)

    found = []
    async with ledger.engine.connect() as connection:
        async for page in rows_between(
            connection,
            [schema.journal.c.sequence],
            bucket=bucket,
            first=first,
            end=end,
            page_size=page_size,
        ):
            assert len(page) <= page_size
            found += [row.sequence for row in page]

    assert found == list(range(first, end))


async def test_places_are_looked_up_by_key(ledger: Ledger) -> None:
    """The planner says so: a search for each place, no scan."""
    await a_week(ledger)
    statement = at_places([schema.journal.c.sequence], [(bucket, 3) for bucket in range(32)])
    async with ledger.engine.connect() as connection:
        sql = statement.compile(connection.engine, compile_kwargs={"literal_binds": True})
        is_sqlite = connection.dialect.name == "sqlite"
        if not is_sqlite:
            await connection.execute(text("SET LOCAL enable_seqscan = off"))
        explain = "EXPLAIN QUERY PLAN" if is_sqlite else "EXPLAIN"
        plan = " ".join(str(row) for row in await connection.execute(text(f"{explain} {sql}")))

    assert "SCAN journal" not in plan
    assert "Seq Scan" not in plan
    assert ("SEARCH journal" if is_sqlite else "Index") in plan
