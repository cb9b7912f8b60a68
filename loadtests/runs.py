"""Single runs: each makes one, says what came out, and keeps it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console

from bonpunkt.till.v1 import till_pb2 as pb
from loadtests import batches, pgbench
from loadtests.drafts import Ledger
from loadtests.installation import Installation, checkpoint
from loadtests.pgbench import Script
from loadtests.plan import MAIN, Load, Plan
from loadtests.report import Measured, Run
from tests.servers.postgres import Cluster


@dataclass(slots=True)
class Runs:
    """What was measured so far. Services that are not measured stay up and idle meanwhile."""

    plan: Plan
    console: Console
    measured: Measured = field(default_factory=Measured)

    async def checkouts(self, installation: Installation, load: Load) -> None:
        installation.checkpoint()
        per_s = self.measured.checkouts[MAIN][-1].checkouts_per_s / 2 if load.half_peak else 0.0
        outcome, cpu_s = await installation.run(
            load, checkouts=self.plan.checkouts_of(load), per_s=per_s
        )
        run = Run.of(outcome, cpu_s=cpu_s)
        self.measured.checkouts.setdefault(load, []).append(run)
        self._say(f"{load}: {run.checkouts_per_s:,.0f} checkouts/s, p99 {run.p99_ms:.1f} ms")

    async def pgbench(self, cluster: Cluster, url: str, *, clients: int) -> None:
        checkpoint(cluster)
        rate = await asyncio.to_thread(
            pgbench.run, url, clients=clients, seconds=self.plan.pgbench_s
        )
        self.measured.pgbench.setdefault(clients, []).append(rate)
        self._say(f"pgbench -c {clients}: {rate.transactions_per_s:,.0f} transactions/s")

    async def own_statements(
        self, cluster: Cluster, url: str, *, script: Script, clients: int
    ) -> None:
        checkpoint(cluster)
        rate = await asyncio.to_thread(
            pgbench.run, url, clients=clients, seconds=self.plan.pgbench_s, script=script
        )
        self.measured.own_statements.setdefault(clients, []).append(rate)
        self._say(f"our statements, {clients} clients: {rate.transactions_per_s:,.0f} checkouts/s")

    async def batches(
        self, cluster: Cluster, ledger: Ledger, baskets: Sequence[pb.Basket], *, size: int
    ) -> None:
        count = self.plan.captures_in_batches_of(size)
        checkpoint(cluster)
        run = await batches.run(
            ledger, baskets, count=count, size=size, database_pid=cluster.process.pid
        )
        self.measured.batches.setdefault(size, []).append(run)
        self._say(f"batches of {size} alone: {run.checkouts_per_s:,.0f} checkouts/s")

    def _say(self, words: str) -> None:
        self.console.print(f"  {words}", highlight=False)
