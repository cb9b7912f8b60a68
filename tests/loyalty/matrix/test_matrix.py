"""One effect under an operation id, for ever: every operation in every situation, whatever comes
under its id again.

Each test plays all cells of its situation on one ledger, `table.py` says with what; after SIGKILL
they are played by tests/end_to_end/test_repeats_after_a_kill.py.
"""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import orjson
import pytest

from bonpunkt.till import operations
from services.loyalty.domain.decision import Kind
from services.loyalty.store_sqlite import AlreadyOpenError
from services.loyalty.writer import Answer
from tests.loyalty.commands import a_change_of_cards, a_merge, an_erasure
from tests.loyalty.ledgers import Ledger, a_block, opened
from tests.loyalty.matrix import outcome
from tests.loyalty.matrix.cells import (
    ABANDONED,
    ACCEPTED,
    CELLS,
    FOR_EVER,
    KEY_REUSED,
    SAME_ANSWER,
    Books,
    Cell,
    Request,
    Situation,
    Trial,
    accepted,
    answers,
    books,
    refusing,
    trials_on,
    verdict,
)
from tests.loyalty.matrix.gates import Gate, GatedStore, Place, new_writer
from tests.loyalty.matrix.scene import Made, a_wire_abandon
from tests.loyalty.matrix.table import AT_THE_TILL, OPERATIONS

Answers = Sequence[Sequence[Answer]]  # of each trial all that were given


async def performed(ledger: Ledger, trials: Sequence[Trial]) -> dict[str, Answer]:
    """Every trial's first request, booked as its operation has to be; the answers by id."""
    before = await books(ledger)
    firsts = await answers(ledger, [trial.first() for trial in trials])
    booked_once(trials, before, await books(ledger))
    return {trial.id: answer for trial, answer in zip(trials, firsts, strict=True)}


def booked_once(trials: Sequence[Trial], before: Books, after: Books) -> None:
    """Each operation changed what it has to, in rows of its own, and nothing else was booked."""
    changes = {str(trial.cell): after.change_of(trial, before) for trial in trials}
    assert changes == {str(trial.cell): trial.operation.once for trial in trials}
    rows = sum(trial.operation.once.rows for trial in trials)
    assert len(after.booked_since(before)) == rows
    kinds = {row.operation_id: row.kind for row in after.journal}
    assert [kinds[t.id] for t in trials] == [t.operation.kind.value for t in trials]


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


def _and(found: Answers, more: Answers) -> Answers:
    return [[*each, *others] for each, others in zip(found, more, strict=True)]


# --- in flight ------------------------------------------------------------------------------


async def test_in_the_same_batch(ledger: Ledger) -> None:
    trials = await trials_on(ledger)
    before = await books(ledger)

    pairs = [made for trial in trials for made in (trial.first(), trial.second())]
    found = await answers(ledger, pairs)

    booked_once(trials, before, await books(ledger))
    firsts = {trial.id: answer for trial, answer in zip(trials, found[::2], strict=True)}
    told = verdicts(trials, [[answer] for answer in found[1::2]], firsts)
    outcome.compare(Situation.SAME_BATCH, ledger.url, told=told, expected=FOR_EVER)


async def test_while_the_first_is_being_committed(ledger_url: str) -> None:
    """It is written, and the COMMIT has not come back."""
    gate = Gate(Place.BEFORE_COMMIT)
    async with opened(ledger_url, wrapped=lambda store: GatedStore(store, gate)) as ledger:
        trials = await trials_on(ledger)
        before = await books(ledger)
        gate.close()

        committing = asyncio.create_task(answers(ledger, [trial.first() for trial in trials]))
        await gate.reached.wait()
        repeating = asyncio.create_task(answers(ledger, [trial.second() for trial in trials]))
        await asyncio.sleep(0)  # they are submitted
        gate.open()
        firsts = {t.id: a for t, a in zip(trials, await committing, strict=True)}
        found = [[answer] for answer in await repeating]

        booked_once(trials, before, await books(ledger))
        told = verdicts(trials, found, firsts)
        outcome.compare(Situation.BEING_COMMITTED, ledger_url, told=told, expected=FOR_EVER)
        await ledger.verified()


