"""One effect per operation id, for ever: a repeat is the same answer, byte for byte."""

from collections.abc import Callable
from typing import Any

import pytest

from bonpunkt.till import operations
from services.loyalty.answers import Answer
from services.loyalty.domain.command import Capture, Command
from services.loyalty.domain.decision import BlockedSet, Captured, Enrolled, Refusal, Refused
from services.loyalty.keys import member_bucket
from tests.loyalty.ledgers import (
    Ledger,
    a_block,
    a_capture,
    an_abandon,
    an_enrolment,
    member_id_in,
    restarted,
    wire,
)

CARD, OTHER_CARD = "2900000000018", "2900000000025"


async def two_members(ledger: Ledger) -> None:
    """Two members of two buckets, with 100 points each."""
    await ledger.answers(
        an_enrolment(CARD, member_id=member_id_in(3)),
        an_enrolment(OTHER_CARD, member_id=member_id_in(4)),
    )
    await ledger.answers(a_capture(CARD, 20_000), a_capture(OTHER_CARD, 20_000))


def refusal(answer: Answer) -> Refusal:
    assert isinstance(answer.decision, Refused), answer
    return answer.decision.reason


COMMANDS: dict[str, Callable[[], Command]] = {
    "capture": lambda: a_capture(CARD, 2000),
    "capture that redeems": lambda: a_capture(CARD, 2000, redeem="maximum"),
    "refused capture": lambda: a_capture(CARD, 2000, redeem=2000),
    "enrolment": lambda: an_enrolment("2900000000032"),
    "abandon": lambda: an_abandon(operations.new_id()),
}


@pytest.fixture(params=COMMANDS)
def command(request: pytest.FixtureRequest) -> Command:
    return COMMANDS[request.param]()


async def test_a_repeat_in_the_same_batch_is_the_same_answer(
    ledger: Ledger, command: Command
) -> None:
    await two_members(ledger)
    rows = len(await ledger.journal())

    answers = await ledger.answers(command, command, command)

    assert len({wire(command.operation_id, answer) for answer in answers}) == 1
    assert len(await ledger.journal()) == rows + 1


async def test_a_repeat_is_the_same_answer_now_and_after_a_restart(
    ledger: Ledger, command: Command
) -> None:
    """From memory, and from the journal, when much else has happened to the member."""
    await two_members(ledger)
    first = await ledger.answer(command)
    await ledger.answers(a_capture(CARD, 5000), a_capture(CARD, 5000, redeem=20))
    before = await ledger.state()

    soon = await ledger.answer(command)
    async with restarted(ledger) as later:
        much_later = await later.answer(command)

    told = {wire(command.operation_id, answer) for answer in (first, soon, much_later)}
    assert len(told) == 1
    assert first.effective_at_us == much_later.effective_at_us
    assert await ledger.state() == before


async def test_a_repeat_stands_also_when_the_card_is_blocked_meanwhile(ledger: Ledger) -> None:
    (enrolment,) = await ledger.enrolled(CARD)
    capture = a_capture(CARD)
    first = await ledger.answer(capture)
    await ledger.decision(a_block(enrolment.member_id))

    async with restarted(ledger) as later:
        again = await later.answer(capture)
        assert refusal(await later.answer(a_capture(CARD))) is Refusal.CARD_NOT_ACCEPTED

    assert wire(capture.operation_id, again) == wire(capture.operation_id, first)


async def test_a_refusal_stays_one_when_there_would_be_enough_now(ledger: Ledger) -> None:
    await two_members(ledger)
    capture = a_capture(CARD, 2000, redeem=200)
    first = await ledger.answer(capture)
    await ledger.answer(a_capture(CARD, 100_000))

    async with restarted(ledger) as later:
        again = await later.answer(capture)

    assert refusal(first) is Refusal.EXCEEDS_AVAILABLE
    assert wire(capture.operation_id, again) == wire(capture.operation_id, first)


async def test_a_refused_receipt_may_be_captured_under_a_new_id(ledger: Ledger) -> None:
    await two_members(ledger)
    refused = await ledger.answer(a_capture(CARD, 2000, redeem=200, receipt_number="R-1"))
    accepted = await ledger.answer(a_capture(CARD, 2000, redeem=100, receipt_number="R-1"))

    assert refusal(refused) is Refusal.EXCEEDS_AVAILABLE
    assert isinstance(accepted.decision, Captured)


async def test_a_refusal_without_a_row_may_become_a_purchase_under_its_id(ledger: Ledger) -> None:
    """An unknown card leaves no row, so the same request may succeed once it is enrolled."""
    capture = a_capture(CARD)
    assert refusal(await ledger.answer(capture)) is Refusal.CARD_NOT_ACCEPTED

    await ledger.enrolled(CARD)

    assert isinstance((await ledger.answer(capture)).decision, Captured)


# --- same id, other request -----------------------------------------------------------------


