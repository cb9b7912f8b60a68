"""Points set aside for a basket: held for every till, captured, released or over by time, once."""

from datetime import timedelta
from typing import Any

import pytest

from bonpunkt.till import operations
from services.loyalty.domain.decision import (
    Captured,
    Refusal,
    Refused,
    Released,
    Reserved,
)
from tests.loyalty.commands import (
    a_change_of_cards,
    a_release,
    a_reserve,
    a_settling,
    an_adjustment,
)
from tests.loyalty.ledgers import Ledger, a_block, a_capture, an_enrolment

CARD = "2900000000018"
RESERVED_FOR = timedelta(seconds=600)


@pytest.fixture
async def member_id(ledger: Ledger) -> str:
    """A member with 1,000 points."""
    enrol = an_enrolment(CARD)
    await ledger.decision(enrol)
    await ledger.decision(an_adjustment(enrol.member_id, 1000))
    return enrol.member_id


async def reserved(ledger: Ledger, *minors: int, **how: Any) -> tuple[Reserved, str]:
    """The decision, and the id of the reservation."""
    command = a_reserve(CARD, *minors, **how)
    decision = await ledger.decision(command)
    assert isinstance(decision, Reserved), decision
    return decision, command.operation_id


async def test_what_is_held_is_available_to_nobody_else(ledger: Ledger, member_id: str) -> None:
    held, _ = await reserved(ledger, 5000, redeem=900)

    assert (held.points_held, held.points_promised) == (900, 0)
    assert held.member.available == 100
    assert await ledger.available(CARD) == 100
    refused = await ledger.decision(a_capture(CARD, 5000, redeem=200))
    assert isinstance(refused, Refused)
    assert refused.reason is Refusal.EXCEEDS_AVAILABLE
    assert (await ledger.member(member_id)).held == 900


async def test_what_the_basket_itself_earns_is_promised_and_lowers_nothing(
    ledger: Ledger, member_id: str
) -> None:
    """100.00 in all: 1,000 points pay 10.00, and the 90.00 left earn 45, which pay 0.44 of it."""
    both, _ = await reserved(ledger, 10_000, redeem=1044)

    assert (both.points_held, both.points_promised) == (1000, 44)
    assert both.member.available == 0
    assert both.discount_minor == 1044


async def test_a_capture_takes_what_was_reserved_and_ends_it(
    ledger: Ledger, member_id: str
) -> None:
    basket_id = operations.new_id()
    held, reservation_id = await reserved(ledger, 5000, redeem=900, basket_id=basket_id)

    captured = await ledger.decision(a_capture(CARD, 5000, redeem=900, basket_id=basket_id))

    assert isinstance(captured, Captured)
    assert captured.points_redeemed == 900
    assert (await ledger.member(member_id)).held == 0
    again = await ledger.decision(a_release(reservation_id))
    assert isinstance(again, Refused)
    assert again.reason is Refusal.RESERVATION_ENDED
    assert held.points == 900


async def test_only_one_capture_takes_a_reservation(ledger: Ledger, member_id: str) -> None:
    basket_id = operations.new_id()
    _, reservation_id = await reserved(ledger, 5000, redeem=400, basket_id=basket_id)
    captures = [
        a_capture(CARD, 5000, redeem=400, basket_id=basket_id, reservation_id=reservation_id)
        for _ in range(5)
    ]

    decisions = [answer.decision for answer in await ledger.answers(*captures)]

    taken = [decision for decision in decisions if isinstance(decision, Captured)]
    refused = [decision for decision in decisions if isinstance(decision, Refused)]
    assert len(taken) == 1
    assert {decision.reason for decision in refused} == {Refusal.RESERVATION_ENDED}


async def test_release_gives_back_what_was_held(ledger: Ledger, member_id: str) -> None:
    _, reservation_id = await reserved(ledger, 5000, redeem=900)

    released = await ledger.decision(a_release(reservation_id))

    assert isinstance(released, Released)
    assert (released.points_held, released.timed_out) == (900, False)
    assert released.member.available == 1000
    second = await ledger.decision(a_release(reservation_id))
    assert isinstance(second, Refused)
    assert second.reason is Refusal.RESERVATION_ENDED


async def test_time_ends_a_reservation_and_a_capture_after_it_is_a_new_one(
    ledger: Ledger, member_id: str
) -> None:
    basket_id = operations.new_id()
    _, reservation_id = await reserved(ledger, 5000, redeem=900, basket_id=basket_id)
    ledger.clock.move(RESERVED_FOR)

    captured = await ledger.decision(
        a_capture(CARD, 5000, redeem=400, basket_id=basket_id, reservation_id=reservation_id)
    )

    assert isinstance(captured, Captured)
    (timeout,) = await ledger.journal("timeout")
    assert timeout.member_id == member_id
    (row,) = [row for row in await ledger.journal("capture") if row.accepted]
    assert f'"reservation_named":"{reservation_id}"' in row.facts


