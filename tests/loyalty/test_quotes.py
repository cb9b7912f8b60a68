"""Questions are answered from what is committed, write nothing, and promise what capture keeps."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from bonpunkt.till import operations
from services.loyalty import quotes
from services.loyalty.answers import Cause, answer_from_journal
from services.loyalty.domain.decision import Captured, Refusal, Refused
from services.loyalty.domain.member import Member
from services.loyalty.domain.redemption import Limit
from services.loyalty.keys import Key
from services.loyalty.quotes import (
    QUEUE_MAX,
    Asked,
    AskStatus,
    Found,
    Identified,
    Identify,
    QuoteBasket,
    Quoted,
    Quotes,
    Reply,
)
from services.loyalty.store import Decided, Reader, StoreLostError
from tests.loyalty.ledgers import WITHIN_S, Ledger, a_block, a_capture
from tests.servers.waiting import eventually

CARD = "2900000000018"


async def offered(ledger: Ledger, total_minor: int) -> Quoted:
    """What a basket of this total is offered."""
    reply = await ledger.ask(QuoteBasket(CARD, a_capture(CARD, total_minor).basket))
    assert isinstance(reply.result, Quoted), reply
    return reply.result


async def test_questions_write_nothing(ledger: Ledger) -> None:
    await ledger.enrolled(CARD)
    before = await ledger.state()

    await offered(ledger, 2000)
    await ledger.available(CARD)
    await ledger.status(operations.new_id())
    await ledger.ask(Identify("nobody"))

    assert await ledger.state() == before


@pytest.mark.parametrize("total_minor", [0, 1, 100, 2000, 20_000, 123_457])
async def test_what_is_offered_is_accepted_and_one_point_more_is_not(
    ledger: Ledger, total_minor: int
) -> None:
    await ledger.enrolled(CARD)
    await ledger.decision(a_capture(CARD, 10_000))  # 50 points
    offer = (await offered(ledger, total_minor)).quote

    more = await ledger.decision(a_capture(CARD, total_minor, redeem=offer.points_redeemable + 1))
    assert isinstance(more, Refused)
    most = await ledger.decision(a_capture(CARD, total_minor, redeem="maximum"))
    assert isinstance(most, Captured)
    assert (most.points_redeemed, most.discount_minor, most.points_earned) == (
        offer.points_redeemable,
        offer.discount_minor,
        offer.points_earned_at_maximum,
    )


async def test_a_basket_that_earns_nothing_offers_what_the_member_has(ledger: Ledger) -> None:
    await ledger.enrolled(CARD)
    assert (await offered(ledger, 199)).quote.limit is Limit.MINIMUM
    await ledger.decision(a_capture(CARD, 2000))

    offer = (await offered(ledger, 199)).quote

    assert (offer.points_redeemable, offer.limit) == (10, Limit.POINTS)
    assert (await offered(ledger, 5)).quote.limit is Limit.SHARE_OF_BASKET


async def test_unknown_and_blocked_cards_get_the_same_answer(ledger: Ledger) -> None:
    (enrolment,) = await ledger.enrolled(CARD)
    await ledger.decision(a_block(enrolment.member_id))
    basket = a_capture(CARD).basket

    for ask, field in (
        (Identify, "identify.card"),
        (lambda card: QuoteBasket(card, basket), "quote.card"),
    ):
        blocked, unknown = [(await ledger.ask(ask(card))).result for card in (CARD, "nobody")]

        assert blocked == unknown
        assert isinstance(blocked, Refused)
        assert (blocked.reason, blocked.field) == (Refusal.CARD_NOT_ACCEPTED, field)


async def test_a_mixed_batch_answers_each_its_own(ledger: Ledger) -> None:
    await ledger.enrolled("1", "2")
    capture = a_capture("1", 2000)
    await ledger.decision(capture)
    basket = capture.basket

    replies = await asyncio.gather(
        ledger.ask(Identify("1")),
        ledger.ask(AskStatus(capture.operation_id)),
        ledger.ask(Identify("nobody")),
        ledger.ask(QuoteBasket("2", basket)),
        ledger.ask(Identify("1")),
        ledger.ask(AskStatus(operations.new_id())),
    )

    first, decided, nobody, quoted, again, unknown = (reply.result for reply in replies)
    assert isinstance(first, Identified)
    assert (first.member.points, again) == (10, first)
    assert isinstance(decided, Found)
    assert decided.answer is not None
    assert isinstance(nobody, Refused)
    assert isinstance(quoted, Quoted)
    assert isinstance(unknown, Found)
    assert unknown.answer is None


async def test_a_question_past_its_deadline_is_not_answered(ledger: Ledger) -> None:
    replies: list[Reply] = []
    ledger.quotes.submit(Asked(Identify(CARD), asyncio.get_running_loop().time(), replies.append))

    await eventually(lambda: bool(replies))

    assert replies == [Reply(None, cause=Cause.EXPIRED)]


async def test_a_full_queue_turns_away_and_says_so(ledger: Ledger) -> None:
    replies: list[Reply] = []
    late = Asked(Identify(CARD), asyncio.get_running_loop().time(), replies.append)
    for _ in range(QUEUE_MAX):
        ledger.quotes.submit(late)

    ledger.quotes.submit(late)

    assert replies == [Reply(None, cause=Cause.OVERLOADED)]
    await eventually(lambda: len(replies) > QUEUE_MAX)


async def test_a_question_that_cannot_be_answered_harms_no_other(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A journal row that cannot be read, say: the others in the batch are answered."""
    await ledger.enrolled(CARD)
    poison = a_capture(CARD)
    await ledger.decision(poison)
    real = answer_from_journal

    def unreadable(row: Any) -> Any:
        if row.operation_id == poison.operation_id:
            raise ValueError("cannot be read")
        return real(row)

    monkeypatch.setattr(quotes, "answer_from_journal", unreadable)
    *good, bad = await asyncio.gather(
        *(ledger.ask(Identify(CARD)) for _ in range(6)),
        ledger.ask(AskStatus(poison.operation_id)),
    )

    assert bad == Reply(None, cause=Cause.UNAVAILABLE)
    assert all(isinstance(reply.result, Identified) for reply in good)
    assert await ledger.available(CARD) == 10, "and those that come later"


class Flaky:
    """A reader whose database is away while `away` is set."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.away = True

    async def card_members(self, cards: Sequence[Key]) -> dict[Key, Member]:
        self._check()
        return await self._reader.card_members(cards)

    async def members(self, wanted: Sequence[tuple[int, str]]) -> dict[str, Member]:
        self._check()
        return await self._reader.members(wanted)

    async def decided(self, keys: Sequence[Key]) -> dict[Key, Decided]:
        self._check()
        return await self._reader.decided(keys)

    def _check(self) -> None:
        if self.away:
            raise StoreLostError("the test cut the line")


async def test_without_a_database_questions_wait_until_their_time_is_over(ledger: Ledger) -> None:
    """Then they are told so; those with more time are answered when it is back."""
    await ledger.enrolled(CARD)
    reader = Flaky(ledger.store.reader)
    asking = Quotes(reader, ledger.programmes, ledger.clock)
    working = asyncio.create_task(asking.run())
    replies: list[Reply] = []
    now_s = asyncio.get_running_loop().time()
    for time_s in (0.05, WITHIN_S):
        asking.submit(Asked(Identify(CARD), now_s + time_s, replies.append))

    await eventually(lambda: bool(replies))
    assert replies == [Reply(None, cause=Cause.EXPIRED)]
    reader.away = False
    await eventually(lambda: len(replies) == 2)

    assert isinstance(replies[1].result, Identified)
    asking.stop()
    await working