def changed(capture: Capture, how: str) -> Command:
    """Another request under the same id."""
    basket = capture.basket
    same: dict[str, Any] = {
        "operation_id": capture.operation_id,
        "basket_id": basket.basket_id,
        "receipt_number": basket.receipt_number,
    }
    match how:
        case "other basket":
            return a_capture(CARD, 2001, **same)
        case "card of another bucket":
            return a_capture(OTHER_CARD, 2000, **same)
        case "unknown card":
            return a_capture("2900000009999", 2000, **same)
        case "other terminal":
            return a_capture(CARD, 2000, terminal_id="till-2", **same)
        case "other redemption":
            return a_capture(CARD, 2000, redeem=1, **same)
        case "a redemption that would be refused":
            return a_capture(CARD, 2000, redeem=2001, **same)
        case "an enrolment":
            return an_enrolment("2900000000032", operation_id=capture.operation_id)
        case "an enrolment of an old card":
            return an_enrolment(OTHER_CARD, operation_id=capture.operation_id)
        case "a block":
            return a_block(operations.new_id(), operation_id=capture.operation_id)
        case "an abandon of an unknown id":
            return an_abandon(operations.new_id(), operation_id=capture.operation_id)
    raise AssertionError(how)


CHANGES = [
    "other basket",
    "card of another bucket",
    "unknown card",
    "other terminal",
    "other redemption",
    "a redemption that would be refused",
    "an enrolment",
    "an enrolment of an old card",
    "a block",
    "an abandon of an unknown id",
]


@pytest.mark.parametrize("how", CHANGES)
async def test_another_request_under_a_taken_id_changes_nothing(ledger: Ledger, how: str) -> None:
    """In a later batch, after a restart, and in the batch in which the id is taken."""
    await two_members(ledger)
    capture = a_capture(CARD, 2000)
    await ledger.answer(capture)
    before = await ledger.state()

    soon = await ledger.answer(changed(capture, how))
    async with restarted(ledger) as later:
        much_later = await later.answer(changed(capture, how))

    assert (refusal(soon), refusal(much_later)) == (Refusal.KEY_REUSED, Refusal.KEY_REUSED)
    assert wire(capture.operation_id, soon) == wire(capture.operation_id, much_later)
    assert await ledger.state() == before


@pytest.mark.parametrize("how", CHANGES)
async def test_two_requests_under_one_id_in_a_batch_are_one_purchase_and_a_refusal(
    ledger: Ledger, how: str
) -> None:
    await two_members(ledger)
    rows = len(await ledger.journal())
    capture = a_capture(CARD, 2000)

    first, second = await ledger.answers(capture, changed(capture, how))

    assert isinstance(first.decision, Captured)
    assert refusal(second) is Refusal.KEY_REUSED
    assert len(await ledger.journal()) == rows + 1


async def test_an_abandon_under_a_taken_id_is_refused_whatever_it_names(ledger: Ledger) -> None:
    """Naming what was decided, or burnt, makes it no other: the id is somebody else's."""
    await two_members(ledger)
    capture, decided, burnt = a_capture(CARD), a_capture(CARD), operations.new_id()
    await ledger.answers(capture, decided, an_abandon(burnt))
    before = await ledger.state()

    async with restarted(ledger) as later:
        for target_id in (decided.operation_id, burnt):
            reused = an_abandon(target_id, operation_id=capture.operation_id)
            assert refusal(await later.answer(reused)) is Refusal.KEY_REUSED

    assert await ledger.state() == before


# --- receipts -------------------------------------------------------------------------------


async def test_a_receipt_is_captured_once(ledger: Ledger) -> None:
    """Under another id, with another card, in the same batch or later."""
    await two_members(ledger)
    first, second = await ledger.answers(
        a_capture(CARD, receipt_number="R-1"), a_capture(CARD, receipt_number="R-1")
    )
    assert isinstance(first.decision, Captured)
    assert refusal(second) is Refusal.RECEIPT_REUSED
    before = await ledger.state()

    async with restarted(ledger) as later:
        third = await later.answer(a_capture(OTHER_CARD, receipt_number="R-1"))

    assert refusal(third) is Refusal.RECEIPT_REUSED
    assert await ledger.state() == before


@pytest.mark.parametrize(
    "other",
    [
        {"terminal_id": "till-2"},
        {"business_date": "2026-11-21"},
        {"receipt_number": "R-2"},
    ],
    ids=["another till's", "another day's", "the next"],
)
async def test_terminal_day_and_number_together_name_a_receipt(
    ledger: Ledger, other: dict[str, str]
) -> None:
    await two_members(ledger)
    await ledger.answer(a_capture(CARD, receipt_number="R-1"))

    answer = await ledger.answer(a_capture(CARD, **{"receipt_number": "R-1", **other}))

    assert isinstance(answer.decision, Captured)


async def test_a_repeated_enrolment_is_no_taken_card(ledger: Ledger) -> None:
    enrolment = an_enrolment(CARD)
    first = await ledger.answer(enrolment)

    async with restarted(ledger) as later:
        assert await later.answer(enrolment) == first
    assert isinstance(first.decision, Enrolled)


async def test_a_repeated_block_does_not_block_again(ledger: Ledger) -> None:
    (enrolment,) = await ledger.enrolled(CARD)
    block = a_block(enrolment.member_id)
    first = await ledger.answer(block)
    await ledger.answer(a_block(enrolment.member_id, blocked=False))

    async with restarted(ledger) as later:
        assert await later.answer(block) == first
    assert isinstance(first.decision, BlockedSet)
    assert await ledger.available(CARD) == 0


async def test_buckets_of_the_two_members_differ(ledger: Ledger) -> None:
    """What these tests rest on."""
    await two_members(ledger)

    first, second = await ledger.journal("enrol")

    assert member_bucket(first.member_id) != member_bucket(second.member_id)
