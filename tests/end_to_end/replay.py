"""Many tills check out recorded baskets while processes die, and keep account of what they hear.

A till knows an answer or it does not. What it does not know, it settles afterwards in one of three
ways: it asks Status, it abandons, or it repeats. Then the tills' own account must be the ledger's.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from bonpunkt.loyalty.v1.feed_pb2 import JournalEntry
from bonpunkt.till import operations as build
from bonpunkt.till.client import Till, TillError
from bonpunkt.till.v1 import till_pb2 as pb
from tests.end_to_end.recorded import Checkout
from tests.servers.suite import Suite
from tests.servers.waiting import eventually

TILLS = 8
CUSTOMERS_A_TILL = 2
FRAME = 64  # operations that a till asks about together
SETTLE_WITHIN_S = 60.0


@dataclass(slots=True)
class Cashier:
    """One till and its own account: what it sent, what it was told, what it does not know."""

    till: Till
    sent: dict[str, pb.Operation] = field(default_factory=dict)
    decided: dict[str, pb.Decision] = field(default_factory=dict)
    abandoned: set[str] = field(default_factory=set)
    unknown: dict[str, pb.Operation] = field(default_factory=dict)

    async def check_out(self, operation: pb.Operation) -> None:
        """One attempt; whatever is no answer leaves the operation unknown."""
        self.sent[operation.id] = operation
        try:
            decision = await self.till.send(operation)
        except TillError:
            self.unknown[operation.id] = operation
            return
        if decision.HasField("undecided"):
            self.unknown[operation.id] = operation
        else:
            self.decided[operation.id] = decision

    async def is_served(self) -> bool:
        """Whether the house answers again; asks for an operation that never was."""
        try:
            return (await self.till.status(build.new_id())).HasField("status_found")
        except TillError:
            return False

    async def settle(self, ways: Iterator[str]) -> Sequence[str]:
        """Makes every unknown end certain, each in the next way; returns the ways taken."""
        taken = []
        for operation in list(self.unknown.values()):
            taken.append(await getattr(self, f"_settle_by_{next(ways)}")(operation))
            del self.unknown[operation.id]
        return taken

    async def _settle_by_status(self, operation: pb.Operation) -> str:
        """Unknown is provisional, so what Status does not know is repeated."""
        found = (await self.till.status(operation.id)).status_found
        if found.state == pb.StatusFound.STATE_DECIDED:
            self.decided[operation.id] = found.decision
            return "status: booked"
        assert found.state == pb.StatusFound.STATE_UNKNOWN
        await self._settle_by_repetition(operation)
        return "status: not booked"

    async def _settle_by_abandon(self, operation: pb.Operation) -> str:
        answer = (await self.till.abandon(operation.id)).abandoned
        if answer.abandoned:
            self.abandoned.add(operation.id)
            return "abandon: burnt"
        self.decided[operation.id] = answer.decision
        return "abandon: booked"

    async def _settle_by_repetition(self, operation: pb.Operation) -> str:
        self.decided[operation.id] = await self.till.settle(operation, within_s=SETTLE_WITHIN_S)
        return "repetition"


class Replay:
    """Recorded baskets at these cashiers, up to a limit that moves."""

    def __init__(self, cashiers: Sequence[Cashier], purchases: Sequence[Checkout]) -> None:
        self.cashiers = cashiers
        self.purchases = purchases
        self.limit = 0
        self._tried = asyncio.Condition()

    async def run(self) -> None:
        """Returns when every basket was tried once. After a fault, tills wait for the house."""
        numbered = enumerate(self.purchases)  # one iterator, shared by all

        async def customers(cashier: Cashier) -> None:
            for number, purchase in numbered:
                await self._may_try(number)
                operation = purchase.capture()
                await cashier.check_out(operation)
                if operation.id in cashier.unknown:
                    await eventually(cashier.is_served)
                async with self._tried:
                    self._tried.notify_all()

        async with asyncio.TaskGroup() as group:
            for cashier in self.cashiers:
                for _ in range(CUSTOMERS_A_TILL):
                    group.create_task(customers(cashier))

    async def _may_try(self, number: int) -> None:
        async with self._tried:
            await self._tried.wait_for(lambda: number < self.limit)

    async def go_on(self, *, until: int, limit: int) -> None:
        """Lets baskets up to the one numbered `limit` be tried; returns when `until` were."""
        assert until <= limit <= len(self.purchases), "nobody waits for more than there is"
        async with self._tried:
            self.limit = limit
            self._tried.notify_all()
            await self._tried.wait_for(lambda: self.tried >= until)

    async def settle(self) -> list[str]:
        """Every unknown end is made certain: by Status, by Abandon, by repetition, in turn."""
        ways = itertools.cycle(("status", "abandon", "repetition"))
        return [way for cashier in self.cashiers for way in await cashier.settle(ways)]

    @property
    def decided(self) -> dict[str, pb.Decision]:
        return {key: each for cashier in self.cashiers for key, each in cashier.decided.items()}

    @property
    def abandoned(self) -> set[str]:
        return {each for cashier in self.cashiers for each in cashier.abandoned}

    @property
    def tried(self) -> int:
        """How many operations have had their first attempt."""
        return sum(len(each.decided) + len(each.unknown) for each in self.cashiers)

    @property
    def unknown(self) -> int:
        """How many operations have no certain end."""
        return sum(len(cashier.unknown) for cashier in self.cashiers)

    def points_by_member(self) -> dict[str, int]:
        """What the tills' answers add up to."""
        points: dict[str, int] = {}
        for decision in self.decided.values():
            captured = decision.captured
            member_id = captured.member.member_id
            balance = points.get(member_id, 0) + captured.points_earned - captured.points_redeemed
            points[member_id] = balance
        return points


