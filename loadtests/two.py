"""`python -m loadtests.two`: two loyalty processes behind two gateways on one PostgreSQL.

One installation of two loyalty processes and three gateways is driven in turn through one gateway,
through two that share a loyalty process, and through two that have one each; everything else is the
same, so the ratios say what a second process is worth on this machine. docs/scale.md explains them.
"""

import argparse
import asyncio
import itertools
import json
import os
import statistics
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import uvloop
from rich.console import Console

from bonpunkt.till.v1 import till_pb2 as pb
from loadtests import cpu, recorded, scale
from loadtests.generator import Call, Outcome, connected, drive
from loadtests.installation import ENROLLED_AT_ONCE, captures_in, checkpoint
from loadtests.machine import machine
from loadtests.plan import POSTGRES_SETTINGS
from loadtests.report import REFUSED_SHARE_MAX, Run
from services.runtime.grpc import Metadata
from tests.servers.postgres import Cluster, running_cluster
from tests.servers.suite import Suite

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "loadtests" / "results" / "two.json"
BEGINS, ENDS = "<!-- two: made by python -m loadtests.two -->", "<!-- two ends -->"
TILLS = 256
TERMINALS = 16
WARM_UP_CHECKOUTS = 1_000  # of each layout, so that every process has its plans
SAMPLES_EVERY_S = 0.02
QUIET = 0.3  # load average above which others used the machine, too
# Who waits for a row that another writer has locked, and whether a writer is at work at all.
WAITING = (
    "SELECT count(*) FILTER (WHERE wait_event_type = 'Lock') > 0, count(*) > 0"
    " FROM pg_stat_activity WHERE datname = %s AND state IN ('active', 'idle in transaction')"
    " AND pid <> pg_backend_pid()"
)
OF_A_RUN = ("batch", "table_bytes", "wal_bytes", "lock_wait_share", "idle_share")
# Batches so far (rows of one transaction carry its number); bytes of tables with their indexes, and
# of the write-ahead log.
SO_FAR = """
    SELECT (SELECT count(DISTINCT xmin::text) FROM journal WHERE kind = 'capture'),
        (SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class WHERE relkind = 'r'
            AND relname IN ('bucket', 'member', 'locator', 'journal', 'basket')),
        (pg_current_wal_lsn() - '0/0')::bigint
"""


@dataclass(frozen=True, slots=True)
class Layout:
    """Which of the gateways the tills are spread over; gateway n talks to loyalty n, round."""

    key: str
    gateways: tuple[int, ...]


ONE = Layout("1_gateway_1_loyalty", (0,))
LAYOUTS = (
    ONE,
    Layout("2_gateways_1_loyalty", (0, 2)),
    Layout("2_gateways_2_loyalties", (0, 1)),
)


@dataclass(frozen=True, slots=True)
class Measured:
    """One run. `batch` is the mean of captures in a transaction; `lock_wait_share` the share of the
    time with a writer at work in which one waited for another's bucket rows; `idle_share` the part
    of the machine's processors that none of these processes used. Bytes are those of a checkout, in
    tables with indexes and in the write-ahead log since a checkpoint.
    """

    run: Run
    batch: float
    table_bytes: int
    wal_bytes: int
    lock_wait_share: float
    idle_share: float


@dataclass(slots=True)
class Pair:
    """Two loyalty processes and three gateways, and what was measured so far."""

    suite: Suite
    cluster: Cluster
    url: str
    calls: Mapping[Layout, Sequence[Call]]  # open all the time: streams that rest cost nothing
    cards: Iterator[str]
    baskets: Sequence[pb.Basket]
    answered: int = 0
    runs: dict[Layout, list[Measured]] = field(default_factory=dict)

    async def measure(self, layout: Layout, *, checkouts: int) -> Measured:
        checkpoint(self.cluster)
        before = _so_far(self.url)
        waiting = asyncio.create_task(_lock_wait_share(self.cluster, self.url))
        outcome, cpu_s = await self.drive(layout, checkouts=checkouts)
        waiting.cancel()
        batches, table_bytes, wal_bytes = (
            now - then for now, then in zip(_so_far(self.url), before, strict=True)
        )
        cores = len(os.sched_getaffinity(0))
        measured = Measured(
            run=Run.of(outcome, cpu_s=cpu_s),
            batch=round(outcome.captured / batches, 1),
            table_bytes=table_bytes // outcome.captured,
            wal_bytes=wal_bytes // outcome.captured,
            lock_wait_share=await waiting,
            idle_share=round(1 - sum(cpu_s.values()) / (cores * outcome.seconds), 3),
        )
        self.runs.setdefault(layout, []).append(measured)
        return measured

    async def drive(self, layout: Layout, *, checkouts: int) -> tuple[Outcome, dict[str, float]]:
        """The outcome, and CPU seconds by process."""
        cards = itertools.islice(self.cards, checkouts)
        operations = recorded.captures(cards, self.baskets)
        visits = [[frame] for frame in recorded.frames(operations, size=1)]
        before = self._cpu_s()
        outcome = await drive(self.calls[layout], visits)
        after = self._cpu_s()
        self.answered += outcome.captured
        return outcome, {name: round(after[name] - before[name], 3) for name in before}

    def _cpu_s(self) -> dict[str, float]:
        spent = {name: cpu.own(process.pid) for name, process in self.suite.processes.items()}
        spent["postgresql"] = cpu.family(self.cluster.process.pid)
        return spent | {"generator": cpu.own(os.getpid())}


