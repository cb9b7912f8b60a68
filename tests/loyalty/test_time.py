"""What time does to points: on the programme's calendar, once, and in the journal."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
import pytest

from bonpunkt.till import operations
from services.loyalty.domain.command import Command
from services.loyalty.domain.decision import Captured, Expired, Refusal, Refused
from services.loyalty.wire_forms import OPERATION_ID_FORM
from tests.loyalty.examples import a_programme
from tests.loyalty.ledgers import Ledger, a_block, a_capture, an_abandon, opened, restarted

CARD = "2900000000018"
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
async def monthly(ledger_url: str) -> AsyncIterator[Ledger]:
    """A programme whose points end with the month after the one in which they were earned."""
    programme = a_programme(expiry_months=1, announce_days=())
    async with opened(ledger_url, programmes=[(0, programme)]) as ledger:
        ledger.clock.at = datetime(2026, 1, 2, tzinfo=UTC)
        yield ledger
        await ledger.verified()


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


async def earn(ledger: Ledger, at: datetime, points: int = 10) -> str:
    """Earns at this instant; answers the last day of the member's newest lot."""
    ledger.clock.at = at
    decision = await ledger.decision(a_capture(CARD, points * 200))
    assert isinstance(decision, Captured)
    return str((await lots(ledger))[-1][0])


async def lots(ledger: Ledger) -> list[tuple[str, int]]:
    enrolment = (await ledger.journal("enrol"))[0]
    found = orjson.loads((await ledger.member(enrolment.member_id)).lots)
    return [(day, points) for day, points in found]


@pytest.mark.parametrize(
    ("earned", "last_day", "still", "gone"),
    [
        # winter: midnight in Berlin is 23:00 UTC
        (
            "2026-11-20 12:00",
            "2026-12-31",
            "2026-12-31T22:59:59.999999Z",
            "2026-12-31T23:00:00Z",
        ),
        # summer: 22:00 UTC
        ("2026-07-01 00:00", "2026-08-31", "2026-08-31T21:59:59.999999Z", "2026-08-31T22:00:00Z"),
        # the last day is the one on which clocks go back: it has 25 hours
        ("2027-09-30 23:59", "2027-10-31", "2027-10-31T22:59:59.999999Z", "2027-10-31T23:00:00Z"),
        # earned in the hour that exists twice
        ("2027-10-31 02:30", "2027-11-30", "2027-11-30T22:59:59.999999Z", "2027-11-30T23:00:00Z"),
        # the month in which clocks go forward
        ("2027-02-28 23:59", "2027-03-31", "2027-03-31T21:59:59.999999Z", "2027-03-31T22:00:00Z"),
    ],
)
async def test_points_can_be_redeemed_to_the_last_instant_of_their_last_day(
    monthly: Ledger, earned: str, last_day: str, still: str, gone: str
) -> None:
    await monthly.enrolled(CARD)
    assert await earn(monthly, berlin(earned)) == last_day

    monthly.clock.at = datetime.fromisoformat(still)
    assert await monthly.available(CARD) == 10
    monthly.clock.at = datetime.fromisoformat(gone)
    assert await monthly.available(CARD) == 0

    refused = await monthly.decision(a_capture(CARD, 100, redeem=10))
    assert isinstance(refused, Refused)
    assert refused.reason is Refusal.EXCEEDS_AVAILABLE


async def test_points_are_spent_in_the_last_instant(monthly: Ledger) -> None:
    await monthly.enrolled(CARD)
    await earn(monthly, berlin("2026-11-20 12:00"))

    monthly.clock.at = berlin("2026-12-31 23:59:59.999999")

    assert isinstance(await monthly.decision(a_capture(CARD, 100, redeem=10)), Captured)
    assert await monthly.journal("expire") == []


@pytest.mark.parametrize(
    ("earned", "last_day"),
    [("2026-11-30 23:59:59", "2026-12-31"), ("2026-12-01 00:00:00", "2027-01-31")],
)
async def test_the_month_of_earning_is_the_programmes_not_utcs(
    monthly: Ledger, earned: str, last_day: str
) -> None:
    """Both instants are November in UTC."""
    await monthly.enrolled(CARD)

    assert berlin(earned).astimezone(UTC).month == 11
    assert await earn(monthly, berlin(earned)) == last_day


async def test_points_of_a_month_are_one_lot(monthly: Ledger) -> None:
    await monthly.enrolled(CARD)
    await earn(monthly, berlin("2026-11-01 00:00"), 10)
    await earn(monthly, berlin("2026-11-30 23:59"), 5)
    await earn(monthly, berlin("2026-12-01 00:00"), 7)

    assert await lots(monthly) == [("2026-12-31", 15), ("2027-01-31", 7)]


async def test_the_lot_that_ends_first_is_redeemed_first(monthly: Ledger) -> None:
    await monthly.enrolled(CARD)
    await earn(monthly, berlin("2026-11-10 12:00"), 10)
    await earn(monthly, berlin("2026-12-10 12:00"), 10)

    await monthly.decision(a_capture(CARD, 12, redeem=12))
    assert await lots(monthly) == [("2027-01-31", 8)]
    assert (await monthly.journal("capture"))[-1].movements == (
        '{"transfers":[["points","redeemed",12]],"lots":[["2026-12-31",-10],["2027-01-31",-2]]}'
    )


