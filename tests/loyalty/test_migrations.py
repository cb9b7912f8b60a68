"""Migrations make exactly the tables that the code reads and writes, on both databases."""

import asyncio

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, Connection, inspect
from sqlalchemy.ext.asyncio import AsyncEngine

import services.loyalty.identity.schema
import services.loyalty.office.schema  # noqa: F401  its tables join the ledger's metadata
from services.loyalty.migrations import migrate
from services.loyalty.schema import metadata
from services.loyalty.store import open_store


def differences(connection: Connection) -> list[object]:
    """What a new migration would have to do."""
    context = MigrationContext.configure(
        connection, opts={"compare_type": True, "compare_server_default": True}
    )
    found: list[object] = compare_metadata(context, metadata)
    return found


async def differing(engine: AsyncEngine) -> list[object]:
    async with engine.connect() as connection:
        return await connection.run_sync(differences)


async def test_migrations_make_the_tables_of_the_schema(database_url: str) -> None:
    store = await open_store(database_url)
    assert await differing(store.engine), "an empty database differs"

    await migrate(store.engine)

    assert await differing(store.engine) == []
    await store.close()


async def test_migrating_again_changes_nothing(database_url: str) -> None:
    store = await open_store(database_url)
    for _ in range(3):
        await migrate(store.engine)

    assert await differing(store.engine) == []
    await store.close()


async def test_checks_are_made_too(database_url: str) -> None:
    """A comparison of columns does not see them."""
    store = await open_store(database_url)
    await migrate(store.engine)

    def checks(connection: Connection) -> set[str | None]:
        inspector = inspect(connection)
        return {
            check["name"]
            for table in metadata.tables
            for check in inspector.get_check_constraints(table)
        }

    async with store.engine.connect() as connection:
        found = await connection.run_sync(checks)
    await store.close()
    named = {
        constraint.name
        for table in metadata.tables.values()
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint)
    }
    assert named == found
    assert "member_available_is_never_negative" in found


async def test_several_processes_may_migrate_at_once(postgres_url: str) -> None:
    stores = [await open_store(postgres_url) for _ in range(4)]

    await asyncio.gather(*(migrate(store.engine) for store in stores))

    assert await differing(stores[0].engine) == []
    for store in stores:
        await store.close()


async def test_a_migration_that_fails_leaves_nothing_behind(database_url: str) -> None:
    """It is one transaction; the next attempt begins from the beginning."""
    store = await open_store(database_url)
    async with store.engine.begin() as connection:
        await connection.exec_driver_sql("CREATE TABLE staff (name TEXT)")

    with pytest.raises(Exception, match="staff"):
        await migrate(store.engine)

    async with store.engine.begin() as connection:
        tables = await connection.run_sync(lambda raw: set(inspect(raw).get_table_names()))
        await connection.exec_driver_sql("DROP TABLE staff")
    assert tables == {"staff"}
    await migrate(store.engine)
    assert await differing(store.engine) == []
    await store.close()
