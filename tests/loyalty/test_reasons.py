"""Every reason of the till contract is heard by a till that gives cause for it."""

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import delete

from bonpunkt.till import operations
from bonpunkt.till.v1 import till_pb2 as pb
from services.loyalty import schema
from services.loyalty.domain.command import Command
from services.loyalty.domain.decision import JOURNALLED, Refused
from services.loyalty.wire_answers import decision_bytes
from tests.loyalty.commands import an_adjustment, an_erasure
from tests.loyalty.examples import a_programme
from tests.loyalty.ledgers import Ledger, a_wire_capture, an_enrolment, opened, read
from tests.loyalty.wired import (
    CARD,
    DAY,
    RESERVATION_ID,
    a_wire_enrolment,
    a_wire_release,
    a_wire_reserve,
    a_wire_return,
    a_wire_void,
)

MEMBER_ID = "0198c6f4-0000-7000-8000-0000000000cc"
PROGRAMME = a_programme(redeem_minimum=10, redeem_step=5, redeem_share_percent=50)


async def told(ledger: Ledger, operation: pb.Operation) -> pb.Decision:
    """What the till hears."""
    command = read(operation)
    if isinstance(command, Refused):
        return pb.Decision.FromString(decision_bytes(operation.id, command))
    assert isinstance(command, Command)
    return pb.Decision.FromString(decision_bytes(operation.id, await ledger.answer(command)))


async def booked(ledger: Ledger, operation: pb.Operation) -> pb.Operation:
    decision = await told(ledger, operation)
    assert not decision.HasField("refused"), decision
    return operation


Scenario = Callable[[Ledger], Awaitable[pb.Operation]]
SCENARIOS: dict[str, Scenario] = {}


def heard(reason: str) -> Callable[[Scenario], Scenario]:
    """The operation that the scenario ends with is refused so."""

    def register(scenario: Scenario) -> Scenario:
        assert reason not in SCENARIOS
        SCENARIOS[reason] = scenario
        return scenario

    return register


# --- form -----------------------------------------------------------------------------------


@heard("MALFORMED")
async def without_a_card(_: Ledger) -> pb.Operation:
    return a_wire_capture("")


@heard("MALFORMED_ID")
async def releasing_no_id(_: Ledger) -> pb.Operation:
    return a_wire_release("x")


@heard("BASKET_EMPTY")
async def reserving_for_nothing(_: Ledger) -> pb.Operation:
    return operations.reserve(CARD, operations.basket([], currency="EUR"))


@heard("BASKET_TOTAL_OVERFLOWS")
async def reserving_for_too_much(_: Ledger) -> pb.Operation:
    return a_wire_reserve(total_minor=10**13)


@heard("BASKET_TOTAL_NEGATIVE")
async def reserving_for_less_than_nothing(_: Ledger) -> pb.Operation:
    return a_wire_reserve(total_minor=-1)


@heard("BASKET_TOTAL_DIFFERS")
async def reserving_for_another_total(_: Ledger) -> pb.Operation:
    operation = a_wire_reserve()
    operation.reserve.basket.total_minor += 1
    return operation


@heard("CURRENCY_WRONG")
async def reserving_in_another_currency(_: Ledger) -> pb.Operation:
    return a_wire_reserve(currency="USD")


# --- keys -----------------------------------------------------------------------------------


@heard("KEY_REUSED")
async def enrolling_another_card_under_the_same_id(ledger: Ledger) -> pb.Operation:
    enrol = await booked(ledger, a_wire_enrolment("fresh-1"))
    other = a_wire_enrolment("fresh-2")
    other.id = enrol.id
    return other


@heard("ABANDONED")
async def enrolling_after_giving_up(ledger: Ledger) -> pb.Operation:
    enrol = a_wire_enrolment("fresh-1")
    await booked(ledger, operations.abandon(enrol.id))
    return enrol


@heard("RECEIPT_REUSED")
async def returning_under_the_number_of_a_purchase(ledger: Ledger) -> pb.Operation:
    receipt = await purchase(ledger)
    return a_wire_return(receipt=receipt, receipt_number=receipt.receipt_number)


@heard("CARD_TAKEN")
async def enrolling_with_a_card_of_somebody(_: Ledger) -> pb.Operation:
    return a_wire_enrolment(CARD)


# --- what is referred to --------------------------------------------------------------------


@heard("RECEIPT_UNKNOWN")
async def voiding_what_nobody_bought(_: Ledger) -> pb.Operation:
    return a_wire_void()


