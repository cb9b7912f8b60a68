"""A healthy ledger verifies, whatever it has been through; the result says what it rests on."""

import asyncio
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from services.loyalty.domain.card import card_digest
from services.loyalty.installation import raise_epoch
from services.loyalty.keys import BUCKET_COUNT
from services.loyalty.programmes import load_programme
from services.loyalty.verify import CHECKS, NOT_PROVABLE_FROM_ROWS, verify
from tests.loyalty.ledgers import NOON, Ledger, a_capture, opened
from tests.loyalty.lived import KINDS, PROGRAMMES
from tests.loyalty.programme_rows import document_of
from tests.loyalty.tampering import Tampered, connected, names


async def test_a_healthy_ledger_verifies(books: Tampered) -> None:
    """One that has rows of every kind."""
    report = await books.report()

    assert report.ok
    assert report.problems == []
    assert report.rows["I8"] > len(books.rows("journal"))
    assert report.rows["I5"] >= len(books.rows("locator"))
    assert {row["kind"] for row in books.rows("journal")} == KINDS
    assert all(report.rows[name] for name in CHECKS)


async def test_an_empty_ledger_verifies(ledger: Ledger) -> None:
    """Also one whose last buckets nobody lives in."""
    assert (await ledger.verified()).ok


async def test_the_result_is_one_json_object(books: Tampered) -> None:
    """Invariants by name, what rows cannot show by name too."""
    told = (await books.report()).as_json()

    assert set(told) == {"ok", *CHECKS, "not_provable_from_rows", "problems"}
    assert {"I1", "I2", "I3", "I4", "I5", "I8", "I9", "I10"} <= set(told)
    assert told["not_provable_from_rows"] == NOT_PROVABLE_FROM_ROWS
    assert {"I6", "I7"} <= set(NOT_PROVABLE_FROM_ROWS)
    for name, says in CHECKS.items():
        assert told[name]["ok"] is True
        assert told[name]["says"] == says
        assert isinstance(told[name]["rows_checked"], int)


async def test_progress_is_told_by_bucket(books: Tampered) -> None:
    heard: list[tuple[int, int]] = []

    await verify(books.url, progress=lambda done, total: heard.append((done, total)))

    assert heard == [(done, BUCKET_COUNT) for done in range(BUCKET_COUNT + 1)]


@pytest.mark.parametrize("where", ["bucket < 16", "1 = 1"])
async def test_baskets_may_be_deleted_after_their_retention(books: Tampered, where: str) -> None:
    """The journal keeps their hash."""
    books.execute(f"DELETE FROM basket WHERE {where}")

    assert (await books.report()).ok


async def test_verify_makes_no_ledger_where_there_is_none(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere.sqlite"

    with pytest.raises(FileNotFoundError, match=r"nowhere\.sqlite"):
        await verify(f"sqlite:///{nowhere}")

    assert not nowhere.exists()


async def test_verify_writes_nothing(books: Tampered) -> None:
    before = books.all_rows()

    await books.report()

    assert books.all_rows() == before


async def test_a_ledger_can_be_verified_while_it_works(ledger: Ledger) -> None:
    """One snapshot: what is booked meanwhile is not there yet, whole or not at all."""
    await ledger.enrolled(*(f"card-{n}" for n in range(40)))

    async def spend() -> None:
        for _ in range(20):
            await ledger.answers(*(a_capture(f"card-{n}", 2000) for n in range(0, 40, 4)))

    spending = asyncio.create_task(spend())
    reports = [await verify(ledger.url) for _ in range(3)]
    await spending

    assert [report.problems for report in reports] == [[]] * 3


async def test_a_restored_ledger_has_the_epoch_that_the_audit_tells(database_url: str) -> None:
    async with opened(database_url) as ledger:
        epoch = await raise_epoch(ledger.engine, at=NOON, actor="cli:test")
        await ledger.verified()
    with closing(connected(database_url)) as raw:
        books = Tampered(database_url, raw, {})
        books.execute("UPDATE installation SET value = ? WHERE name = 'epoch'", str(epoch + 1))

        assert names("installation", {"name": "epoch"}, await books.problems())


async def test_a_ledger_of_the_first_release_verifies(ledger: Ledger) -> None:
    """Its rows told less of a member, and had the number of a card; the migration has made the
    locator's cards digests, and left the journal as it was.
    """
    (enrol,) = await ledger.enrolled("2900000000018")
    await ledger.answers(a_capture(enrol.card, 4000), a_capture(enrol.card, 600, redeem=5))
    with closing(connected(ledger.url)) as raw:
        books = Tampered(ledger.url, raw, {})
        for row in books.rows("journal"):
            changes = {
                "decision": _edited(row["decision"], _with_shorter_summary),
                "facts": _edited(row["facts"], lambda facts: _with_number(facts, enrol.card)),
                "after": _edited(row["after"], lambda after: after.pop("due_at_us")),
            }
            books.forge(row, **changes)
        books.execute("UPDATE member SET due_at_us = 0")

        assert (await books.report()).problems == []


def _edited(text: str, edit: Any) -> str:
    found = json.loads(text)
    edit(found)
    return json.dumps(found, separators=(",", ":"))


def _with_shorter_summary(decision: Any) -> None:
    decision["member"] = decision["member"][:5]


def _with_number(facts: Any, card: str) -> None:
    if "card" in facts:
        assert facts["card"] == card_digest(card).hex()
        facts["card"] = card


def test_documents_of_programmes_make_the_same_programmes() -> None:
    for _, programme in PROGRAMMES:
        assert load_programme(document_of(programme)) == programme
