"""Our batches alone: the limit of the design.

One connection writes recorded captures, drafted before the clock starts, as the ledger's writer
does: BEGIN, lock the bucket rows, read the members, write everything at once, COMMIT; meanwhile the
owners of the next batch's cards are looked up on another connection. What is left out is gRPC,
reading requests, deciding, hashing and answering.
"""

import asyncio
import math
import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bonpunkt.till.v1 import till_pb2 as pb
from loadtests import cpu
from loadtests.drafts import Drafted, Ledger, write
from loadtests.generator import uncollected


@dataclass(frozen=True, slots=True)
class BatchRun:
    """One run of batches of one size; times are those of a whole transaction."""

    size: int
    checkouts_per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us_per_checkout: dict[str, float]


async def run(
    ledger: Ledger, baskets: Sequence[pb.Basket], *, count: int, size: int, database_pid: int
) -> BatchRun:
    """Writes `count` captures, each of another new member, `size` in a transaction."""
    cards = await ledger.enrol(count)
    drafted = list(ledger.captures(cards, baskets, size=size))
    with uncollected():
        cpu_before = (cpu.family(database_pid), cpu.own(os.getpid()))
        begun = time.perf_counter()
        took_s = await _write_all(ledger, drafted)
        seconds = time.perf_counter() - begun
        cpu_after = (cpu.family(database_pid), cpu.own(os.getpid()))
    spent = [after - before for before, after in zip(cpu_before, cpu_after, strict=True)]
    took_s.sort()
    return BatchRun(
        size=size,
        checkouts_per_s=round(count / seconds, 1),
        p50_ms=round(statistics.median(took_s) * 1000, 2),
        p99_ms=round(took_s[math.ceil(0.99 * len(took_s)) - 1] * 1000, 2),
        cpu_us_per_checkout={
            name: round(s / count * 1e6, 1)
            for name, s in zip(("postgresql", "driver"), spent, strict=True)
        },
    )


async def _write_all(ledger: Ledger, drafted: Sequence[Drafted]) -> list[float]:
    """One after the other; how long each took, in seconds."""
    took_s = []
    await ledger.store.owners(drafted[0].cards)
    for number, batch in enumerate(drafted):
        following = drafted[number + 1 : number + 2]
        looking_up = [asyncio.create_task(ledger.store.owners(next_.cards)) for next_ in following]
        begun = time.perf_counter()
        await write(ledger.store, batch)
        took_s.append(time.perf_counter() - begun)
        await asyncio.gather(*looking_up)
    return took_s