@dataclass(frozen=True, slots=True)
class Damage:
    """What the ledger and the tills do not agree about; all of it empty is what we promise."""

    lost: set[str]
    phantom: set[str]
    doubled: set[str]

    def __str__(self) -> str:
        return f"lost {len(self.lost)}, phantom {len(self.phantom)}, doubled {len(self.doubled)}"


def damage(replay: Replay, journal: Sequence[JournalEntry]) -> Damage:
    """`lost`: answered, but no row. `phantom`: a row of no answer. `doubled`: more than one row."""
    rows: dict[str, int] = {}
    for entry in journal:
        if entry.kind == "capture":
            rows[entry.operation_id] = rows.get(entry.operation_id, 0) + 1
    told = replay.decided.keys()
    return Damage(
        lost=told - rows.keys(),
        phantom=rows.keys() - told,
        doubled={operation_id for operation_id, count in rows.items() if count > 1},
    )


async def contradictions(replay: Replay) -> list[str]:
    """Asks again for everything, by Status and by repetition; what differs from the first answer.

    Byte by byte: the same id has the same answer for ever. An abandoned one has none, for ever.
    """
    found = []
    for cashier in replay.cashiers:
        async for operation_id, status, again in _asked_again(cashier, cashier.decided):
            first = _bytes(cashier.decided[operation_id])
            if (_bytes(status.decision), _bytes(again)) != (first, first):
                found.append(f"{operation_id} was decided; now: {status}, {again}")
        async for operation_id, status, again in _asked_again(cashier, cashier.abandoned):
            now = (status.state, again.refused.reason)
            if now != (pb.StatusFound.STATE_ABANDONED, pb.REASON_ABANDONED):
                found.append(f"{operation_id} was abandoned; now: {status}, {again}")
    return found


async def _asked_again(
    cashier: Cashier, ids: Iterable[str]
) -> AsyncIterator[tuple[str, pb.StatusFound, pb.Decision]]:
    """Each id with what Status says of it and with the answer to its repetition."""
    for frame in _framed(ids):
        statuses = await cashier.till.send_many([build.status(each) for each in frame])
        repeated = await cashier.till.send_many([cashier.sent[each] for each in frame])
        for each, status, again in zip(frame, statuses, repeated, strict=True):
            yield each, status.status_found, again


def _framed(ids: Iterable[str]) -> Iterator[list[str]]:
    rest = list(ids)
    while rest:
        yield rest[:FRAME]
        rest = rest[FRAME:]


def _bytes(decision: pb.Decision) -> bytes:
    return decision.SerializeToString(deterministic=True)


@asynccontextmanager
async def cashiers_of(suite: Suite, *, tills: int = TILLS) -> AsyncIterator[list[Cashier]]:
    """So many tills, in turn at the gateways."""
    async with AsyncExitStack() as closing:
        terminals = await asyncio.gather(*(suite.add_terminal() for _ in range(tills)))
        gateways = itertools.cycle(suite.gateway_targets)
        yield [
            Cashier(
                await closing.enter_async_context(
                    Till(gateway, terminal_id=terminal.terminal_id, secret=terminal.secret)
                )
            )
            for terminal, gateway in zip(terminals, gateways, strict=False)
        ]
