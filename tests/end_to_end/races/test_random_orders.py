"""Members of every bucket in random orders, at both processes at once: nobody waits in a circle.

Each terminal stands at both gateways and sends everything twice, there in another order. So two
processes want the same bucket rows and insert the same keys, each in its own sequence.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from bonpunkt.till import operations as build
from bonpunkt.till.client import Till
from bonpunkt.till.v1 import till_pb2 as pb
from services.loyalty.keys import BUCKET_COUNT, member_bucket
from tests.end_to_end import outcome
from tests.end_to_end.moved import moved, name_of, whole
from tests.end_to_end.office import a_merge
from tests.end_to_end.races.twins import Twins, with_new_receipt
from tests.end_to_end.recorded import TIMEOUT_MS
from tests.servers.suite import Member

POINTS = 1_000
MEMBERS = 512  # so many that some live in every bucket
PAIRS_A_ROUND = 2
TERMINALS = 6
FRAME = 48  # operations that a terminal sends in one message
RESULTS = {"captured", "reservation", "released", "voided", "returned", "abandoned", "enrolled"}
DOCUMENTED = {
    "REASON_EXCEEDS_AVAILABLE",
    "REASON_RESERVATION_ENDED",
    "REASON_RECEIPT_VOIDED",
    "REASON_RECEIPT_RETURNED",
    "REASON_EXCEEDS_RETURNABLE",
}


@dataclass(slots=True)
class Past:
    """What earlier rounds left behind to be taken back."""

    receipts: list[tuple[str, str]] = field(default_factory=list)  # capture id, business date
    reservations: list[str] = field(default_factory=list)

    def keep(self, operations: Sequence[pb.Operation], decisions: Sequence[pb.Decision]) -> None:
        for operation, decision in zip(operations, decisions, strict=True):
            if decision.HasField("captured"):
                date = operation.capture.basket.business_date
                self.receipts.append((operation.id, date))
            elif decision.HasField("reservation"):
                self.reservations.append(operation.id)


async def test_random_orders_over_all_buckets_end_in_answers(
    twins: Twins, scaled: Callable[[int], int], request: pytest.FixtureRequest
) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    members = await twins.suite.enrol(MEMBERS, opening_points=POINTS)
    assert {member_bucket(each.member_id) for each in members} == set(range(BUCKET_COUNT))
    alive, past, decisions = list(members), Past(), list[pb.Decision]()
    rounds = scaled(80)
    for _ in range(rounds):
        pairs = [_a_pair(alive, chance) for _ in range(PAIRS_A_ROUND)]
        frames = [_a_frame(twins, members, past, chance) for _ in range(TERMINALS)]
        async with asyncio.TaskGroup() as group:
            asked = [
                group.create_task(_both_ways(twins, place, frame, chance))
                for place, frame in enumerate(frames)
            ]
            for pair in pairs:
                group.create_task(_merge_one_way(twins, pair, alive))
        for frame, task in zip(frames, asked, strict=True):
            past.keep(frame, task.result())
            decisions += task.result()
    seen = Counter(map(name_of, decisions))
    outcome.tell(f"{request.node.name}: seed {seed}, {rounds} rounds: {dict(seen)}")
    assert seen.keys() - DOCUMENTED == RESULTS
    assert twins.deadlocks() == 0
    overall = sum([whole((await twins.ledgers[0].member(each.card)).state) for each in alive])
    newcomers = {each.enrolled.member.member_id for each in decisions if each.HasField("enrolled")}
    assert newcomers.isdisjoint(each.member_id for each in alive)
    assert overall == POINTS * MEMBERS + sum(map(moved, decisions))


def _a_pair(alive: list[Member], chance: random.Random) -> Sequence[Member]:
    """Two who are to become one; for this round they are in nobody else's pair."""
    return [alive.pop(chance.randrange(len(alive))) for _ in range(2)]


async def _merge_one_way(twins: Twins, pair: Sequence[Member], alive: list[Member]) -> None:
    """Ordered both ways round, at once; who goes on is alive again."""
    orders = [
        a_merge(survivor_id=survivor.member_id, merged_id=merged.member_id)
        for survivor, merged in (pair, pair[::-1])
    ]
    ended = await asyncio.gather(
        *(office.order(each) for office, each in zip(twins.offices, orders, strict=True))
    )
    booked = [each is not None and each.booked for each in ended]
    assert sorted(booked) == [False, True], ended
    alive.append(pair[booked.index(True)])


def _a_frame(
    twins: Twins, members: Sequence[Member], past: Past, chance: random.Random
) -> list[pb.Operation]:
    """What a terminal sends together: members at random, also those who were merged before."""
    return [_an_operation(twins, chance.choice(members).card, past, chance) for _ in range(FRAME)]


def _an_operation(twins: Twins, card: str, past: Past, chance: random.Random) -> pb.Operation:
    basket = with_new_receipt(next(twins.purchases).basket)
    basket.basket_id = build.new_id()
    kinds = ["capture"] * 6 + ["reserve"] * 2 + ["abandon", "enrol"]
    kinds += ["release"] * 2 if past.reservations else []
    kinds += ["return", "return", "void"] if past.receipts else []
    match chance.choice(kinds):
        case "reserve":
            return build.reserve(card, basket, timeout_ms=TIMEOUT_MS)
        case "abandon":
            return build.abandon(build.new_id(), timeout_ms=TIMEOUT_MS)
        case "enrol":
            return build.enrol(twins.suite.card(), language="en", timeout_ms=TIMEOUT_MS)
        case "release":
            return build.release(chance.choice(past.reservations), timeout_ms=TIMEOUT_MS)
        case "return":
            capture_id, date = chance.choice(past.receipts)
            return build.return_items(
                build.receipt_of(capture_id),
                receipt_number=f"back-{build.new_id()}",
                business_date=date,
                timeout_ms=TIMEOUT_MS,
            )
        case "void":
            capture_id, date = chance.choice(past.receipts)
            receipt = build.receipt_of(capture_id)
            return build.void_receipt(receipt, business_date=date, timeout_ms=TIMEOUT_MS)
    return build.capture(card, basket, redeem="maximum", timeout_ms=TIMEOUT_MS)


async def _both_ways(
    twins: Twins, place: int, frame: Sequence[pb.Operation], chance: random.Random
) -> list[pb.Decision]:
    """The decisions in the order of the frame: at both gateways the same ones, byte for byte."""
    tills = (twins.tills[place], twins.mirrored[place])
    here, there = await asyncio.gather(*(_shuffled(till, frame, chance) for till in tills))
    for operation in frame:
        assert here[operation.id] == there[operation.id], operation
        assert name_of(here[operation.id]) in RESULTS | DOCUMENTED, here[operation.id]
    return [here[operation.id] for operation in frame]


async def _shuffled(
    till: Till, frame: Sequence[pb.Operation], chance: random.Random
) -> dict[str, pb.Decision]:
    sent = chance.sample(frame, len(frame))
    return {each.operation_id: each for each in await till.send_many(sent)}
