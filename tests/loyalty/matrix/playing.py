"""Plays cells on a ledger, tells in a word what came of each, and what the books say."""

import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Row

from services.loyalty import schema
from services.loyalty.answers import Answer
from services.loyalty.domain.decision import Refused
from services.loyalty.record import decision_json
from services.loyalty.wire_answers import REASONS
from tests.loyalty.ledgers import Ledger, wire
from tests.loyalty.matrix.cells import ACCEPTED, CELLS, SAME_ANSWER, Cell, Trial
from tests.loyalty.matrix.scene import Made, command_of
from tests.loyalty.matrix.table import Once

Answers = Sequence[Sequence[Answer]]  # of each trial all that were given


async def trials_on(
    ledger: Ledger, cells: Iterable[Cell] = CELLS, *, apart: bool = False
) -> list[Trial]:
    """A trial of each cell, whose scene is set."""
    trials = [Trial(cell, apart=apart) for cell in cells]
    for step in (0, 1):
        await accepted(ledger, [made for t in trials for made in t.scene.steps()[step]])
    await accepted(ledger, [made for t in trials for made in t.operation.before(t.scene)])
    return trials


async def accepted(ledger: Ledger, made: Sequence[Made]) -> None:
    """Books what sets a scene."""
    for each, answer in zip(made, await answers(ledger, made), strict=True):
        assert answer.decision is not None, (each, answer)
        assert not isinstance(answer.decision, Refused), (each, answer)


async def answers(ledger: Ledger, made: Sequence[Made], *, elsewhere: bool = False) -> list[Answer]:
    """Submitted in one go, so that they share batches."""
    return await ledger.answers(*[command_of(each, elsewhere=elsewhere) for each in made])


def told(operation_id: str, answer: Answer) -> tuple[bytes, str, int]:
    """The answer byte for byte: as a till gets it (some refusals are for staff only), and as the
    journal has it.
    """
    decision = answer.decision
    assert decision is not None, answer
    for_tills = not isinstance(decision, Refused) or decision.reason in REASONS
    on_the_wire = wire(operation_id, answer) if for_tills else b""
    return on_the_wire, decision_json(decision), answer.effective_at_us


def verdict(operation_id: str, answer: Answer, first: Answer | None = None) -> str:
    """In a word, whether an answer is the `first` one once more, or what else it is."""
    if first is not None and told(operation_id, answer) == told(operation_id, first):
        return SAME_ANSWER
    return outcome(answer)


def outcome(answer: Answer) -> str:
    decision = answer.decision
    if decision is None:
        return str(answer.cause)
    if isinstance(decision, Refused):
        return decision.reason.value
    return "already_decided" if answer.original is not None else ACCEPTED


async def second_answers(
    ledger: Ledger, trials: Sequence[Trial], *, elsewhere: bool = False
) -> Answers:
    """What comes under each id again: one by one, and all at once in another order."""
    one_by_one = [
        (await answers(ledger, [trial.second()], elsewhere=elsewhere))[0] for trial in trials
    ]
    order = random.Random(len(trials)).sample(range(len(trials)), len(trials))
    made = [trials[number].second() for number in order]
    found = await answers(ledger, made, elsewhere=elsewhere)
    at_once = dict(zip(order, found, strict=True))
    return [[one_by_one[number], at_once[number]] for number in range(len(trials))]


def verdicts(
    trials: Sequence[Trial], found: Answers, firsts: Mapping[str, Answer]
) -> dict[Cell, str]:
    """In a word what each cell was told, in some words if it was not always the same."""
    return {
        trial.cell: ", ".join(sorted({verdict(trial.id, a, firsts[trial.id]) for a in each}))
        for trial, each in zip(trials, found, strict=True)
    }


def joined(found: Answers, more: Answers) -> Answers:
    return [[*each, *others] for each, others in zip(found, more, strict=True)]


# --- the books ------------------------------------------------------------------------------


class Books(NamedTuple):
    """The whole ledger at one moment."""

    journal: Sequence[Row[Any]]
    members: Mapping[str, Row[Any]]
    everything: Sequence[Any]

    def change_of(self, trial: Trial, before: "Books") -> Once:
        """What happened to the trial's member since, and the rows of the trial's operation."""
        was, now = (books.members.get(trial.subject) for books in (before, self))
        rows = [row for row in self.journal if trial.id in (row.operation_id, _main_id(row))]
        return Once(
            points=(now.points if now else 0) - (was.points if was else 0),
            held=(now.held if now else 0) - (was.held if was else 0),
            rows=len(rows),
        )

    def booked_since(self, before: "Books") -> list[str]:
        """Rows that are new, but for those of time; without any, everything has to be as it was."""
        known = {(row.bucket, row.sequence) for row in before.journal}
        new = [row for row in self.journal if (row.bucket, row.sequence) not in known]
        assert new or self.everything == before.everything, "something changed without a row"
        return [f"{row.kind} {row.operation_id}" for row in new if row.actor != "time"]


async def books(ledger: Ledger) -> Books:
    everything = await ledger.state()
    by_table = dict(zip(schema.CHECKOUT_TABLES, everything, strict=True))
    members = {row.member_id: row for row in by_table[schema.member]}
    return Books(by_table[schema.journal], members, everything)


def _main_id(row: Row[Any]) -> str | None:
    """The operation of which this is the second row."""
    if row.kind not in ("merged", "leg"):
        return None
    main_id: str = orjson.loads(row.decision)["main_id"]
    return main_id


def booked_once(trials: Sequence[Trial], before: Books, after: Books) -> None:
    """Each operation changed what it has to, in rows of its own, and nothing else was booked."""
    changes = {str(trial.cell): after.change_of(trial, before) for trial in trials}
    assert changes == {str(trial.cell): trial.operation.once for trial in trials}
    rows = sum(trial.operation.once.rows for trial in trials)
    assert len(after.booked_since(before)) == rows
    kinds = {row.operation_id: row.kind for row in after.journal}
    assert [kinds[t.id] for t in trials] == [t.operation.kind.value for t in trials]
