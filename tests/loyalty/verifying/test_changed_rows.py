"""Rows that go, come and change places are found, and so is a commit that was taken out or put in,
whichever table was forgotten over it.
"""

import random

import pytest

from bonpunkt.till import operations
from services.loyalty import schema
from services.loyalty.chain import row_hash
from services.loyalty.keys import bucket_of
from services.loyalty.verify import NOT_PROVABLE_FROM_ROWS, verify
from tests.loyalty.ledgers import Ledger
from tests.loyalty.tampering import CHECKOUT, TABLES, Found, Rows, Tampered, names
from tests.scale import scaled

ROWS = scaled(10)
DELETED = ["bucket", "member", "locator", "journal", "reversal", "programme", "installation"]


# --- one row --------------------------------------------------------------------------------


@pytest.mark.parametrize("table", DELETED)
async def test_a_deleted_row_is_found(books: Tampered, table: str) -> None:
    for seed in range(ROWS):
        row = books.some(table, seed=seed)
        books.delete(table, row)

        problems = await books.problems()

        if table == "journal":  # the one behind it is named, or the bucket where it was the last
            behind = {**row, "sequence": row["sequence"] + 1}
            assert names("journal", behind, problems) or names("bucket", row, problems)
        else:
            assert names(table, row, problems), problems[:5]
        books.insert(table, row)
    assert (await books.report()).ok


async def test_a_bucket_without_rows_is_missed_too(ledger: Ledger) -> None:
    """Nothing was lost with it yet; what would be booked there could not be."""
    async with ledger.engine.begin() as connection:
        row = await connection.execute(schema.bucket.select().where(schema.bucket.c.bucket == 31))
        values = row.one()._asdict()
        await connection.execute(schema.bucket.delete().where(schema.bucket.c.bucket == 31))

    report = await verify(ledger.url)

    assert "I8: bucket 31 is missing" in report.problems
    async with ledger.engine.begin() as connection:
        await connection.execute(schema.bucket.insert().values(**values))


async def test_two_rows_that_changed_places_are_found(books: Tampered) -> None:
    for seed in range(ROWS):
        bucket = books.some("journal", "sequence > 1", seed=seed)["bucket"]
        first, second = random.Random(seed).sample(books.rows("journal", f"bucket = {bucket}"), k=2)
        _swap(books, "journal", first, second)

        problems = await books.problems()

        assert names("journal", first, problems)
        assert names("journal", second, problems)
        _swap(books, "journal", {**first, **_place(second)}, {**second, **_place(first)})
    assert (await books.report()).ok


@pytest.mark.parametrize("table", ["basket", "reversal"])
async def test_two_rows_of_receipts_that_changed_places_are_found(
    books: Tampered, table: str
) -> None:
    first, *more = books.rows(table)
    second = next(row for row in more if _told_by(row) != _told_by(first))
    _swap(books, table, first, second)

    problems = await books.problems()

    assert names(table, first, problems)
    assert names(table, second, problems)


def _swap(books: Tampered, table: str, first: Found, second: Found) -> None:
    for row in (first, second):
        books.delete(table, row)
    books.insert(table, {**first, **_place(second)})
    books.insert(table, {**second, **_place(first)})


def _told_by(row: Found) -> Found:
    return {name: value for name, value in row.items() if name not in _place(row)}


def _place(row: Found) -> Found:
    return {"bucket": row["bucket"], "sequence": row["sequence"]}


async def test_a_basket_that_nobody_bought_is_found(books: Tampered) -> None:
    """Beside a row that has none, and behind the last row."""
    basket = books.rows("basket")[0]
    enrolment = books.rows("journal", "kind = 'enrol'")[0]
    books.insert("basket", {**basket, **_place(enrolment)})
    books.insert("basket", {**basket, "sequence": 10**6})

    problems = await books.problems()

    assert names("basket", enrolment, problems)
    assert names("basket", {**basket, "sequence": 10**6}, problems)