async def test_at_two_processes_at_once(postgres_ledger_url: str) -> None:
    """Either may have the id; then the other one's request is a repeat, or refused."""
    async with opened(postgres_ledger_url) as one, opened(postgres_ledger_url) as two:
        trials = await trials_on(one)
        before = await books(one)
        order = random.Random(1).sample(trials, len(trials))

        firsts, seconds = await asyncio.gather(
            answers(one, [trial.first() for trial in trials]),
            answers(two, [trial.second() for trial in order]),
        )

        by_id = {trial.id: answer for trial, answer in zip(order, seconds, strict=True)}
        told: dict[Cell, str] = {}
        for trial, first in zip(trials, firsts, strict=True):
            pair = [first, by_id[trial.id]]
            winner, loser = sorted(pair, key=lambda a: verdict(trial.id, a) != ACCEPTED)
            assert verdict(trial.id, winner) == ACCEPTED
            told[trial.cell] = verdict(trial.id, loser, winner)
        outcome.compare(Situation.TWO_PROCESSES, one.url, told=told, expected=FOR_EVER)
        booked = (await books(one)).booked_since(before)
        assert all(sum(trial.id in row for row in booked) == 1 for trial in trials)
        await one.verified()


async def test_a_second_process_on_sqlite_refuses_to_start(sqlite_url: str) -> None:
    """Why "at two processes at once" has no cells on SQLite."""
    async with opened(sqlite_url):
        with pytest.raises(AlreadyOpenError):
            async with opened(sqlite_url):
                raise AssertionError("a second process owns the file")


# --- later ----------------------------------------------------------------------------------


def card_replaced(trial: Trial, cards: Sequence[str]) -> list[Made]:
    lost = cards[0] if cards else ""
    return [a_change_of_cards(trial.subject, lost=lost, new=trial.scene.spare_card)]


def merged(trial: Trial, _: Sequence[str]) -> list[Made]:
    return [a_merge(trial.scene.third_id, trial.subject)]


def blocked(trial: Trial, _: Sequence[str]) -> list[Made]:
    return [a_block(trial.subject)]


def erased(trial: Trial, _: Sequence[str]) -> list[Made]:
    return [an_erasure(trial.subject)]


def nothing(_: Trial, __: Sequence[str]) -> list[Made]:
    return []


Meanwhile = Callable[[Trial, Sequence[str]], list[Made]]
# What happens between the first request and the second, given the member's cards.
LATER: dict[Situation, Meanwhile] = {
    Situation.SUCCESS: nothing,
    Situation.DAYS_400: nothing,
    Situation.ELSEWHERE: nothing,
    Situation.CARD_REPLACED: card_replaced,
    Situation.MERGED: merged,
    Situation.BLOCKED: blocked,
    Situation.ERASED: erased,
}


@pytest.mark.parametrize("situation", LATER, ids=lambda situation: situation.value)
async def test_later(ledger: Ledger, situation: Situation) -> None:
    """From memory, and at a new process. An erased member is out of reach for what should happen
    meanwhile; what was refused then has changed nothing, and the repeat stands all the same.
    """
    trials = await trials_on(ledger)
    firsts = await performed(ledger, trials)
    await _meanwhile(ledger, trials, LATER[situation])
    if situation is Situation.DAYS_400:
        ledger.clock.move(timedelta(days=400))
    before = await books(ledger)
    elsewhere = situation is Situation.ELSEWHERE

    found = await second_answers(ledger, trials, elsewhere=elsewhere)
    async with new_writer(ledger) as later:
        found = _and(found, await second_answers(later, trials, elsewhere=elsewhere))

    told = verdicts(trials, found, firsts)
    outcome.compare(situation, ledger.url, told=told, expected=_expected(situation))
    assert (await books(ledger)).booked_since(before) == []


async def _meanwhile(ledger: Ledger, trials: Sequence[Trial], what: Meanwhile) -> None:
    members = (await books(ledger)).members
    for trial in trials:
        row = members.get(trial.subject)
        done = what(trial, _cards(row))
        if trial.operation.kind is Kind.ERASE:
            refused = [verdict("", answer) for answer in await answers(ledger, done)]
            assert refused == ["member_erased"] * len(done)
        else:
            await accepted(ledger, done)


def _cards(row: Any) -> list[str]:
    cards: list[str] = orjson.loads(row.cards)
    return cards


def _expected(situation: Situation) -> dict[Cell, str]:
    """A terminal is part of what a till asks for; which of the staff ordered something is not."""
    if situation is not Situation.ELSEWHERE:
        return dict(FOR_EVER)
    return {
        cell: KEY_REUSED if cell.operation in AT_THE_TILL else words
        for cell, words in FOR_EVER.items()
    }


async def test_after_the_id_was_abandoned(ledger: Ledger) -> None:
    trials = await trials_on(ledger)
    await accepted(ledger, [a_wire_abandon(operations.new_id(), trial.id) for trial in trials])
    before = await books(ledger)

    found = await second_answers(ledger, trials)
    async with new_writer(ledger) as later:
        found = _and(found, await second_answers(later, trials))

    told = {
        trial.cell: ", ".join(sorted({verdict(trial.id, answer) for answer in each}))
        for trial, each in zip(trials, found, strict=True)
    }
    expected = dict.fromkeys(CELLS, ABANDONED)
    outcome.compare(Situation.ABANDONED, ledger.url, told=told, expected=expected)
    assert (await books(ledger)).booked_since(before) == []


