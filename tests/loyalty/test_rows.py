"""Row types of PostgreSQL: each release has its own, and a table may grow meanwhile."""

from typing import Any

import pytest
from sqlalchemy import text

from services.loyalty import schema
from services.loyalty.domain.decision import Captured
from services.loyalty.migrations import migrate
from services.loyalty.rows_postgresql import BASKETS, JOURNAL, REVERSALS, Rows
from services.loyalty.store import open_store
from tests.loyalty.ledgers import a_capture, opened

CARD = "2900000000018"


async def test_tills_are_served_while_a_migration_adds_columns(postgres_ledger_url: str) -> None:
    """The columns of a newer release do not disturb this one, on the connection that it has."""
    async with opened(postgres_ledger_url) as ledger:
        await ledger.enrolled(CARD)
        for table in schema.CHECKOUT_TABLES:
            async with ledger.engine.begin() as connection:
                await connection.execute(
                    text(f"ALTER TABLE {table.name} ADD COLUMN newer bigint NOT NULL DEFAULT 0")
                )
            assert isinstance(await ledger.decision(a_capture(CARD)), Captured)


def test_other_columns_are_another_type() -> None:
    """So that the type of one release never serves another."""
    names = [column.name for column in schema.journal.columns]

    assert Rows(schema.journal, names).type_name == JOURNAL.type_name
    assert Rows(schema.journal, names[:-1]).type_name != JOURNAL.type_name
    assert Rows(schema.journal, names[::-1]).type_name != JOURNAL.type_name


class Asked(dict[str, Any]):
    """A row that notes by what it was read."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(dict.fromkeys(names, 0))
        self.by: list[Any] = []

    def __getitem__(self, name: str) -> Any:
        self.by.append(name)
        return super().__getitem__(name)


@pytest.mark.parametrize("rows", [JOURNAL, BASKETS, REVERSALS], ids=lambda rows: rows.table.name)
def test_rows_are_read_by_plain_names_in_the_order_of_the_type(rows: Rows) -> None:
    """Those of SQLAlchemy are a subclass of str: right as well, and three times as slow."""
    row = Asked([column.name for column in rows.table.columns])

    rows.values([row])

    assert row.by == list(row)
    assert all(type(name) is str for name in row.by)


async def test_a_ledger_of_an_older_release_gets_the_types(postgres_url: str) -> None:
    """Its tables are as new as they can be; the types of this release are missing."""
    store = await open_store(postgres_url)
    await migrate(store.engine)
    async with store.engine.begin() as connection:
        await connection.execute(text(f"DROP TYPE {JOURNAL.type_name}"))

    await migrate(store.engine)

    async with store.engine.connect() as connection:
        found = await connection.scalar(text(f"SELECT to_regtype('{JOURNAL.type_name}')::text"))
    assert found == JOURNAL.type_name
    await store.close()
