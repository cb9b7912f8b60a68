"""An abandoned id is burnt: either the operation was decided before, or it never will be."""

import pytest

from bonpunkt.till import operations
from services.loyalty.answers import Answer
from services.loyalty.domain.decision import (
    AlreadyDecided,
    Burnt,
    Captured,
    Refusal,
    Refused,
)
from tests.loyalty.ledgers import (
    Ledger,
    a_capture,
    an_abandon,
    an_enrolment,
    restarted,
    wire,
)

CARD = "2900000000018"


def refusal(answer: Answer) -> Refusal:
    assert isinstance(answer.decision, Refused), answer
    return answer.decision.reason


async def test_a_late_original_of_an_abandoned_id_is_refused(ledger: Ledger) -> None:
    """At once, after a restart, and also if its card is not accepted any more."""
    await ledger.enrolled(CARD)
    capture = a_capture(CARD)
    abandoned = await ledger.answer(an_abandon(capture.operation_id))
    before = await ledger.state()

    at_once = await ledger.answer(capture)
    async with restarted(ledger) as later:
        much_later = await later.answer(capture)
        unknown = a_capture("nobody", operation_id=capture.operation_id)
        not_accepted = await later.answer(unknown)

    assert abandoned.decision == Burnt(capture.operation_id)
    assert {refusal(a) for a in (at_once, much_later, not_accepted)} == {Refusal.ABANDONED}
    assert await ledger.state() == before


async def test_an_abandon_after_the_decision_tells_it_and_it_stands(ledger: Ledger) -> None:
    await ledger.enrolled(CARD)
    capture = a_capture(CARD)
    decided = await ledger.answer(capture)
    before = await ledger.state()

    async with restarted(ledger) as later:
        abandoned = await later.answer(an_abandon(capture.operation_id))

    assert abandoned.decision == AlreadyDecided(capture.operation_id)
    assert abandoned.original is not None
    assert wire(capture.operation_id, abandoned.original) == wire(capture.operation_id, decided)
    assert await ledger.state() == before


async def test_an_abandon_of_a_journalled_refusal_tells_the_refusal(ledger: Ledger) -> None:
    await ledger.enrolled(CARD)
    capture = a_capture(CARD, 2000, redeem=999)
    refused = await ledger.answer(capture)

    abandoned = await ledger.answer(an_abandon(capture.operation_id))

    assert abandoned.decision == AlreadyDecided(capture.operation_id)
    assert abandoned.original == refused


async def test_in_one_batch_the_first_of_original_and_abandon_decides(ledger: Ledger) -> None:
    await ledger.enrolled(CARD)
    first, second = a_capture(CARD), a_capture(CARD)

    answers = await ledger.answers(
        first,
        an_abandon(first.operation_id),
        an_abandon(second.operation_id),
        second,
    )

    captured, too_late, burnt, refused = answers
    assert isinstance(captured.decision, Captured)
    assert too_late.decision == AlreadyDecided(first.operation_id)
    assert too_late.original == captured
    assert burnt.decision == Burnt(second.operation_id)
    assert refusal(refused) is Refusal.ABANDONED
    assert len(await ledger.journal("capture")) == 1


async def test_abandoning_twice_burns_once(ledger: Ledger) -> None:
    """Under a new id each time, in one batch, later, and after a restart."""
    target_id = operations.new_id()

    answers = await ledger.answers(an_abandon(target_id), an_abandon(target_id))
    answers += await ledger.answers(an_abandon(target_id))
    async with restarted(ledger) as later:
        answers += await later.answers(an_abandon(target_id, terminal_id="till-2"))

    assert [answer.decision for answer in answers] == [Burnt(target_id)] * 4
    assert len(await ledger.journal("abandon")) == 1


@pytest.mark.parametrize("decided", [True, False], ids=["too late", "burnt before"])
async def test_an_abandon_that_changes_nothing_is_repeated_byte_for_byte_too(
    ledger: Ledger, decided: bool
) -> None:
    """Such an answer leaves no row; it rests on the row that was there before."""
    await ledger.enrolled(CARD)
    capture = a_capture(CARD)
    await ledger.answer(capture if decided else an_abandon(capture.operation_id))
    abandon = an_abandon(capture.operation_id)

    first = await ledger.answer(abandon)
    async with restarted(ledger) as later:
        again = await later.answer(abandon)

    assert wire(abandon.operation_id, again) == wire(abandon.operation_id, first)


async def test_an_abandon_can_be_abandoned_too_late_only(ledger: Ledger) -> None:
    """It was decided when it burnt its id, so a second one finds a decision and no free id."""
    abandon = an_abandon(operations.new_id())
    first = await ledger.answer(abandon)
    before = await ledger.state()

    answer = await ledger.answer(an_abandon(abandon.operation_id))

    assert answer.decision == AlreadyDecided(abandon.operation_id)
    assert answer.original == first
    assert await ledger.state() == before


async def test_an_abandoned_abandon_burns_nothing(ledger: Ledger) -> None:
    await ledger.enrolled(CARD)
    capture = a_capture(CARD)
    abandon = an_abandon(capture.operation_id)
    await ledger.answer(an_abandon(abandon.operation_id))

    assert refusal(await ledger.answer(abandon)) is Refusal.ABANDONED
    assert isinstance((await ledger.answer(capture)).decision, Captured)


async def test_an_enrolment_can_be_abandoned(ledger: Ledger) -> None:
    enrolment = an_enrolment(CARD)
    await ledger.answer(an_abandon(enrolment.operation_id))

    assert refusal(await ledger.answer(enrolment)) is Refusal.ABANDONED
    assert await ledger.available(CARD) is None


async def test_status_tells_unknown_decided_and_abandoned_apart(ledger: Ledger) -> None:
    await ledger.enrolled(CARD)
    unknown, burnt, capture = operations.new_id(), operations.new_id(), a_capture(CARD)
    decided = await ledger.answer(capture)
    await ledger.answer(an_abandon(burnt))

    found = [await ledger.status(i) for i in (unknown, burnt, capture.operation_id)]

    assert [(f.answer, f.abandoned) for f in found] == [
        (None, False),
        (None, True),
        (decided, False),
    ]


async def test_status_of_an_abandon_is_that_it_was_decided(ledger: Ledger) -> None:
    abandon = an_abandon(operations.new_id())
    answer = await ledger.answer(abandon)

    found = await ledger.status(abandon.operation_id)

    assert (found.answer, found.abandoned) == (answer, False)


async def test_status_of_a_refusal_without_a_row_is_unknown(ledger: Ledger) -> None:
    capture = a_capture("nobody")
    await ledger.answer(capture)

    found = await ledger.status(capture.operation_id)

    assert (found.answer, found.abandoned) == (None, False)
