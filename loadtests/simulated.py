"""The same comparison on disks that take longer to promise that a page is safe: simulated."""

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from bonpunkt.till.v1 import till_pb2 as pb
from loadtests import pgbench
from loadtests.installation import Books, installed
from loadtests.plan import FRAMES, MAIN, POSTGRES_SETTINGS, Plan
from loadtests.report import Flushes
from loadtests.runs import Runs
from loadtests.slow_disk import SlowDisk
from tests.servers.postgres import Cluster, running_cluster

LOADS = (MAIN, FRAMES)
CLIENTS = (4, 16, 64)  # one client is never the best of pgbench


async def simulate(
    plan: Plan, *, baskets: Sequence[pb.Basket], folder: Path, console: Console
) -> tuple[dict[int, Flushes], Books]:
    """Both sides on a cluster of their own, whose processes flush more slowly; nothing else does.

    The key is by how much, in microseconds. Runs are half as long as the others: there are many.
    """
    plan = replace(plan, checkouts=plan.checkouts // 2)
    with tempfile.TemporaryDirectory(prefix="bonpunkt-slow-", dir=folder) as made:
        disk = SlowDisk(Path(made))
        with running_cluster(
            POSTGRES_SETTINGS, parent=folder, environment=disk.environment
        ) as cluster:
            return await _on(cluster, disk, plan, baskets=baskets, folder=folder, console=console)


async def _on(
    cluster: Cluster,
    disk: SlowDisk,
    plan: Plan,
    *,
    baskets: Sequence[pb.Basket],
    folder: Path,
    console: Console,
) -> tuple[dict[int, Flushes], Books]:
    yardstick = cluster.create_database("pgbench")
    await asyncio.to_thread(pgbench.prepare, yardstick)
    found = {longer_us: Flushes() for longer_us in plan.flushes_us}
    members = plan.members(LOADS * len(found))
    async with installed(
        LOADS, members=members, baskets=baskets, folder=folder, cluster=cluster, console=console
    ) as installation:
        await installation.warm_up()
        for repetition in range(1, plan.repetitions + 1):
            for longer_us, flushes in found.items():
                console.print(f"simulated: a flush takes {longer_us} µs longer ({repetition})")
                disk.take_longer(longer_us)
                flushes.took_us.append(await asyncio.to_thread(disk.flush_us, folder))
                runs = Runs(plan, console, flushes.measured)
                for number, clients in enumerate(CLIENTS):
                    if number < len(LOADS):
                        await runs.checkouts(installation, LOADS[number])
                    await runs.pgbench(cluster, yardstick, clients=clients)
        disk.take_longer(0)
        return found, await installation.books()
