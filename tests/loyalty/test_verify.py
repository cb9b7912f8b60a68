"""Verify believes nobody: whatever is changed in the rows is found, and the row is named."""

import asyncio
import itertools
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from bonpunkt.till import operations
from services.loyalty import schema
from services.loyalty.chain import row_hash
from services.loyalty.keys import BUCKET_COUNT, bucket_of
from services.loyalty.verify import CHECKS, NOT_PROVABLE_FROM_ROWS, PROBLEMS_MAX, verify
from tests.loyalty.examples import a_programme
from tests.loyalty.ledgers import Ledger, a_block, a_capture, an_abandon, opened
from tests.loyalty.tampering import TABLES, Tampered, names, other
from tests.scale import scaled

PROGRAMME = a_programme(expiry_months=1)
COLUMNS = [(table.name, column.name) for table in TABLES.values() for column in table.columns]
RESTORED = (*TABLES, "installation")
ROWS = scaled(10)  # altered by column


async def live(ledger: Ledger) -> None:
    """Something of every kind: all tables, all kinds of rows, several members to a bucket."""
    enrolments = await ledger.enrolled(*(f"card-{n}" for n in range(40)))
    await ledger.answers(*(a_capture(e.card, 4000) for e in enrolments))
    await ledger.answers(*(a_capture(e.card, 4000, redeem="maximum") for e in enrolments[:25]))
    await ledger.answers(*(a_capture(e.card, 100, redeem=99) for e in enrolments[:5]))
    await ledger.answers(an_abandon(operations.new_id()), a_block(enrolments[0].member_id))
    ledger.clock.move(timedelta(days=90))
    await ledger.answers(*(a_capture(e.card, 4000) for e in enrolments[20:35]))


@pytest.fixture(scope="module")
async def sqlite_original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("verify") / "original.sqlite"
    async with opened(f"sqlite:///{path}", programmes=[(0, PROGRAMME)]) as ledger:
        await live(ledger)
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.fixture(scope="module")
async def postgres_original(make_postgres_database: Callable[[], str]) -> str:
    """The rows of the ledger are kept a second time, in the schema `original`."""
    url = make_postgres_database()
    async with opened(url, programmes=[(0, PROGRAMME)]) as ledger:
        await live(ledger)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA original")
        for name in RESTORED:
            connection.execute(f"CREATE TABLE original.{name} AS TABLE {name}")
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def books(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Tampered]:
    """A healthy ledger of a few hundred rows, to be tampered with."""
    if request.param == "sqlite":
        copy = tmp_path / "copy.sqlite"
        shutil.copy(request.getfixturevalue("sqlite_original"), copy)
        with closing(sqlite3.connect(copy, isolation_level=None)) as raw:
            yield Tampered(f"sqlite:///{copy}", raw)
        return
    url = request.getfixturevalue("postgres_original")
    with psycopg.connect(url, autocommit=True) as connection:
        for name in RESTORED:
            connection.execute(f"DELETE FROM {name}")
            connection.execute(f"INSERT INTO {name} SELECT * FROM original.{name}")
        yield Tampered(url, connection)


# --- a healthy ledger -----------------------------------------------------------------------


async def test_a_healthy_ledger_verifies(books: Tampered) -> None:
    report = await books.report()

    assert report.ok
    assert report.problems == []
    assert report.rows["I8"] > len(books.rows("journal"))
    assert report.rows["I5"] == len(books.rows("locator"))
    assert {row["kind"] for row in books.rows("journal")} == {
        "enrol",
        "capture",
        "abandon",
        "expire",
        "block",
    }


async def test_an_empty_ledger_verifies(ledger: Ledger) -> None:
    """Also one whose last buckets nobody lives in."""
    assert (await ledger.verified()).ok


