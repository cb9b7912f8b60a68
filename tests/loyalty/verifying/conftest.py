"""Healthy books to be tampered with, on each database."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.loyalty.ledgers import opened
from tests.loyalty.lived import PROGRAMMES, Life
from tests.loyalty.tampering import TABLES, Rows, Tampered, connected


@dataclass(frozen=True, slots=True)
class Original:
    """Where the healthy books are, and what they were before their last commit."""

    url: str
    lately: Rows


async def lived_through(url: str) -> Rows:
    """Fills the ledger; answers all rows as they were before its last commit."""
    async with opened(url, programmes=PROGRAMMES) as ledger:
        life = Life(ledger)
        await life.live()
        with closing(connected(url)) as raw:
            lately = Tampered(url, raw, {}).all_rows()
        await life.go_on()
        await ledger.verified()
    return lately


@pytest.fixture(scope="session")
async def sqlite_original(tmp_path_factory: pytest.TempPathFactory) -> Original:
    url = f"sqlite:///{tmp_path_factory.mktemp('verify') / 'original.sqlite'}"
    lately = await lived_through(url)
    with closing(connected(url)) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return Original(url, lately)


@pytest.fixture(scope="session")
async def postgres_original(make_postgres_database: Callable[[], str]) -> Original:
    """The rows of the ledger are kept a second time, in the schema `original`."""
    url = make_postgres_database()
    lately = await lived_through(url)
    with closing(connected(url)) as connection:
        connection.execute("CREATE SCHEMA original")
        for name in TABLES:
            connection.execute(f"CREATE TABLE original.{name} AS TABLE {name}")
    return Original(url, lately)


@pytest.fixture
def sqlite_copy(sqlite_original: Original, tmp_path: Path) -> str:
    copy = tmp_path / "copy.sqlite"
    shutil.copy(sqlite_original.url.removeprefix("sqlite:///"), copy)
    return f"sqlite:///{copy}"


@pytest.fixture
def sqlite_books(sqlite_copy: str, sqlite_original: Original) -> Iterator[Tampered]:
    """Healthy books where the database makes no difference."""
    with closing(connected(sqlite_copy)) as raw:
        yield Tampered(sqlite_copy, raw, sqlite_original.lately)


@pytest.fixture(params=["sqlite", "postgresql"])
def books(request: pytest.FixtureRequest) -> Iterator[Tampered]:
    """A healthy ledger with rows of every kind."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_books")
        return
    original: Original = request.getfixturevalue("postgres_original")
    with closing(connected(original.url)) as connection:
        for name in TABLES:
            connection.execute(f"DELETE FROM {name}")
            connection.execute(f"INSERT INTO {name} SELECT * FROM original.{name}")
        yield Tampered(original.url, connection, original.lately)