# --- after a refusal ------------------------------------------------------------------------


async def refused_trials(
    ledger: Ledger, cells: Sequence[Cell], *, booked: bool
) -> tuple[list[Trial], dict[str, Answer]]:
    """Trials whose first request was refused as the table says, and the answers by id."""
    trials = await trials_on(ledger, cells)
    cases = [(trial, refusing(trial, booked=booked)) for trial in trials]
    await accepted(ledger, [made for trial, case in cases for made in case.before(trial.scene)])
    before = await books(ledger)
    firsts = await answers(ledger, [case.request(trial.scene, trial.id) for trial, case in cases])
    for (trial, case), answer in zip(cases, firsts, strict=True):
        assert verdict(trial.id, answer) == case.reason, trial.cell
    rows = (await books(ledger)).booked_since(before)
    assert len(rows) == (len(trials) if booked else 0)
    return trials, {trial.id: answer for trial, answer in zip(trials, firsts, strict=True)}


async def lift(ledger: Ledger, trials: Sequence[Trial], *, booked: bool) -> None:
    """Makes acceptable what was refused, where the table knows a way."""
    cases = [(trial, refusing(trial, booked=booked).lifted) for trial in trials]
    await accepted(ledger, [made for trial, way in cases if way for made in way(trial.scene)])


async def test_after_a_refusal_that_is_a_row(ledger: Ledger) -> None:
    """It stays one, also when the same request would be accepted under another id."""
    cells = [cell for cell in CELLS if OPERATIONS[cell.operation].booked is not None]
    trials, firsts = await refused_trials(ledger, cells, booked=True)

    found = await _again(ledger, trials, booked=True)
    await lift(ledger, trials, booked=True)
    before = await books(ledger)
    async with new_writer(ledger) as later:
        for each in (ledger, later):
            found = _and(found, await _again(each, trials, booked=True))
    assert (await books(ledger)).booked_since(before) == []

    told = verdicts(trials, found, firsts)
    expected = {cell: FOR_EVER[cell] for cell in cells}
    outcome.compare(Situation.REFUSAL, ledger.url, told=told, expected=expected)
    assert await _under_new_ids(ledger, trials, booked=True) == {
        str(trial.cell): ACCEPTED if case.lifted else case.reason
        for trial in trials
        if (case := refusing(trial, booked=True))
    }


async def test_after_an_answer_that_leaves_no_row(ledger: Ledger) -> None:
    """Nothing was decided for ever: what hangs on keys, cards and ids of others may be asked again
    under the id, and another request may have it. What comes of that stands.
    """
    trials, firsts = await refused_trials(ledger, CELLS, booked=False)
    same = [trial for trial in trials if trial.cell.request is Request.SAME]
    again = await _again(ledger, same, booked=False)
    assert set(verdicts(same, again, firsts).values()) == {SAME_ANSWER}
    await lift(ledger, trials, booked=False)

    found = await _again(ledger, trials, booked=False)

    told = verdicts(trials, found, firsts)
    expected = {
        trial.cell: SAME_ANSWER
        if trial.cell.request is Request.SAME and not refusing(trial, booked=False).lifted
        else ACCEPTED
        for trial in trials
    }
    outcome.compare(Situation.NO_ROW, ledger.url, told=told, expected=expected)
    before = await books(ledger)
    async with new_writer(ledger) as later:
        stands = await _again(later, trials, booked=False)
    now = {trial.id: answer for trial, (answer,) in zip(trials, found, strict=True)}
    assert set(verdicts(trials, stands, now).values()) == {SAME_ANSWER}
    assert (await books(ledger)).booked_since(before) == []


async def _again(ledger: Ledger, trials: Sequence[Trial], *, booked: bool) -> Answers:
    """What comes under the ids again, all at once."""
    made = [
        trial.second(refusing(trial, booked=booked).request(trial.scene, trial.id))
        for trial in trials
    ]
    return [[answer] for answer in await answers(ledger, made)]


async def _under_new_ids(
    ledger: Ledger, trials: Sequence[Trial], *, booked: bool
) -> dict[str, str]:
    """The refused requests once more, each under an id of its own."""
    told: dict[str, str] = {}
    for trial in trials:
        new_id = operations.new_id()
        request = refusing(trial, booked=booked).request(trial.scene, new_id)
        (answer,) = await answers(ledger, [request])
        told[str(trial.cell)] = verdict(new_id, answer)
    return told
