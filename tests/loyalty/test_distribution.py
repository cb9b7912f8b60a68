"""The DDL that distributes the ledger: complete, as Citus documents it, in an order that it takes.

There is no Citus here. A stand-in of functions with the documented names, parameters and defaults
notes every call in a real PostgreSQL, and refuses what the documentation says that Citus refuses.
"""

import itertools
import re
from collections.abc import AsyncIterator

import psycopg
import pytest
from click.testing import CliRunner
from sqlalchemy import Index, PrimaryKeyConstraint, Table, UniqueConstraint
from sqlalchemy.ext.asyncio import AsyncEngine

from services.cli import main
from services.loyalty.distribution import (
    SHARDS,
    CannotDistributeError,
    Step,
    carry_out,
    distribute,
    distributed_tables,
    reference_tables,
    steps,
)
from services.loyalty.keys import BUCKET_COUNT
from services.loyalty.migrations import migrate
from services.loyalty.schema import CHECKOUT_TABLES, metadata
from services.loyalty.store import open_store

# Signatures: "Citus Utility Functions" and "Citus Tables and Views" of its documentation.
STAND_IN = """
CREATE TABLE pg_dist_partition (
    logicalrelid regclass PRIMARY KEY, partmethod "char", partkey text, colocationid int);
CREATE TABLE cleared (logicalrelid regclass PRIMARY KEY);

CREATE FUNCTION column_to_column_name(table_name regclass, column_var_text text) RETURNS text
    LANGUAGE sql AS 'SELECT column_var_text';

CREATE FUNCTION create_reference_table(table_name regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_constraint c WHERE c.contype = 'f' AND c.conrelid = table_name
               AND c.confrelid NOT IN (SELECT logicalrelid FROM pg_dist_partition)) THEN
        RAISE 'referenced table must be a distributed table or a reference table';
    END IF;
    INSERT INTO pg_dist_partition VALUES (table_name, 'n', NULL, 1);
END $$;

CREATE FUNCTION create_distributed_table(
    table_name regclass, distribution_column text, distribution_type text DEFAULT 'hash',
    colocate_with text DEFAULT 'default', shard_count int DEFAULT NULL
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF colocate_with <> 'none' AND shard_count IS NOT NULL THEN
        RAISE 'shard_count cannot be given for a table that is co-located with another';
    END IF;
    IF EXISTS (SELECT FROM pg_index i WHERE i.indrelid = table_name AND i.indisunique
               AND NOT EXISTS (
                 SELECT FROM pg_attribute a WHERE a.attrelid = i.indrelid
                 AND a.attname = distribution_column AND a.attnum = ANY (i.indkey))) THEN
        RAISE 'cannot create constraint: it does not include the distribution column';
    END IF;
    INSERT INTO pg_dist_partition SELECT table_name, 'h', distribution_column,
        CASE colocate_with WHEN 'none' THEN (SELECT coalesce(max(colocationid), 1) + 1
            FROM pg_dist_partition) ELSE (
            SELECT p.colocationid FROM pg_dist_partition p
            WHERE p.logicalrelid = colocate_with::regclass AND p.partmethod = 'h') END;
END $$;

CREATE FUNCTION truncate_local_data_after_distributing_table(function_arg regclass)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = function_arg) THEN
        RAISE 'supplied parameter is not a distributed relation';
    END IF;
    IF EXISTS (SELECT FROM pg_constraint c WHERE c.contype = 'f' AND c.confrelid = function_arg
               AND c.conrelid NOT IN (SELECT logicalrelid FROM pg_dist_partition)) THEN
        RAISE 'cannot truncate a table referenced in a foreign key constraint by a local table';
    END IF;
    INSERT INTO cleared VALUES (function_arg) ON CONFLICT DO NOTHING;
END $$;
"""


@pytest.fixture
async def stood_in(postgres_url: str) -> AsyncIterator[AsyncEngine]:
    """A migrated ledger in a database where the stand-in notes what Citus would do."""
    store = await open_store(postgres_url)
    await migrate(store.engine)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(STAND_IN)
    yield store.engine
    await store.close()


async def carried_out(engine: AsyncEngine) -> list[Step]:
    """What was done; everything was, unless it raises."""
    done: list[Step] = []
    async with engine.connect() as opened:
        connection = await opened.execution_options(isolation_level="AUTOCOMMIT")
        await connection.run_sync(carry_out, done.append)
    return done


