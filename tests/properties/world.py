"""The real ledger and the model side by side: every step is asked of both, and both have to agree.

The ledger is the writer on a real database, with a clock that stands until it is moved.
"""

import asyncio
import hashlib
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from hypothesis import note

from services.loyalty.answers import Answer
from services.loyalty.domain.command import Command
from services.loyalty.domain.decision import JOURNALLED, Refused, Settled
from services.loyalty.domain.due import settle_due
from services.loyalty.quotes import Question
from services.loyalty.store import MEMBER_COLUMNS, member_from_row
from services.loyalty.writer import Writer
from tests.loyalty.ledgers import WITHIN_S, Ledger, SetClock, opened
from tests.properties.model import Model
from tests.properties.modelled import No, Outcome
from tests.properties.reckoning import Rules, window_begin
from tests.properties.report import FIGURES, SEEN, Outcomes
from tests.properties.rows import Rows
from tests.properties.told import programme_of, standing_of, told, told_question

T = TypeVar("T")


class Step(NamedTuple):
    """One operation: what the ledger is asked, and how to ask the model. Where it names a
    reservation, it hangs on how that ended; where it reaches a member by a card, a receipt or a
    reservation, `reaches` is whose that was at first.
    """

    kind: str
    command: Command
    expected: Callable[[], Outcome]
    words: str
    reservation_id: str = ""
    reaches: str = ""


