"""The same keys for different members, at both processes at once and in opposite orders.

The members live in different buckets, so no bucket row keeps the two writers apart: they meet in
the keys alone. Whoever is first has the key, the other one is told so, and neither waits for ever.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from bonpunkt.till import operations as build
from bonpunkt.till.v1 import till_pb2 as pb
from services.loyalty.keys import member_bucket
from tests.end_to_end import outcome
from tests.end_to_end.moved import name_of
from tests.end_to_end.races.twins import Twins, a_basket, a_capture
from tests.end_to_end.recorded import TIMEOUT_MS

MEMBERS = 64
TERMINALS = 4  # at the same time
RECEIPTS = 120  # in a frame: writing so many keys takes a while, in which the other one comes
CARDS = 4  # few: their new members may live in any bucket
TOTAL_MINOR = 2_000


async def test_a_receipt_number_is_one_members(
    twins: Twins, scaled: Callable[[int], int], request: pytest.FixtureRequest
) -> None:
    """A terminal counts for one member here and for another one there."""
    members = await twins.suite.enrol(MEMBERS)
    odd, even = ([m for m in members if member_bucket(m.member_id) % 2 == n] for n in (1, 0))
    rounds, won = scaled(100), Counter[str]()
    for _ in range(rounds):
        frames = []
        for _ in range(TERMINALS):
            baskets = [a_basket(TOTAL_MINOR) for _ in range(RECEIPTS)]
            here = [a_capture(random.choice(even).card, basket) for basket in baskets]
            there = [a_capture(random.choice(odd).card, _other_trip(basket)) for basket in baskets]
            frames.append((here, there))
        won += await _one_of_each(twins, frames, refused="REASON_RECEIPT_REUSED")
    outcome.tell(f"{request.node.name}: {won.total()} receipts, won {dict(won)}")
    assert twins.deadlocks() == 0
    assert won.keys() == {"here", "there"}


async def test_a_fresh_card_is_one_members(
    twins: Twins, scaled: Callable[[int], int], request: pytest.FixtureRequest
) -> None:
    rounds, won = scaled(300), Counter[str]()
    for _ in range(rounds):
        frames = []
        for _ in range(TERMINALS):
            cards = [twins.suite.card() for _ in range(CARDS)]
            here, there = (
                [build.enrol(card, language="de", timeout_ms=TIMEOUT_MS) for card in cards]
                for _ in range(2)
            )
            frames.append((here, there))
        won += await _one_of_each(twins, frames, refused="REASON_CARD_TAKEN")
    outcome.tell(f"{request.node.name}: {won.total()} cards, won {dict(won)}")
    assert twins.deadlocks() == 0


async def _one_of_each(
    twins: Twins,
    frames: Sequence[tuple[Sequence[pb.Operation], Sequence[pb.Operation]]],
    *,
    refused: str,
) -> Counter[str]:
    """Sends each pair of frames by a terminal of its own, the first one to the first process and
    the second one backwards to the other; how often each side won.
    """
    sending = []
    for place, (here, there) in enumerate(frames):
        sending.append(twins.tills[2 * place].send_many(here))
        sending.append(twins.mirrored[2 * place].send_many(there[::-1]))
    answers = await asyncio.gather(*sending)
    won: Counter[str] = Counter()
    for first, second in zip(answers[::2], answers[1::2], strict=True):
        for one, other in zip(first, reversed(second), strict=True):
            names = [name_of(one), name_of(other)]
            assert names.count(refused) == 1, (one, other)
            assert set(names) - {refused} in ({"captured"}, {"enrolled"}), (one, other)
            won["there" if names[0] == refused else "here"] += 1
    return won


def _other_trip(basket: pb.Basket) -> pb.Basket:
    """Of another shopper, under the same receipt number."""
    copy = pb.Basket()
    copy.CopyFrom(basket)
    copy.basket_id = build.new_id()
    return copy
