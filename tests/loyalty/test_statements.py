"""A member's statement adds up to the last point, whatever happened to them."""

import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import grpc
import psycopg
import pytest
from sqlalchemy.engine import make_url

from bonpunkt.loyalty.v1 import journal_pb2 as pb
from bonpunkt.till import operations
from services.loyalty import statements
from services.loyalty.domain.command import Command
from services.loyalty.domain.days import end_of_day_us, start_of_day_us
from services.loyalty.statements import (
    NOTHING,
    PAGE_SIZE,
    Balances,
    BrokenLedgerError,
    Statement,
    TooManyMovementsError,
    read_statement,
)
from tests.loyalty.commands import a_merge, a_return, a_void, an_adjustment, an_erasure
from tests.loyalty.examples import a_programme
from tests.loyalty.ledgers import (
    Ledger,
    a_capture,
    a_wire_capture,
    an_enrolment,
    opened,
)
from tests.loyalty.served import Served, refusal

CARD, OTHER = "2900000000018", "2900000000025"
ZONE = "Europe/Berlin"
INVALID = grpc.StatusCode.INVALID_ARGUMENT
FIRST_DAY, LAST_DAY = date(2026, 11, 1), date(2031, 12, 31)


@pytest.fixture
async def ledger(ledger_url: str) -> AsyncIterator[Ledger]:
    """With points that wait a fortnight, so that every account of a member moves."""
    programme = replace(a_programme(), pending_days=14)
    async with opened(ledger_url, programmes=[(0, programme)], lanes=1) as ledger:
        yield ledger
        await ledger.verified()


async def statement(
    ledger: Ledger, member_id: str, first: date = FIRST_DAY, last: date = LAST_DAY
) -> Statement:
    found = await read_statement(
        ledger.engine,
        member_id,
        from_us=start_of_day_us(first, ZONE),
        until_us=end_of_day_us(last, ZONE),
    )
    assert found is not None
    return found


def told(statement: Statement) -> list[tuple[str, Balances]]:
    return [(movement.row.kind, movement.change) for movement in statement.movements]


async def do(ledger: Ledger, *commands: Command) -> None:
    for command in commands:
        assert (await ledger.answer(command)).cause is None


async def a_life(ledger: Ledger) -> str:
    """A member to whom nearly everything happens, over five years; their id."""
    enrolment = replace(an_enrolment(CARD), opening_points=300)
    other = replace(an_enrolment(OTHER), opening_points=70)
    bought, brought_back = a_capture(CARD, 20_000), a_capture(CARD, 4000, redeem=50)
    await do(ledger, enrolment, other, bought, brought_back)
    await do(ledger, a_return(brought_back.operation_id), an_adjustment(enrolment.member_id, -20))
    ledger.clock.move(timedelta(days=15))
    spent = a_capture(CARD, 100_00, redeem=330)
    await do(ledger, spent, a_return(bought.operation_id, ("1", 0)))
    await do(ledger, a_merge(enrolment.member_id, other.member_id))
    voided = a_capture(CARD, 2000)
    await do(ledger, voided, a_void(voided.operation_id, business_date="2026-11-20"))
    ledger.clock.move(timedelta(days=5 * 365))
    await do(ledger, a_capture(CARD, 200))  # what is due comes first: points end
    return enrolment.member_id


# --- adding up ------------------------------------------------------------------------------


async def test_every_movement_is_told_and_they_add_up(ledger: Ledger) -> None:
    member_id = await a_life(ledger)

    whole = await statement(ledger, member_id)

    kinds = [kind for kind, _ in told(whole)]
    assert {"enrol", "capture", "return", "adjust", "activate", "merge", "void", "expire"} <= set(
        kinds
    )
    assert whole.opening == NOTHING
    member = await ledger.member(member_id)
    assert whole.closing == (member.points, member.pending, member.receivable)
    balance = whole.opening
    for movement in whole.movements:
        balance = balance.plus(movement.change)
        assert movement.balance == balance
    assert balance == whole.closing