@heard("RESERVATION_UNKNOWN")
async def releasing_what_nobody_reserved(_: Ledger) -> pb.Operation:
    return a_wire_release(RESERVATION_ID)


@heard("CARD_NOT_ACCEPTED")
async def reserving_for_nobody(_: Ledger) -> pb.Operation:
    return a_wire_reserve("nobody")


# --- the programme --------------------------------------------------------------------------


@heard("REDEMPTION_BELOW_MINIMUM")
async def reserving_less_than_the_minimum(_: Ledger) -> pb.Operation:
    return a_wire_reserve(redeem=5)


@heard("REDEMPTION_NOT_A_STEP")
async def reserving_off_the_step(_: Ledger) -> pb.Operation:
    return a_wire_reserve(redeem=12)


@heard("EXCEEDS_SHARE")
async def reserving_more_than_half_of_the_basket(_: Ledger) -> pb.Operation:
    return a_wire_reserve(total_minor=200, redeem=105)


# --- the state of member and receipt --------------------------------------------------------


@heard("EXCEEDS_AVAILABLE")
async def reserving_more_than_there_is(_: Ledger) -> pb.Operation:
    return a_wire_reserve(total_minor=1_000_000, redeem=200_000)


@heard("RESERVATION_ENDED")
async def releasing_twice(ledger: Ledger) -> pb.Operation:
    reserve = await booked(ledger, a_wire_reserve())
    await booked(ledger, a_wire_release(reserve.id))
    return a_wire_release(reserve.id)


@heard("RECEIPT_VOIDED")
async def returning_what_was_voided(ledger: Ledger) -> pb.Operation:
    receipt = await purchase(ledger)
    await booked(ledger, a_wire_void(receipt))
    return a_wire_return(receipt=receipt)


@heard("RECEIPT_RETURNED")
async def voiding_what_was_returned(ledger: Ledger) -> pb.Operation:
    receipt = await purchase(ledger)
    await booked(ledger, a_wire_return(receipt=receipt))
    return a_wire_void(receipt)


@heard("VOID_TOO_LATE")
async def voiding_on_the_next_day(ledger: Ledger) -> pb.Operation:
    return a_wire_void(await purchase(ledger), business_date="2026-11-21")


@heard("EXCEEDS_RETURNABLE")
async def returning_more_than_was_bought(ledger: Ledger) -> pb.Operation:
    return a_wire_return(operations.return_line("1", 1001), receipt=await purchase(ledger))


@heard("RECEIPT_TOO_OLD")
async def returning_after_retention(ledger: Ledger) -> pb.Operation:
    receipt = await purchase(ledger)
    async with ledger.engine.begin() as connection:
        await connection.execute(delete(schema.basket))
    return a_wire_return(receipt=receipt)


@heard("MEMBER_ERASED")
async def returning_after_erasure(ledger: Ledger) -> pb.Operation:
    receipt = await purchase(ledger)
    await ledger.decision(an_erasure(MEMBER_ID))
    return a_wire_return(receipt=receipt)


async def purchase(ledger: Ledger) -> pb.ReceiptReference:
    """A receipt of the member, by what is printed on it."""
    capture = await booked(ledger, a_wire_capture(CARD, 2000))
    return operations.receipt(capture.capture.basket.receipt_number, DAY)


# --- all together ---------------------------------------------------------------------------


def test_every_reason_of_the_contract_has_its_cause() -> None:
    reasons = {name.removeprefix("REASON_") for name in pb.Reason.keys()}  # noqa: SIM118

    assert set(SCENARIOS) == reasons - {"UNSPECIFIED"}


@pytest.mark.parametrize("reason", SCENARIOS)
async def test_a_till_that_gives_cause_hears_the_reason(ledger_url: str, reason: str) -> None:
    """With a remedy, and, if the refusal is journalled, byte for byte for ever."""
    async with opened(ledger_url, programmes=[(0, PROGRAMME)]) as ledger:
        await ledger.decision(an_enrolment(CARD, member_id=MEMBER_ID))
        await ledger.decision(an_adjustment(MEMBER_ID, 1000))
        operation = await SCENARIOS[reason](ledger)

        decision = await told(ledger, operation)
        again = await told(ledger, operation)

        found = await ledger.status(operation.id)
    assert pb.Reason.Name(decision.refused.reason) == f"REASON_{reason}"
    assert decision.refused.remedy
    assert again.refused == decision.refused
    stays = reason in {refusal.name for refusal in JOURNALLED}
    assert (found.answer is not None) == (stays or reason == "KEY_REUSED")
    if stays:
        assert again == decision
