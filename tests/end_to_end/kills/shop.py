"""A whole shop at work while loyalty dies, which knows afterwards what it was told.

Tills go through every kind of trip with recorded baskets, staff merge and correct. A trip whose
next step hangs on an answer that did not come ends there.
"""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from bonpunkt.loyalty.v1.feed_pb2 import JournalEntry
from bonpunkt.till import operations as build
from bonpunkt.till.v1 import till_pb2 as pb
from services.demo import mapping
from tests.end_to_end import recorded, trips
from tests.end_to_end.counter import NEWCOMERS_FROM
from tests.end_to_end.kills.clerk import Clerk
from tests.end_to_end.ledger import Ledger
from tests.end_to_end.moved import member_of, moved, whole
from tests.end_to_end.office import office_of
from tests.end_to_end.recorded import Checkout
from tests.end_to_end.replay import Cashier, Damage, Replay, cashiers_of, contradictions
from tests.servers.suite import Suite
from tests.servers.waiting import eventually

HOUSEHOLDS, BASKETS = 60, 600
TILLS, CUSTOMERS_A_TILL, CLERKS = 8, 2, 2
WAYS = ("status", "abandon", "repetition")
# The rows that tills and staff ask for; time and second legs leave rows of other kinds.
ASKED_FOR = {
    *("capture", "reserve", "release", "void", "return", "enrol"),
    *("adjust", "merge"),
}

_receipts = itertools.count(1)


@dataclass(slots=True)
class Shop:
    """`strangers` are the rows that were there before it opened."""

    suite: Suite
    cashiers: Sequence[Cashier]
    clerks: Sequence[Clerk]
    cards: list[str]
    purchases: Iterator[Checkout]
    newcomers: Iterator[int]
    strangers: set[str]
    chance: random.Random

    # --- at work ----------------------------------------------------------------------------

    async def work(self, closing: asyncio.Event) -> None:
        """Until `closing`, and then to the end of what was begun."""
        async with asyncio.TaskGroup() as group:
            for cashier in self.cashiers:
                for _ in range(CUSTOMERS_A_TILL):
                    group.create_task(self._serve(cashier, closing))
            for clerk in self.clerks:
                group.create_task(self._give_orders(clerk, closing))

    async def _serve(self, cashier: Cashier, closing: asyncio.Event) -> None:
        while not closing.is_set():
            basket = _anew(next(self.purchases).basket)
            if self.chance.randrange(8) == 0:
                card = mapping.shopper(next(self.newcomers)).card
                trip = trips.joins(card, basket)
            else:
                card = self.chance.choice(self.cards)
                trip = self.chance.choice(trips.OF_MEMBERS)(card, basket)
            await self._walk(cashier, card, trip)

    async def _walk(self, cashier: Cashier, card: str, trip: trips.Trip) -> None:
        operation = next(trip)
        while True:
            await cashier.check_out(operation)
            answer = cashier.decided.get(operation.id)
            if answer is None or answer.HasField("refused"):
                return
            if answer.HasField("enrolled"):
                self.cards.append(card)
                self.chance.choice(self.clerks).members.append(member_of(answer))
            try:
                operation = trip.send(answer)
            except StopIteration:
                return

    async def _give_orders(self, clerk: Clerk, closing: asyncio.Event) -> None:
        while not closing.is_set() and await clerk.order(self.chance):
            pass

    # --- afterwards -------------------------------------------------------------------------

    @property
    def replay(self) -> Replay:
        return Replay(self.cashiers, ())

    @property
    def sent(self) -> set[str]:
        by_tills = {each for cashier in self.cashiers for each in cashier.sent}
        return by_tills | {each for clerk in self.clerks for each in clerk.sent}

    @property
    def told(self) -> set[str]:
        return {*self.replay.decided, *(each for clerk in self.clerks for each in clerk.told)}

    def unknown_by_kind(self) -> Counter[str]:
        kinds = [o.WhichOneof("kind") for c in self.cashiers for o in c.unknown.values()]
        names = [type(o).__name__ for c in self.clerks for o in c.unknown.values()]
        return Counter([kind or "" for kind in kinds] + names)

    async def settle(self) -> Counter[str]:
        """Makes every end certain, as soon as the house answers again; the ways that it took."""
        await eventually(self.cashiers[0].is_served)
        ways = itertools.cycle(self.chance.sample(WAYS, len(WAYS)))
        everybody: list[Cashier | Clerk] = [*self.cashiers, *self.clerks]
        return Counter([way for one in everybody for way in await one.settle(ways)])

    def damage(self, journal: Sequence[JournalEntry]) -> Damage:
        """`phantom` are rows that nobody was told of, or that were told otherwise."""
        rows = [e for e in journal if e.kind in ASKED_FOR and e.operation_id not in self.strangers]
        counted = Counter(row.operation_id for row in rows)
        accepted = self._accepted()
        otherwise = {
            row.operation_id
            for row in rows
            if row.operation_id in accepted and row.accepted != accepted[row.operation_id]
        }
        return Damage(
            lost=accepted.keys() - counted.keys(),
            phantom=(counted.keys() - accepted.keys()) | otherwise,
            doubled={operation_id for operation_id, count in counted.items() if count > 1},
        )

    def _accepted(self) -> dict[str, bool]:
        """Of everything that was answered whether it was accepted; all of it leaves rows."""
        accepted = {key: not each.HasField("refused") for key, each in self.replay.decided.items()}
        for clerk in self.clerks:
            accepted |= {key: ended.booked for key, ended in clerk.told.items()}
        return accepted

    async def contradictions(self) -> list[str]:
        found = await contradictions(self.replay)
        return found + [each for clerk in self.clerks for each in await clerk.contradictions()]

    async def accounts_agree(self, ledger: Ledger) -> None:
        """What everybody was told adds up to what the ledger says of every member."""
        heirs = dict(pair for clerk in self.clerks for pair in clerk.merges())
        points, held = self._points(heirs), self._held(heirs)
        for card in self.cards:
            found = await ledger.member(card)
            assert found.member_id not in heirs, "somebody who was merged"
            assert whole(found.state) == points[found.member_id], card
            assert found.state.held == held[found.member_id], card

    def _points(self, heirs: dict[str, str]) -> Counter[str]:
        points: Counter[str] = Counter()
        for decision in self.replay.decided.values():
            points[_heir(member_of(decision), heirs)] += moved(decision)
        for clerk in self.clerks:
            for member_id, given in clerk.points_given():
                points[_heir(member_id, heirs)] += given
        return points

    def _held(self, heirs: dict[str, str]) -> Counter[str]:
        """By the reservations of which nobody was told that they have ended."""
        still_open: dict[str, pb.Reserved] = {}
        for cashier in self.cashiers:  # in the order of its answers: a trip stays at one till
            for operation_id, decision in cashier.decided.items():
                operation = cashier.sent[operation_id]
                if decision.HasField("reservation"):
                    still_open[operation_id] = decision.reservation
                elif decision.HasField("captured"):
                    still_open.pop(operation.capture.reservation_id, None)
                elif decision.HasField("released"):
                    still_open.pop(operation.release.reservation_id, None)
        held: Counter[str] = Counter()
        for reserved in still_open.values():
            held[_heir(reserved.member.member_id, heirs)] += reserved.points_held
        return held


