"""A terminal's day as the ledger has it: what the till's own totals have to agree with."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import grpc
import pytest

from bonpunkt.loyalty.v1 import journal_pb2 as pb
from bonpunkt.till import operations
from services.loyalty.end_of_day import read_end_of_day
from tests.loyalty.commands import (
    a_release,
    a_reserve,
    a_return,
    a_till_enrolment,
    a_void,
)
from tests.loyalty.ledgers import (
    Ledger,
    a_capture,
    a_wire_capture,
    an_enrolment,
    opened,
)
from tests.loyalty.served import Served, refusal

CARD, OTHER, NEW = "2900000000018", "2900000000025", "2900000000032"
ZONE = "Europe/Berlin"
TODAY = date(2026, 11, 20)
INVALID = grpc.StatusCode.INVALID_ARGUMENT


@pytest.fixture
async def ledger(ledger_url: str) -> AsyncIterator[Ledger]:
    """Two members with 500 points each."""
    async with opened(ledger_url, lanes=1) as ledger:
        for card in (CARD, OTHER):
            await ledger.answer(replace(an_enrolment(card), opening_points=500))
        yield ledger
        await ledger.verified()


async def end_of_day(
    ledger: Ledger, business_date: date = TODAY, terminal_id: str = ""
) -> list[pb.TerminalDay]:
    found = await read_end_of_day(
        ledger.engine, business_date, time_zone=ZONE, terminal_id=terminal_id
    )
    return list(found.terminals)


def figures(day: pb.TerminalDay) -> dict[str, int]:
    """Everything that is not nothing."""
    return {
        field.name: value
        for field, value in day.ListFields()
        if field.name not in ("terminal_id", "store_id")
    }


# --- what counts ----------------------------------------------------------------------------


async def test_purchases_are_added_up(ledger: Ledger) -> None:
    await ledger.answers(
        a_capture(CARD, 2000), a_capture(CARD, 3000, redeem=100), a_capture(OTHER, 1000)
    )

    (day,) = await end_of_day(ledger)

    assert (day.terminal_id, day.store_id) == ("till-1", "s-1")
    assert figures(day) == {
        "captures": 3,
        "basket_minor": 6000,
        "points_earned": 10 + 14 + 5,  # the second on what 100 points have not paid
        "points_redeemed": 100,
        "discount_minor": 100,
    }


async def test_a_voided_receipt_is_told_with_what_it_came_to(ledger: Ledger) -> None:
    """The purchase stays in the totals, as in the till's journal; the void stands beside it."""
    capture = a_capture(CARD, 3000, redeem=100)
    await ledger.answers(capture)
    await ledger.answers(a_void(capture.operation_id, terminal_id="till-1"))

    (day,) = await end_of_day(ledger)

    assert figures(day) == {
        "captures": 1,
        "basket_minor": 3000,
        "points_earned": 14,
        "points_redeemed": 100,
        "discount_minor": 100,
        "voids": 1,
        "voided_basket_minor": 3000,
        "voided_discount_minor": 100,
        "points_restored": 100,
        "points_taken_back": 14,
    }


async def test_a_return_counts_where_and_when_it_was_made(ledger: Ledger) -> None:
    """Goods of yesterday's receipt of another till."""
    capture = a_capture(CARD, 3000, redeem=100, terminal_id="till-2")
    await ledger.answers(capture)
    ledger.clock.move(timedelta(days=1))
    await ledger.answers(a_return(capture.operation_id, business_date="2026-11-21"))

    (bought,) = await end_of_day(ledger)
    (returned,) = await end_of_day(ledger, TODAY + timedelta(days=1))

    assert (bought.terminal_id, bought.captures, bought.returns) == ("till-2", 1, 0)
    assert returned.terminal_id == "till-1"
    assert figures(returned) == {
        "returns": 1,
        "refund_minor": 3000,
        "refund_money_minor": 2900,
        "points_restored": 100,
        "points_taken_back": 14,
    }


async def test_enrolments_at_the_till_and_refusals_count(ledger: Ledger) -> None:
    """Those of staff are no terminal's."""
    reserve = a_reserve(CARD)
    await ledger.answers(a_till_enrolment(NEW), a_capture(CARD, 2000, redeem=1500), reserve)
    await ledger.answers(a_release(reserve.operation_id))
    await ledger.answers(a_release(reserve.operation_id))  # nothing is left to release

    (day,) = await end_of_day(ledger)

    assert figures(day) == {"enrolments": 1, "refusals": 2}