async def test_the_result_is_one_json_object(books: Tampered) -> None:
    """Invariants by name, what rows cannot show by name too."""
    told = (await books.report()).as_json()

    assert set(told) == {"ok", *CHECKS, "not_provable_from_rows", "problems"}
    assert {"I1", "I2", "I3", "I4", "I5", "I8", "I9", "I10"} <= set(told)
    assert told["not_provable_from_rows"] == NOT_PROVABLE_FROM_ROWS
    assert set(NOT_PROVABLE_FROM_ROWS) == {"I6", "I7"}
    for name, says in CHECKS.items():
        assert told[name]["ok"] is True
        assert told[name]["says"] == says
        assert isinstance(told[name]["rows_checked"], int)


async def test_progress_is_told_by_bucket(books: Tampered) -> None:
    heard: list[tuple[int, int]] = []

    await verify(books.url, progress=lambda done, total: heard.append((done, total)))

    assert heard == [(done, BUCKET_COUNT) for done in range(BUCKET_COUNT + 1)]


async def test_baskets_may_be_deleted_after_their_retention(books: Tampered) -> None:
    """The journal keeps their hash."""
    books.execute("DELETE FROM basket WHERE bucket < 16")

    assert (await books.report()).ok


async def test_verify_makes_no_ledger_where_there_is_none(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere.sqlite"

    with pytest.raises(FileNotFoundError, match=r"nowhere\.sqlite"):
        await verify(f"sqlite:///{nowhere}")

    assert not nowhere.exists()


async def test_verify_writes_nothing(books: Tampered) -> None:
    before = [books.rows(name) for name in TABLES]

    await books.report()

    assert [books.rows(name) for name in TABLES] == before


# --- one value changed ----------------------------------------------------------------------


@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=[".".join(c) for c in COLUMNS])
async def test_any_changed_value_is_found(books: Tampered, table: str, column: str) -> None:
    where = "points > held" if column == "held" else "1 = 1"
    altered = 0
    for seed in itertools.count():
        if altered == ROWS:
            break
        row = books.some(table, where, seed=seed)
        value = other(table, column, row[column], seed)
        try:
            books.change(table, row, **{column: value})
        except (sqlite3.IntegrityError, psycopg.IntegrityError):
            continue  # the place is taken: the database itself says no
        altered += 1

        problems = await books.problems()

        changed = {**row, column: value}
        assert names(table, row, problems) or names(table, changed, problems), problems[:5]
        books.change(table, changed, **{column: row[column]})
    assert (await books.report()).ok, "everything was put back"


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("journal", "movements", "{}"),
        ("journal", "movements", "[]"),
        ("journal", "movements", '{"transfers":[["points","nowhere",5]],"lots":[]}'),
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
        ("member", "lots", "null"),
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
    ],
)
async def test_text_where_none_belongs_is_a_finding_and_no_crash(
    sqlite_original: Path, tmp_path: Path, table: str, column: str
) -> None:
    """SQLite takes any value in any column."""
    copy = tmp_path / "copy.sqlite"
    shutil.copy(sqlite_original, copy)
    with closing(sqlite3.connect(copy, isolation_level=None)) as raw:
        raw.execute("PRAGMA ignore_check_constraints = on")
        raw.execute(
            f"UPDATE {table} SET {column} = 'text' "
            f"WHERE rowid = (SELECT rowid FROM {table} LIMIT 1 OFFSET 1)"
        )

    report = await verify(f"sqlite:///{copy}")

    assert not report.ok
    assert report.problems


# --- rows that go, come, and change places --------------------------------------------------


@pytest.mark.parametrize("table", ["bucket", "member", "locator", "journal"])
async def test_a_deleted_row_is_found(books: Tampered, table: str) -> None:
    for seed in range(ROWS):
        row = books.some(table, seed=seed)
        books.delete(table, row)

        problems = await books.problems()

        if table in ("journal", "member"):
            assert any(f"{row['bucket']}" in problem for problem in problems)
        elif table == "locator":
            assert names(table, row, problems)
        books.insert(table, row)
    assert (await books.report()).ok


async def test_a_bucket_without_rows_is_missed_too(ledger: Ledger) -> None:
    """Nothing was lost with it yet; what would be booked there could not be."""
    async with ledger.engine.begin() as connection:
        row = await connection.execute(schema.bucket.select().where(schema.bucket.c.bucket == 31))
        values = row.one()._asdict()
        await connection.execute(schema.bucket.delete().where(schema.bucket.c.bucket == 31))

    report = await verify(ledger.url)

    assert not report.ok
    async with ledger.engine.begin() as connection:
        await connection.execute(schema.bucket.insert().values(**values))


