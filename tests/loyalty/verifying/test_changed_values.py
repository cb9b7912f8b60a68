"""Verify believes nobody: any stored value that is another is found, and its row is named."""

import itertools
import random
import secrets
import sqlite3
from contextlib import closing

import psycopg
import pytest

from services.loyalty.verify import PROBLEMS_MAX, verify
from tests.loyalty.tampering import TABLES, Found, Tampered, Value, connected, names, others
from tests.scale import scaled

ROWS = scaled(10)  # altered by column

REFUSED = (sqlite3.IntegrityError, OverflowError, psycopg.IntegrityError, psycopg.DataError)


async def altered(books: Tampered, table: str, column: str, row: Found, value: Value) -> bool:
    """Whether the database took the value; then verify has to find it, and it is put back."""
    try:
        books.change(table, row, **{column: value})
    except REFUSED:
        return False  # the place is taken, or the value is impossible: the database says no
    changed = {**row, column: value}

    problems = await books.problems()

    named = names(table, row, problems) or names(table, changed, problems)
    assert named, (table, column, row[column], value, problems[:5])
    books.change(table, changed, **{column: row[column]})
    return True


@pytest.mark.parametrize("table", TABLES)
async def test_any_changed_value_is_found(books: Tampered, table: str) -> None:
    """In every column, each way in which a value of its type can be another after the other."""
    for column in [column.name for column in TABLES[table].columns]:
        count = 0
        for seed in range(20 * ROWS):
            if count == ROWS:
                break
            row = books.some(table, seed=seed)
            ways = others(table, column, row)
            value = ways[seed % len(ways)]
            count += await altered(books, table, column, row, value)
        assert count == ROWS, f"the database takes no other {column}"
    assert (await books.report()).ok, "everything was put back"


async def test_one_value_in_each_of_many_random_rows_is_found(books: Tampered) -> None:
    """Over all tables, each table as likely as the other."""
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    wanted, count = scaled(50), 0
    while count < wanted:
        table = chance.choice(list(TABLES))
        row = chance.choice(books.rows(table))
        column = chance.choice(list(row))
        value = chance.choice(others(table, column, row))
        count += await altered(books, table, column, row, value)
    assert (await books.report()).ok, "everything was put back"


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("journal", "movements", "{}"),
        ("journal", "movements", "[]"),
        ("journal", "movements", '{"transfers":[["points","nowhere",5]],"lots":[]}'),
        ("journal", "movements", '{"transfers":[["issued","points",1.5]],"lots":[]}'),
        ("journal", "facts", "no JSON"),
        ("journal", "decision", "null"),
        ("journal", "after", "{}"),
        ("journal", "after", '{"points":"many"}'),
        ("journal", "operation_id", "00000000-0000-0000-0000-000000000000"),
        ("journal", "member_id", None),
        ("journal", "kind", "enrol"),
        ("journal", "kind", ""),
        ("member", "lots", "no JSON"),
        ("member", "cards", "7"),
        ("member", "cards", '[""]'),
        ("member", "lots", "null"),
        ("member", "more", "7"),
        ("reversal", "so_far", "no JSON"),
        ("reversal", "so_far", "7"),
        ("programme", "document", "7"),
        ("programme", "document", "{}"),
    ],
)
async def test_a_value_that_makes_no_sense_is_a_finding_and_no_crash(
    books: Tampered, table: str, column: str, value: str | None
) -> None:
    where = "kind = 'capture' AND accepted" if table == "journal" else "1 = 1"
    row = books.some(table, where)

    books.change(table, row, **{column: value})

    assert names(table, row, await books.problems())


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("journal", "sequence"),
        ("journal", "effective_at_us"),
        ("journal", "fingerprint"),
        ("bucket", "in_transit"),
        ("bucket", "chain_head"),
        ("member", "points"),
        ("basket", "total_minor"),
        ("locator", "key"),
        ("locator", "sequence"),
        ("reversal", "sequence"),
        ("programme", "effective_from_us"),
    ],
)
async def test_text_where_none_belongs_is_a_finding_and_no_crash(
    sqlite_copy: str, table: str, column: str
) -> None:
    """SQLite takes any value in any column."""
    with closing(connected(sqlite_copy)) as raw:
        raw.execute("PRAGMA ignore_check_constraints = on")
        raw.execute(
            f"UPDATE {table} SET {column} = 'text' "
            f"WHERE rowid = (SELECT rowid FROM {table} LIMIT 1 OFFSET 1)"
        )

    report = await verify(sqlite_copy)

    assert not report.ok
    assert report.problems


async def test_a_number_that_is_no_truth_value_is_found(sqlite_books: Tampered) -> None:
    """SQLite keeps any number where true or false belongs; read as either it would look right."""
    for truth, number in itertools.product((0, 1), (2, -1)):
        row = sqlite_books.some("journal", f"accepted = {truth}")
        sqlite_books.change("journal", row, accepted=number)

        assert names("journal", row, await sqlite_books.problems())
        sqlite_books.change("journal", row, accepted=truth)


async def test_a_flood_of_problems_is_counted_and_not_all_told(books: Tampered) -> None:
    books.execute("UPDATE journal SET store_id = 'other'")

    report = await books.report()

    assert len(report.problems) == PROBLEMS_MAX
    assert report.wrong["I8"] >= len(books.rows("journal"))
