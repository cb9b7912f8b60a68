"""`python -m loadtests.layouts`: what the layout of the tables does to checkouts.

How full pages are filled decides how many updates stay on their page (HOT), without which an update
costs a new entry in the key. And a journal in partitions is compared with one in a single table.
docs/growth.md tells what came out.
"""

import argparse
import json
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import uvloop
from rich.console import Console

from loadtests import growth_tables, recorded
from loadtests.growth import ROOT, Plan, pairs
from loadtests.growth_result import ratio_of
from loadtests.machine import machine
from loadtests.plan import POSTGRES_SETTINGS
from loadtests.seeded import migrate, seed, serving, verify
from tests.servers.postgres import Cluster, running_cluster

RESULT = ROOT / "loadtests" / "results" / "layouts.json"
# How full, in percent; what the migrations have set is among them: member 70, bucket 10.
FILLS = {"member": (100, 90, 80, 70), "bucket": (100, 10)}
PARTITIONS = 12
BASKETS = 2_000


@dataclass(frozen=True, slots=True)
class Fill:
    """What became of a table that was filled to so much of its pages."""

    table: str
    fillfactor: int
    updates_a_row: float
    hot_update_share: float
    bytes_per_row_seeded: float
    bytes_per_row: float
    key_bytes_per_row_seeded: float
    key_bytes_per_row: float
    wal_bytes_per_checkout: float
    postgresql_us_per_checkout: float


async def measure(plan: Plan, *, folder: Path, console: Console) -> dict[str, Any]:
    """`plan.small` rows are seeded for each layout, `plan.tills` check out on it."""
    with running_cluster(POSTGRES_SETTINGS, parent=folder) as cluster:
        fills = []
        for table, fillfactors in FILLS.items():
            for fillfactor in fillfactors:
                fill = await _filled(plan, table, fillfactor, cluster=cluster)
                console.print(f"{table} {fillfactor} %: {fill.hot_update_share:.1%} in place")
                fills.append(asdict(fill))
        partitioned = await _partitioned(plan, cluster=cluster, console=console)
    return {
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(folder),
        "postgresql_settings": POSTGRES_SETTINGS,
        "journal_rows": plan.small,
        "checkouts": plan.checkouts * plan.repetitions,
        "fillfactors": fills,
        "partitions": PARTITIONS,
        **partitioned,
    }


async def _filled(plan: Plan, table: str, fillfactor: int, *, cluster: Cluster) -> Fill:
    url = cluster.create_database()
    await migrate(url)
    _execute(url, f"ALTER TABLE {table} SET (fillfactor = {fillfactor})")
    members = plan.small // 2
    await seed(url, members=members, journal_rows=plan.small)
    seeded = growth_tables.look(url)[table]
    growth_tables.forget(url)
    async with serving(
        url,
        cluster=cluster,
        members=members,
        stores=plan.stores(),
        baskets=recorded.baskets(BASKETS),
    ) as ledger:
        runs = [await ledger.run(checkouts=plan.checkouts) for _ in range(plan.repetitions)]
    after = growth_tables.look(url)[table]
    cluster.drop_database(url)
    return Fill(
        table=table,
        fillfactor=fillfactor,
        updates_a_row=round(after.updates / after.rows, 2),
        hot_update_share=after.hot_update_share or 0.0,
        bytes_per_row_seeded=seeded.bytes_per_row,
        bytes_per_row=after.bytes_per_row,
        key_bytes_per_row_seeded=seeded.key_bytes_per_row,
        key_bytes_per_row=after.key_bytes_per_row,
        wal_bytes_per_checkout=runs[-1].wal_bytes_per_checkout,
        postgresql_us_per_checkout=runs[-1].cpu_us_per_checkout["postgresql"],
    )


async def _partitioned(plan: Plan, *, cluster: Cluster, console: Console) -> dict[str, Any]:
    """Rate and processor time with journal and baskets in partitions, and without."""
    plain, partitioned = cluster.create_database(), cluster.create_database()
    members = plan.small // 2
    for url in (plain, partitioned):
        await seed(url, members=members, journal_rows=plan.small)
    for statement in _partition_statements(plan.small):
        _execute(partitioned, statement)
    how: dict[str, Any] = {
        "cluster": cluster,
        "members": members,
        "stores": plan.stores(),
        "baskets": recorded.baskets(BASKETS),
    }
    async with serving(plain, **how) as one, serving(partitioned, **how) as many:
        runs = await pairs(plan, small=one, big=many, console=console)
    await verify(partitioned)
    spent = {
        url: statistics.median(run.cpu_us_per_checkout["postgresql"] for run in runs[url])
        for url in (plain, partitioned)
    }
    return {
        "ratio_partitioned_to_plain": round(ratio_of(runs[partitioned], runs[plain]), 3),
        "postgresql_us_per_checkout": {"plain": spent[plain], "partitioned": spent[partitioned]},
    }


def _partition_statements(width: int) -> Iterator[str]:
    """Makes partitions by ranges of sequences of journal and baskets. The rows that are there
    become the first.
    """
    for table in ("journal", "basket"):
        yield f"ALTER TABLE {table} RENAME TO {table}_0"
        yield f"ALTER INDEX {table}_pkey RENAME TO {table}_0_pkey"
        yield f"CREATE TABLE {table} (LIKE {table}_0 INCLUDING ALL EXCLUDING INDEXES) " + (
            "PARTITION BY RANGE (sequence)"
        )
        yield f"ALTER TABLE {table} ADD PRIMARY KEY (bucket, sequence)"
        bounds = _bounds(width)
        yield f"ALTER TABLE {table} ATTACH PARTITION {table}_0 FOR VALUES {bounds[0]}"
        for number, bound in enumerate(bounds[1:], start=1):
            yield f"CREATE TABLE {table}_{number} PARTITION OF {table} FOR VALUES {bound}"
        yield f"ANALYZE {table}"


def _bounds(width: int) -> Sequence[str]:
    """Sequences count in each bucket by itself: all seeded rows are in the first ranges."""
    ends = [width // 32 + 1_000 * number for number in range(1, PARTITIONS)]
    begins = ["MINVALUE", *map(str, ends)]
    return [f"FROM ({a}) TO ({b})" for a, b in zip(begins, [*ends, "MAXVALUE"], strict=True)]


def _execute(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m loadtests.layouts", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="seeded for each layout")
    parser.add_argument("--checkouts", type=int, default=20_000, help="of one run")
    parser.add_argument("--repetitions", type=int, default=4)
    parser.add_argument("--tills", type=int, default=64)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--output", type=Path, default=RESULT)
    asked = parser.parse_args()
    plan = Plan(
        small=asked.rows,
        checkouts=asked.checkouts,
        repetitions=asked.repetitions,
        tills=asked.tills,
    )
    result = uvloop.run(measure(plan, folder=asked.folder, console=Console(stderr=True)))
    asked.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