async def test_one_period_ends_with_what_the_next_begins_with(ledger: Ledger) -> None:
    member_id = await a_life(ledger)
    whole = await statement(ledger, member_id)
    days = [FIRST_DAY, date(2026, 11, 20), date(2026, 12, 4), date(2027, 6, 1), LAST_DAY]

    parts = [
        await statement(ledger, member_id, first, last - timedelta(days=1))
        for first, last in pairwise(days)
    ]

    assert parts[0].opening == NOTHING
    for before, after in pairwise(parts):
        assert before.closing == after.opening
    assert parts[-1].closing == whole.closing
    assert [m.row.sequence for part in parts for m in part.movements] == [
        m.row.sequence for m in whole.movements
    ]


async def test_a_long_history_is_read_whole(ledger: Ledger) -> None:
    (enrolment,) = await ledger.enrolled(CARD)
    await ledger.answers(*(a_capture(CARD, 200) for _ in range(2 * PAGE_SIZE)))

    found = await statement(ledger, enrolment.member_id)

    assert len(found.movements) == 2 * PAGE_SIZE
    assert found.closing == (0, 2 * PAGE_SIZE, 0)


async def test_a_period_has_no_more_movements_than_an_answer_can_hold(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    (enrolment,) = await ledger.enrolled(CARD)
    await ledger.answers(*(a_capture(CARD, 200) for _ in range(4)))  # and the enrolment's row

    monkeypatch.setattr(statements, "LINES_MAX", 5)
    assert len((await statement(ledger, enrolment.member_id)).movements) == 4

    monkeypatch.setattr(statements, "LINES_MAX", 4)
    with pytest.raises(TooManyMovementsError):
        await statement(ledger, enrolment.member_id)


async def test_what_moves_nothing_is_not_told(ledger: Ledger) -> None:
    """An enrolment without points, a refusal."""
    (enrolment,) = await ledger.enrolled(CARD)
    await do(ledger, a_capture(CARD, 2000, redeem=1000))

    assert await statement(ledger, enrolment.member_id) == Statement(NOTHING, [], NOTHING)


# --- members who went on or were erased -----------------------------------------------------


async def test_a_merge_is_a_movement_on_both_sides(ledger: Ledger) -> None:
    first, second = replace(an_enrolment(CARD), opening_points=5), an_enrolment(OTHER)
    await do(ledger, first, second, a_capture(OTHER, 2000))
    await do(ledger, an_adjustment(second.member_id, 7))
    await do(ledger, a_merge(first.member_id, second.member_id))

    survivor = await statement(ledger, first.member_id)
    merged = await statement(ledger, second.member_id)

    assert told(survivor) == [("enrol", Balances(points=5)), ("merge", Balances(7, 10, 0))]
    assert told(merged)[-1] == ("merged", Balances(-7, -10, 0))
    assert merged.closing == NOTHING


async def test_the_statement_of_somebody_erased_ends_with_nothing(ledger: Ledger) -> None:
    enrolment = replace(an_enrolment(CARD), opening_points=300)
    await do(ledger, enrolment, an_erasure(enrolment.member_id))

    found = await statement(ledger, enrolment.member_id)

    assert told(found) == [("enrol", Balances(300)), ("erase", Balances(-300))]
    assert found.closing == NOTHING


async def test_nobody_has_no_statement(ledger: Ledger) -> None:
    assert (
        await read_statement(ledger.engine, operations.new_id(), from_us=0, until_us=2**62) is None
    )


# --- days -----------------------------------------------------------------------------------


async def test_a_day_begins_at_midnight_in_the_programmes_zone(ledger: Ledger) -> None:
    """23:00 in Berlin's winter is 22:00 in UTC; the new day begins an hour before that of UTC."""
    (enrolment,) = await ledger.enrolled(CARD)
    for at in (
        datetime(2026, 11, 20, 22, 59, 59, 999_999, tzinfo=UTC),
        datetime(2026, 11, 20, 23, 0, 0, tzinfo=UTC),
    ):
        ledger.clock.at = at
        await do(ledger, an_adjustment(enrolment.member_id, 1))

    old, new = date(2026, 11, 20), date(2026, 11, 21)
    first = await statement(ledger, enrolment.member_id, old, old)
    second = await statement(ledger, enrolment.member_id, new, new)

    assert (first.opening.points, first.closing.points) == (0, 1)
    assert (second.opening.points, second.closing.points) == (1, 2)
    assert len(first.movements) == len(second.movements) == 1


# --- over the wire --------------------------------------------------------------------------


def a_question(member_id: str, /, **changes: str) -> pb.GetStatementRequest:
    return pb.GetStatementRequest(
        **{
            "member_id": member_id,
            "from_date": "2000-01-01",
            "to_date": "2100-12-31",
            **changes,
        }
    )


async def test_a_line_names_receipt_and_terminal(loyalty: Served) -> None:
    (enrolment,) = await loyalty.enrolled(CARD)
    (decision,) = await loyalty.committed(
        a_wire_capture(CARD, 2000, receipt_number="4711"), terminal_id="till-7"
    )

    answer = await loyalty.journal.GetStatement(a_question(enrolment.member_id))

    (line,) = answer.lines
    assert (line.kind, line.terminal_id, line.store_id) == ("capture", "till-7", "s-1")
    assert (line.receipt_number, line.operation_id) == ("4711", decision.operation_id)
    assert line.effective_at == decision.effective_at
    assert (line.change.points, line.balance.points) == (10, 10)
    assert (answer.opening.points, answer.closing.points) == (0, 10)
    assert answer.time_zone == ZONE


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("member_id", "x"),
        ("from_date", ""),
        ("from_date", "20.11.2026"),
        ("from_date", "20261120"),
        ("from_date", "2026-02-30"),
        ("from_date", "0001-01-01"),
        ("to_date", ""),
        ("to_date", "9999-12-31"),
        ("to_date", "1999-12-31"),  # before the first day
    ],
)
async def test_a_malformed_question_is_named(loyalty: Served, field: str, wrong: str) -> None:
    (enrolment,) = await loyalty.enrolled(CARD)

    code, words = await refusal(
        loyalty.journal.GetStatement(a_question(enrolment.member_id, **{field: wrong}))
    )

    assert (code, words.partition(":")[0]) == (INVALID, field)


