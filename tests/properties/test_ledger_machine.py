"""The real writer against a model of members' points that a reader can check by eye.

Hypothesis chooses what tills and staff do, and when; after every step the ledger has to agree with
the model, and at the end it has to verify.
"""

import asyncio
import tempfile
from calendar import monthrange
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, TypeVar
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bonpunkt.till import operations
from services.loyalty import schema
from services.loyalty.domain.command import Capture, Command, Enrol
from services.loyalty.domain.decision import JOURNALLED, Burnt, Captured, Refusal, Refused
from services.loyalty.writer import Answer, Writer
from tests.loyalty.examples import a_programme
from tests.loyalty.ledgers import (
    WITHIN_S,
    Ledger,
    SetClock,
    a_block,
    a_capture,
    an_abandon,
    an_enrolment,
    bucket_sums,
    opened,
    wire,
)
from tests.scale import scaled

T = TypeVar("T")
BERLIN = ZoneInfo("Europe/Berlin")
MEMBERS_MAX = 5

# One point per 2.00 of what is not paid in points; a point pays 0.01.
STEP = MINIMUM = 5
SHARE_PERCENT = 80
MONTHS = 2
PROGRAMME = a_programme(
    category_percent={},
    redeem_step=STEP,
    redeem_minimum=MINIMUM,
    redeem_share_percent=SHARE_PERCENT,
    expiry_months=MONTHS,
)

totals = st.sampled_from([0, 1, 6, 199, 200, 1000, 5000, 12_345, 100_000])
places = st.integers(0, 999)  # in a list, taken modulo its length
redemptions = st.sampled_from([None, None, "maximum", "maximum", 1, 5, 7, 10, 50, 100, 400, 5000])


# --- the model ------------------------------------------------------------------------------


@dataclass
class Modelled:
    """A member with nothing but points and the days on which they end."""

    enrolment: Enrol
    points_until: dict[date, int] = field(default_factory=dict)
    blocked: bool = False

    @property
    def points(self) -> int:
        return sum(self.points_until.values())

    def settle(self, today: date) -> None:
        self.points_until = {day: n for day, n in self.points_until.items() if day >= today}

    def buy(
        self, total_minor: int, redeem: operations.Redeem, today: date
    ) -> str | tuple[int, int]:
        """Points earned and redeemed, or the name of the refusal."""
        if self.blocked:
            return "CARD_NOT_ACCEPTED"
        cap = total_minor * SHARE_PERCENT // 100 // STEP * STEP
        if redeem == "maximum":
            redeem = self._most(total_minor, cap)
        elif redeem is not None:
            if redeem < MINIMUM:
                return "REDEMPTION_BELOW_MINIMUM"
            if redeem % STEP:
                return "REDEMPTION_NOT_A_STEP"
            if redeem > cap:
                return "EXCEEDS_SHARE"
            if redeem > self.points + earned(total_minor, redeem):
                return "EXCEEDS_AVAILABLE"
        redeem = redeem or 0
        self._move(earned(total_minor, redeem), redeem, today)
        return earned(total_minor, redeem), redeem

    def _most(self, total_minor: int, cap: int) -> int:
        """Tried one after the other, from the top."""
        for points in range(cap, 0, -STEP):
            if points <= self.points + earned(total_minor, points):
                return points
        return 0

    def _move(self, earn: int, redeem: int, today: date) -> None:
        until = end_of_month(today, MONTHS)
        self.points_until[until] = self.points_until.get(until, 0) + earn
        for day in sorted(self.points_until):
            taken = min(redeem, self.points_until[day])
            self.points_until[day] -= taken
            redeem -= taken
        assert redeem == 0


def earned(total_minor: int, redeemed: int) -> int:
    return (total_minor - redeemed) // 200


def end_of_month(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, monthrange(year, month + 1)[1])


# Answers that are not booked: nothing stands under their id, like under that of a question.
LEAVES_NO_ROW = {refusal.name for refusal in set(Refusal) - JOURNALLED} | {"AlreadyDecided"}


# --- the machine ----------------------------------------------------------------------------


