"""The two databases behind one protocol: which address is which, and who owns a file."""

import subprocess
import sys
from pathlib import Path

import pytest

from services.loyalty.domain.member import Member
from services.loyalty.keys import card_key, member_bucket
from services.loyalty.store import (
    MEMBER_COLUMNS,
    Batch,
    KeyTakenError,
    Located,
    StoreLostError,
    member_from_row,
    member_row,
    normal_url,
    open_store,
)
from services.loyalty.store_sqlite import AlreadyOpenError
from tests.loyalty.domain.members import a_member
from tests.loyalty.ledgers import Ledger, opened


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:p@h:5/d", "postgresql+asyncpg://u:p@h:5/d"),
        ("postgres://u@h/d", "postgresql+asyncpg://u@h/d"),
        ("postgresql+asyncpg://u@h/d", "postgresql+asyncpg://u@h/d"),
        ("sqlite:///var/x", "sqlite+aiosqlite:///var/x"),
        ("sqlite+aiosqlite:////var/x", "sqlite+aiosqlite:////var/x"),
    ],
)
def test_plain_addresses_get_their_driver(url: str, expected: str) -> None:
    assert normal_url(url) == expected


@pytest.mark.parametrize("url", ["mysql://h/d", "oracle://h/d"])
async def test_other_databases_are_refused_by_name(url: str) -> None:
    with pytest.raises(ValueError, match="neither PostgreSQL nor SQLite"):
        await open_store(url)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
async def test_a_ledger_in_memory_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="needs a file"):
        await open_store(url)


async def test_one_process_owns_a_sqlite_file(sqlite_url: str, tmp_path: Path) -> None:
    """Here and in another process; once it is closed the next one may."""
    other_process = (
        "import asyncio, sys\n"
        "from services.loyalty.store import open_store\n"
        "asyncio.run(open_store(sys.argv[1]))\n"
    )

    def attempt() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", other_process, sqlite_url],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    store = await open_store(sqlite_url)
    with pytest.raises(AlreadyOpenError, match=r"test\.sqlite.*use PostgreSQL"):
        await open_store(sqlite_url)
    refused = attempt()
    await store.close()
    accepted = attempt()

    assert "AlreadyOpenError" in refused.stderr
    assert (refused.returncode, accepted.returncode) == (1, 0), accepted.stderr


@pytest.mark.parametrize(
    "member",
    [
        a_member(),
        a_member(("2027-03-31", 10), ("2027-04-30", 5), held=3, receivable=-2, pending=9),
        a_member(cards=("1", '"2"', "ä"), language="de-AT", tier="gold"),
    ],
)
def test_a_member_survives_their_row(member: Member) -> None:
    row = member_row(3, member)

    assert member_from_row([row[name] for name in MEMBER_COLUMNS]) == member


async def test_a_taken_key_takes_the_whole_transaction_back(ledger: Ledger) -> None:
    """The batch is written whole or not at all."""
    (enrolment,) = await ledger.enrolled("1")
    before = await ledger.state()
    batch = Batch(
        locators=[
            (card_key("0"), Located(0, 1, enrolment.member_id)),
            (card_key("1"), Located(0, 1, enrolment.member_id)),
        ]
    )

    with pytest.raises(KeyTakenError):
        async with ledger.store.writing() as transaction:
            await transaction.append(batch)

    assert await ledger.state() == before


async def test_a_transaction_left_by_a_fault_is_taken_back(ledger: Ledger) -> None:
    (enrolment,) = await ledger.enrolled("1")
    before = await ledger.state()
    batch = Batch(locators=[(card_key("0"), Located(0, 1, enrolment.member_id))])

    async def interrupted() -> None:
        async with ledger.store.writing() as transaction:
            await transaction.append(batch)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await interrupted()
    assert await ledger.state() == before
    async with ledger.store.writing() as transaction:
        locked = await transaction.lock([member_bucket(enrolment.member_id)])
    assert len(locked) == 1, "the connection goes on"


async def test_locked_buckets_come_with_their_state(ledger: Ledger) -> None:
    (enrolment,) = await ledger.enrolled("1")
    home = member_bucket(enrolment.member_id)

    async with ledger.store.writing() as transaction:
        locked = await transaction.lock([31, 0, home])
        members = await transaction.members(
            [(home, enrolment.member_id), (0, "0198c6f4-0000-7000-8000-000000000001")]
        )
        owners = await transaction.owners([card_key("1"), card_key("2")])

    assert set(locked) == {0, 31, home}
    assert locked[home].sequence == 1
    assert list(members) == [enrolment.member_id]
    assert owners == {card_key("1"): Located(home, 1, enrolment.member_id)}


async def test_a_database_that_cannot_be_reached_is_lost_not_broken() -> None:
    """The writer waits for it and tries again."""
    store = await open_store("postgresql://bonpunkt@127.0.0.1:1/nowhere")

    with pytest.raises(StoreLostError):
        async with store.writing():
            pass
    with pytest.raises(StoreLostError):
        await store.reader.decided([card_key("1")])
    await store.close()


async def test_two_ledgers_in_one_process_are_two(sqlite_url: str, tmp_path: Path) -> None:
    async with opened(sqlite_url) as one, opened(f"sqlite:///{tmp_path / 'other'}") as two:
        await one.enrolled("1")

        assert await two.available("1") is None
        assert await one.available("1") == 0
