"""`python -m loadtests.bench`: durable checkouts a second, beside pgbench on the same machine.

One private PostgreSQL cluster, real loyalty and gateway processes, and this process as the load
generator share the machine. Runs of Bonpunkt and of pgbench take turns, and the medians count.
docs/performance.md explains the rules, the settings and the keys of the result.
"""

import argparse
import asyncio
import itertools
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import uvloop
from rich.console import Console
from rich.progress import track

from bonpunkt.till.v1 import till_pb2 as pb
from loadtests import cpu, pgbench, recorded, report
from loadtests.generator import Outcome, connected, drive
from loadtests.report import Shape
from services.runtime.grpc import Metadata
from tests.servers.postgres import Cluster, running_cluster
from tests.servers.suite import Member, Suite

ROOT = Path(__file__).parents[1]
LATEST = ROOT / "loadtests" / "results" / "latest.json"

# What differs from PostgreSQL's own defaults, for Bonpunkt and pgbench alike.
POSTGRES_SETTINGS = {
    "shared_buffers": "1GB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "lz4",
    "jit": "off",
}
MAIN_SHAPE = Shape(tills=256, frame=1)
ALL_SHAPES = (
    Shape(tills=1, frame=1),
    Shape(tills=16, frame=1),
    Shape(tills=64, frame=1),
    MAIN_SHAPE,
    Shape(tills=16, frame=32),
)
ENROLLED_AT_ONCE = 4_096
WARM_UP_CHECKOUTS = 2_000
TABLE_WIDTH = 132


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured, and how long."""

    shapes: Sequence[Shape]
    repetitions: int
    checkouts: int  # of a run with 256 tills; smaller shapes do fewer
    pgbench_s: int

    def checkouts_of(self, shape: Shape) -> int:
        """Enough that a run takes some seconds, whatever its shape."""
        in_flight = shape.tills * shape.frame
        share = 1.0 if in_flight >= 64 else 0.4 if in_flight >= 16 else 0.05
        return max(shape.tills, int(self.checkouts * share))

    def members(self) -> int:
        """Every checkout is another member's."""
        once = sum(self.checkouts_of(shape) for shape in self.shapes)
        return WARM_UP_CHECKOUTS + self.repetitions * once


@dataclass(slots=True)
class Bench:
    """A running installation, and what was measured so far."""

    plan: Plan
    cluster: Cluster
    suite: Suite
    ledger_url: str
    tills: Sequence[Metadata]
    cards: Iterator[str]
    baskets: Sequence[pb.Basket]
    console: Console
    answered: int = 0
    checkouts: dict[Shape, list[report.Run]] = field(default_factory=dict)
    rates: dict[int, list[pgbench.Rate]] = field(default_factory=dict)

    async def warm_up(self) -> None:
        """Plans, caches and files as they are in the middle of a day."""
        await self._drive(MAIN_SHAPE, checkouts=WARM_UP_CHECKOUTS)

    async def measure(self, shape: Shape) -> None:
        """One run of checkouts."""
        self._checkpoint()
        outcome, seconds = await self._drive(shape, checkouts=self.plan.checkouts_of(shape))
        run = report.Run.of(outcome, cpu_s=seconds)
        self.checkouts.setdefault(shape, []).append(run)
        self.console.print(f"  {shape}: {run.checkouts_per_s:,.0f} checkouts/s")

    async def compare(self, clients: int, *, url: str) -> None:
        """One run of pgbench. The services stay up and idle meanwhile."""
        self._checkpoint()
        rate = await asyncio.to_thread(
            pgbench.run, url, clients=clients, seconds=self.plan.pgbench_s
        )
        self.rates.setdefault(clients, []).append(rate)
        self.console.print(f"  pgbench -c {clients}: {rate.transactions_per_s:,.0f} transactions/s")

    async def _drive(self, shape: Shape, *, checkouts: int) -> tuple[Outcome, dict[str, float]]:
        cards = itertools.islice(self.cards, checkouts)
        operations = recorded.captures(cards, self.baskets)
        built = list(recorded.frames(operations, size=shape.frame))
        async with connected(self.suite.gateway_target, self.tills[: shape.tills]) as calls:
            before = self._cpu_s()
            outcome = await drive(calls, built)
            after = self._cpu_s()
        self.answered += outcome.captured
        return outcome, {name: after[name] - before[name] for name in before}

    def _cpu_s(self) -> dict[str, float]:
        """CPU seconds so far. PostgreSQL works in children; this process is everybody's parent."""
        services = {name: cpu.own(process.pid) for name, process in self.suite.processes.items()}
        database = cpu.family(self.cluster.process.pid)
        return services | {"postgresql": database, "generator": cpu.own(os.getpid())}

    def _checkpoint(self) -> None:
        """So that no run pays for what another wrote."""
        with psycopg.connect(self.cluster.url("postgres"), autocommit=True) as connection:
            connection.execute("CHECKPOINT")