class LedgerMachine(RuleBasedStateMachine):
    """What tills and staff do to one ledger, with a writer that now and then starts anew."""

    new_database: ClassVar[Callable[[], str]]
    outcomes: ClassVar[Counter[tuple[str, str]]]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = SetClock(datetime(2026, 1, 15, 11, tzinfo=UTC))
        self.stack = AsyncExitStack()
        self.ledger: Ledger = self.run(
            self.stack.enter_async_context(
                opened(type(self).new_database(), programmes=[(0, PROGRAMME)], clock=self.clock)
            )
        )
        self.members: list[Modelled] = []
        self.answered: list[tuple[Command, Answer]] = []  # what a repeat has to hear again
        self.burnt: list[str] = []

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def teardown(self) -> None:
        try:
            self.run(self.ledger.verified())
        finally:
            self.run(self.stack.aclose())
            self.runner.close()

    @property
    def today(self) -> date:
        return self.clock.at.astimezone(BERLIN).date()

    def heard(self, kind: str, command: Command, answer: Answer) -> str:
        """Counts the outcome by its name and remembers what is booked, which may be repeated."""
        assert answer.cause is None
        decision = answer.decision
        name = decision.reason.name if isinstance(decision, Refused) else type(decision).__name__
        type(self).outcomes[kind, name] += 1
        if name not in LEAVES_NO_ROW:
            self.answered.append((command, answer))
        return name

    def ask(self, kind: str, command: Command) -> tuple[Answer, str]:
        answer = self.run(self.ledger.answer(command))
        return answer, self.heard(kind, command, answer)

    # --- members

    @initialize()
    def open_shop(self) -> None:
        """Two members, one of whom has shopped before, and an id that was given up."""
        self.enrol()
        self.enrol()
        self.buy([(0, 20_000, None)])
        self.abandon()

    @precondition(lambda self: len(self.members) < MEMBERS_MAX)
    @rule()
    def enrol(self) -> None:
        command = an_enrolment(f"card-{len(self.members)}")
        _, outcome = self.ask("enrol", command)
        assert outcome == "Enrolled"
        self.members.append(Modelled(command))

    @rule(place=places, same_id=st.booleans())
    def enrol_again(self, place: int, same_id: bool) -> None:
        """With a card that is taken, or under an id that is."""
        old = self.members[place % len(self.members)].enrolment
        if same_id:
            command, expected = an_enrolment("new", member_id=old.member_id), "MEMBER_EXISTS"
        else:
            command, expected = an_enrolment(old.card), "CARD_TAKEN"
        _, outcome = self.ask("enrol", command)
        assert outcome == expected
        member = self.members[place % len(self.members)]
        if same_id:
            member.settle(self.today)

    @rule(place=places, blocked=st.sampled_from([True, False, False]))
    def block(self, place: int, blocked: bool) -> None:
        member = self.members[place % len(self.members)]
        command = a_block(member.enrolment.member_id, blocked=blocked)
        _, outcome = self.ask("block" if blocked else "unblock", command)
        assert outcome == "BlockedSet"
        member.blocked = blocked

    @rule(total_minor=totals)
    def be_nobody(self, total_minor: int) -> None:
        assert self.ask("block", a_block(operations.new_id()))[1] == "MEMBER_UNKNOWN"
        assert self.ask("earn", a_capture("nobody", total_minor))[1] == "CARD_NOT_ACCEPTED"

    # --- purchases

    @rule(place=places, total_minor=totals, redeem=redemptions)
    def capture(self, place: int, total_minor: int, redeem: operations.Redeem) -> None:
        self.buy([(place, total_minor, redeem)])

    @rule(basket=st.lists(st.tuples(places, totals, redemptions), min_size=2, max_size=6))
    def capture_together(self, basket: list[tuple[int, int, operations.Redeem]]) -> None:
        """In one batch, several of one member among them."""
        self.buy(basket)

    def buy(self, purchases: list[tuple[int, int, operations.Redeem]]) -> None:
        commands = [
            a_capture(self.members[place % len(self.members)].enrolment.card, total, redeem=redeem)
            for place, total, redeem in purchases
        ]
        answers = self.run(self.ledger.answers(*commands))
        for purchase, command, answer in zip(purchases, commands, answers, strict=True):
            place, total, redeem = purchase
            member = self.members[place % len(self.members)]
            member.settle(self.today)
            expected = member.buy(total, redeem, self.today)
            kind = {"None": "earn", "maximum": "redeem the most"}.get(str(redeem), "redeem")
            outcome = self.heard(kind, command, answer)
            if isinstance(expected, str):
                assert outcome == expected
            else:
                decision = answer.decision
                assert isinstance(decision, Captured)
                assert (decision.points_earned, decision.points_redeemed) == expected
                assert decision.member.points == member.points

    @precondition(lambda self: self.captures())
    @rule(place=places)
    def capture_a_receipt_again(self, place: int) -> None:
        """Under another id: refused, unless the card is not accepted in the first place."""
        old = self.captures()[place % len(self.captures())]
        command = a_capture(old.card, 200, receipt_number=old.basket.receipt_number)
        member = next(m for m in self.members if m.enrolment.card == old.card)
        _, outcome = self.ask("reuse a receipt", command)
        assert outcome == ("CARD_NOT_ACCEPTED" if member.blocked else "RECEIPT_REUSED")

    def captures(self) -> list[Capture]:
        return [c for c, a in self.answered if isinstance(a.decision, Captured)]  # type: ignore[misc]

    # --- repeats, abandons, questions

    @rule(place=places)
    def repeat(self, place: int) -> None:
        command, first = self.answered[place % len(self.answered)]
        again = self.run(self.ledger.answer(command))
        assert wire("", again) == wire("", first)
        type(self).outcomes["repeat", "the same answer"] += 1

    @rule(place=places, how=st.sampled_from(["capture", "enrol", "block", "abandon"]))
    def repeat_with_other_content(self, place: int, how: str) -> None:
        command, _ = self.answered[place % len(self.answered)]
        operation_id = command.operation_id
        other: dict[str, Callable[[], Command]] = {
            "capture": lambda: a_capture("card-0", 31, operation_id=operation_id),
            "enrol": lambda: an_enrolment("other", operation_id=operation_id),
            "block": lambda: a_block(operations.new_id(), operation_id=operation_id),
            "abandon": lambda: an_abandon(operations.new_id(), operation_id=operation_id),
        }
        _, outcome = self.ask("reuse an id", other[how]())
        assert outcome == "KEY_REUSED"

    @precondition(lambda self: len(self.burnt) < 2)
    @rule()
    def abandon(self) -> None:
        target_id = operations.new_id()
        answer, _ = self.ask("abandon", an_abandon(target_id))
        assert answer.decision == Burnt(target_id)
        self.burnt.append(target_id)

    @rule(place=places, again=st.booleans())
    def come_late(self, place: int, again: bool) -> None:
        """The original of an abandoned id, or another abandon of it."""
        target_id = self.burnt[place % len(self.burnt)]
        if again:
            answer = self.run(self.ledger.answer(an_abandon(target_id)))
            assert answer.decision == Burnt(target_id)
        else:
            late = a_capture("card-0", 1000, operation_id=target_id)
            assert self.ask("come late", late)[1] == "ABANDONED"

    @rule(place=places)
    def abandon_too_late(self, place: int) -> None:
        command, first = self.answered[place % len(self.answered)]
        answer, outcome = self.ask("abandon", an_abandon(command.operation_id))
        assert outcome == "AlreadyDecided"
        assert answer.original is not None
        assert wire("", answer.original) == wire("", first)

    @rule(place=places)
    def ask_status(self, place: int) -> None:
        asked: list[tuple[str, Answer | None]]
        asked = [(command.operation_id, answer) for command, answer in self.answered]
        asked += [(target_id, None) for target_id in (*self.burnt, operations.new_id())]
        operation_id, answer = asked[place % len(asked)]
        found = self.run(self.ledger.status(operation_id))
        assert found.answer == answer
        assert found.abandoned == (operation_id in self.burnt)
        state = "decided" if answer else "abandoned" if found.abandoned else "unknown"
        type(self).outcomes["status", state] += 1

    # --- the world

    @rule(days=st.sampled_from([1, 10, 31, 75]))
    def time_goes_by(self, days: int) -> None:
        self.clock.move(timedelta(days=days))
        type(self).outcomes["time", "goes by"] += 1

    @rule()
    def restart(self) -> None:
        """A new writer on the same database; on PostgreSQL as a new process would be."""

        async def restarted() -> Writer:
            old, ledger = self.ledger.writer, self.ledger
            old.stop()
            writer = Writer(ledger.store, ledger.programmes, ledger.clock)
            working = asyncio.create_task(writer.run())

            async def stopped() -> None:
                writer.stop()
                await asyncio.wait_for(working, WITHIN_S)

            self.stack.push_async_callback(stopped)
            return writer

        self.ledger.writer = self.run(restarted())
        type(self).outcomes["restart", "done"] += 1

    @invariant()
    def available_is_what_the_model_says(self) -> None:
        async def available() -> list[int | None]:
            cards = [member.enrolment.card for member in self.members]
            return list(await asyncio.gather(*map(self.ledger.available, cards)))

        for member, points in zip(self.members, self.run(available()), strict=True):
            member.settle(self.today)
            assert points == (None if member.blocked else member.points)

    @invariant()
    def every_bucket_sums_to_zero(self) -> None:
        buckets = self.run(self.ledger.rows(schema.bucket))
        sums = bucket_sums(buckets, self.run(self.ledger.rows(schema.member)))
        assert not any(sums.values())


