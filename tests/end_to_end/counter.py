"""Ways in which a till talks to the gateway, and a house with tills, members and recorded baskets.

What is refused has to be refused the same way on the stream, in a single call, and by whichever
loyalty process hears of it.
"""

import itertools
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc

from bonpunkt.till.client import Till
from bonpunkt.till.v1 import till_pb2 as pb
from bonpunkt.till.v1.till_pb2_grpc import TillServiceStub
from services.demo import mapping
from services.demo.mapping import Shopper
from services.runtime.grpc import channel
from tests.end_to_end import recorded
from tests.end_to_end.ledger import Ledger, ledger_of
from tests.end_to_end.recorded import Checkout
from tests.servers.suite import CALL_WITHIN_S, Suite, Terminal

STREAM_STANDS = "the stream to loyalty stands"
WAYS = ("stream", "call")
NEWCOMERS_FROM = 1_000_000  # no recorded household has so high a number


@dataclass(frozen=True, slots=True)
class Counter:
    """A till at one of the gateways: its stream, and the same terminal without a stream."""

    terminal: Terminal
    till: Till
    to_gateway: grpc.aio.Channel

    async def send(self, operation: pb.Operation, *, way: str) -> pb.Decision:
        """The decision upon one operation, by the stream or by a call of its own."""
        if way == "stream":
            return await self.till.send(operation)
        (decision,) = await self.call([operation])
        return decision

    async def call(self, operations: Sequence[pb.Operation]) -> list[pb.Decision]:
        """Submit, as a till does that keeps no stream; raises what gRPC answers."""
        answer = await TillServiceStub(self.to_gateway).Submit(
            pb.SubmitRequest(operations=operations),
            metadata=self.terminal.metadata,
            timeout=CALL_WITHIN_S,
        )
        return list(answer.decisions)


@dataclass(frozen=True, slots=True)
class House:
    """A running house with two counters; the second is at the last gateway.

    With two loyalty processes, the second counter is so served by the other one.
    """

    suite: Suite
    ledgers: Sequence[Ledger]
    first: Counter
    second: Counter
    purchases: Iterator[Checkout]
    newcomers: Iterator[int]

    def purchase(self) -> Checkout:
        """A recorded basket that no test has used yet; its shopper is a member."""
        return next(self.purchases)

    async def newcomer(self, *, language: str = "de") -> Shopper:
        """A member with a card and without points, who never shops by the recording."""
        shopper = replace(mapping.shopper(next(self.newcomers)), language=language)
        await recorded.enrol_shoppers(self.suite, [shopper])
        return shopper

    def open_till(self, terminal: Terminal) -> Till:
        """Another till under a terminal's name, at the last gateway; to be entered."""
        gateway = self.suite.gateway_targets[-1]
        return Till(gateway, terminal_id=terminal.terminal_id, secret=terminal.secret)

    def streams_opened(self) -> int:
        """How often the gateways have opened their shared streams to loyalty, by their logs."""
        gateways = [each for each in self.suite.processes.values() if "gateway" in each.name]
        return sum(each.log.read_text().count(STREAM_STANDS) for each in gateways)

    async def state(self, *cards: str) -> list[bytes]:
        """What every loyalty process says about these cards and about the whole."""
        return [await ledger.state(cards) for ledger in self.ledgers]

    async def change_of(self, before: list[bytes], *cards: str) -> list[Any]:
        """What is different now; empty when nothing was changed."""
        now = await self.state(*cards)
        return [pair for pair in zip(before, now, strict=True) if pair[0] != pair[1]]


@asynccontextmanager
async def open_house(
    folder: Path, *, database: str, purchases: int, twice: bool = False
) -> AsyncIterator[House]:
    """Starts one loyalty and one gateway, or two of each; recorded shoppers become members.

    `purchases`: so many recorded baskets are there to be taken.
    """
    number = 2 if twice else 1
    async with AsyncExitStack() as closing:
        enter = closing.enter_async_context
        suite = await enter(Suite(folder, database=database, loyalties=number, gateways=number))
        taken = recorded.some(purchases)
        await recorded.enrol(suite, taken)
        yield House(
            suite=suite,
            ledgers=[await enter(ledger_of(suite, loyalty=n + 1)) for n in range(number)],
            first=await enter(_counter(suite, suite.gateway_targets[0])),
            second=await enter(_counter(suite, suite.gateway_targets[-1])),
            purchases=iter(taken),
            newcomers=itertools.count(NEWCOMERS_FROM),
        )


@asynccontextmanager
async def _counter(suite: Suite, gateway: str) -> AsyncIterator[Counter]:
    terminal = await suite.add_terminal()
    async with (
        Till(gateway, terminal_id=terminal.terminal_id, secret=terminal.secret) as till,
        channel(gateway) as to_gateway,
    ):
        yield Counter(terminal=terminal, till=till, to_gateway=to_gateway)
