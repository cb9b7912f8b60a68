"""The ledger's tables on the nodes of a Citus cluster: by bucket what has one, everywhere the rest.

Citus keeps rows of one bucket on one node, whatever their table, if the tables are distributed by
the same column and co-located. docs/decisions/0032-citus.md gives the reasons, docs/scale.md tells
what it needs besides.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from environs import Env, validate
from sqlalchemy import Connection, Table, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

import services.loyalty.identity.schema
import services.loyalty.office.schema  # noqa: F401  their tables join the ledger's metadata
from services.loyalty.installation import open_installation
from services.loyalty.keys import BUCKET_COUNT
from services.loyalty.migrations import migrate
from services.loyalty.restored import connections_of_others
from services.loyalty.schema import bucket, metadata
from services.loyalty.settings import database_url
from services.loyalty.store import normal_url

SHARDS = BUCKET_COUNT
# Connections that Citus opens for itself; nobody works on them.
CITUS_OWN = ("citus_internal", "citus_rebalancer", "citus_run_command")


class CannotDistributeError(Exception):
    """The tables cannot be distributed as things are; says what to do."""


@dataclass(frozen=True, slots=True)
class DistributionSettings:
    database_url: str
    lanes: int


@dataclass(frozen=True, slots=True)
class Step:
    """One statement, and the table that it is for."""

    table: str
    sql: str


def read(env: Env) -> DistributionSettings:
    """From the environment of the loyalty processes."""
    return DistributionSettings(
        database_url=database_url(env),
        lanes=env.int("LOYALTY_LANES", 1, validate=validate.Range(1, BUCKET_COUNT)),
    )


def steps() -> list[Step]:
    """All of it for a new installation, in order; what is referred to comes first.

    The copy that Citus leaves behind on the coordinator goes at the end, when every table is where
    it belongs: nobody would ever erase a person there.
    """
    return [*_placing(), *_clearing()]


async def distribute(engine: AsyncEngine, *, told: Callable[[Step], None] = lambda _: None) -> None:
    """Carries out what is not done yet; each statement takes effect by itself, so that whoever is
    broken off goes on where they stopped. `told` hears of each before it runs.

    Needs the extension, and that nobody else uses the database. Raises CannotDistributeError.
    """
    await _check(engine)
    await migrate(engine)
    await open_installation(engine)
    async with engine.connect() as opened:
        connection = await opened.execution_options(isolation_level="AUTOCOMMIT")
        await connection.run_sync(carry_out, told)


def refuse_wrong_settings(settings: DistributionSettings) -> None:
    """Raises CannotDistributeError unless these are the settings of a distributed ledger."""
    found = make_url(normal_url(settings.database_url)).get_backend_name()
    if found != "postgresql":
        raise CannotDistributeError(
            f"LOYALTY_DATABASE_URL: {found} stays on one machine; name the coordinator of a Citus "
            "cluster (postgresql://…)"
        )
    if settings.lanes != BUCKET_COUNT:
        raise CannotDistributeError(
            f"LOYALTY_LANES: {settings.lanes} writers would mix buckets of several nodes in one "
            f"statement; set it to {BUCKET_COUNT}, one for each bucket, for this command and for "
            "every loyalty process"
        )


def distributed_tables() -> list[Table]:
    """Those whose rows belong to a bucket; the table `bucket` first, whom the others follow."""
    found = [t for t in metadata.sorted_tables if "bucket" in t.primary_key.columns]
    return sorted(found, key=lambda table: table is not bucket)


def reference_tables() -> list[Table]:
    """Those that are no bucket's: small, and whole on every node."""
    return [t for t in metadata.sorted_tables if "bucket" not in t.primary_key.columns]


def _placing() -> Iterator[Step]:
    for table in reference_tables():
        yield Step(table.name, f"SELECT create_reference_table('{table.name}')")
    for table in distributed_tables():
        group = f"shard_count => {SHARDS}, colocate_with => 'none'"
        if table is not bucket:
            group = f"colocate_with => '{bucket.name}'"
        sql = f"SELECT create_distributed_table('{table.name}', 'bucket', {group})"
        yield Step(table.name, sql)


def _clearing() -> Iterator[Step]:
    """Statistics, too, are those of an empty table until somebody looks."""
    for table in metadata.sorted_tables:
        sql = f"SELECT truncate_local_data_after_distributing_table('{table.name}')"
        yield Step(table.name, sql)
        yield Step(table.name, f"ANALYZE {table.name}")


async def _check(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        version = await connection.scalar(
            text("SELECT extversion FROM pg_extension WHERE extname = 'citus'")
        )
    if version is None:
        raise CannotDistributeError(
            "this database has no Citus: install it on every node, put it into "
            "shared_preload_libraries, run CREATE EXTENSION citus and add the nodes "
            "(citus_set_coordinator_host, citus_add_node)"
        )
    others = [o for o in await connections_of_others(engine) if not o.startswith(CITUS_OWN)]
    if others:
        raise CannotDistributeError(
            f"the database is in use by {', '.join(others)}; stop that first"
        )


def carry_out(connection: Connection, told: Callable[[Step], None]) -> None:
    """The steps that are not done yet, on a connection that commits each by itself."""
    done = placed(connection)
    for step in _placing():
        if step.table not in done:
            told(step)
            connection.execute(text(step.sql))
    for step in _clearing():
        told(step)
        connection.execute(text(step.sql))


def placed(connection: Connection) -> Mapping[str, str]:
    """The ledger's tables that Citus knows, with how; CannotDistributeError if it is another way.

    A table that somebody distributed by hand, by another column or apart from its bucket, would
    make Citus refuse checkouts.
    """
    rows = connection.execute(
        text(
            "SELECT logicalrelid::text, partmethod::text, colocationid,"
            " column_to_column_name(logicalrelid, partkey) FROM pg_dist_partition"
        )
    )
    known = {name: (method, group, column) for name, method, group, column in rows}
    group = known.get(bucket.name, (None, None, None))[1]
    wrong = [
        table.name
        for table in distributed_tables()
        if table.name in known and known[table.name] != ("h", group, "bucket")
    ]
    wrong += [
        table.name
        for table in reference_tables()
        if table.name in known and known[table.name][0] != "n"
    ]
    if wrong:
        raise CannotDistributeError(
            f"{', '.join(wrong)}: distributed in another way than by bucket beside the table "
            "bucket, or copied to every node; undo that with undistribute_table"
        )
    return {name: known[name][0] for name in known if name in metadata.tables}
