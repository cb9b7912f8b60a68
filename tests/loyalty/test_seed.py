"""`bonpunkt seed`: what it makes is a ledger like any other."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bonpunkt.till import operations
from bonpunkt.till.v1 import till_pb2 as pb
from services.loyalty import schema
from services.loyalty.domain.decision import Captured, Enrolled, Refusal, Refused, Returned
from services.loyalty.domain.programme import Programme
from services.loyalty.keys import BUCKET_COUNT
from services.loyalty.seeding.cohorts import Size, card_of, till_of
from services.loyalty.seeding.copying import text_of
from services.loyalty.seeding.seed import SQLITE_ROWS_MAX, NotNewError, Order, seed
from services.loyalty.wire_lines import operation_from_bytes
from services.loyalty.wire_requests import request_from_wire
from tests.loyalty.examples import a_programme
from tests.loyalty.ledgers import Ledger, SetClock, a_capture, an_enrolment, opened, read
from tests.loyalty.programme_rows import document_of

NOW = datetime(2026, 11, 20, 11, 0, tzinfo=UTC)
SIZE = Size(members=30, journal_rows=100, days=200)
KEYS = "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'p' ORDER BY 1"


def bought(*totals_minor: int, currency: str = "EUR") -> pb.Basket:
    items = [
        operations.line_item(str(number), total_minor=total, vat_rate_key="DE_19")
        for number, total in enumerate(totals_minor, start=1)
    ]
    return operations.basket(
        items, receipt_number="1", business_date="2017-01-01", cashier="7", currency=currency
    )


BASKETS = [bought(2000), bought(999, 1), bought(40000, 5000, 1)]


def an_order(size: Size = SIZE, **changes: Any) -> Order:
    asked: dict[str, Any] = {
        "baskets": BASKETS,
        "baskets_days": 0,
        "actor": "cli:test",
        "processes": 2,
    }
    return Order(size=size, now=NOW, **(asked | changes))


async def seeded(
    url: str, folder: Path, *, programme: Programme | None = None, **changes: Any
) -> list[tuple[str, int]]:
    """Seeds, by the example programme; answers what was told meanwhile."""
    file = folder / "programme.json"
    file.write_text(json.dumps(document_of(programme or a_programme())))
    told: list[tuple[str, int]] = []
    order = an_order(**changes)
    await seed(url, order, programme=file, told=lambda what, rows: told.append((what, rows)))
    return told


def later() -> SetClock:
    return SetClock(NOW + timedelta(minutes=5))


async def test_a_seeded_ledger_verifies_and_has_what_was_ordered(
    ledger_url: str, tmp_path: Path
) -> None:
    told = await seeded(ledger_url, tmp_path)

    async with opened(ledger_url, clock=later()) as ledger:
        counts = await ledger.counts()
        report = await ledger.verified()
        buckets = await ledger.rows(schema.bucket)
        members = await ledger.rows(schema.member)
    assert told[-1][1] == SIZE.journal_rows
    assert counts == {
        "bucket": BUCKET_COUNT,
        "member": 30,
        "journal": 100,
        "locator": 200,  # each row's id; and a card or a receipt
        "basket": 70,
        "reversal": 0,
    }
    assert report.rows["I8"] > SIZE.journal_rows
    assert sum(row.members for row in buckets) == 30
    assert sum(row.captures for row in buckets) == 70
    assert {json.loads(row.cards)[0] for row in members} == {card_of(n) for n in range(30)}


async def test_checkouts_go_on(ledger_url: str, tmp_path: Path) -> None:
    await seeded(ledger_url, tmp_path)

    async with opened(ledger_url, clock=later()) as ledger:
        captured = await ledger.decision(a_capture(card_of(29), 4000))
        enrolled = await ledger.decision(an_enrolment())
        taken = await ledger.decision(an_enrolment(card_of(0)))
        await ledger.verified()
    assert isinstance(captured, Captured)
    assert captured.points_earned == 20
    assert isinstance(enrolled, Enrolled)
    assert isinstance(taken, Refused)
    assert taken.reason is Refusal.CARD_TAKEN


async def test_what_was_bought_can_be_brought_back(ledger_url: str, tmp_path: Path) -> None:
    """Purchase number 2 is the one of 450.01."""
    await seeded(ledger_url, tmp_path)

    async with opened(ledger_url, clock=later()) as ledger:
        returned = await brought_back(ledger, number=2)
        again = await brought_back(ledger, number=2)
        await ledger.verified()
    assert isinstance(returned, Returned)
    assert returned.complete
    assert returned.refund_minor == 45001
    assert isinstance(again, Refused)
    assert again.reason is Refusal.EXCEEDS_RETURNABLE


async def brought_back(ledger: Ledger, *, number: int) -> Any:
    terminal_id, _ = till_of(number)
    receipt_number = f"{number:010d}"
    (row,) = [r for r in await ledger.rows(schema.basket) if r.receipt_number == receipt_number]
    receipt = operations.receipt(
        terminal_id=terminal_id, business_date=row.business_date, receipt_number=receipt_number
    )
    operation = operations.return_items(
        receipt, receipt_number=operations.new_id(), business_date="2026-11-20"
    )
    return await ledger.decision(read(operation))


async def test_only_a_new_ledger_is_seeded(ledger_url: str, tmp_path: Path) -> None:
    await seeded(ledger_url, tmp_path)
    async with opened(ledger_url, clock=later()) as ledger:
        before = await ledger.state()

    with pytest.raises(NotNewError, match="100 operations are booked in this ledger"):
        await seeded(ledger_url, tmp_path)

    async with opened(ledger_url, clock=later()) as ledger:
        assert await ledger.state() == before


async def test_one_operation_is_enough_to_be_in_use(ledger_url: str, tmp_path: Path) -> None:
    """Nor do other rules come into force then."""
    async with opened(ledger_url) as ledger:
        await ledger.enrolled("2900000000018")

    with pytest.raises(NotNewError, match="1 operations are booked"):
        await seeded(ledger_url, tmp_path, programme=a_programme(version=2))

    async with opened(ledger_url) as ledger:
        assert [row.version for row in await ledger.rows(schema.programme)] == [1]


async def test_a_ledger_that_was_opened_and_not_used_is_new(
    ledger_url: str, tmp_path: Path
) -> None:
    async with opened(ledger_url):
        pass

    await seeded(ledger_url, tmp_path)

    async with opened(ledger_url, clock=later()) as ledger:
        await ledger.verified()


async def test_a_seed_that_fails_leaves_the_ledger_as_new(ledger_url: str, tmp_path: Path) -> None:
    """Here the tills of another country are refused; the next attempt finds nothing in its way."""
    with pytest.raises(ValueError, match="this programme counts in EUR"):
        await seeded(ledger_url, tmp_path, baskets=[bought(2000, currency="CHF")])

    async with opened(ledger_url) as ledger:
        assert (await ledger.counts())["journal"] == 0
        await ledger.verified()
    await seeded(ledger_url, tmp_path)


async def test_nobody_else_may_be_at_the_database(postgres_url: str, tmp_path: Path) -> None:
    with (
        psycopg.connect(postgres_url, application_name="a report"),
        pytest.raises(NotNewError, match="in use by a report"),
    ):
        await seeded(postgres_url, tmp_path)


async def test_the_keys_are_what_they_were(postgres_url: str, tmp_path: Path) -> None:
    async with opened(postgres_url):
        before = keys(postgres_url)

    await seeded(postgres_url, tmp_path)

    assert keys(postgres_url) == before


def keys(url: str) -> Sequence[Any]:
    with psycopg.connect(url) as connection:
        return connection.execute(KEYS).fetchall()


async def test_line_items_past_their_retention_are_left_out(
    ledger_url: str, tmp_path: Path
) -> None:
    """In four cohorts, the last of them now, 25 days lie between each and the next."""
    size = Size(members=4, journal_rows=6_004, days=100)

    await seeded(ledger_url, tmp_path, size=size, baskets_days=49, processes=1)

    async with opened(ledger_url, clock=later()) as ledger:
        baskets = (await ledger.counts())["basket"]
        since = min(row.business_date for row in await ledger.rows(schema.basket))
    assert baskets == 3_000
    assert since == (NOW - timedelta(days=25)).date().isoformat()


async def test_a_sqlite_file_takes_so_many_rows_and_no_more(
    sqlite_url: str, tmp_path: Path
) -> None:
    too_many = Size(members=1, journal_rows=SQLITE_ROWS_MAX + 1, days=1)

    with pytest.raises(ValueError, match="name a PostgreSQL database"):
        await seeded(sqlite_url, tmp_path, size=too_many)


@pytest.mark.parametrize(("members", "journal_rows", "days"), [(0, 1, 1), (1, 1, 0), (2, 1, 1)])
def test_a_size_that_cannot_be_is_refused(members: int, journal_rows: int, days: int) -> None:
    with pytest.raises(ValueError, match="seed"):
        Size(members=members, journal_rows=journal_rows, days=days)


@pytest.mark.parametrize("processes", [1, 2, 3, 32, 100])
@pytest.mark.parametrize(("members", "journal_rows"), [(1, 1), (7, 7), (100, 100_001)])
def test_the_shares_are_the_whole(processes: int, members: int, journal_rows: int) -> None:
    size = Size(members=members, journal_rows=journal_rows, days=1)

    shares = an_order(size, processes=processes).shares()

    assert len(shares) <= min(processes, members, BUCKET_COUNT)
    assert sorted(bucket for s in shares for bucket in s.buckets) == list(range(BUCKET_COUNT))
    assert sum(share.members for share in shares) == members
    assert sum(share.purchases for share in shares) == journal_rows - members
    assert all(1 <= share.cohorts <= share.members for share in shares)


def test_a_purchase_is_one_that_a_till_could_send() -> None:
    """Its card, terminal and receipt number have the form that loyalty asks of a till."""
    terminal_id, store_id = till_of(1_000_000)
    basket = bought(2000)
    basket.receipt_number = f"{1_000_000:010d}"
    operation = operations.capture(card_of(10_000_000), basket, occurred_at=NOW)

    command = request_from_wire(
        operation_from_bytes(operation.SerializeToString()),
        terminal_id=terminal_id,
        store_id=store_id,
        currency="EUR",
    )

    assert not isinstance(command, Refused)


def test_whatever_stands_in_a_row_arrives(postgres_url: str) -> None:
    rows = [
        (1, "a\tb\nc\rd\\e\\N", None, True, b"\x00\\\t\xff"),
        (-(2**62), "", "\\N", False, b""),
        (0, "ß – \u00a0“\"'", "'", True, bytes(32)),
    ]
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE TABLE t (a bigint, b text, c text, d boolean, e bytea)")
        with connection.cursor().copy("COPY t FROM STDIN") as copy:
            copy.write(text_of(rows))

        assert connection.execute("SELECT * FROM t").fetchall() == rows