async def test_a_return_that_nobody_brought_is_found(books: Tampered) -> None:
    """Of a receipt of which nothing came back, and of none at all."""
    reversal = books.rows("reversal")[0]
    returned = [(row["bucket"], row["sequence"]) for row in books.rows("reversal")]
    captures = books.rows("journal", "kind = 'capture' AND accepted")
    untouched = next(row for row in captures if (row["bucket"], row["sequence"]) not in returned)
    books.insert("reversal", {**reversal, **_place(untouched)})
    books.insert("reversal", {**reversal, "sequence": 10**6})

    problems = await books.problems()

    assert names("reversal", untouched, problems)
    assert names("reversal", {**reversal, "sequence": 10**6}, problems)


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


async def test_a_fact_of_the_installation_from_nowhere_is_found(books: Tampered) -> None:
    books.insert("installation", {"name": "owner", "value": "me"})

    assert names("installation", {"name": "owner"}, await books.problems())


@pytest.mark.parametrize("table", [name for name in CHECKOUT if name != "bucket"])
async def test_rows_outside_of_all_buckets_are_found(books: Tampered, table: str) -> None:
    stray = {**books.rows(table)[0], "bucket": 99}
    books.insert(table, stray)

    problems = await books.problems()

    assert names(table, stray, problems)
    assert f"I8: 1 rows of {table} are in no bucket" in problems


@pytest.mark.parametrize("count", ["31", "33", "many"])
async def test_another_number_of_buckets_is_found(books: Tampered, count: str) -> None:
    books.execute("UPDATE installation SET value = ? WHERE name = 'bucket_count'", count)

    told = f"I8: installation bucket_count is {count}, 32 buckets are there"
    assert told in await books.problems()


async def test_a_deleted_ledger_is_not_a_healthy_one(books: Tampered) -> None:
    for name in TABLES:
        books.execute(f"DELETE FROM {name}")

    assert await books.problems()


# --- a whole commit -------------------------------------------------------------------------


async def test_the_last_commit_deleted_is_found(books: Tampered) -> None:
    """Its rows of journal, locator and basket: the bucket rows know, and the chains end early."""
    rows = _last_commit(books)
    for row in rows:
        books.delete("journal", row)
        books.execute(
            "DELETE FROM locator WHERE home_bucket = ? AND sequence = ?", *_place(row).values()
        )
        books.execute("DELETE FROM basket WHERE bucket = ? AND sequence = ?", *_place(row).values())

    problems = await books.problems()

    for row in rows:
        assert names("journal", row, problems)
        assert names("member", row, problems)


@pytest.mark.parametrize("forgotten", CHECKOUT)
async def test_a_commit_taken_out_is_found_whichever_table_was_forgotten(
    books: Tampered, forgotten: str
) -> None:
    """All other tables are as they were before it, to the last byte."""
    now = books.all_rows()
    for name in CHECKOUT:
        if name != forgotten:
            books.replace(name, books.lately[name])

    problems = await books.problems()

    for row in _differing(forgotten, now, books.lately):
        assert names(forgotten, row, problems), row


@pytest.mark.parametrize("forgotten", [name for name in CHECKOUT if name != "basket"])
async def test_a_commit_put_in_is_found_whichever_table_was_forgotten(
    books: Tampered, forgotten: str
) -> None:
    """All other tables are as if it had been; a basket alone may be missing."""
    now = books.all_rows()
    books.replace(forgotten, books.lately[forgotten])

    problems = await books.problems()

    if forgotten == "journal":
        assert all(names("bucket", row, problems) for row in _last_commit(books))
    else:
        for row in _differing(forgotten, books.lately, now):
            assert names(forgotten, row, problems), row


async def test_a_ledger_set_back_as_a_whole_shows_it_in_no_row(books: Tampered) -> None:
    """It is what it was then. The chain heads that were kept elsewhere tell."""
    heads = {(row["sequence"], row["chain_head"]) for row in books.rows("bucket")}
    for name in CHECKOUT:
        books.replace(name, books.lately[name])

    assert (await books.report()).ok
    assert "notifier" in NOT_PROVABLE_FROM_ROWS["end"]
    assert heads - {(row["sequence"], row["chain_hash"]) for row in books.rows("journal")}