def noted(url: str) -> dict[str, tuple[str, str | None, int]]:
    """How each table is distributed, and beside which."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT logicalrelid::text, partmethod::text, partkey, colocationid"
            " FROM pg_dist_partition"
        )
        return {name: (method, column, group) for name, method, column, group in rows}


async def test_what_has_a_bucket_is_distributed_by_it_and_the_rest_is_everywhere(
    stood_in: AsyncEngine, postgres_url: str
) -> None:
    await carried_out(stood_in)

    found = noted(postgres_url)
    assert set(found) == set(metadata.tables)
    by_bucket = {name for name, how in found.items() if how == ("h", "bucket", 2)}
    assert by_bucket == {table.name for table in distributed_tables()}
    assert by_bucket >= {table.name for table in CHECKOUT_TABLES}
    assert all(found[table.name] == ("n", None, 1) for table in reference_tables())
    with psycopg.connect(postgres_url) as connection:
        cleared = connection.execute("SELECT logicalrelid::text FROM cleared").fetchall()
    assert {name for (name,) in cleared} == set(metadata.tables)


async def test_a_second_time_distributes_nothing(stood_in: AsyncEngine, postgres_url: str) -> None:
    first = await carried_out(stood_in)
    before = noted(postgres_url)

    again = await carried_out(stood_in)

    assert first == steps()
    assert [step for step in again if "create_" in step.sql] == []
    assert noted(postgres_url) == before


@pytest.mark.parametrize("after", [0, 1, 12, 13, 14, 21])
async def test_whoever_is_broken_off_goes_on_where_they_stopped(
    stood_in: AsyncEngine, postgres_url: str, after: int
) -> None:
    count = itertools.count()

    def breaking_off(_: Step) -> None:
        if next(count) == after:
            raise KeyboardInterrupt

    async with stood_in.connect() as opened:
        connection = await opened.execution_options(isolation_level="AUTOCOMMIT")
        with pytest.raises(KeyboardInterrupt):
            await connection.run_sync(carry_out, breaking_off)
    assert len(noted(postgres_url)) == after

    again = await carried_out(stood_in)

    assert again == steps()[after:]
    assert set(noted(postgres_url)) == set(metadata.tables)


@pytest.mark.parametrize(
    "by_hand",
    [
        "create_distributed_table('journal', 'sequence', colocate_with => 'none')",
        "create_distributed_table('journal', 'bucket', colocate_with => 'none')",
        "create_reference_table('journal')",
        "create_distributed_table('terminal', 'terminal_id', colocate_with => 'none')",
    ],
)
async def test_what_was_distributed_otherwise_is_named_and_left(
    stood_in: AsyncEngine, postgres_url: str, by_hand: str
) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"SELECT {by_hand}")
    before = noted(postgres_url)
    (name,) = before

    with pytest.raises(CannotDistributeError, match=f"^{name}: distributed in"):
        await carried_out(stood_in)

    assert noted(postgres_url) == before


async def test_without_citus_nothing_is_changed(postgres_url: str) -> None:
    store = await open_store(postgres_url)
    with pytest.raises(CannotDistributeError, match=r"has no Citus.*CREATE EXTENSION citus"):
        await distribute(store.engine)
    await store.close()

    with psycopg.connect(postgres_url) as connection:
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        assert tables.fetchone() == (0,)


async def test_a_table_apart_from_its_bucket_is_named(
    stood_in: AsyncEngine, postgres_url: str
) -> None:
    """Distributed by bucket, too, but nobody said that the two belong together."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        for table in ("bucket", "journal"):
            connection.execute(
                f"SELECT create_distributed_table('{table}', 'bucket', colocate_with => 'none')"
            )

    with pytest.raises(CannotDistributeError, match=r"^journal: distributed in"):
        await carried_out(stood_in)


def test_every_unique_key_of_a_distributed_table_has_the_bucket() -> None:
    """Uniqueness is checked on one node."""
    wrong = [
        f"{table.name} {columns}"
        for table in distributed_tables()
        for columns in _unique(table)
        if "bucket" not in columns
    ]
    assert wrong == []


def _unique(table: Table) -> list[list[str]]:
    keys: list[PrimaryKeyConstraint | UniqueConstraint | Index] = [
        each
        for each in table.constraints
        if isinstance(each, PrimaryKeyConstraint | UniqueConstraint)
    ]
    keys += [index for index in table.indexes if index.unique]
    return [[column.name for column in key.columns] for key in keys]


def test_no_foreign_key_leads_from_or_to_a_bucket() -> None:
    distributed = {table.name for table in distributed_tables()}

    wrong = [
        f"{table.name} → {key.referred_table.name}"
        for table in metadata.sorted_tables
        for key in table.foreign_key_constraints
        if {table.name, key.referred_table.name} & distributed
    ]
    assert wrong == []


def test_buckets_share_shards_as_docs_scale_tells(postgres_url: str) -> None:
    """Citus hashes the bucket's number with PostgreSQL's own function."""
    with psycopg.connect(postgres_url) as connection:
        rows = connection.execute(
            "SELECT hashint2(n::int2) FROM generate_series(0, %s) n", [BUCKET_COUNT - 1]
        )
        shards = [(hashed + 2**31) * SHARDS // 2**32 for (hashed,) in rows]

    assert len(set(shards)) == 21
    assert max(shards.count(shard) for shard in shards) == 3


# --- the command ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "LOYALTY_DATABASE_URL: sqlite stays on one machine"),
        (
            {"LOYALTY_DATABASE_URL": "postgresql://x@127.0.0.1:1/x"},
            f"LOYALTY_LANES: 1 writers .* set it to {BUCKET_COUNT}",
        ),
        (
            {
                "LOYALTY_DATABASE_URL": "postgresql://x@127.0.0.1:1/x",
                "LOYALTY_LANES": str(BUCKET_COUNT - 1),
            },
            f"LOYALTY_LANES: {BUCKET_COUNT - 1} writers",
        ),
        (
            {
                "LOYALTY_DATABASE_URL": "postgresql://x@127.0.0.1:1/x",
                "LOYALTY_LANES": str(BUCKET_COUNT),
            },
            "Connect call failed",
        ),
    ],
)
def test_the_command_says_what_is_missing(environment: dict[str, str], words: str) -> None:
    said = CliRunner().invoke(main, ["loyalty", "distribute"], env=environment)

    assert said.exit_code == 1
    assert said.stdout == ""
    assert re.search(words, said.stderr), said.stderr


def test_the_command_on_a_plain_server_asks_for_the_extension(postgres_url: str) -> None:
    environment = {"LOYALTY_DATABASE_URL": postgres_url, "LOYALTY_LANES": str(BUCKET_COUNT)}

    said = CliRunner().invoke(main, ["loyalty", "distribute"], env=environment)

    assert said.exit_code == 1
    assert "this database has no Citus" in said.stderr


def test_print_shows_the_whole_sql_and_needs_no_database() -> None:
    said = CliRunner().invoke(main, ["loyalty", "distribute", "--print"])

    assert said.exit_code == 0
    assert said.stdout.splitlines() == [f"{step.sql};" for step in steps()]
