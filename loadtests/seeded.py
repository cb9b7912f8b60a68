"""A ledger that `bonpunkt seed` has filled, with loyalty and gateway at work on it."""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from random import Random

import psycopg

from bonpunkt.till.v1 import till_pb2 as pb
from loadtests import cpu, recorded
from loadtests.generator import Call, Outcome, connected, drive
from loadtests.recorded import Frame
from services.loyalty.seeding.cohorts import card_of
from tests.servers.postgres import Cluster
from tests.servers.suite import Suite

# In the middle of a long measurement is no time for it.
SETTINGS = {"LOYALTY_NIGHTLY_AT": "never"}


@dataclass(frozen=True, slots=True)
class Run:
    """One run of checkouts, each of any member. Latencies are those of a message."""

    checkouts_per_s: float
    p50_ms: float
    p99_ms: float
    others: int  # operations that were not captured
    wal_bytes_per_checkout: float
    cpu_us_per_checkout: dict[str, float]


@dataclass(slots=True)
class Seeded:
    """A seeded ledger in service, its tills connected; `captured` counts their captures."""

    suite: Suite
    cluster: Cluster
    url: str
    members: int
    calls: Sequence[Call]  # a stream for each till
    baskets: Sequence[pb.Basket]
    random: Random
    captured: int = 0

    def cards(self) -> Iterator[str]:
        """Of members anywhere in the ledger, without end."""
        return (card_of(self.random.randrange(self.members)) for _ in repeat(None))

    def frames(self, cards: Iterable[str], *, count: int) -> list[list[Frame]]:
        """So many visits of one checkout each."""
        chosen = (card for card, _ in zip(cards, range(count), strict=False))
        return [[f] for f in recorded.frames(recorded.captures(chosen, self.baskets), size=1)]

    async def run(self, *, checkouts: int) -> Run:
        """One run with all tills, begun with a checkpoint: every page that it touches is logged
        whole once, as after any checkpoint.
        """
        visits = self.frames(self.cards(), count=checkouts)
        begun_at, before = _checkpoint(self.cluster), self._cpu_s()
        outcome = await self.drive(self.calls, visits)
        after, ended_at = self._cpu_s(), _position(self.cluster)
        return Run(
            checkouts_per_s=round(outcome.per_s, 1),
            p50_ms=round(outcome.percentile_ms(0.50), 2),
            p99_ms=round(outcome.percentile_ms(0.99), 2),
            others=outcome.others.total(),
            wal_bytes_per_checkout=round((ended_at - begun_at) / outcome.captured),
            cpu_us_per_checkout={
                name: round((after[name] - before[name]) / outcome.captured * 1e6, 1)
                for name in before
            },
        )

    async def drive(self, calls: Sequence[Call], visits: Iterable[Iterable[Frame]]) -> Outcome:
        outcome = await drive(calls, visits)
        self.captured += outcome.captured
        return outcome

    def _cpu_s(self) -> dict[str, float]:
        """CPU seconds so far. PostgreSQL works in children; this process is everybody's parent."""
        services = {name: cpu.own(process.pid) for name, process in self.suite.processes.items()}
        database = cpu.family(self.cluster.process.pid)
        return services | {"postgresql": database, "generator": cpu.own(os.getpid())}


async def seed(url: str, *, members: int, journal_rows: int) -> float:
    """Fills an empty database by the command; answers how many seconds it took."""
    begun = time.perf_counter()
    await _bonpunkt(url, "seed", "--members", str(members), "--journal-rows", str(journal_rows))
    return time.perf_counter() - begun


async def migrate(url: str) -> None:
    """Makes the tables of an empty database."""
    await _bonpunkt(url, "loyalty", "migrate")


async def verify(url: str) -> float:
    """Has the books checked, and answers how many seconds it took; RuntimeError if they are
    wrong.
    """
    begun = time.perf_counter()
    await _bonpunkt(url, "verify")
    return time.perf_counter() - begun


@asynccontextmanager
async def serving(
    url: str,
    *,
    cluster: Cluster,
    members: int,
    stores: Sequence[str],
    baskets: Sequence[pb.Basket],
) -> AsyncIterator[Seeded]:
    """Services on a seeded ledger, with a till for each entry of `stores`."""
    with tempfile.TemporaryDirectory(prefix="bonpunkt-seeded-") as data:
        async with Suite(Path(data), database=url, settings=SETTINGS) as suite:
            terminals = [
                await suite.add_terminal(f"till-{number}", store_id=store)
                for number, store in enumerate(stores)
            ]
            tills = [terminal.metadata for terminal in terminals]
            async with connected(suite.gateway_target, tills) as calls:
                yield Seeded(
                    suite=suite,
                    cluster=cluster,
                    url=url,
                    members=members,
                    calls=calls,
                    baskets=baskets,
                    random=Random(members),
                )


async def _bonpunkt(url: str, *words: str) -> None:
    with tempfile.TemporaryDirectory(prefix="bonpunkt-seeded-") as data:
        environment = {**os.environ, "BONPUNKT_DATA": data, "LOYALTY_DATABASE_URL": url}
        command = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.cli", *words),
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await command.communicate()
    if command.returncode != 0:
        raise RuntimeError(
            f"bonpunkt {words[0]} ended with {command.returncode}: {output.decode()}"
        )


def _checkpoint(cluster: Cluster) -> int:
    """Makes one; answers where the log is after it, in bytes."""
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute("CHECKPOINT")
    return _position(cluster)


def _position(cluster: Cluster) -> int:
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        row = connection.execute("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn").fetchone()
    assert row is not None
    return int(row[0])