def _heir(member_id: str, heirs: dict[str, str]) -> str:
    while member_id in heirs:
        member_id = heirs[member_id]
    return member_id


def _anew(recorded_basket: pb.Basket) -> pb.Basket:
    """The recorded basket as another shopping trip's, so that there are always enough."""
    basket = pb.Basket()
    basket.CopyFrom(recorded_basket)
    basket.basket_id = build.new_id()
    basket.receipt_number = f"kills-{next(_receipts)}"
    return basket


@asynccontextmanager
async def open_shop(suite: Suite, ledger: Ledger, *, seed: int) -> AsyncIterator[Shop]:
    """The households that shop first are members; each is named by one clerk's orders at most."""
    purchases = recorded.of_regulars(BASKETS, households=HOUSEHOLDS)
    shoppers = await recorded.enrol(suite, purchases)
    async with AsyncExitStack() as closing:
        cashiers = await closing.enter_async_context(cashiers_of(suite, tills=TILLS))
        office = await closing.enter_async_context(office_of(suite))
        ids = [shopper.member_id for shopper in shoppers]
        yield Shop(
            suite=suite,
            cashiers=cashiers,
            clerks=[Clerk(office, cashiers[n].till, ids[n::CLERKS]) for n in range(CLERKS)],
            cards=[shopper.card for shopper in shoppers],
            purchases=itertools.cycle(purchases),
            newcomers=itertools.count(NEWCOMERS_FROM),
            strangers={entry.operation_id for entry in await ledger.journal()},
            chance=random.Random(seed),
        )