async def test_the_last_rows_of_a_bucket_are_missed(books: Tampered) -> None:
    """A commit cut off at the end breaks no chain; the bucket row knows."""
    for seed in range(ROWS):
        bucket = books.some("journal", seed=seed)["bucket"]
        rows = books.rows("journal", f"bucket = {bucket}")[-2:]
        for row in rows:
            books.delete("journal", row)

        problems = await books.problems()

        assert any(p.startswith(f"I8: bucket {bucket}: its journal ends") for p in problems)
        for row in rows:
            books.insert("journal", row)


async def test_the_last_rows_are_missed_also_when_the_bucket_row_is_set_back(
    books: Tampered,
) -> None:
    """Their members, keys and balances remember them."""
    last = books.rows("journal", "kind = 'capture' AND accepted")[-1]
    before = books.rows("journal", f"bucket = {last['bucket']} AND sequence < {last['sequence']}")[
        -1
    ]
    books.execute(
        "DELETE FROM journal WHERE bucket = ? AND sequence >= ?", last["bucket"], last["sequence"]
    )
    (bucket,) = books.rows("bucket", f"bucket = {last['bucket']}")
    books.change(
        "bucket",
        bucket,
        sequence=before["sequence"],
        chain_head=before["chain_hash"],
        last_time_us=before["effective_at_us"],
    )

    problems = await books.problems()

    assert {problem.partition(":")[0] for problem in problems} >= {"I1", "I5", "members"}


async def test_a_well_formed_row_too_many_is_found(books: Tampered) -> None:
    """Chained correctly, with a bucket row that agrees: nobody has taken its keys."""
    last = books.rows("journal", "kind = 'capture' AND accepted")[-1]
    end = books.rows("journal", f"bucket = {last['bucket']}")[-1]
    row = {
        **last,
        "sequence": end["sequence"] + 1,
        "operation_id": operations.new_id(),
        "effective_at_us": end["effective_at_us"],
    }
    row["accepted"] = bool(row["accepted"])
    row["chain_hash"] = row_hash(end["chain_hash"], row)
    books.insert("journal", row)

    assert any(f"bucket {row['bucket']}: its journal ends" in p for p in await books.problems())
    (bucket,) = books.rows("bucket", f"bucket = {last['bucket']}")
    books.change(
        "bucket",
        bucket,
        sequence=row["sequence"],
        chain_head=row["chain_hash"],
        last_time_us=row["effective_at_us"],
    )

    problems = await books.problems()
    assert any("is missing" in p and f"{row['bucket']}/{row['sequence']}" in p for p in problems)


async def test_a_forged_chain_still_has_to_balance(books: Tampered) -> None:
    """Somebody who rewrites a row and every hash after it: the members and accounts differ."""
    row = books.some("journal", "kind = 'capture' AND accepted")
    rows = books.rows("journal", f"bucket = {row['bucket']} AND sequence >= {row['sequence']}")
    earned = '"transfers":[["issued","points",'
    rows[0]["movements"] = rows[0]["movements"].replace(earned, f"{earned}9")
    assert rows[0]["movements"] != row["movements"]
    head = books.rows("journal", f"bucket = {row['bucket']} AND sequence < {row['sequence']}")
    previous = head[-1]["chain_hash"] if head else bytes(32)
    for changed in rows:
        changed["accepted"] = bool(changed["accepted"])
        previous = changed["chain_hash"] = row_hash(previous, changed)
        books.delete("journal", changed)
        books.insert("journal", changed)
    (bucket,) = books.rows("bucket", f"bucket = {row['bucket']}")
    books.change("bucket", bucket, chain_head=previous)

    report = await books.report()

    assert {name for name, wrong in report.wrong.items() if wrong} >= {"I1", "I2", "I9", "members"}
    assert names("journal", row, report.problems)