def _last_commit(books: Tampered) -> list[Found]:
    """The journal rows that came with it."""
    before = {(row["bucket"], row["sequence"]) for row in books.lately["journal"]}
    rows = books.rows("journal")
    return [row for row in rows if (row["bucket"], row["sequence"]) not in before] or [
        row for row in books.rows("bucket") if row not in books.lately["bucket"]
    ]


def _differing(table: str, here: Rows, there: Rows) -> list[Found]:
    rows = [row for row in here[table] if row not in there[table]]
    if rows:
        return rows
    return [row for row in there[table] if row not in here[table]]


async def test_the_last_rows_of_a_bucket_are_missed(books: Tampered) -> None:
    """A chain that is cut off at its end breaks nowhere; the bucket row knows."""
    for seed in range(ROWS):
        bucket = books.some("journal", seed=seed)["bucket"]
        rows = books.rows("journal", f"bucket = {bucket}")[-2:]
        for row in rows:
            books.delete("journal", row)

        problems = await books.problems()

        assert any(p.startswith(f"I8: bucket {bucket}: its journal ends") for p in problems)
        for row in rows:
            books.insert("journal", row)


async def test_a_well_formed_row_too_many_is_found(books: Tampered) -> None:
    """Chained correctly, first without, then with a bucket row that agrees: nobody has taken its
    keys, and the member does not know of it.
    """
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

    problems = await books.problems()
    assert any(p.startswith(f"I8: bucket {row['bucket']}: its journal ends") for p in problems)
    assert names("journal", row, problems)

    (bucket,) = books.rows("bucket", f"bucket = {last['bucket']}")
    books.change(
        "bucket",
        bucket,
        sequence=row["sequence"],
        chain_head=row["chain_hash"],
        last_time_us=row["effective_at_us"],
    )

    problems = await books.problems()
    assert any("is missing" in p for p in problems if names("journal", row, [p]))
    assert names("member", row, problems)


# --- a whole member -------------------------------------------------------------------------


async def test_a_member_removed_with_all_their_rows_is_missed(books: Tampered) -> None:
    for seed in range(ROWS):
        before = books.all_rows()
        member = books.some("member", seed=seed)
        bucket, rows = member["bucket"], books.rows("journal")
        theirs = {r["sequence"] for r in rows if r["member_id"] == member["member_id"]}
        books.delete("member", member)
        for sequence in theirs:
            for table, place in (
                ("journal", "bucket"),
                ("basket", "bucket"),
                ("reversal", "bucket"),
                ("locator", "home_bucket"),
            ):
                books.execute(
                    f"DELETE FROM {table} WHERE {place} = ? AND sequence = ?", bucket, sequence
                )

        problems = await books.problems()

        told = [p for p in problems if "rows are missing" in p and f"journal {bucket}/" in p]
        assert told or len(theirs) == len([r for r in rows if r["bucket"] == bucket])
        assert names("bucket", member, problems)
        for name in CHECKOUT:
            books.replace(name, before[name])
    assert (await books.report()).ok


async def test_a_bucket_emptied_with_its_row_set_to_nothing_is_missed(books: Tampered) -> None:
    """What the others know of it remains: keys of its rows lie in their buckets, of theirs in
    its.
    """
    merged = {row["bucket"] for row in books.rows("journal", "kind = 'merged'")}
    survivors = {row["bucket"] for row in books.rows("journal", "kind = 'merge'")}
    bucket = min(merged - survivors)
    for table in ("member", "journal", "basket", "reversal"):
        books.execute(f"DELETE FROM {table} WHERE bucket = ?", bucket)
    books.execute("DELETE FROM locator WHERE home_bucket = ?", bucket)
    (row,) = books.rows("bucket", f"bucket = {bucket}")
    nothing = {name: 0 for name in row if name not in ("bucket", "chain_head")}
    books.change("bucket", row, chain_head=bytes(32), **nothing)

    report = await books.report()

    assert report.wrong["I9"], "the other half of a merge was there"