async def test_a_reservation_lives_to_its_last_microsecond(ledger: Ledger, member_id: str) -> None:
    await reserved(ledger, 5000, redeem=900)
    ledger.clock.move(RESERVED_FOR - timedelta(microseconds=1))
    assert await ledger.available(CARD) == 100

    ledger.clock.move(timedelta(microseconds=1))

    assert await ledger.available(CARD) == 1000
    assert (await ledger.member(member_id)).held == 900  # a question writes nothing
    await ledger.decision(a_settling(member_id))
    assert (await ledger.member(member_id)).held == 0


async def test_reserving_again_replaces_and_renews(ledger: Ledger, member_id: str) -> None:
    basket_id = operations.new_id()
    _, first = await reserved(ledger, 5000, redeem=900, basket_id=basket_id)
    ledger.clock.move(RESERVED_FOR / 2)

    again, _ = await reserved(ledger, 5000, redeem=1000, basket_id=basket_id)

    assert (again.points_held, again.member.available) == (1000, 0)
    ledger.clock.move(RESERVED_FOR / 2)
    assert await ledger.available(CARD) == 0  # the first one's time does not count any more
    replaced = await ledger.decision(a_release(first))
    assert isinstance(replaced, Refused)
    assert replaced.reason is Refusal.RESERVATION_ENDED


async def test_a_basket_that_shrinks_under_its_promise_reserves_again(
    ledger: Ledger, member_id: str
) -> None:
    basket_id = operations.new_id()
    await reserved(ledger, 10_000, redeem=1044, basket_id=basket_id)

    shrunk = await ledger.decision(a_capture(CARD, 2000, redeem=1044, basket_id=basket_id))

    assert isinstance(shrunk, Refused)
    assert shrunk.reason is Refusal.EXCEEDS_AVAILABLE
    assert shrunk.points_maximum == 1004
    less, _ = await reserved(ledger, 2000, redeem=1004, basket_id=basket_id)
    captured = await ledger.decision(a_capture(CARD, 2000, redeem=1004, basket_id=basket_id))
    assert isinstance(captured, Captured)
    assert less.points_promised == 4


async def test_a_member_blocked_meanwhile_finishes_the_redemption_that_had_begun(
    ledger: Ledger, member_id: str
) -> None:
    basket_id = operations.new_id()
    await reserved(ledger, 5000, redeem=400, basket_id=basket_id)
    await ledger.decision(a_block(member_id))

    more = await ledger.decision(a_capture(CARD, 5000, redeem=401, basket_id=basket_id))
    finished = await ledger.decision(a_capture(CARD, 5000, redeem="maximum", basket_id=basket_id))
    other = await ledger.decision(a_capture(CARD, 5000, redeem=1))

    assert isinstance(more, Refused)
    assert more.points_maximum == 400
    assert isinstance(finished, Captured)
    assert finished.points_redeemed == 400
    assert isinstance(other, Refused)
    assert other.reason is Refusal.CARD_NOT_ACCEPTED


async def test_a_card_lost_meanwhile_finishes_it_too(ledger: Ledger, member_id: str) -> None:
    basket_id = operations.new_id()
    await reserved(ledger, 5000, redeem=400, basket_id=basket_id)
    await ledger.decision(a_change_of_cards(member_id, lost=CARD, new="2900000000025"))

    finished = await ledger.decision(a_capture(CARD, 5000, redeem=400, basket_id=basket_id))

    assert isinstance(finished, Captured)
    assert await ledger.available(CARD) is None
    assert await ledger.available("2900000000025") == 600 + finished.points_earned


async def test_an_unknown_reservation_is_named(ledger: Ledger, member_id: str) -> None:
    unknown = operations.new_id()

    release = await ledger.decision(a_release(unknown))
    capture = await ledger.decision(a_capture(CARD, 5000, reservation_id=unknown))

    for refused in (release, capture):
        assert isinstance(refused, Refused)
        assert refused.reason is Refusal.RESERVATION_UNKNOWN
    assert await ledger.journal("release") == []


async def test_nothing_to_reserve_is_refused(ledger: Ledger) -> None:
    await ledger.enrolled(CARD)

    refused = await ledger.decision(a_reserve(CARD, 0, redeem="maximum"))

    assert isinstance(refused, Refused)
    assert refused.reason is Refusal.EXCEEDS_AVAILABLE
