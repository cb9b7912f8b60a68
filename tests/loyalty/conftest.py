"""An opened ledger, on each database."""

from collections.abc import AsyncIterator, Callable

import psycopg
import pytest

from services.loyalty.identity.schema import IDENTITY_TABLES
from services.loyalty.migrations import migrate
from services.loyalty.office.schema import adjustment
from services.loyalty.schema import CHECKOUT_TABLES, installation, job, programme
from services.loyalty.store import open_store
from tests.loyalty.ledgers import Ledger, opened
from tests.loyalty.served import Served, served


@pytest.fixture(scope="session")
async def shared_postgres_url(make_postgres_database: Callable[[], str]) -> str:
    """One migrated database for all tests: making one for each takes longer than they do."""
    url = make_postgres_database()
    store = await open_store(url)
    await migrate(store.engine)
    await store.close()
    return url


@pytest.fixture
def postgres_ledger_url(shared_postgres_url: str) -> str:
    """The shared database, as empty as a new one."""
    tables = [*CHECKOUT_TABLES, *IDENTITY_TABLES, installation, programme, job, adjustment]
    with psycopg.connect(shared_postgres_url, autocommit=True) as connection:
        connection.execute("".join(f"DELETE FROM {table.name};" for table in tables))
    return shared_postgres_url


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest) -> str:
    """Where an empty ledger is, or is to be."""
    url: str = request.getfixturevalue(
        {"sqlite": "sqlite_url", "postgresql": "postgres_ledger_url"}[request.param]
    )
    return url


@pytest.fixture
async def ledger(ledger_url: str) -> AsyncIterator[Ledger]:
    """An empty ledger with the example programme; at the end its books have to balance."""
    async with opened(ledger_url) as ledger:
        yield ledger
        await ledger.verified()


@pytest.fixture
async def loyalty(ledger_url: str) -> AsyncIterator[Served]:
    """The real server on an empty ledger."""
    async with served(ledger_url) as running:
        yield running
