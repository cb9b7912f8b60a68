"""What Bonpunkt is held against does what is claimed, on real databases."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import psycopg

from loadtests import batches, own_statements, pgbench, recorded
from loadtests.drafts import Ledger
from loadtests.installation import captures_in, verified
from loadtests.slow_disk import SlowDisk
from services.loyalty.store import open_store
from tests.servers.postgres import Cluster, running_cluster

LONGER_US = 20_000


async def test_our_batches_alone_are_a_ledger_in_balance(
    tmp_path: Path, postgres_cluster: Cluster
) -> None:
    url = postgres_cluster.create_database()
    store = await open_store(url)
    try:
        ledger = await Ledger.made(store)
        pid = postgres_cluster.process.pid
        for size in (1, 16):
            run = await batches.run(
                ledger, recorded.baskets(50), count=48, size=size, database_pid=pid
            )
            assert run.checkouts_per_s > 0
            assert set(run.cpu_us_per_checkout) == {"postgresql", "driver"}
    finally:
        await store.close()

    assert (ledger.captured, captures_in(url)) == (96, 96)
    assert await verified(url, {"BONPUNKT_DATA": str(tmp_path)})


async def test_our_statements_one_by_one_leave_the_rows_of_a_checkout_each(
    make_postgres_database: Callable[[], str],
) -> None:
    url = make_postgres_database()
    script = await own_statements.prepare(url, recorded.baskets(200), members=500)
    with psycopg.connect(url, autocommit=True) as connection:
        before = _counts(connection)

        rate = pgbench.run(url, clients=4, seconds=1, script=script)

        after = _counts(connection)
        gaps = connection.execute(
            "SELECT bucket FROM journal GROUP BY bucket HAVING max(sequence) <> count(*)"
        ).fetchall()
    made = after["journal"] - before["journal"]
    assert made > 0
    assert rate.transactions_per_s > 0
    grown = {name: after[name] - before[name] for name in after}
    assert grown == {
        "journal": made,
        "basket": made,
        "locator": 2 * made,
        "captures": made,
        "versions": made,
    }
    assert gaps == []


def test_postgresql_waits_for_a_slow_disk_as_long_as_it_takes() -> None:
    with tempfile.TemporaryDirectory() as folder:
        disk = SlowDisk(Path(folder))
        disk.take_longer(LONGER_US)
        settings = {"track_wal_io_timing": "on"}
        with running_cluster(settings, environment=disk.environment) as cluster:
            told_us = _flush_us(cluster)
            probed_us = disk.flush_us(Path(folder))
            disk.take_longer(0)

    assert told_us >= LONGER_US
    assert probed_us >= LONGER_US


def _flush_us(cluster: Cluster) -> float:
    """What a flush of the log has taken so far, as PostgreSQL says."""
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE TABLE mark (number int)")
        connection.execute("SELECT pg_stat_force_next_flush()")
        row = connection.execute(
            "SELECT wal_sync_time * 1000 / wal_sync FROM pg_stat_wal"
        ).fetchone()
    assert row is not None
    return float(row[0])


def _counts(connection: psycopg.Connection) -> dict[str, int]:
    found = {}
    for name, counted in {
        "journal": "count(*) FROM journal",
        "basket": "count(*) FROM basket",
        "locator": "count(*) FROM locator",
        "captures": "sum(captures)::BIGINT FROM bucket",
        "versions": "sum(version)::BIGINT FROM member",
    }.items():
        row = connection.execute(f"SELECT {counted}").fetchone()
        assert row is not None
        found[name] = row[0]
    return found