async def test_two_rows_that_changed_places_are_found(books: Tampered) -> None:
    for seed in range(ROWS):
        bucket = books.some("journal", "sequence > 1", seed=seed)["bucket"]
        first, second = random.Random(seed).sample(books.rows("journal", f"bucket = {bucket}"), k=2)
        for row in (first, second):
            books.delete("journal", row)
        swapped = [
            {**first, "sequence": second["sequence"]},
            {**second, "sequence": first["sequence"]},
        ]
        for row in swapped:
            books.insert("journal", row)

        problems = await books.problems()

        assert names("journal", first, problems)
        assert names("journal", second, problems)
        for row in swapped:
            books.delete("journal", row)
        for row in (first, second):
            books.insert("journal", row)
    assert (await books.report()).ok


async def test_two_baskets_that_changed_places_are_found(books: Tampered) -> None:
    first, second = books.rows("basket")[:2]
    for row in (first, second):
        books.delete("basket", row)
    place = ("bucket", "sequence")
    books.insert("basket", {**first, **{name: second[name] for name in place}})
    books.insert("basket", {**second, **{name: first[name] for name in place}})

    problems = await books.problems()

    assert names("basket", first, problems)
    assert names("basket", second, problems)


async def test_a_basket_that_nobody_bought_is_found(books: Tampered) -> None:
    """Beside a row that has none, and behind the last row."""
    basket = books.rows("basket")[0]
    enrolment = books.rows("journal", "kind = 'enrol'")[0]
    place = {"bucket": enrolment["bucket"], "sequence": enrolment["sequence"]}
    books.insert("basket", {**basket, **place})
    books.insert("basket", {**basket, "sequence": 10**6})

    problems = await books.problems()

    assert names("basket", place, problems)
    assert names("basket", {**basket, "sequence": 10**6}, problems)


async def test_a_member_from_nowhere_is_found(books: Tampered) -> None:
    member = {**books.rows("member")[0], "member_id": operations.new_id()}
    books.insert("member", member)

    assert names("member", member, await books.problems())


async def test_a_key_from_nowhere_is_found(books: Tampered) -> None:
    """An id that nobody used, which would refuse whoever comes with it."""
    key = {**books.some("locator"), "kind": 1, "key": bytes(16)}
    key["bucket"] = bucket_of(bytes((1,)) + key["key"])
    books.insert("locator", key)

    assert names("locator", key, await books.problems())


@pytest.mark.parametrize("table", ["member", "locator", "journal", "basket"])
async def test_rows_outside_of_all_buckets_are_found(books: Tampered, table: str) -> None:
    books.insert(table, {**books.rows(table)[0], "bucket": 99})

    assert f"I8: 1 rows of {table} are in no bucket" in await books.problems()


@pytest.mark.parametrize("count", ["31", "33", "many"])
async def test_another_number_of_buckets_is_found(books: Tampered, count: str) -> None:
    books.execute("UPDATE installation SET value = ? WHERE name = 'bucket_count'", count)

    assert any(f"the installation has {count}" in problem for problem in await books.problems())


async def test_a_deleted_ledger_is_not_a_healthy_one(books: Tampered) -> None:
    for name in TABLES:
        books.execute(f"DELETE FROM {name}")

    assert await books.problems()


async def test_a_flood_of_problems_is_counted_and_not_all_told(books: Tampered) -> None:
    books.execute("UPDATE journal SET store_id = 'other'")

    report = await books.report()

    assert len(report.problems) == PROBLEMS_MAX
    assert report.wrong["I8"] >= len(books.rows("journal", "sequence > 0"))


async def test_a_ledger_can_be_verified_while_it_works(ledger: Ledger) -> None:
    """One snapshot: what is booked meanwhile is not there yet, whole or not at all."""
    await live(ledger)

    async def spend() -> None:
        for _ in range(20):
            await ledger.answers(*(a_capture(f"card-{n}", 2000) for n in range(0, 40, 4)))

    spending = asyncio.create_task(spend())
    reports = [await verify(ledger.url) for _ in range(3)]
    await spending

    assert [report.problems for report in reports] == [[]] * 3
