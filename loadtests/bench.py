"""`python -m loadtests.bench`: durable checkouts a second, beside pgbench on the same machine.

One private PostgreSQL cluster, real loyalty and gateway processes, and this process as the load
generator share the machine. Runs of Bonpunkt and of pgbench take turns, and the medians count.
docs/performance.md explains the rules, the settings and the keys of the result.
"""

import argparse
import asyncio
import itertools
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import uvloop
from rich.console import Console

from bonpunkt.till.v1 import till_pb2 as pb
from loadtests import own_statements, page, pgbench, plan, profiling, recorded, report, tables
from loadtests.drafts import Ledger
from loadtests.installation import Books, Installation, captures_in, installed, verified
from loadtests.pgbench import Script
from loadtests.plan import POSTGRES_SETTINGS, Plan
from loadtests.runs import Runs
from loadtests.simulated import simulate
from services.loyalty.store import open_store
from tests.servers.postgres import Cluster, running_cluster

FLUSHES_US = (0, 250, 500, 1000)
TABLE_WIDTH = 132

Turn = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Limits:
    """Our statements one by one, and our batches alone, each with a database of its own."""

    script: Script
    script_url: str
    ledger: Ledger
    ledger_url: str


@dataclass(slots=True)
class Bench:
    """Everything that is up, and the runs so far."""

    cluster: Cluster
    yardstick: str
    on_postgresql: Installation
    on_sqlite: Installation | None
    limits: Limits | None
    baskets: Sequence[pb.Basket]
    runs: Runs

    async def take_turns(self) -> None:
        """Each repetition: everything once, ours and the yardsticks in turn."""
        await self.on_postgresql.warm_up()
        if self.on_sqlite is not None:
            await self.on_sqlite.warm_up()
        for repetition in range(1, self.runs.plan.repetitions + 1):
            self.runs.console.print(f"repetition {repetition} of {self.runs.plan.repetitions}")
            turns = itertools.zip_longest(self._of_bonpunkt(), self._of_others())
            for turn in filter(None, itertools.chain.from_iterable(turns)):
                await turn()

    async def books(self) -> list[Books]:
        """Of every ledger that was written to, when all is measured."""
        found = [await self.on_postgresql.books()]
        if self.on_sqlite is not None:
            found.append(await self.on_sqlite.books())
        if self.limits is not None:
            url = self.limits.ledger_url
            environment = self.on_postgresql.suite.processes["loyalty"].environment
            balance = await verified(url, environment)
            found.append(Books(self.limits.ledger.captured, captures_in(url), balance))
        return found

    def _of_bonpunkt(self) -> Iterator[Turn]:
        for load in self.runs.plan.loads:
            installation = self.on_sqlite if load.sqlite else self.on_postgresql
            assert installation is not None
            yield partial(self.runs.checkouts, installation, load)

    def _of_others(self) -> Iterator[Turn]:
        cluster, runs, limits = self.cluster, self.runs, self.limits
        for clients in pgbench.CLIENTS:
            yield partial(runs.pgbench, cluster, self.yardstick, clients=clients)
        if limits is None:
            return
        own = partial(runs.own_statements, cluster, limits.script_url, script=limits.script)
        for clients in pgbench.CLIENTS:
            yield partial(own, clients=clients)
        for size in plan.BATCH_SIZES:
            yield partial(runs.batches, cluster, limits.ledger, self.baskets, size=size)


async def bench(
    planned: Plan, *, folder: Path, console: Console, flame_graphs: Path | None = None
) -> report.Result:
    """Sets everything up, measures, and checks that the books agree with what was counted."""
    console.print("reading recorded baskets")
    baskets = recorded.baskets(planned.checkouts)
    runs = Runs(planned, console)
    async with AsyncExitStack() as closing:
        cluster = closing.enter_context(running_cluster(POSTGRES_SETTINGS, parent=folder))
        up = await _prepared(closing, runs, cluster=cluster, baskets=baskets, folder=folder)
        await up.take_turns()
        profile = {}
        if flame_graphs is not None:
            profile = await profiling.profile(
                up.on_postgresql, folder=flame_graphs, console=console
            )
        books = await up.books()
    disks: dict[int, report.Flushes] = {}
    if planned.flushes_us:
        disks, other = await simulate(planned, baskets=baskets, folder=folder, console=console)
        books.append(other)
    return report.Result.of(
        runs.measured,
        disks=disks,
        profile=profile,
        books=books,
        settings=POSTGRES_SETTINGS,
        folder=folder,
    )


