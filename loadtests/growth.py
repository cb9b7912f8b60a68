"""`python -m loadtests.growth`: whether checkouts grow slower as the ledger grows.

For each size a ledger is seeded in a private PostgreSQL cluster with the bench's settings, and so
is a small one beside it. Runs of 256 tills on the one and on the other take turns, so that the
ratio is within one run; then the books of the big one are checked. docs/growth.md explains the
rules and the keys of the result.
"""

import argparse
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import uvloop
from rich.console import Console

from bonpunkt.till.v1 import till_pb2 as pb
from loadtests import growth_tables, recorded
from loadtests.growth_result import Ledger, Measured, Result, page_with, write
from loadtests.machine import machine
from loadtests.plan import POSTGRES_SETTINGS
from loadtests.seeded import Run, Seeded, seed, serving, verify
from tests.servers.postgres import Cluster, running_cluster

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "loadtests" / "results" / "growth.json"
PAGE = ROOT / "docs" / "growth.md"
TILLS, STORES = 256, 16
WARM_UP_CHECKOUTS = 2_000
BASKETS = 2_000
REFUSED_MAX = 0.02
# On disk for each journal row, with its keys, its share of everything else, of the log, and of what
# sorting keys takes.
BYTES_PER_ROW = 2_200


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured. Sizes are journal rows; half as many members enrol."""

    sizes: Sequence[int] = (2_000_000, 10_000_000, 20_000_000)
    small: int = 100_000
    repetitions: int = 9
    checkouts: int = 20_000
    tills: int = TILLS
    verifies: bool = True

    def stores(self) -> list[str]:
        """The store of each till."""
        return [f"store-{number % STORES}" for number in range(self.tills)]

    def bytes_needed(self) -> int:
        """While the biggest is there."""
        return max(self.sizes) * BYTES_PER_ROW


class NotValidError(Exception):
    """The figures may not be quoted; says why."""


async def grow(
    plan: Plan, *, folder: Path, console: Console, measured: Callable[[Result], None]
) -> None:
    """Measures all sizes, one after the other; `measured` hears of all so far, after each.
    NotValidError, also before anything is made, where the disk is too small.
    """
    free = shutil.disk_usage(folder).free
    if free < plan.bytes_needed():
        raise NotValidError(f"{free:,} bytes are free, {plan.bytes_needed():,} would be needed")
    baskets = recorded.baskets(BASKETS)
    sizes: list[Measured] = []
    with running_cluster(POSTGRES_SETTINGS, parent=folder) as cluster:
        for size in plan.sizes:
            sizes.append(
                await _measured(plan, size, cluster=cluster, baskets=baskets, console=console)
            )
            measured(
                Result.of(
                    sizes,
                    machine=machine(folder),
                    postgresql=_postgresql(cluster),
                    settings=POSTGRES_SETTINGS,
                    checkouts_per_run=plan.checkouts,
                    tills=plan.tills,
                )
            )


async def _measured(
    plan: Plan, size: int, *, cluster: Cluster, baskets: Sequence[pb.Basket], console: Console
) -> Measured:
    """One size, beside a small ledger that is as new."""
    small_url, big_url = cluster.create_database(), cluster.create_database()
    stores = plan.stores()
    await seed(small_url, members=plan.small // 2, journal_rows=plan.small)
    console.print(f"seeding {size:,} journal rows")
    seed_s = await seed(big_url, members=size // 2, journal_rows=size)
    console.print(f"  {seed_s:,.0f} s, {size / seed_s:,.0f} rows a second")
    for url in (small_url, big_url):
        growth_tables.forget(url)
    async with (
        serving(
            small_url, cluster=cluster, members=plan.small // 2, stores=stores, baskets=baskets
        ) as small,
        serving(big_url, cluster=cluster, members=size // 2, stores=stores, baskets=baskets) as big,
    ):
        runs = await pairs(plan, small=small, big=big, console=console)
    ledgers = []
    for ledger, url, rows, purchases in (
        (small, small_url, plan.small, plan.small - plan.small // 2),
        (big, big_url, size, size - size // 2),
    ):
        _check(ledger, runs[url], captures=_captures(url) - purchases)
        ledgers.append(Ledger(rows, rows // 2, runs[url], growth_tables.look(url)))
    verify_s = await _verified(big_url, console) if plan.verifies else None
    for url in (small_url, big_url):
        cluster.drop_database(url)
    return Measured(big=ledgers[1], small=ledgers[0], seed_s=seed_s, verify_s=verify_s)


async def pairs(
    plan: Plan, *, small: Seeded, big: Seeded, console: Console
) -> dict[str, list[Run]]:
    """The runs of both, in turn, by database. Who begins takes turns, too: a machine that becomes
    busy during a pair favours neither.
    """
    runs: dict[str, list[Run]] = {small.url: [], big.url: []}
    for ledger in (small, big):
        await ledger.run(checkouts=WARM_UP_CHECKOUTS)
    for repetition in range(plan.repetitions):
        pair = (small, big) if repetition % 2 == 0 else (big, small)
        for ledger in pair:
            runs[ledger.url].append(await ledger.run(checkouts=plan.checkouts))
        rates = [runs[ledger.url][-1].checkouts_per_s for ledger in (small, big)]
        console.print(f"  small {rates[0]:,.0f}, big {rates[1]:,.0f}: {rates[1] / rates[0]:.2f}")
    return runs


def _check(ledger: Seeded, runs: Sequence[Run], *, captures: int) -> None:
    """Raises NotValidError where the figures are not those of checkouts."""
    if captures != ledger.captured:
        raise NotValidError(f"{ledger.captured:,} were captured, {captures:,} are in the journal")
    others = max(run.others for run in runs)
    if others > REFUSED_MAX * ledger.captured / len(runs):
        raise NotValidError(f"{others:,} operations of one run were not captured")


async def _verified(url: str, console: Console) -> float:
    console.print("  checking the books")
    seconds = await verify(url)
    console.print(f"  they balance; {seconds:,.0f} s")
    return seconds


def _captures(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT sum(captures) FROM bucket").fetchone()
    assert row is not None
    return int(row[0])


def _postgresql(cluster: Cluster) -> str:
    with psycopg.connect(cluster.url("postgres")) as connection:
        return str(connection.info.parameter_status("server_version"))


def _arguments() -> argparse.Namespace:
    plan = Plan()
    parser = argparse.ArgumentParser(prog="python -m loadtests.growth", description=__doc__)
    parser.add_argument(
        "--sizes", type=float, nargs="+", help="millions of journal rows; default 2 10 20"
    )
    parser.add_argument("--small", type=int, default=plan.small, help="rows of the small ledger")
    parser.add_argument("--repetitions", type=int, default=plan.repetitions)
    parser.add_argument("--checkouts", type=int, default=plan.checkouts, help="of one run")
    parser.add_argument("--no-verify", action="store_true", help="leave the books unchecked")
    parser.add_argument("--output", type=Path, help=f"default {RESULT.relative_to(ROOT)}")
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(tempfile.gettempdir()),
        help="where the database is put; a folder in memory would measure no disk",
    )
    return parser.parse_args()


def main() -> None:
    arguments = _arguments()
    plan = Plan(
        small=arguments.small,
        repetitions=arguments.repetitions,
        checkouts=arguments.checkouts,
        verifies=not arguments.no_verify,
    )
    if arguments.sizes:
        plan = replace(plan, sizes=[int(millions * 1_000_000) for millions in arguments.sizes])

    def measured(result: Result) -> None:
        """Kept at once: the next size takes long, and may break off."""
        write(result, arguments.output or RESULT)
        if arguments.output is None:
            page = PAGE.read_text(encoding="utf-8")
            PAGE.write_text(page_with(page, result), encoding="utf-8")

    try:
        uvloop.run(
            grow(plan, folder=arguments.folder, console=Console(stderr=True), measured=measured)
        )
    except NotValidError as error:
        raise SystemExit(f"not valid: {error}") from None


if __name__ == "__main__":
    main()