async def test_the_first_and_last_day_that_can_be_asked_for(loyalty: Served) -> None:
    (enrolment,) = await loyalty.enrolled(CARD)
    question = a_question(enrolment.member_id, from_date="1970-01-01", to_date="9998-12-31")

    assert list((await loyalty.journal.GetStatement(question)).lines) == []


async def test_the_statement_of_nobody_is_not_found(loyalty: Served) -> None:
    code, words = await refusal(loyalty.journal.GetStatement(a_question(operations.new_id())))

    assert (code, words.partition(":")[0]) == (grpc.StatusCode.NOT_FOUND, "member_id")


# --- a broken ledger ------------------------------------------------------------------------


async def test_a_ledger_that_does_not_add_up_gives_no_statement(
    loyalty: Served, ledger_url: str
) -> None:
    """Somebody gave themselves a point more in one row's transfers."""
    (enrolment,) = await loyalty.enrolled(CARD)
    await loyalty.committed(a_wire_capture(CARD, 2000))
    forge(ledger_url)

    code, words = await refusal(loyalty.journal.GetStatement(a_question(enrolment.member_id)))

    assert code is grpc.StatusCode.INTERNAL
    assert "does not add up" in words
    assert "bonpunkt verify" in words


def forge(url: str) -> None:
    statement = (
        "UPDATE journal SET movements = replace(movements, '\"points\",10]', '\"points\",11]')"
    )
    if url.startswith("sqlite"):
        raw = sqlite3.connect(make_url(url).database or "", timeout=30)
        raw.execute(statement)
        raw.commit()
        raw.close()
        return
    with psycopg.connect(url) as connection:
        connection.execute(statement)


async def test_the_row_that_does_not_add_up_is_named(ledger_url: str) -> None:
    async with opened(ledger_url, lanes=1) as ledger:
        (enrolment,) = await ledger.enrolled(CARD)
        await do(ledger, a_capture(CARD, 2000))
        (row,) = await ledger.journal("capture")
        forge(ledger_url)

        with pytest.raises(BrokenLedgerError, match=f"^{row.bucket}/{row.sequence}$"):
            await statement(ledger, enrolment.member_id)