async def test_terminals_are_told_one_by_one(ledger: Ledger) -> None:
    await ledger.answers(
        a_capture(CARD, 1000, terminal_id="till-2"),
        a_capture(CARD, 2000, terminal_id="till-1"),
        a_capture(OTHER, 4000, terminal_id="till-2"),
    )

    both = await end_of_day(ledger)
    (second,) = await end_of_day(ledger, terminal_id="till-2")

    assert [(day.terminal_id, day.basket_minor) for day in both] == [
        ("till-1", 2000),
        ("till-2", 5000),
    ]
    assert second == both[1]
    assert await end_of_day(ledger, terminal_id="till-3") == []


# --- whose day it is ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "is_told"),
    [
        (datetime(2026, 11, 18, 22, 59, 59, tzinfo=UTC), False),
        (datetime(2026, 11, 18, 23, 0, 0, tzinfo=UTC), True),  # a day before it begins in Berlin
        (datetime(2026, 11, 20, 3, 0, 0, tzinfo=UTC), True),
        (datetime(2026, 11, 22, 22, 59, 59, tzinfo=UTC), True),
        (datetime(2026, 11, 22, 23, 0, 0, tzinfo=UTC), False),  # two days after it has ended
    ],
)
async def test_the_till_says_whose_day_it_is(ledger_url: str, at: datetime, is_told: bool) -> None:
    """Within reason: its day may begin before midnight and end after it."""
    async with opened(ledger_url, lanes=1) as ledger:
        ledger.clock.at = datetime(2026, 11, 1, tzinfo=UTC)
        await ledger.enrolled(CARD)
        ledger.clock.at = at
        await ledger.answers(a_capture(CARD, 2000, business_date="2026-11-20"))

        assert bool(await end_of_day(ledger)) is is_told


async def test_a_row_without_a_business_date_counts_on_its_day_in_the_programmes_zone(
    ledger: Ledger,
) -> None:
    for at, card in (
        (datetime(2026, 11, 20, 22, 59, 59, tzinfo=UTC), NEW),
        (datetime(2026, 11, 20, 23, 0, 0, tzinfo=UTC), "4711"),
    ):
        ledger.clock.at = at
        await ledger.answers(a_till_enrolment(card))

    assert [day.enrolments for day in await end_of_day(ledger)] == [1]
    assert [day.enrolments for day in await end_of_day(ledger, date(2026, 11, 21))] == [1]
    assert await end_of_day(ledger, date(2026, 11, 22)) == []


async def test_a_day_without_anything_is_empty(ledger: Ledger) -> None:
    assert await end_of_day(ledger, date(2020, 1, 1)) == []
    assert await end_of_day(ledger, date(2030, 1, 1)) == []


# --- over the wire --------------------------------------------------------------------------


async def test_a_till_asks_for_its_own_day(loyalty: Served) -> None:
    await loyalty.enrolled(CARD)
    today = datetime.now(UTC).date().isoformat()
    await loyalty.committed(a_wire_capture(CARD, 2000, business_date=today), terminal_id="till-7")
    await loyalty.committed(operations.identify(CARD), terminal_id="till-8")

    answer = await loyalty.journal.GetEndOfDay(
        pb.GetEndOfDayRequest(terminal_id="till-7", business_date=today)
    )

    (day,) = answer.terminals
    assert (day.terminal_id, day.captures, day.basket_minor) == ("till-7", 1, 2000)


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("business_date", ""),
        ("business_date", "20.11.2026"),
        ("business_date", "9999-12-31"),
        ("terminal_id", "x" * 65),
        ("terminal_id", "\0"),
    ],
)
async def test_a_malformed_question_is_named(loyalty: Served, field: str, wrong: str) -> None:
    request = pb.GetEndOfDayRequest(**{"business_date": "2026-11-20", field: wrong})

    code, words = await refusal(loyalty.journal.GetEndOfDay(request))

    assert (code, words.partition(":")[0]) == (INVALID, field)
