"""Whoever reached a member by card, receipt or reservation goes on to whom that member went on as;
also when several ask at once, in one batch, of a process that has not heard of the merge.
"""

from collections.abc import AsyncIterator, Callable

import pytest

from services.loyalty.domain.command import Command
from services.loyalty.domain.decision import (
    Captured,
    Refusal,
    Refused,
    Released,
    Reserved,
    Returned,
    Voided,
)
from tests.loyalty.commands import (
    a_merge,
    a_release,
    a_reserve,
    a_return,
    a_void,
    an_adjustment,
)
from tests.loyalty.ledgers import Ledger, a_capture, an_abandon, an_enrolment, member_id_in, opened

LANES = 2
OLD_CARD, CARD = "2900000000018", "2900000000025"
SURVIVOR_ID, MIDDLE_ID, MERGED_ID = (member_id_in(bucket) for bucket in (20, 9, 3))


@pytest.fixture(params=[0, LANES], ids=["one writer", "two lanes"])
async def ledger(request: pytest.FixtureRequest, postgres_ledger_url: str) -> AsyncIterator[Ledger]:
    """Three members in buckets of different lanes; the first has OLD_CARD and 1,000 points."""
    async with opened(postgres_ledger_url, lanes=request.param) as ledger:
        for member_id, card in ((MERGED_ID, OLD_CARD), (MIDDLE_ID, "middle"), (SURVIVOR_ID, CARD)):
            await ledger.decision(an_enrolment(card, member_id=member_id))
        await ledger.decision(an_adjustment(MERGED_ID, 1000))
        yield ledger
        await ledger.verified()


async def merged(ledger: Ledger) -> None:
    """Over two merges, so that the way to the survivor is learnt in two steps."""
    await ledger.decision(a_merge(MIDDLE_ID, MERGED_ID))
    await ledger.decision(a_merge(SURVIVOR_ID, MIDDLE_ID))


@pytest.mark.parametrize("asked", [a_capture, a_reserve])
async def test_all_who_show_the_old_card_at_once_are_served(
    ledger: Ledger, asked: Callable[..., Command]
) -> None:
    await ledger.decision(a_capture(OLD_CARD, 2000))  # so that its owner is remembered
    await merged(ledger)

    answers = await ledger.answers(*(asked(OLD_CARD, 2000) for _ in range(8)))

    for answer in answers:
        assert isinstance(answer.decision, Captured | Reserved), answer
        assert answer.decision.member.member_id == SURVIVOR_ID


async def test_all_that_names_the_old_members_past_is_served_at_once(ledger: Ledger) -> None:
    """Every other release, void and return comes while the way is still being learnt."""
    captures = [a_capture(OLD_CARD, 2000) for _ in range(8)]
    reserves = [a_reserve(OLD_CARD, 2000, redeem=10) for _ in range(4)]
    await ledger.answers(*captures, *reserves)
    await merged(ledger)

    answers = await ledger.answers(
        *(a_release(each.operation_id) for each in reserves),
        *(a_void(each.operation_id) for each in captures[:4]),
        *(a_return(each.operation_id) for each in captures[4:]),
    )

    for answer, kind in zip(answers, [Released] * 4 + [Voided] * 4 + [Returned] * 4, strict=True):
        assert isinstance(answer.decision, kind), answer
        assert answer.decision.member.member_id == SURVIVOR_ID


async def test_a_merge_that_was_not_booked_leads_nobody_astray(ledger: Ledger) -> None:
    """It was drafted in a batch with others, and the batch was rolled back."""
    captured, merge = a_capture(OLD_CARD, 2000), a_merge(SURVIVOR_ID, MERGED_ID)
    await ledger.answers(captured, an_abandon(merge.operation_id))

    answers = await ledger.answers(merge, a_capture(OLD_CARD, 2000), a_void(captured.operation_id))

    refused, bought, voided = [answer.decision for answer in answers]
    assert isinstance(refused, Refused)
    assert refused.reason is Refusal.ABANDONED
    for decision in (bought, voided):
        assert isinstance(decision, Captured | Voided), decision
        assert decision.member.member_id == MERGED_ID
    crossed = await ledger.decision(a_merge(MERGED_ID, SURVIVOR_ID))
    assert crossed.member.member_id == MERGED_ID  # type: ignore[union-attr]
    assert isinstance(await ledger.decision(a_capture(CARD, 2000)), Captured)
