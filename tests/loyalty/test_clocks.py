"""Loyalty's clock decides, a till's never; and a clock that is set back revives nothing.

Each rule of time is tried on both sides of its limit, by tills whose clocks are right, an hour
ahead, and a day behind.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from services.loyalty.answers import Answer
from services.loyalty.clock import SystemClock
from services.loyalty.domain.command import Command
from services.loyalty.domain.decision import Captured, Refused
from services.loyalty.domain.programme import Programme, Tier
from tests.loyalty.commands import a_release, a_reserve, a_void
from tests.loyalty.examples import a_programme
from tests.loyalty.ledgers import Ledger, SetClock, a_capture, opened
from tests.loyalty.matrix.gates import new_writer

BEGAN = datetime(2026, 11, 10, 11, 0, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
CLOCKS = {
    "right": timedelta(),
    "an hour ahead": timedelta(hours=1),
    "a day behind": -timedelta(days=1),
}
POINTS = 20


@dataclass(frozen=True, slots=True)
class Limit:
    """Something is so `before` the instant `at` and otherwise `after` it, and at it. `try_it` shows
    which, with the card of a member who began at BEGAN.
    """

    programme: Programme
    at: datetime
    begin: Callable[[str], Mapping[str, Command]]
    try_it: Callable[[str, Mapping[str, Command]], Command]
    before: str
    after: str


def bought(card: str) -> Mapping[str, Command]:
    """20 points."""
    return {"purchase": a_capture(card, POINTS * 200)}


def spend(card: str, _: Mapping[str, Command]) -> Command:
    """All of them, in a basket that earns nothing."""
    return a_capture(card, POINTS, redeem=POINTS)


def reserved(card: str) -> Mapping[str, Command]:
    return {**bought(card), "reservation": a_reserve(card, 5000, redeem=POINTS)}


def void(_: str, done: Mapping[str, Command]) -> Command:
    return a_void(done["purchase"].operation_id)


LIMITS = {
    "points expire": Limit(
        a_programme(expiry_months=1, announce_days=()),
        datetime(2026, 12, 31, 23, 0, tzinfo=UTC),  # midnight in Berlin
        bought,
        spend,
        before="Captured, 0 earned",
        after="exceeds_available",
    ),
    "points become spendable": Limit(
        a_programme(pending_days=14),
        datetime(2026, 11, 23, 23, 0, tzinfo=UTC),
        bought,
        spend,
        before="exceeds_available",
        after="Captured, 0 earned",
    ),
    "a reservation ends": Limit(
        a_programme(reservation_s=600),
        BEGAN + timedelta(seconds=600),
        reserved,
        lambda _, done: a_release(done["reservation"].operation_id),
        before="Released",
        after="reservation_ended",
    ),
    "hours of voiding are over": Limit(
        a_programme(void_hours=2),
        BEGAN + timedelta(hours=2) + MICROSECOND,
        bought,
        void,
        before="Voided",
        after="void_too_late",
    ),
    "a business day is over, whatever the till calls it": Limit(
        a_programme(),
        BEGAN + timedelta(hours=36) + MICROSECOND,
        bought,
        void,
        before="Voided",
        after="void_too_late",
    ),
    "a tier ends with its year": Limit(
        a_programme(tiers=(Tier("base", 0, 100), Tier("gold", POINTS, 200))),
        datetime(2026, 12, 31, 23, 0, tzinfo=UTC),
        bought,
        lambda card, _: a_capture(card, 2000),
        before="Captured, 20 earned",
        after="Captured, 10 earned",
    ),
}


def word(answer: Answer) -> str:
    decision = answer.decision
    if isinstance(decision, Refused):
        return decision.reason.value
    if isinstance(decision, Captured):
        return f"Captured, {decision.points_earned} earned"
    return type(decision).__name__


def said_at(command: Command, clock: datetime) -> Command:
    """The command from a till whose clock shows this."""
    occurred_at_us = SetClock(clock).now_us()
    return replace(command, origin=replace(command.origin, occurred_at_us=occurred_at_us))


@pytest.fixture(params=LIMITS)
def limit(request: pytest.FixtureRequest) -> Limit:
    return LIMITS[request.param]


@pytest.fixture
async def by_rule(ledger_url: str, limit: Limit) -> AsyncIterator[Ledger]:
    """A ledger at BEGAN, with the programme of the limit."""
    async with opened(ledger_url, programmes=[(0, limit.programme)]) as ledger:
        ledger.clock.at = BEGAN
        yield ledger
        await ledger.verified()


async def begun(ledger: Ledger, limit: Limit, card: str) -> Mapping[str, Command]:
    await ledger.enrolled(card)
    done = limit.begin(card)
    for answer in await ledger.answers(*done.values()):
        assert not isinstance(answer.decision, Refused), answer
    return done


async def test_a_tills_clock_moves_no_limit(by_rule: Ledger, limit: Limit) -> None:
    """It is kept as it was told, and nothing is decided by it."""
    sides = {"before": limit.at - MICROSECOND, "after": limit.at}
    members = {(side, clock): f"{side}, {clock}" for side in sides for clock in CLOCKS}
    done = {key: await begun(by_rule, limit, card) for key, card in members.items()}
    told: dict[tuple[str, str], str] = {}
    for side, at in sides.items():
        by_rule.clock.at = at
        for clock, wrong_by in CLOCKS.items():
            key = side, clock
            command = said_at(limit.try_it(members[key], done[key]), at + wrong_by)

            answer = await by_rule.answer(command)

            told[key] = word(answer)
            (row,) = [r for r in await by_rule.journal() if r.operation_id == command.operation_id]
            assert row.effective_at_us == answer.effective_at_us == by_rule.clock.now_us()
            assert row.occurred_at_us == SetClock(at + wrong_by).now_us()
    assert told == {
        (side, clock): limit.before if side == "before" else limit.after for side, clock in told
    }
    assert len(told) == 2 * len(CLOCKS)


@pytest.mark.parametrize("back", [MICROSECOND, timedelta(hours=1), timedelta(days=30)], ids=str)
async def test_a_clock_set_back_undoes_no_limit(
    by_rule: Ledger, limit: Limit, back: timedelta
) -> None:
    """Once a bucket has seen the instant, it is not before it any more: not for the writer that
    had seen it, and not for a new one.
    """
    cards = ("one", "other")
    done = {card: await begun(by_rule, limit, card) for card in cards}
    by_rule.clock.at = limit.at
    for card in cards:
        assert isinstance(await by_rule.decision(a_capture(card, 0)), Captured)
    passed_us = by_rule.clock.now_us()
    by_rule.clock.move(-back)

    answer = await by_rule.answer(limit.try_it("one", done["one"]))
    async with new_writer(by_rule) as later:
        new = await later.answer(limit.try_it("other", done["other"]))

    assert (word(answer), word(new)) == (limit.after, limit.after)
    assert (answer.effective_at_us, new.effective_at_us) == (passed_us, passed_us)


async def test_a_repeat_with_another_clock_is_a_repeat(ledger: Ledger) -> None:
    """A till whose clock was set between two attempts sends the same request."""
    await ledger.enrolled("card")
    capture = a_capture("card", 2000)
    first = await ledger.answer(said_at(capture, ledger.clock.at))

    for wrong_by in CLOCKS.values():
        assert await ledger.answer(said_at(capture, ledger.clock.at + wrong_by)) == first
    assert len(await ledger.journal("capture")) == 1


def test_the_clock_of_a_real_process_takes_no_notice_of_tills() -> None:
    """Only the demo's follows them."""
    far_us = SetClock(datetime(9999, 1, 1, tzinfo=UTC)).now_us()
    clock = SystemClock()

    clock.observe(far_us)

    assert clock.now_us() < far_us
