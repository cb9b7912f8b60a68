"""The nightly walk and the end of reservations: idempotent, resumable, one process at a time."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import update

from services.loyalty import jobs, schema
from services.loyalty.domain.decision import Reserved, Summary
from services.loyalty.jobs import JobTakenError, Nightly, ReservationTimer
from services.loyalty.lanes import Lanes
from services.loyalty.retention import Retention
from tests.loyalty.commands import a_merge, a_reserve, an_adjustment
from tests.loyalty.ledgers import Ledger, a_capture, an_enrolment, opened

CARDS = [f"29000000{number:05d}" for number in range(12)]
FOR_EVER = Retention(baskets_days=0, tombstones_days=0, sessions_days=0, audit_days=0)
YEARS = timedelta(days=365 * 4)


@pytest.fixture
async def ledger(ledger_url: str) -> AsyncIterator[Ledger]:
    """A ledger with lanes, as a process has it; at the end its books have to balance."""
    async with opened(ledger_url, lanes=1) as ledger:
        yield ledger
        await ledger.verified()


def nightly_of(ledger: Ledger, *, retention: Retention = FOR_EVER) -> Nightly:
    assert isinstance(ledger.writer, Lanes)
    return Nightly(
        ledger.writer,
        ledger.engine,
        ledger.clock,
        retention=retention,
        wall_clock=lambda: ledger.clock.at,
    )


async def run(nightly: Nightly) -> jobs.Progress:
    """To the end; the last thing that it tells."""
    told = [progress async for progress in nightly.run()]
    return told[-1]


async def idle_members(ledger: Ledger) -> None:
    await ledger.enrolled(*CARDS)
    await ledger.answers(*[a_capture(card, 20_000) for card in CARDS])


async def test_idle_members_lose_what_has_expired(ledger: Ledger) -> None:
    await idle_members(ledger)
    ledger.clock.move(YEARS)

    last = await run(nightly_of(ledger))

    assert last == (32, len(CARDS), len(CARDS), 0, True)
    assert {row.points for row in await ledger.rows(schema.member)} == {0}
    assert len(await ledger.journal("expire")) == len(CARDS)


async def test_run_twice_it_finds_nothing_left_to_do(ledger: Ledger) -> None:
    await idle_members(ledger)
    ledger.clock.move(YEARS)
    await run(nightly_of(ledger))
    before = await ledger.state()

    last = await run(nightly_of(ledger))

    assert (last.looked_at, last.settled) == (len(CARDS), 0)
    assert await ledger.state() == before


async def test_broken_off_it_goes_on_where_it_was(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "SLICE", 1)
    await idle_members(ledger)
    ledger.clock.move(YEARS)
    broken = nightly_of(ledger)
    async for progress in broken.run():
        if progress.looked_at >= 5:
            break

    first = await anext(nightly_after_lease(ledger).run())

    assert first.looked_at >= 5
    last = await run(nightly_after_lease(ledger))
    assert (last.looked_at, last.finished) == (len(CARDS), True)
    assert {row.points for row in await ledger.rows(schema.member)} == {0}


def nightly_after_lease(ledger: Ledger) -> Nightly:
    """Another process, once the one that died can no longer be at it."""
    ledger.clock.move(jobs.LEASE)
    return nightly_of(ledger)


async def test_only_one_process_is_at_it(ledger: Ledger) -> None:
    await idle_members(ledger)
    at_it = nightly_of(ledger).run()
    await anext(at_it)

    with pytest.raises(JobTakenError, match="another process"):
        await run(nightly_of(ledger))


async def test_whose_lease_ran_out_stops(ledger: Ledger) -> None:
    await idle_members(ledger)
    slow = nightly_of(ledger).run()
    await anext(slow)
    async with ledger.engine.begin() as connection:
        await connection.execute(update(schema.job).values(owner="another"))

    with pytest.raises(JobTakenError, match="took the nightly run over"):
        await anext(slow)


async def test_baskets_go_when_their_retention_is_over(ledger: Ledger) -> None:
    await idle_members(ledger)
    ledger.clock.move(timedelta(days=31))
    keep_a_month = Retention(baskets_days=30, tombstones_days=0, sessions_days=0, audit_days=0)

    last = await run(nightly_of(ledger, retention=keep_a_month))

    assert last.deleted == len(CARDS)
    assert await ledger.rows(schema.basket) == []


async def test_a_reservation_ends_by_itself_when_its_time_is_over(ledger: Ledger) -> None:
    """The timer looks at the ledger's clock; here it is over as soon as it is told."""
    enrol = an_enrolment(CARDS[0])
    await ledger.decision(enrol)
    await ledger.decision(an_adjustment(enrol.member_id, 100))
    reserved = await ledger.decision(a_reserve(CARDS[0], 500, redeem=50))
    assert isinstance(reserved, Reserved)
    ledger.clock.move(timedelta(seconds=600))
    timer = ReservationTimer(ledger.clock)
    assert isinstance(ledger.writer, Lanes)
    running = asyncio.create_task(timer.run(ledger.writer))
    ledger.committed.clear()

    timer.reserved(reserved)

    await asyncio.wait_for(ledger.committed.wait(), 30)
    running.cancel()
    assert (await ledger.member(enrol.member_id)).held == 0
    assert len(await ledger.journal("timeout")) == 1


async def test_a_reservation_ends_also_where_its_member_went_on_into_another(
    ledger: Ledger,
) -> None:
    survivor, gone = await ledger.enrolled(*CARDS[:2])
    await ledger.decision(an_adjustment(gone.member_id, 100))
    await ledger.decision(a_reserve(CARDS[1], 500, redeem=50))
    await ledger.decision(a_merge(survivor.member_id, gone.member_id))
    ledger.clock.move(timedelta(seconds=600))
    assert isinstance(ledger.writer, Lanes)

    await jobs.settle(ledger.writer, [gone.member_id])

    assert (await ledger.member(survivor.member_id)).held == 0


def test_the_timer_waits_for_the_one_that_ends_first() -> None:
    class Clock:
        def now_us(self) -> int:
            return 5_000_000

        def observe(self, occurred_at_us: int) -> None: ...

    timer = ReservationTimer(Clock())
    member = Summary("m", 1, 0, 0, "de")
    assert timer._wait_s() is None
    for ends_at_us in (9_000_000, 7_000_000):
        timer.reserved(Reserved(member, 1, 0, 1, (), (), ends_at_us))

    assert timer._wait_s() == 2.0


BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("now", "hours"),
    [
        (datetime(2026, 11, 20, 2, 0, tzinfo=BERLIN), 1),
        (datetime(2026, 11, 20, 3, 0, tzinfo=BERLIN), 24),
        (datetime(2026, 11, 20, 4, 0, tzinfo=BERLIN), 23),
        (datetime(2026, 3, 28, 4, 0, tzinfo=BERLIN), 22),  # the night in which an hour is skipped
    ],
)
def test_the_next_run_is_the_next_three_oclock(now: datetime, hours: int) -> None:
    assert jobs._until(datetime(2026, 1, 1, 3, tzinfo=UTC).time(), now) == hours * 3600