async def test_points_of_this_basket_are_spent_last(monthly: Ledger) -> None:
    """They live the longest."""
    await monthly.enrolled(CARD)
    await earn(monthly, berlin("2026-11-10 12:00"), 10)
    monthly.clock.at = berlin("2026-12-10 12:00")

    await monthly.decision(a_capture(CARD, 2000, redeem=12))

    assert await lots(monthly) == [("2027-01-31", 10 + 9 - 12)]


async def test_each_lot_that_ended_is_a_row_of_its_own_in_order(monthly: Ledger) -> None:
    await monthly.enrolled(CARD)
    await earn(monthly, berlin("2026-11-10 12:00"), 10)
    await earn(monthly, berlin("2026-12-10 12:00"), 20)
    monthly.clock.at = berlin("2027-02-01 00:00")

    answer = await monthly.answer(a_capture(CARD, 600))

    rows = (await monthly.journal())[-3:]
    assert [row.kind for row in rows] == ["expire", "expire", "capture"]
    assert [orjson.loads(row.decision)["points_expired"] for row in rows[:2]] == [10, 20]
    assert [row.member_version for row in rows] == [4, 5, 6]
    assert {row.actor for row in rows[:2]} == {"time"}
    assert {row.effective_at_us for row in rows} == {answer.effective_at_us}
    assert isinstance(answer.decision, Captured)
    assert (answer.decision.member.points, answer.decision.member.version) == (3, 6)


async def test_a_lot_ends_once_whatever_comes_after(monthly: Ledger) -> None:
    """Questions write nothing; the first operation does, and those after it find nothing to do."""
    await monthly.enrolled(CARD)
    await earn(monthly, berlin("2026-11-10 12:00"))
    monthly.clock.at = berlin("2027-03-01 00:00")
    before = await monthly.state()

    assert await monthly.available(CARD) == 0
    assert await monthly.state() == before
    await monthly.answers(*(a_capture(CARD, 0) for _ in range(3)))
    async with restarted(monthly) as later:
        await later.decision(a_capture(CARD, 0))

    assert len(await monthly.journal("expire")) == 1


async def test_an_ended_lot_stays_ended_when_the_clock_was_wrong(monthly: Ledger) -> None:
    """The bucket's last time holds: nobody gets points back by setting a clock back."""
    await monthly.enrolled(CARD)
    await earn(monthly, berlin("2026-11-10 12:00"))
    monthly.clock.at = berlin("2027-01-01 00:00")
    await monthly.decision(a_capture(CARD, 0))

    monthly.clock.at = berlin("2026-11-10 12:00")

    assert await earn(monthly, monthly.clock.at) == "2027-02-28"
    assert await monthly.available(CARD) == 10


@pytest.mark.parametrize("what", ["a refusal without a row", "a journalled refusal", "a block"])
async def test_time_is_settled_before_every_decision(monthly: Ledger, what: str) -> None:
    (enrolment,) = await monthly.enrolled(CARD)
    await earn(monthly, berlin("2026-11-10 12:00"))
    monthly.clock.at = berlin("2027-01-01 00:00")

    commands: dict[str, Command] = {
        "a refusal without a row": a_capture(CARD, 5, redeem=6),
        "a journalled refusal": a_capture(CARD, 50, redeem=10),
        "a block": a_block(enrolment.member_id),
    }
    await monthly.answer(commands[what])

    assert len(await monthly.journal("expire")) == 1
    assert await lots(monthly) == []


async def test_an_effect_of_time_has_an_id_of_its_own_that_nobody_else_can_take(
    monthly: Ledger,
) -> None:
    """Its answer is found like any other; as a till's operation id it is refused."""
    await monthly.enrolled(CARD)
    await earn(monthly, berlin("2026-11-10 12:00"))
    monthly.clock.at = berlin("2027-01-01 00:00")
    await monthly.decision(a_capture(CARD, 0))

    (row,) = await monthly.journal("expire")
    found = await monthly.status(row.operation_id)

    assert found.answer is not None
    assert isinstance(found.answer.decision, Expired)
    assert UUID(row.operation_id).version == 8
    assert not OPERATION_ID_FORM.fullmatch(row.operation_id)
    assert OPERATION_ID_FORM.fullmatch(operations.new_id())


async def test_a_repeat_after_points_ended_is_the_answer_of_then(monthly: Ledger) -> None:
    await monthly.enrolled(CARD)
    monthly.clock.at = berlin("2026-11-10 12:00")
    capture = a_capture(CARD, 2000)
    first = await monthly.answer(capture)
    monthly.clock.at = berlin("2027-01-01 00:00")

    async with restarted(monthly) as later:
        again, abandoned = await later.answers(capture, an_abandon(capture.operation_id))

    assert again == first
    assert abandoned.original == first
    assert await monthly.journal("expire") == [], "a repeat decides nothing"