async def bench(plan: Plan, *, folder: Path, console: Console) -> report.Result:
    """Sets everything up, measures, and checks that the books agree with what was counted."""
    with running_cluster(POSTGRES_SETTINGS, parent=folder) as cluster:
        yardstick = cluster.create_database("pgbench")
        console.print(f"preparing pgbench, scale {pgbench.SCALE}")
        await asyncio.to_thread(pgbench.prepare, yardstick)
        ledger = cluster.create_database("loyalty")
        with tempfile.TemporaryDirectory(prefix="bonpunkt-bench-") as data:
            async with Suite(Path(data), database=ledger) as suite:
                running = await _load(
                    plan, cluster=cluster, suite=suite, url=ledger, console=console
                )
                await _take_turns(running, yardstick=yardstick)
                books = await suite.verify()
        return report.Result.of(
            checkouts=running.checkouts,
            rates=running.rates,
            answered=running.answered,
            journal_rows=_captures_journalled(ledger),
            books=books,
            settings=POSTGRES_SETTINGS,
            folder=folder,
        )


async def _load(plan: Plan, *, cluster: Cluster, suite: Suite, url: str, console: Console) -> Bench:
    """Tills, members and baskets; statistics afterwards, since plans depend on them."""
    tills_max = max(shape.tills for shape in (*plan.shapes, MAIN_SHAPE))
    terminals = [
        await suite.add_terminal(f"till-{number}")
        for number in track(range(tills_max), "adding tills", console=console)
    ]
    members: list[Member] = []
    for first in track(range(0, plan.members(), ENROLLED_AT_ONCE), "enrolling", console=console):
        members += await suite.enrol(min(ENROLLED_AT_ONCE, plan.members() - first))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ANALYZE")
    console.print("reading recorded baskets")
    return Bench(
        plan=plan,
        cluster=cluster,
        suite=suite,
        ledger_url=url,
        tills=[terminal.metadata for terminal in terminals],
        cards=iter([member.card for member in members]),
        baskets=recorded.baskets(plan.checkouts),
        console=console,
    )


async def _take_turns(running: Bench, *, yardstick: str) -> None:
    await running.warm_up()
    for repetition in range(1, running.plan.repetitions + 1):
        running.console.print(f"repetition {repetition} of {running.plan.repetitions}")
        turns = itertools.zip_longest(running.plan.shapes, pgbench.CLIENTS)
        for shape, clients in turns:
            if shape is not None:
                await running.measure(shape)
            if clients is not None:
                await running.compare(clients, url=yardstick)


def _captures_journalled(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM journal WHERE kind = 'capture'").fetchone()
    assert row is not None
    return int(row[0])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short repetition, for a look")
    parser.add_argument("--all", action="store_true", help="1, 16, 64, 256 tills, and frames of 32")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--checkouts", type=int, default=30_000, help="of a run with 256 tills")
    parser.add_argument("--output", type=Path, help=f"default {LATEST.relative_to(ROOT)}")
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
        shapes=ALL_SHAPES if arguments.all else (MAIN_SHAPE,),
        repetitions=1 if arguments.quick else arguments.repetitions,
        checkouts=5_000 if arguments.quick else arguments.checkouts,
        pgbench_s=3 if arguments.quick else 10,
    )
    console = Console(stderr=True)
    result = uvloop.run(bench(plan, folder=arguments.folder, console=console))
    Console(width=TABLE_WIDTH).print(report.table(result))
    output = arguments.output or (None if arguments.quick else LATEST)
    if output is not None:
        report.write(result, output)
    problems = result.problems()
    for problem in problems:
        console.print(f"[red]not valid:[/red] {problem}")
    raise SystemExit(1 if problems else 0)


if __name__ == "__main__":
    main()
