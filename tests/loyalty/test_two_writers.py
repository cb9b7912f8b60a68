"""Two loyalty processes on one PostgreSQL: any number may decide, each thing happens once."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from bonpunkt.till import operations
from services.loyalty.answers import Answer
from services.loyalty.domain.command import Command
from services.loyalty.domain.decision import Burnt, Captured, Decision, Enrolled, Refusal, Refused
from services.loyalty.keys import member_bucket
from tests.loyalty.ledgers import (
    Ledger,
    a_block,
    a_capture,
    an_abandon,
    an_enrolment,
    opened,
    wire,
)
from tests.scale import scaled
from tests.servers.deadlocks import deadlocks

ROUNDS = scaled(300)


@dataclass(frozen=True, slots=True)
class Pair:
    first: Ledger
    second: Ledger

    async def answers(
        self, ones: list[Command], others: list[Command]
    ) -> tuple[list[Answer], list[Answer]]:
        """Both at the same time."""
        return await asyncio.gather(self.first.answers(*ones), self.second.answers(*others))


@pytest.fixture
async def pair(postgres_ledger_url: str) -> AsyncIterator[Pair]:
    """At the end the books balance, and the database saw no deadlock."""
    before = deadlocks(postgres_ledger_url)
    async with opened(postgres_ledger_url) as first, opened(postgres_ledger_url) as second:
        yield Pair(first, second)
        await first.verified()
    assert deadlocks(postgres_ledger_url) == before


def shuffled(commands: list[Command], seed: int) -> list[Command]:
    return random.Random(seed).sample(commands, len(commands))


def outcome(decision: Decision | None) -> str:
    return decision.reason.name if isinstance(decision, Refused) else type(decision).__name__


async def test_one_id_sent_to_both_is_one_effect_and_one_answer(pair: Pair) -> None:
    """Every round in another order, so that keys collide at every place of a batch."""
    members = await pair.first.enrolled(*(f"card-{n}" for n in range(12)))
    for seed in range(ROUNDS):
        captures: list[Command] = [a_capture(e.card, 2000) for e in members]

        ones, others = await pair.answers(shuffled(captures, seed), shuffled(captures, -seed))

        told = {answer.decision.member.member_id: wire("", answer) for answer in ones}  # type: ignore[union-attr]
        again = {answer.decision.member.member_id: wire("", answer) for answer in others}  # type: ignore[union-attr]
        assert told == again
    assert len(await pair.first.journal("capture")) == ROUNDS * len(members)


async def test_two_requests_under_one_id_are_one_purchase(pair: Pair) -> None:
    """Other basket, card of another bucket, other terminal: one of them has the id."""
    members = await pair.first.enrolled(*(f"card-{n}" for n in range(8)))
    assert len({member_bucket(e.member_id) for e in members}) > 1
    for seed in range(ROUNDS):
        ids = [operations.new_id() for _ in members]
        ones: list[Command] = [
            a_capture(e.card, operation_id=i) for e, i in zip(members, ids, strict=True)
        ]
        others: list[Command] = [
            a_capture(e.card, operation_id=i, terminal_id="till-2")
            for e, i in zip(reversed(members), ids, strict=True)
        ]

        answers = await pair.answers(shuffled(ones, seed), shuffled(others, seed + 1))

        outcomes = Counter(outcome(a.decision) for side in answers for a in side)
        assert outcomes == {"Captured": 8, "KEY_REUSED": 8}


async def test_one_receipt_sent_to_both_under_two_ids_is_one_purchase(pair: Pair) -> None:
    members = await pair.first.enrolled(*(f"card-{n}" for n in range(8)))
    for seed in range(ROUNDS):
        numbers = [f"{seed}-{n}" for n in range(8)]
        ones, others = (
            shuffled(
                [
                    a_capture(e.card, receipt_number=number)
                    for e, number in zip(owners, numbers, strict=True)
                ],
                seed,
            )
            for owners in (members, members[::-1])
        )

        answers = await pair.answers(ones, others)

        outcomes = Counter(outcome(a.decision) for side in answers for a in side)
        assert outcomes == {"Captured": 8, "RECEIPT_REUSED": 8}


async def test_points_are_spent_once(pair: Pair) -> None:
    """100 points each, and both processes want them all."""
    members = await pair.first.enrolled(*(f"card-{n}" for n in range(8)))
    for seed in range(ROUNDS):
        await pair.first.answers(*(a_capture(e.card, 20_000) for e in members))
        ones, others = (
            shuffled([a_capture(e.card, 100, redeem=100) for e in members], side)
            for side in (seed, -seed)
        )

        answers = await pair.answers(ones, others)

        outcomes = Counter(outcome(a.decision) for side in answers for a in side)
        assert outcomes == {"Captured": 8, "EXCEEDS_AVAILABLE": 8}
        assert [await pair.second.available(e.card) for e in members] == [0] * 8


async def test_a_card_is_given_to_one_member(pair: Pair) -> None:
    for seed in range(ROUNDS):
        cards = [f"card-{seed}-{n}" for n in range(8)]

        ones, others = await pair.answers(
            shuffled([an_enrolment(card) for card in cards], seed),
            shuffled([an_enrolment(card) for card in cards], -seed),
        )

        outcomes = Counter(outcome(a.decision) for a in (*ones, *others))
        assert outcomes == {"Enrolled": 8, "CARD_TAKEN": 8}


async def test_a_member_id_is_given_once(pair: Pair) -> None:
    for seed in range(ROUNDS):
        ids = [operations.new_id() for _ in range(8)]

        ones, others = await pair.answers(
            shuffled([an_enrolment(f"a-{i}", member_id=i) for i in ids], seed),
            shuffled([an_enrolment(f"b-{i}", member_id=i) for i in ids], -seed),
        )

        outcomes = Counter(outcome(a.decision) for a in (*ones, *others))
        assert outcomes == {"Enrolled": 8, "MEMBER_EXISTS": 8}


async def test_either_the_original_is_decided_or_its_id_is_burnt(pair: Pair) -> None:
    """What both tell agrees: a capture and "already decided", or a refusal and "burnt"."""
    members = await pair.first.enrolled(*(f"card-{n}" for n in range(8)))
    seen: Counter[str] = Counter()
    for seed in range(ROUNDS):
        captures = [a_capture(e.card) for e in members]
        abandons: list[Command] = [an_abandon(c.operation_id) for c in shuffled([*captures], seed)]
        before: list[Command] = [a_capture(members[0].card) for _ in range(seed % 5)]

        originals, burnt = await pair.answers([*before, *captures], abandons)

        told = {c.operation_id: a for c, a in zip([*before, *captures], originals, strict=True)}
        for abandon, answer in zip(abandons, burnt, strict=True):
            original = told[abandon.target_id]  # type: ignore[union-attr]
            seen[outcome(original.decision)] += 1
            if isinstance(original.decision, Captured):
                assert answer.original == original
            else:
                assert outcome(original.decision) == "ABANDONED"
                assert isinstance(answer.decision, Burnt)
    assert sum(seen.values()) == ROUNDS * len(members)


async def test_a_block_by_one_is_seen_by_the_other_at_once(pair: Pair) -> None:
    (enrolment,) = await pair.first.enrolled("card")
    assert await pair.second.available("card") == 0
    assert isinstance(await pair.second.decision(a_capture("card")), Captured)

    await pair.first.decision(a_block(enrolment.member_id))

    refused = await pair.second.decision(a_capture("card"))
    assert isinstance(refused, Refused)
    assert refused.reason is Refusal.CARD_NOT_ACCEPTED


async def test_an_enrolment_by_one_is_known_to_the_other_at_once(pair: Pair) -> None:
    refused = await pair.second.decision(a_capture("card"))
    assert isinstance(refused, Refused), "and it does not remember that the card was unknown"

    assert isinstance(await pair.first.decision(an_enrolment("card")), Enrolled)

    assert isinstance(await pair.second.decision(a_capture("card")), Captured)


async def test_a_mixed_crowd_on_few_members_keeps_every_invariant(pair: Pair) -> None:
    """Captures, repeats at the other process, abandons and blocks, all at once."""
    members = await pair.first.enrolled(*(f"card-{n}" for n in range(3)))
    for seed in range(ROUNDS):
        chance = random.Random(seed)
        commands: list[Command] = []
        for _ in range(20):
            capture = a_capture(
                chance.choice(members).card,
                chance.choice([0, 200, 2000]),
                redeem=chance.choice([None, 1, "maximum"]),
            )
            commands.append(capture)
            if chance.random() < 1 / 3:
                commands.append(an_abandon(capture.operation_id))
        commands.append(a_block(members[0].member_id, blocked=seed % 2 == 0))

        ones, others = await pair.answers(shuffled(commands, seed), shuffled(commands, -seed))

        assert all(answer.cause is None for answer in (*ones, *others))
