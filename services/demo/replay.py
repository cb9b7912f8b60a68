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
        ca: bytes | None = None,
    ) -> None:
        self.figures = Figures()
        self.position = position
        self._gateway, self._ca = gateway, ca
        self._terminals = terminals
        self._products = products
        self._tills: dict[str, Till] = {}
        self._at_the_till: dict[int, asyncio.Lock] = {}  # by household: one till at a time
        self._bought: dict[int, RecordedBasket] = {}  # what each household bought last

    async def run(self, baskets: Iterator[RecordedBasket], *, at_once: int, per_s: float) -> None:
        """Returns when every basket is settled; cancelled, it leaves a position to go on from."""
        pace = Pace(per_s)
        async with contextlib.AsyncExitStack() as hang_up:
            shared = await hang_up.enter_async_context(channel(self._gateway, ca=self._ca))

            async def customers() -> None:
                for recorded in baskets:  # one iterator, shared by all
                    # whoever comes first to the lock is served first, as in the recording
                    async with self._at_the_till.setdefault(recorded.household_id, asyncio.Lock()):
                        await pace.turn()
                        counter = await self._till(recorded, hang_up, shared)
                        await self._serve(recorded, counter)

            async with asyncio.TaskGroup() as group:
                for _ in range(at_once):
                    group.create_task(customers())

    async def _serve(self, recorded: RecordedBasket, counter: Till) -> None:
        """Everything that one customer does at a till, to its end."""
        before = self._bought.get(recorded.household_id)
        self._bought[recorded.household_id] = recorded
        try:
            if mapping.joins_at_till(recorded.household_id) and before is None:
                await self._beside(_enrolment(recorded), counter)
            if before is not None and mapping.brings_back(recorded):
                await self._bring_back(before, recorded, counter)
            await self._check_out(recorded, counter)
            if mapping.is_voided(recorded):
                await self._beside(_void(recorded), counter)
        except Unsettled:
            self.figures.unsettled += 1
            return
        self.position.settle(recorded.number)

    async def _bring_back(
        self, bought: RecordedBasket, recorded: RecordedBasket, counter: Till
    ) -> None:
        whole = recorded.number % 2 == 0
        line = mapping.brought_back(mapping.basket(bought, self._products), whole=whole)
        if line is not None and not mapping.is_voided(bought):
            await self._beside(_return(bought, line, recorded), counter)

    async def _check_out(self, recorded: RecordedBasket, counter: Till) -> None:
        """What a till does with one basket: who is it, what could they redeem, reserve, pay."""
        basket = mapping.basket(recorded, self._products)
        card = mapping.shopper(recorded.household_id).card
        for question in (build.identify(card), build.quote(card, basket)):
            question.occurred_at.FromDatetime(recorded.recorded_at)
            with contextlib.suppress(TillError):  # the customer pays anyway
                await counter.send(question)
        reservation_id = await self._reserve(card, basket, recorded, counter)
        capture = build.capture(
            card,
            basket,
            redeem="maximum" if mapping.redeems(recorded) else None,
            reservation_id=reservation_id,
            operation_id=mapping.capture_id(recorded),
            occurred_at=recorded.recorded_at,
        )
        begun_s = time.perf_counter()  # the loop's own time is whole milliseconds with uvloop
        decision = await counter.settle(capture, within_s=SETTLE_WITHIN_S)
        now_s = time.perf_counter()
        self.figures.note(decision, took_ms=(now_s - begun_s) * 1000, now_s=now_s)

    async def _reserve(
        self, card: str, basket: pb.Basket, recorded: RecordedBasket, counter: Till
    ) -> str:
        """The id of a reservation to be captured; empty if there is none."""
        if not mapping.reserves(recorded):
            return ""
        reserve = build.reserve(
            card,
            basket,
            operation_id=mapping.operation_id("reserve", recorded),
            occurred_at=recorded.recorded_at,
        )
        decision = await self._beside(reserve, counter)
        if not decision.HasField("reservation"):
            return ""
        if not mapping.hesitates(recorded):
            return reserve.id
        release = build.release(
            reserve.id,
            operation_id=mapping.operation_id("release", recorded),
            occurred_at=recorded.recorded_at,
        )
        await self._beside(release, counter)
        return ""

    async def _beside(self, operation: pb.Operation, counter: Till) -> pb.Decision:
        decision = await counter.settle(operation, within_s=SETTLE_WITHIN_S)
        self.figures.note_beside(decision)
        return decision

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


def _enrolment(recorded: RecordedBasket) -> pb.Operation:
    shopper = mapping.shopper(recorded.household_id)
    return build.enrol(
        shopper.card,
        language=shopper.language,
        operation_id=shopper.enrolment_id,
        occurred_at=recorded.recorded_at,
    )


def _void(recorded: RecordedBasket) -> pb.Operation:
    return build.void_receipt(
        build.receipt_of(mapping.capture_id(recorded)),
        business_date=recorded.recorded_at.date(),
        operation_id=mapping.operation_id("void", recorded),
        occurred_at=recorded.recorded_at,
    )


def _return(
    bought: RecordedBasket, line: tuple[str, int], recorded: RecordedBasket
) -> pb.Operation:
    """A line of the purchase before, brought along to this one."""
    return build.return_items(
        build.receipt_of(mapping.capture_id(bought)),
        [build.return_line(*line)],
        receipt_number=f"R{recorded.basket_id}",
        business_date=recorded.recorded_at.date(),
        operation_id=mapping.operation_id("return", recorded),
        occurred_at=recorded.recorded_at,
    )