# What has to have happened at least once, or the machine has shown less than it says.
EXPECTED = {
    "enrol": {"Enrolled", "CARD_TAKEN", "MEMBER_EXISTS"},
    "earn": {"Captured", "CARD_NOT_ACCEPTED"},
    "redeem the most": {"Captured"},
    "redeem": {
        "Captured",
        "REDEMPTION_BELOW_MINIMUM",
        "REDEMPTION_NOT_A_STEP",
        "EXCEEDS_SHARE",
        "EXCEEDS_AVAILABLE",
    },
    "reuse a receipt": {"RECEIPT_REUSED"},
    "reuse an id": {"KEY_REUSED"},
    "repeat": {"the same answer"},
    "abandon": {"Burnt", "AlreadyDecided"},
    "come late": {"ABANDONED"},
    "status": {"decided", "abandoned", "unknown"},
    "block": {"BlockedSet", "MEMBER_UNKNOWN"},
    "unblock": {"BlockedSet"},
    "time": {"goes by"},
    "restart": {"done"},
}


def play(new_database: Callable[[], str], *, examples: int) -> Counter[tuple[str, str]]:
    outcomes: Counter[tuple[str, str]] = Counter()
    members = {"new_database": staticmethod(new_database), "outcomes": outcomes}
    machine = type("Machine", (LedgerMachine,), members)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            deadline=None,
            report_multiple_bugs=False,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )
    return outcomes


def tell(outcomes: Counter[tuple[str, str]]) -> None:
    for kind in EXPECTED:
        all_of_kind = sum(count for (k, _), count in outcomes.items() if k == kind)
        shares = [
            f"{name} {count / all_of_kind:.0%}"
            for (k, name), count in sorted(outcomes.items())
            if k == kind
        ]
        print(f"{kind}: {all_of_kind:,}: {', '.join(shares)}")


def missing(outcomes: Counter[tuple[str, str]]) -> list[str]:
    return [
        f"{kind}: {name}"
        for kind, names in EXPECTED.items()
        for name in sorted(names)
        if not outcomes[kind, name]
    ]


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def test_the_ledger_agrees_with_the_model_on_sqlite(folder: Path) -> None:
    numbers = iter(range(10**9))

    outcomes = play(lambda: f"sqlite:///{folder / str(next(numbers))}", examples=scaled(600))

    tell(outcomes)
    assert missing(outcomes) == []


def test_the_ledger_agrees_with_the_model_on_postgresql(
    request: pytest.FixtureRequest,
) -> None:
    make: Callable[[], str] = request.getfixturevalue("make_postgres_database")

    outcomes = play(make, examples=scaled(100))

    tell(outcomes)
    assert sum(outcomes.values()) > 0
