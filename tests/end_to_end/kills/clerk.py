"""Staff at work while loyalty dies: merges and corrections, and an account of how they ended."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bonpunkt.loyalty.v1 import member_pb2
from bonpunkt.till.client import Till
from bonpunkt.till.v1 import till_pb2 as pb
from tests.end_to_end.office import Ended, Office, Order, a_merge, an_adjustment
from tests.servers.waiting import eventually

ADJUSTED_BY = (50, 7, -3)
MERGES_EVERY = 5  # orders


@dataclass(slots=True)
class Clerk:
    """Orders for members of their own; `till` is where they ask what became of an order."""

    office: Office
    till: Till
    members: list[str]  # whom an order may name: nobody who may have been merged
    sent: dict[str, Order] = field(default_factory=dict)
    told: dict[str, Ended] = field(default_factory=dict)
    abandoned: set[str] = field(default_factory=set)
    unknown: dict[str, Order] = field(default_factory=dict)

    async def order(self, chance: random.Random) -> bool:
        """One attempt at the next order; whether it was answered."""
        order = self._next(chance)
        self.sent[order.operation_id] = order
        ended = await self.office.order(order)
        if ended is None:
            self.unknown[order.operation_id] = order
        else:
            self.told[order.operation_id] = ended
        return ended is not None

    def _next(self, chance: random.Random) -> Order:
        if len(self.sent) % MERGES_EVERY == 0 and len(self.members) > 2:
            merged, survivor = chance.sample(self.members, 2)
            self.members.remove(merged)
            return a_merge(survivor_id=survivor, merged_id=merged)
        return an_adjustment(chance.choice(self.members), chance.choice(ADJUSTED_BY))

    async def settle(self, ways: Iterator[str]) -> Sequence[str]:
        """Makes every unknown end certain, each in the next way; returns the ways taken."""
        taken = []
        for order in list(self.unknown.values()):
            taken.append(await getattr(self, f"_settle_by_{next(ways)}")(order))
            del self.unknown[order.operation_id]
        return taken

    async def _settle_by_status(self, order: Order) -> str:
        """Unknown is provisional, so what Status does not know is repeated."""
        found = (await self.till.status(order.operation_id)).status_found
        if found.state == pb.StatusFound.STATE_UNKNOWN:
            await self._settle_by_repetition(order)
            return "status: not booked"
        self.told[order.operation_id] = _ended(found.decision)
        return "status: booked"

    async def _settle_by_abandon(self, order: Order) -> str:
        answer = (await self.till.abandon(order.operation_id)).abandoned
        if answer.abandoned:
            self.abandoned.add(order.operation_id)
            return "abandon: burnt"
        self.told[order.operation_id] = _ended(answer.decision)
        return "abandon: booked"

    async def _settle_by_repetition(self, order: Order) -> str:
        async def is_answered() -> bool:
            ended = await self.office.order(order)
            if ended is not None:
                self.told[order.operation_id] = ended
            return ended is not None

        await eventually(is_answered)
        return "repetition"

    async def contradictions(self) -> list[str]:
        """Asks again for everything; what differs from the first answer."""
        found = []
        for operation_id, first in self.told.items():
            status = (await self.till.status(operation_id)).status_found
            again = await self.office.order(self.sent[operation_id])
            if _ended(status.decision).booked != first.booked or again != first:
                found.append(f"{operation_id} ended as {first}; now: {status}, {again}")
        for operation_id in self.abandoned:
            status = (await self.till.status(operation_id)).status_found
            again = await self.office.order(self.sent[operation_id])
            if status.state != pb.StatusFound.STATE_ABANDONED or again is None or again.booked:
                found.append(f"{operation_id} was abandoned; now: {status}, {again}")
        return found

    def points_given(self) -> Iterator[tuple[str, int]]:
        """Whom corrections were booked for, and how many points."""
        for operation_id, ended in self.told.items():
            order = self.sent[operation_id]
            if ended.booked and isinstance(order, member_pb2.AdjustPointsRequest):
                yield order.member_id, order.points

    def merges(self) -> Iterator[tuple[str, str]]:
        """Who was merged, and who went on."""
        for operation_id, ended in self.told.items():
            order = self.sent[operation_id]
            if ended.booked and isinstance(order, member_pb2.MergeMembersRequest):
                yield order.merged_id, order.survivor_id


def _ended(decision: pb.Decision) -> Ended:
    """A till that asks learns whether it was refused, and in the ledger's words why."""
    assert decision.WhichOneof("result") in ("identified", "refused"), decision
    refused = decision.refused
    if decision.HasField("refused"):
        return Ended(booked=False, words=f"{refused.field}: {refused.remedy}")
    return Ended(booked=True)