async def _prepared(
    closing: AsyncExitStack,
    runs: Runs,
    *,
    cluster: Cluster,
    baskets: Sequence[pb.Basket],
    folder: Path,
) -> Bench:
    """Databases with statistics, services, tills and members."""
    runs.console.print(f"preparing pgbench, scale {pgbench.SCALE}")
    yardstick = cluster.create_database("pgbench")
    await asyncio.to_thread(pgbench.prepare, yardstick)
    limits = None
    if runs.plan.with_limits:
        limits = await _limits(closing, cluster=cluster, baskets=baskets)
    installations = {}
    for sqlite in (False, True):
        loads = [load for load in runs.plan.loads if load.sqlite is sqlite]
        if loads:
            installations[sqlite] = await closing.enter_async_context(
                installed(
                    loads,
                    members=runs.plan.members(loads),
                    baskets=baskets,
                    folder=folder,
                    cluster=None if sqlite else cluster,
                    console=runs.console,
                )
            )
    return Bench(
        cluster=cluster,
        yardstick=yardstick,
        on_postgresql=installations[False],
        on_sqlite=installations.get(True),
        limits=limits,
        baskets=baskets,
        runs=runs,
    )


async def _limits(
    closing: AsyncExitStack, *, cluster: Cluster, baskets: Sequence[pb.Basket]
) -> Limits:
    script_url, ledger_url = map(cluster.create_database, ("statements", "batches"))
    script = await own_statements.prepare(script_url, baskets)
    store = await open_store(ledger_url)
    closing.push_async_callback(store.close)
    return Limits(script, script_url, await Ledger.made(store), ledger_url)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short repetition, for a look")
    parser.add_argument(
        "--all",
        action="store_true",
        help="also 16 and 64 tills, TLS, the full mix, our own statements one by one, our batches "
        "alone, and --flush-us",
    )
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--checkouts", type=int, default=30_000, help="of a run with 256 tills")
    parser.add_argument(
        "--flush-us",
        type=_microseconds,
        metavar="0,250,…",
        help="what other disks would give: also measure with each flush so much longer",
    )
    parser.add_argument(
        "--profile", type=Path, metavar="FOLDER", help="write flame graphs there, with py-spy"
    )
    parser.add_argument(
        "--output",
        type=Path,
        help=f"default: {page.LATEST.relative_to(page.ROOT)}, and docs/performance.md from it",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(tempfile.gettempdir()),
        help="where the databases are put; a folder in memory would measure no disk",
    )
    return parser.parse_args()


def _microseconds(words: str) -> tuple[int, ...]:
    return tuple(int(word) for word in words.split(","))


def _planned(arguments: argparse.Namespace) -> Plan:
    flushes_us = FLUSHES_US if arguments.all else ()
    if arguments.flush_us is not None:
        flushes_us = arguments.flush_us
    return Plan(
        loads=plan.ALL_LOADS if arguments.all else plan.GOAL_LOADS,
        repetitions=1 if arguments.quick else arguments.repetitions,
        checkouts=4_000 if arguments.quick else arguments.checkouts,
        pgbench_s=2 if arguments.quick else 8,
        with_limits=arguments.all,
        flushes_us=flushes_us,
        profiled=arguments.profile is not None,
    )


def main() -> None:
    arguments = _arguments()
    if arguments.profile is not None:
        arguments.profile.mkdir(parents=True, exist_ok=True)
    console = Console(stderr=True)
    result = uvloop.run(
        bench(
            _planned(arguments),
            folder=arguments.folder,
            console=console,
            flame_graphs=arguments.profile,
        )
    )
    for table in tables.tables(asdict(result)):
        Console(width=TABLE_WIDTH).print(table.rich(), "")
    problems = result.problems()
    for problem in problems:
        console.print(f"[red]not valid:[/red] {problem}")
    if arguments.output is not None:
        report.write(result, arguments.output)
    elif not (problems or arguments.quick):
        report.write(result, page.LATEST)
        page.write()
    raise SystemExit(1 if problems else 0)


if __name__ == "__main__":
    main()