@asynccontextmanager
async def installed(
    cluster: Cluster, *, lanes: int, members: int, baskets: Sequence[pb.Basket], tills: int = TILLS
) -> AsyncIterator[Pair]:
    """A new ledger with so many members. Every checkout is to be another member's."""
    url = cluster.create_database()
    with tempfile.TemporaryDirectory(prefix="bonpunkt-two-") as data:
        settings = {"LOYALTY_LANES": str(lanes)}
        async with Suite(
            Path(data), database=url, loyalties=2, gateways=3, settings=settings
        ) as suite:
            shown = await _tills(suite, tills)
            cards: list[str] = []
            while len(cards) < members:
                some = await suite.enrol(min(ENROLLED_AT_ONCE, members - len(cards)))
                cards += [member.card for member in some]
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("ANALYZE")  # plans depend on it
            async with AsyncExitStack() as opened:
                calls = {layout: await _calls(opened, suite, layout, shown) for layout in LAYOUTS}
                yield Pair(suite, cluster, url, calls, iter(cards), baskets)


async def _tills(suite: Suite, count: int) -> list[Metadata]:
    """What each till shows. Several are of one terminal, as behind a store's controller: it takes a
    second until the gateway of the other process knows a new one.
    """
    terminals = [
        await suite.add_terminal(f"terminal-{number}") for number in range(min(count, TERMINALS))
    ]
    return [terminals[number % len(terminals)].metadata for number in range(count)]


async def _calls(
    opened: AsyncExitStack, suite: Suite, layout: Layout, tills: Sequence[Metadata]
) -> list[Call]:
    """A stream for each till, those of the gateways in turn."""
    calls: list[Call] = []
    for place, gateway in enumerate(layout.gateways):
        some = tills[place :: len(layout.gateways)]
        calls += await opened.enter_async_context(connected(suite.gateway_targets[gateway], some))
    return calls


async def two(
    *, lanes: Sequence[int], repetitions: int, checkouts: int, folder: Path, console: Console
) -> dict[str, Any]:
    """Everything that the result holds; its `problems` say why it may not be quoted."""
    load_average = os.getloadavg()[0]
    baskets = recorded.baskets(checkouts)
    members = len(LAYOUTS) * (WARM_UP_CHECKOUTS + repetitions * checkouts)
    by_lanes: dict[str, Any] = {}
    problems: list[str] = []
    with running_cluster(POSTGRES_SETTINGS, parent=folder) as cluster:
        for count in lanes:
            console.print(f"{count} lanes: enrolling {members:,} members")
            async with installed(cluster, lanes=count, members=members, baskets=baskets) as pair:
                await _take_turns(pair, repetitions, checkouts, console)
                by_lanes[str(count)] = figures(pair.runs)
                problems += [f"{count} lanes: {what}" for what in await _problems(pair)]
        found = machine(folder)
    return {
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": found,
        "load_average_before": round(load_average, 1),
        "postgresql_settings": POSTGRES_SETTINGS,
        "tills": TILLS,
        "repetitions": repetitions,
        "checkouts_a_run": checkouts,
        "lanes": by_lanes,
        "problems": problems,
    }


async def _take_turns(pair: Pair, repetitions: int, checkouts: int, console: Console) -> None:
    for layout in LAYOUTS:
        await pair.drive(layout, checkouts=WARM_UP_CHECKOUTS)
    for _ in range(repetitions):
        for layout in LAYOUTS:
            measured = await pair.measure(layout, checkouts=checkouts)
            console.print(
                f"  {layout.key}: {measured.run.checkouts_per_s:,.0f} checkouts/s, "
                f"batches of {measured.batch}, waiting for a lock {measured.lock_wait_share:.0%}, "
                f"idle {measured.idle_share:.0%}"
            )


def figures(runs: dict[Layout, list[Measured]]) -> dict[str, Any]:
    """Medians by layout, the ratios to one process of each, and all runs."""
    found: dict[str, Any] = {}
    for layout, some in runs.items():
        found[layout.key] = {
            "checkouts_per_s": _median(each.run.checkouts_per_s for each in some),
            "p50_ms": _median(each.run.p50_ms for each in some),
            "p99_ms": _median(each.run.p99_ms for each in some),
            "cpu_us_per_checkout": {
                name: _median(each.run.cpu_us_per_checkout[name] for each in some)
                for name in some[0].run.cpu_us_per_checkout
            },
            **{name: _median(getattr(each, name) for each in some) for name in OF_A_RUN},
            "runs": [asdict(each) for each in some],
        }
    one = found[ONE.key]["checkouts_per_s"]
    for each in found.values():
        each["ratio_to_1_gateway_1_loyalty"] = round(each["checkouts_per_s"] / one, 3)
    return found


