"""Simulated tills: recorded baskets, checked out over real gRPC streams, each to its end."""

import asyncio
import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import grpc

from bonpunkt.till import operations as build
from bonpunkt.till.client import Till, TillError, Unsettled
from bonpunkt.till.v1 import till_pb2 as pb
from services.demo import mapping
from services.demo.figures import Figures
from services.demo.folder import Terminal
from services.demo.recordings import Product, RecordedBasket
from services.runtime.grpc import channel

SETTLE_WITHIN_S = 60.0


@dataclass(slots=True)
class Position:
    """Up to where the recording is settled without a gap; what is settled beyond is repeated."""

    baskets: int
    _beyond: set[int] = field(default_factory=set)

    def settle(self, number: int) -> None:
        self._beyond.add(number)
        while self.baskets in self._beyond:
            self._beyond.remove(self.baskets)
            self.baskets += 1


class Pace:
    """Spreads checkouts over time: at most `per_s` begin in a second; 0 is as fast as possible."""

    def __init__(self, per_s: float) -> None:
        self._step_s = 1 / per_s if per_s else 0.0
        self._next_s = 0.0

    async def turn(self) -> None:
        if not self._step_s:
            return
        now_s = asyncio.get_running_loop().time()
        self._next_s = max(self._next_s + self._step_s, now_s)
        await asyncio.sleep(self._next_s - now_s)


class Replay:
    """Checks out baskets at the tills of their stores, `at_once` of them at any time."""

    def __init__(
        self,
        *,
        gateway: str,
        terminals: Mapping[str, Terminal],
        products: Mapping[int, Product],
        position: Position,
    ) -> None:
        self.figures = Figures()
        self.position = position
        self._gateway = gateway
        self._terminals = terminals
        self._products = products
        self._tills: dict[str, Till] = {}

    async def run(self, baskets: Iterator[RecordedBasket], *, at_once: int, per_s: float) -> None:
        """Returns when every basket is settled; cancelled, it leaves a position to go on from."""
        pace = Pace(per_s)
        async with contextlib.AsyncExitStack() as hang_up:
            shared = await hang_up.enter_async_context(channel(self._gateway))

            async def customers() -> None:
                for recorded in baskets:  # one iterator, shared by all
                    await pace.turn()
                    await self._check_out(recorded, await self._till(recorded, hang_up, shared))

            async with asyncio.TaskGroup() as group:
                for _ in range(at_once):
                    group.create_task(customers())

    async def _check_out(self, recorded: RecordedBasket, counter: Till) -> None:
        """What a till does with one customer: who is it, what could they redeem, pay."""
        basket = mapping.basket(recorded, self._products)
        card = mapping.shopper(recorded.household_id).card
        for question in (build.identify(card), build.quote(card, basket)):
            question.occurred_at.FromDatetime(recorded.recorded_at)
            with contextlib.suppress(TillError):  # the customer pays anyway
                await counter.send(question)
        capture = build.capture(
            card,
            basket,
            redeem="maximum" if mapping.redeems(recorded) else None,
            operation_id=mapping.capture_id(recorded),
            occurred_at=recorded.recorded_at,
        )
        await self._settle(capture, counter, recorded.number)

    async def _settle(self, capture: pb.Operation, counter: Till, number: int) -> None:
        begun_s = time.perf_counter()  # the loop's own time is whole milliseconds with uvloop
        try:
            decision = await counter.settle(capture, within_s=SETTLE_WITHIN_S)
        except Unsettled:
            self.figures.unsettled += 1
            return
        now_s = time.perf_counter()
        self.figures.note(decision, took_ms=(now_s - begun_s) * 1000, now_s=now_s)
        self.position.settle(number)

    async def _till(
        self,
        recorded: RecordedBasket,
        hang_up: contextlib.AsyncExitStack,
        shared: grpc.aio.Channel,
    ) -> Till:
        """The till at which the basket is checked out, connected at its first customer."""
        name = mapping.till_of(recorded)
        if name not in self._tills:
            terminal = self._terminals[name]
            self._tills[name] = Till(
                self._gateway,
                terminal_id=terminal.terminal_id,
                secret=terminal.secret,
                channel=shared,
            )
            await hang_up.enter_async_context(self._tills[name])
        return self._tills[name]
