"""A refusal that is a row stands under its id like any decision; other answers decide nothing."""

from collections.abc import Sequence

from bonpunkt.till import operations
from services.loyalty.answers import Answer
from tests.loyalty.ledgers import Ledger
from tests.loyalty.matrix import outcome
from tests.loyalty.matrix.cells import (
    ACCEPTED,
    CELLS,
    FOR_EVER,
    SAME_ANSWER,
    Cell,
    Request,
    Situation,
    Trial,
)
from tests.loyalty.matrix.gates import new_writer
from tests.loyalty.matrix.playing import (
    Answers,
    accepted,
    answers,
    books,
    joined,
    trials_on,
    verdict,
    verdicts,
)
from tests.loyalty.matrix.scene import Made
from tests.loyalty.matrix.table import OPERATIONS

# Some operations are never refused in a row of their own: see the table.
REFUSED_CELLS = [cell for cell in CELLS if OPERATIONS[cell.operation].booked is not None]


async def trials_to_refuse(ledger: Ledger, cells: Sequence[Cell], *, booked: bool) -> list[Trial]:
    """Trials of which the request in the table's refusals will be refused."""
    trials = await trials_on(ledger, cells)
    cases = [(trial, trial.refusing(booked=booked)) for trial in trials]
    await accepted(ledger, [made for trial, case in cases for made in case.before(trial.scene)])
    return trials


def to_refuse(trial: Trial, *, booked: bool) -> Made:
    return trial.refusing(booked=booked).request(trial.scene, trial.id)


def refused_as_told(
    trials: Sequence[Trial], firsts: Sequence[Answer], *, booked: bool
) -> dict[str, Answer]:
    """The answers by id, each the refusal of the table."""
    told = {t.cell: verdict(t.id, answer) for t, answer in zip(trials, firsts, strict=True)}
    assert told == {t.cell: t.refusing(booked=booked).reason for t in trials}
    return {trial.id: answer for trial, answer in zip(trials, firsts, strict=True)}


async def refused_trials(
    ledger: Ledger, cells: Sequence[Cell], *, booked: bool
) -> tuple[list[Trial], dict[str, Answer]]:
    """Trials whose first request was refused, in a row of its own or in none; the answers."""
    trials = await trials_to_refuse(ledger, cells, booked=booked)
    before = await books(ledger)
    firsts = await answers(ledger, [to_refuse(trial, booked=booked) for trial in trials])
    rows = (await books(ledger)).booked_since(before)
    assert len(rows) == (len(trials) if booked else 0)
    return trials, refused_as_told(trials, firsts, booked=booked)


async def test_in_the_same_batch_as_what_is_refused(ledger: Ledger) -> None:
    trials = await trials_to_refuse(ledger, REFUSED_CELLS, booked=True)
    before = await books(ledger)
    pairs = [(to_refuse(trial, booked=True), trial) for trial in trials]

    made = [each for first, trial in pairs for each in (first, trial.second(first))]
    found = await answers(ledger, made)

    firsts = refused_as_told(trials, found[::2], booked=True)
    told = verdicts(trials, [[answer] for answer in found[1::2]], firsts)
    expected = {cell: FOR_EVER[cell] for cell in REFUSED_CELLS}
    outcome.compare(Situation.REFUSED_BATCH, ledger.url, told=told, expected=expected)
    assert len((await books(ledger)).booked_since(before)) == len(trials)


async def lift(ledger: Ledger, trials: Sequence[Trial], *, booked: bool) -> None:
    """Makes acceptable what was refused, where the table knows a way."""
    cases = [(trial, trial.refusing(booked=booked).lifted) for trial in trials]
    await accepted(ledger, [made for trial, way in cases if way for made in way(trial.scene)])


async def test_after_a_refusal_that_is_a_row(ledger: Ledger) -> None:
    """It stays one, also when the same request would be accepted under another id."""
    trials, firsts = await refused_trials(ledger, REFUSED_CELLS, booked=True)

    found = await _again(ledger, trials, booked=True)
    await lift(ledger, trials, booked=True)
    before = await books(ledger)
    async with new_writer(ledger) as later:
        for each in (ledger, later):
            found = joined(found, await _again(each, trials, booked=True))
    assert (await books(ledger)).booked_since(before) == []

    told = verdicts(trials, found, firsts)
    expected = {cell: FOR_EVER[cell] for cell in REFUSED_CELLS}
    outcome.compare(Situation.REFUSAL, ledger.url, told=told, expected=expected)
    assert await _under_new_ids(ledger, trials, booked=True) == {
        str(trial.cell): ACCEPTED if case.lifted else case.reason
        for trial in trials
        if (case := trial.refusing(booked=True))
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
        if trial.cell.request is Request.SAME and not trial.refusing(booked=False).lifted
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
    made = [trial.second(to_refuse(trial, booked=booked)) for trial in trials]
    return [[answer] for answer in await answers(ledger, made)]


async def _under_new_ids(
    ledger: Ledger, trials: Sequence[Trial], *, booked: bool
) -> dict[str, str]:
    """The refused requests once more, each under an id of its own."""
    told: dict[str, str] = {}
    for trial in trials:
        new_id = operations.new_id()
        request = trial.refusing(booked=booked).request(trial.scene, new_id)
        (answer,) = await answers(ledger, [request])
        told[str(trial.cell)] = verdict(new_id, answer)
    return told