def _median(values: Iterable[float]) -> float:
    return round(statistics.median(values), 3)


def table(result: Mapping[str, Any]) -> str:
    """As it stands in docs/scale.md."""
    head = [
        *("lanes", "layout", "checkouts a second", "ratio", "p50, p99", "batch"),
        *("waits for a lock", "CPU µs a checkout: loyalty, PostgreSQL"),
    ]
    rows: list[Sequence[str]] = [head, ["---:", "---"] + ["---:"] * (len(head) - 2)]
    for lanes, layouts in result["lanes"].items():
        for key, each in layouts.items():
            cpu_us = each["cpu_us_per_checkout"]
            loyalty = sum(us for name, us in cpu_us.items() if name.startswith("loyalty"))
            rows.append(
                [
                    *(lanes, key.replace("_", " "), f"{each['checkouts_per_s']:,.0f}"),
                    f"{each['ratio_to_1_gateway_1_loyalty']:.2f}",
                    f"{each['p50_ms']:.0f} ms, {each['p99_ms']:.0f} ms",
                    *(f"{each['batch']:.1f}", f"{each['lock_wait_share']:.0%}"),
                    f"{loyalty:.0f}, {cpu_us['postgresql']:.0f}",
                ]
            )
    machine = result["machine"]
    words = (
        f"{result['made_at'][:10]}, {machine['cores']} cores of an {machine['processor']}, "
        f"{machine['file_system']}; medians of {result['repetitions']} runs of "
        f"{result['checkouts_a_run']:,} checkouts; the load average before was "
        f"{result['load_average_before']}."
    )
    if result["load_average_before"] > QUIET:
        words += " **The machine was not ours alone: do not quote the rates.**"
    return f"{words}\n\n{scale.table(rows)}"


async def _problems(pair: Pair) -> list[str]:
    refused = [
        f"{layout.key}: {each.run.refused_share:.1%} of the checkouts were refused"
        for layout, some in pair.runs.items()
        for each in some
        if each.run.refused_share >= REFUSED_SHARE_MAX
    ]
    journalled = captures_in(pair.url)
    if journalled != pair.answered:
        refused.append(f"{pair.answered:,} captured, {journalled:,} journalled")
    if not (await pair.suite.verify())["ok"]:
        refused.append("bonpunkt verify found a fault")
    return refused


async def _lock_wait_share(cluster: Cluster, url: str) -> float:
    """Looks until it is cancelled."""
    at_work = waited = 0
    name = url.rpartition("/")[2]
    async with await psycopg.AsyncConnection.connect(
        cluster.url("postgres"), autocommit=True
    ) as connection:
        try:
            while True:
                row = await (await connection.execute(WAITING, [name])).fetchone()
                assert row is not None
                waited += row[0]
                at_work += row[1]
                await asyncio.sleep(SAMPLES_EVERY_S)
        except asyncio.CancelledError:
            return round(waited / at_work, 3) if at_work else 0.0


def _so_far(url: str) -> tuple[int, int, int]:
    """Batches, bytes of tables, bytes of log."""
    with psycopg.connect(url) as connection:
        row = connection.execute(SO_FAR).fetchone()
    assert row is not None
    return int(row[0]), int(row[1]), int(row[2])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m loadtests.two", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short repetition, for a look")
    parser.add_argument("--lanes", type=int, nargs="+", default=[1], help="LOYALTY_LANES, in turn")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--checkouts", type=int, default=20_000, help="of a run")
    parser.add_argument("--output", type=Path, help=f"default {RESULT.relative_to(ROOT)}")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    arguments = parser.parse_args()
    console = Console(stderr=True)
    result = uvloop.run(
        two(
            lanes=arguments.lanes,
            repetitions=1 if arguments.quick else arguments.repetitions,
            checkouts=2_000 if arguments.quick else arguments.checkouts,
            folder=arguments.folder,
            console=console,
        )
    )
    output = arguments.output or (None if arguments.quick else RESULT)
    if output is not None:
        output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    if output == RESULT:
        text = scale.DOCUMENT.read_text(encoding="utf-8")
        text = scale.written(text, table(result), begins=BEGINS, ends=ENDS)
        scale.DOCUMENT.write_text(text, encoding="utf-8")
    for problem in result["problems"]:
        console.print(f"[red]not valid:[/red] {problem}")
    raise SystemExit(1 if result["problems"] else 0)


if __name__ == "__main__":
    main()
