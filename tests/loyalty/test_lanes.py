"""Several writers of one process decide what one would have decided."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence

import pytest

from bonpunkt.till import operations
from services.loyalty.answers import Answer, Cause, Item
from services.loyalty.clock import SystemClock
from services.loyalty.domain.command import Command
from services.loyalty.domain.decision import Burnt, Captured, Enrolled, Refusal, Refused
from services.loyalty.keys import BUCKET_COUNT, Key
from services.loyalty.lanes import Lanes
from services.loyalty.store import Located, Store, StoreLostError, open_store
from services.loyalty.writer import QUEUE_MAX
from tests.loyalty.ledgers import (
    Ledger,
    a_block,
    a_capture,
    an_abandon,
    an_enrolment,
    member_id_in,
    opened,
    wire,
)
from tests.scale import scaled

CARD = "2900000000018"


@pytest.fixture(params=[1, 2, 5, BUCKET_COUNT])
async def lanes(request: pytest.FixtureRequest, postgres_ledger_url: str) -> AsyncIterator[Ledger]:
    async with opened(postgres_ledger_url, lanes=request.param) as ledger:
        yield ledger
        await ledger.verified()


async def everywhere(ledger: Ledger) -> list[str]:
    """Cards of members in every bucket, so in every lane."""
    enrolments = [an_enrolment(f"c-{b}", member_id=member_id_in(b)) for b in range(BUCKET_COUNT)]
    answers = await ledger.answers(*enrolments)
    assert all(isinstance(answer.decision, Enrolled) for answer in answers)
    return [enrolment.card for enrolment in enrolments]


def outcome(answer: Answer) -> str:
    decision = answer.decision
    return decision.reason.name if isinstance(decision, Refused) else type(decision).__name__


async def test_operations_of_one_card_are_decided_in_their_order(lanes: Ledger) -> None:
    """Also the first ones, whose card nobody knows yet."""
    cards = await everywhere(lanes)
    commands = [a_capture(card, 200) for _ in range(20) for card in cards]

    answers = await lanes.answers(*commands)

    for place, card in enumerate(cards):
        versions = [answer.decision.member.version for answer in answers[place :: len(cards)]]  # type: ignore[union-attr]
        assert versions == list(range(2, 22)), card


async def test_one_id_in_two_lanes_is_one_purchase(lanes: Ledger) -> None:
    """The same id with cards of two buckets, at once: one has it, the other is told so."""
    cards = await everywhere(lanes)
    for seed in range(scaled(100)):
        ids = [operations.new_id() for _ in range(8)]
        pairs = [random.Random(f"{seed} {i}").sample(cards, 2) for i in ids]
        commands = [
            a_capture(card, operation_id=i)
            for i, pair in zip(ids, pairs, strict=True)
            for card in pair
        ]

        answers = await lanes.answers(*commands)

        assert Counter(map(outcome, answers)) == {"Captured": 8, "KEY_REUSED": 8}


async def test_one_receipt_in_two_lanes_is_one_purchase(lanes: Ledger) -> None:
    cards = await everywhere(lanes)
    commands = [a_capture(card, receipt_number="R-1") for card in cards]

    answers = await lanes.answers(*commands)

    assert Counter(map(outcome, answers)) == {
        "Captured": 1,
        "RECEIPT_REUSED": BUCKET_COUNT - 1,
    }


async def test_a_repeat_is_the_same_answer(lanes: Ledger) -> None:
    cards = await everywhere(lanes)
    commands = [a_capture(card, 2000, redeem="maximum") for card in cards]

    first = await lanes.answers(*commands, *commands)
    again = await lanes.answers(*reversed(commands))

    told = [wire("", answer) for answer in first]
    assert told[: len(cards)] == told[len(cards) :]
    assert told[: len(cards)] == [wire("", answer) for answer in reversed(again)]


async def test_original_and_abandon_in_two_lanes_agree(lanes: Ledger) -> None:
    cards = await everywhere(lanes)
    for _ in range(scaled(50)):
        captures = [a_capture(card, 200) for card in cards]
        abandons = [an_abandon(c.operation_id) for c in captures]

        answers = await lanes.answers(*abandons, *captures)

        burnt, originals = answers[: len(cards)], answers[len(cards) :]
        for abandon, original in zip(burnt, originals, strict=True):
            if isinstance(abandon.decision, Burnt):
                assert outcome(original) == "ABANDONED"
            else:
                assert isinstance(original.decision, Captured)
                assert abandon.original == original


async def test_an_unknown_card_is_refused_and_known_once_it_is_enrolled(lanes: Ledger) -> None:
    assert outcome(await lanes.answer(a_capture(CARD))) == "CARD_NOT_ACCEPTED"

    await lanes.enrolled(CARD)

    assert outcome(await lanes.answer(a_capture(CARD))) == "Captured"


async def test_a_blocked_member_is_refused_in_their_lane(lanes: Ledger) -> None:
    (enrolment,) = await lanes.enrolled(CARD)
    await lanes.answer(a_capture(CARD))
    await lanes.answer(a_block(enrolment.member_id))

    refused = await lanes.decision(a_capture(CARD))

    assert isinstance(refused, Refused)
    assert refused.reason is Refusal.CARD_NOT_ACCEPTED


async def test_a_late_operation_of_an_unknown_card_expires(lanes: Ledger) -> None:
    assert await lanes.answer(a_capture("nobody"), timeout_s=0) == Answer(cause=Cause.EXPIRED)


async def test_a_mixed_crowd_keeps_every_invariant(lanes: Ledger) -> None:
    cards = await everywhere(lanes)
    for seed in range(scaled(50)):
        chance = random.Random(seed)
        commands: list[Command] = []
        for _ in range(60):
            capture = a_capture(
                chance.choice([*cards, "nobody"]),
                chance.choice([0, 200, 20_000]),
                redeem=chance.choice([None, 1, 500, "maximum"]),
            )
            commands += [capture] * chance.choice([1, 1, 2])
            if chance.random() < 0.2:
                commands.append(an_abandon(capture.operation_id))
        chance.shuffle(commands)

        answers = await lanes.answers(*commands)

        assert all(answer.cause is None for answer in answers)


async def test_two_processes_with_lanes_agree(postgres_ledger_url: str) -> None:
    async with opened(postgres_ledger_url, lanes=3) as one:
        async with opened(postgres_ledger_url, lanes=2) as two:
            cards = await everywhere(one)
            for seed in range(scaled(50)):
                commands: list[Command] = [a_capture(card, 2000) for card in cards]
                shuffled = random.Random(seed).sample(commands, len(commands))

                here, there = await asyncio.gather(one.answers(*commands), two.answers(*shuffled))

                told = {c.operation_id: wire("", a) for c, a in zip(commands, here, strict=True)}
                assert told == {
                    c.operation_id: wire("", a) for c, a in zip(shuffled, there, strict=True)
                }
        await one.verified()


# --- the look-up of cards -------------------------------------------------------------------


class Blind:
    """A store that cannot look up cards outside of a transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    async def owners(self, cards: Sequence[Key]) -> dict[Key, Located]:
        raise StoreLostError("the test cut the line")