class World:
    """One program's ledger. `outcomes` counts how often each kind of operation ended how."""

    def __init__(
        self, url: str, rules: Rules, began: datetime, salt: int, outcomes: Outcomes
    ) -> None:
        self.rules, self.outcomes = rules, outcomes
        self.model = Model(rules, began)
        self.clock = SetClock(began)
        self.answered: list[tuple[Step, Answer]] = []  # what stands under its id for ever
        self._rows = Rows()
        self._followed: set[str] = set()  # merged members whom this writer has followed
        self._agrees = True
        self._salt, self._ids = salt, 0
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        programmes = [(0, programme_of(rules))]
        self.ledger: Ledger = self.run(
            self._stack.enter_async_context(opened(url, programmes=programmes, clock=self.clock))
        )

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    def close(self) -> None:
        """Verifies the whole ledger, unless something is wrong with it already."""
        try:
            if self._agrees:
                self.run(self.ledger.verified())
        finally:
            self.run(self._stack.aclose())
            self._runner.close()

    def new_id(self) -> str:
        """A UUID of version 7, the same whenever the program is run again: buckets follow from
        ids.
        """
        self._ids += 1
        digits = hashlib.sha256(f"{self._salt} {self._ids}".encode()).hexdigest()
        return f"{digits[:8]}-{digits[8:12]}-7{digits[13:16]}-8{digits[17:20]}-{digits[20:32]}"

    def tell(self, words: str) -> None:
        """Printed with a program that fails."""
        note(f"{self.model.now:%Y-%m-%d %H:%M:%S.%f} {words}")

    # --- asking both ------------------------------------------------------------------------

    def do(self, *steps: Step) -> None:
        """Submits the steps in one go and compares every answer. They are decided in their order;
        but what hangs on a reservation that their own batch ends waits for the next batch.
        """
        if len(steps) > 1 and not all(self._is_known_to_the_writer(step) for step in steps):
            for step in steps:
                self.do(step)
            return
        self._agrees = False
        answers = self.run(self.ledger.answers(*[step.command for step in steps]))
        heard = {
            step.command.operation_id: answer for step, answer in zip(steps, answers, strict=True)
        }
        ending = set(self.model.ended) - self._rows.ended  # what time did and nobody booked yet
        later = []
        for step in steps:
            if step.reservation_id in ending:
                later.append(step)
                continue
            before = set(self.model.ended)
            self._compare(step, heard[step.command.operation_id])
            ending |= set(self.model.ended) - before
        for step in later:
            self._compare(step, heard[step.command.operation_id])

    def _is_known_to_the_writer(self, step: Step) -> bool:
        """Whether it has followed the merged member whom the step reaches before. If not, it finds
        out in one batch and decides in another, after what came together with it.
        """
        gone = self.model.gone(step.reaches)
        known = self._followed.issuperset(gone)
        self._followed.update(gone)
        return known

    def _compare(self, step: Step, answer: Answer) -> None:
        decision = answer.decision
        assert decision is not None, f"{step.words}: {answer.cause}"
        self.model.move_to(self.model.now)
        found, expected = told(decision), step.expected()
        self.tell(f"{step.words} -> {found}")
        assert found == expected, _difference(found, expected)
        self.outcomes[step.kind, _name(found)] += 1
        self._see(found)
        stands = self.run(self.ledger.status(step.command.operation_id)).answer
        if isinstance(decision, Settled) or (
            isinstance(decision, Refused) and decision.reason not in JOURNALLED
        ):
            assert stands is None, "I7: this leaves nothing under its id"
        else:
            assert stands == answer, "I6: what was answered is what stands"
            self.answered.append((step, answer))

    def _see(self, found: Outcome) -> None:
        """Counts the answers in which a figure was above 0."""
        if not isinstance(found, No):
            self.outcomes.update([(SEEN, name) for name in FIGURES if found.get(name)])

    def ask(self, kind: str, question: Question, expected: Outcome) -> None:
        """What writes nothing."""
        found = told_question(self.run(self.ledger.ask(question)))
        self.tell(f"{question} -> {found}")
        assert found == expected, _difference(found, expected)
        self.outcomes[kind, _name(found)] += 1

    def look(self) -> None:
        """The rows' own invariants; then every member and the books, as of now."""
        self._agrees = False
        rows = self.run(self._rows.read(self.ledger))
        books = self._rows.books()
        moment = self.ledger.programmes.moment(self.clock.now_us())
        begin = window_begin(moment.today, self.rules)
        self.model.move_to(self.model.now)
        assert {str(row.member_id) for row in rows} == set(self.model.members)
        for row in rows:
            member, effects = settle_due(
                member_from_row([row._mapping[name] for name in MEMBER_COLUMNS]),
                programme=moment.programme,
                now_us=moment.now_us,
                today=moment.today,
            )
            for effect in effects:
                for source, target, points in effect.transfers:
                    books.subtract({source.value: points})
                    books.update({target.value: points})
            found = standing_of(member, counting_from=begin)
            expected = self.model.members[member.member_id].standing(counting_from=begin)
            assert found == expected, f"{member.member_id}: {_difference(found, expected)}"
        modelled = {account: balance for account, balance in self.model.books.items() if balance}
        assert {name: books[name] for name in PROGRAMME if books[name]} == modelled
        self._agrees = True

    # --- the world --------------------------------------------------------------------------

    def move_to(self, now: datetime) -> None:
        self.clock.at = now
        self.model.move_to(now)

    def restart(self) -> None:
        """A new writer on the same database, which remembers nothing."""
        self._followed.clear()

        async def restarted() -> Writer:
            ledger = self.ledger
            ledger.writer.stop()
            writer = Writer(ledger.store, ledger.programmes, ledger.clock)
            working = asyncio.create_task(writer.run())

            async def stopped() -> None:
                writer.stop()
                await asyncio.wait_for(working, WITHIN_S)

            self._stack.push_async_callback(stopped)
            return writer

        self.ledger.writer = self.run(restarted())


PROGRAMME = ("issued", "redeemed", "expired", "adjusted", "forfeited", "loss", "in_transit")


def _name(outcome: Outcome) -> str:
    return outcome.reason if isinstance(outcome, No) else str(outcome["result"])


def _difference(found: Outcome, expected: Outcome) -> str:
    """Only what differs, where there is anything in common."""
    if isinstance(found, No) or isinstance(expected, No):
        return f"\n  ledger: {found}\n  model:  {expected}"
    names = [name for name in {**found, **expected} if found.get(name) != expected.get(name)]
    return "".join(
        f"\n  {name}: ledger {found.get(name)}, model {expected.get(name)}" for name in names
    )
