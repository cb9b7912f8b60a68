"""What is driven: an installation with tills, members and recorded baskets."""

import asyncio
import itertools
import json
import os
import sqlite3
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from rich.console import Console
from rich.progress import track

from bonpunkt.till.v1 import till_pb2 as pb
from loadtests import cpu, recorded
from loadtests.generator import Outcome, arrive, connected, drive, uncollected
from loadtests.plan import WARM_UP_CHECKOUTS, Load
from loadtests.recorded import Frame
from services.runtime.grpc import Metadata, is_serving
from tests.servers.certificates import certificate_files
from tests.servers.ports import free_port
from tests.servers.postgres import Cluster
from tests.servers.process import Process
from tests.servers.suite import Suite

ENROLLED_AT_ONCE = 4_096
TLS_GATEWAY = "gateway-tls"
COUNT_CAPTURES = "SELECT count(*) FROM journal WHERE kind = 'capture'"


@dataclass(frozen=True, slots=True)
class Books:
    """A ledger afterwards: captures answered, captures in its journal, whether `verify` is
    satisfied.
    """

    counted: int
    journal_rows: int
    balance: bool


@dataclass(slots=True)
class Installation:
    """Real processes on one database; every checkout is another member's."""

    suite: Suite
    cluster: Cluster | None  # None: SQLite
    database: str
    tills: Sequence[Metadata]
    cards: Iterator[str]
    baskets: Sequence[pb.Basket]
    ca: bytes
    answered: int = 0

    async def warm_up(self) -> None:
        """Plans, caches and files as they are in the middle of a day."""
        await self.run(Load(tills=len(self.tills)), checkouts=WARM_UP_CHECKOUTS)

    async def run(
        self, load: Load, *, checkouts: int, per_s: float = 0.0
    ) -> tuple[Outcome, dict[str, float]]:
        """One run; its outcome, and CPU seconds by process. `per_s`: of arrivals by the clock."""
        cards = itertools.islice(self.cards, checkouts)
        visits = list(self._visits(load, cards))
        gateway = self.suite.processes[TLS_GATEWAY if load.tls else "gateway"]
        address = gateway.environment["GATEWAY_LISTEN"]
        target, ca = (f"https://{address}", self.ca) if load.tls else (address, None)
        async with connected(target, self.tills[: load.tills], ca=ca) as calls:
            with uncollected():
                before = self._cpu_s(gateway)
                if load.half_peak:
                    outcome = await arrive(calls, [visit[0] for visit in visits], per_s=per_s)
                else:
                    outcome = await drive(calls, visits)
                after = self._cpu_s(gateway)
        self.answered += outcome.captured
        return outcome, {name: after[name] - before[name] for name in before}

    def checkpoint(self) -> None:
        """So that no run pays for what another wrote."""
        if self.cluster is None:
            with sqlite3.connect(self.database, timeout=60) as connection:
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        else:
            checkpoint(self.cluster)

    async def books(self) -> Books:
        """Counts and verifies, when everything has been measured."""
        if self.cluster is None:
            with sqlite3.connect(self.database) as connection:
                (rows,) = connection.execute(COUNT_CAPTURES).fetchone()
        else:
            rows = captures_in(self.database)
        return Books(self.answered, rows, bool((await self.suite.verify())["ok"]))

    def _visits(self, load: Load, cards: Iterable[str]) -> Iterator[Sequence[Frame]]:
        if load.mix:
            return recorded.visits(cards, self.baskets)
        operations = recorded.captures(cards, self.baskets)
        return ([frame] for frame in recorded.frames(operations, size=load.frame))

    def _cpu_s(self, gateway: Process) -> dict[str, float]:
        """CPU seconds so far. PostgreSQL works in children; this process is everybody's parent."""
        spent = {"loyalty": cpu.own(self.suite.processes["loyalty"].pid)}
        spent["gateway"] = cpu.own(gateway.pid)
        if self.cluster is not None:
            spent["postgresql"] = cpu.family(self.cluster.process.pid)
        return spent | {"generator": cpu.own(os.getpid())}


@asynccontextmanager
async def installed(
    loads: Sequence[Load],
    *,
    members: int,
    baskets: Sequence[pb.Basket],
    folder: Path,
    cluster: Cluster | None,
    console: Console,
) -> AsyncIterator[Installation]:
    """An installation for the loads, its data in `folder`; on SQLite without a cluster."""
    with tempfile.TemporaryDirectory(prefix="bonpunkt-bench-", dir=folder) as made:
        data = Path(made)
        url = cluster.create_database("loyalty") if cluster is not None else "sqlite"
        async with Suite(data, database=url) as suite:
            files = certificate_files(data / "certificates")
            if any(load.tls for load in loads):
                await _start_tls_gateway(suite, files.settings("GATEWAY"), files.ca.read_bytes())
            tills = [
                (await suite.add_terminal(f"till-{number}")).metadata
                for number in track(
                    range(max(load.tills for load in loads)), "adding tills", console=console
                )
            ]
            cards = await _enrol(suite, members, console)
            if cluster is not None:
                _analyse(url)
            yield Installation(
                suite=suite,
                cluster=cluster,
                database=str(data / "loyalty.sqlite") if cluster is None else url,
                tills=tills,
                cards=iter(cards),
                baskets=baskets,
                ca=files.ca.read_bytes(),
            )


def checkpoint(cluster: Cluster) -> None:
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute("CHECKPOINT")


def captures_in(url: str) -> int:
    """Journal rows of captures in a PostgreSQL database."""
    with psycopg.connect(url) as connection:
        row = connection.execute(COUNT_CAPTURES).fetchone()
    assert row is not None
    return int(row[0])


async def verified(url: str, environment: Mapping[str, str]) -> bool:
    """Whether `bonpunkt verify` is satisfied with the ledger in this database."""
    verifying = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.cli", "verify", "--json"),
        env={**environment, "LOYALTY_DATABASE_URL": url},
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await verifying.communicate()
    found: dict[str, Any] = json.loads(output)
    return bool(found["ok"])


async def _start_tls_gateway(suite: Suite, settings: Mapping[str, str], ca: bytes) -> None:
    """A second gateway of the same ledger, which speaks TLS; ends with the others."""
    address = f"127.0.0.1:{free_port()}"
    folder = suite.folder / TLS_GATEWAY

    async def ready() -> bool:
        return await is_serving(f"https://{address}", ca=ca)

    gateway = suite.processes[TLS_GATEWAY] = Process(
        TLS_GATEWAY,
        module="services.pos_gateway",
        environment={
            **suite.processes["gateway"].environment,
            **settings,
            "GATEWAY_LISTEN": address,
            "BONPUNKT_DATA": str(folder),
        },
        log=suite.folder / f"{TLS_GATEWAY}.log",
        ready=ready,
    )
    await gateway.start()


async def _enrol(suite: Suite, count: int, console: Console) -> list[str]:
    cards: list[str] = []
    for first in track(range(0, count, ENROLLED_AT_ONCE), "enrolling", console=console):
        members = await suite.enrol(min(ENROLLED_AT_ONCE, count - first))
        cards += [member.card for member in members]
    return cards


def _analyse(url: str) -> None:
    """Plans depend on statistics."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ANALYZE")