async def test_without_the_look_up_the_writers_find_the_cards(postgres_ledger_url: str) -> None:
    async with opened(postgres_ledger_url, lanes=3, wrapped=Blind) as ledger:  # type: ignore[arg-type]
        cards = await everywhere(ledger)

        answers = await ledger.answers(*(a_capture(card) for card in (*cards, "nobody")))

        assert Counter(map(outcome, answers)) == {"Captured": 32, "CARD_NOT_ACCEPTED": 1}
        await ledger.verified()


async def test_a_full_look_up_turns_away_and_says_so(sqlite_url: str) -> None:
    """Cards wait for their look-up as operations wait for their writer."""
    async with opened(sqlite_url) as ledger:
        lanes = Lanes(ledger.store, ledger.programmes, SystemClock())
        answers: list[Answer] = []
        late = Item(a_capture("nobody"), asyncio.get_running_loop().time(), answers.append)
        for _ in range(QUEUE_MAX):
            lanes.submit(late)
        assert answers == []

        lanes.submit(late)

        assert answers == [Answer(cause=Cause.OVERLOADED)]
        lanes.stop()
        await lanes.run()
        assert len(answers) == QUEUE_MAX + 1


async def test_lanes_that_stop_finish_what_they_took_and_take_no_more(
    postgres_ledger_url: str,
) -> None:
    async with opened(postgres_ledger_url, lanes=2) as ledger:
        cards = await everywhere(ledger)
        answered = asyncio.create_task(ledger.answers(*(a_capture(card) for card in cards)))
        await asyncio.sleep(0)

        ledger.writer.stop()
        refused = await ledger.answer(a_capture("unknown"))

        assert refused == Answer(cause=Cause.OVERLOADED)
        assert {outcome(answer) for answer in await answered} == {"Captured"}


async def test_sqlite_has_one_lane(sqlite_url: str) -> None:
    with pytest.raises(ValueError, match="LOYALTY_LANES"):
        await open_store(sqlite_url, lanes=2)
