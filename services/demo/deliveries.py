"""What the demo's receivers got: read from them, and compared with what the ledger owes them."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import aiohttp
import grpc

from bonpunkt.loyalty.v1 import journal_pb2, journal_pb2_grpc
from services.demo.addresses import HOST
from services.runtime.grpc import Metadata

CALL_TIMEOUT_S = 30.0
POLL_S = 0.2
STALLED_S = 60.0  # nothing new for so long is taken as never


@dataclass(frozen=True, slots=True)
class Received:
    """Of all receivers together: distinct webhooks that verified, and posts turned away."""

    verified_distinct: int
    rejected: int


async def received(session: aiohttp.ClientSession, ports: Iterable[int]) -> Received:
    """The receivers' own figures, over all runs on this data folder."""
    figures = []
    for port in ports:
        async with session.get(f"http://{HOST}:{port}/figures") as answer:
            answer.raise_for_status()
            figures.append(await answer.json())
    return Received(
        verified_distinct=sum(each["verified_distinct"] for each in figures),
        rejected=sum(each["rejected"] for each in figures),
    )


async def expected(loyalty: grpc.aio.Channel, *, metadata: Metadata, endpoints: int) -> int:
    """Member changes in the journal times endpoints, counted from the ledger."""
    overview = await journal_pb2_grpc.JournalServiceStub(loyalty).GetOverview(
        journal_pb2.GetOverviewRequest(), metadata=metadata, timeout=CALL_TIMEOUT_S
    )
    return overview.member_changes * endpoints


async def wait_until_complete(due: int, verified: Callable[[], int]) -> None:
    """Returns once as many were verified as are due, or once nothing has come for a minute."""
    loop = asyncio.get_running_loop()
    before, since_s = verified(), loop.time()
    while verified() < due and loop.time() - since_s < STALLED_S:
        await asyncio.sleep(POLL_S)
        if verified() > before:
            before, since_s = verified(), loop.time()
