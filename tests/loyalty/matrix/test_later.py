"""What was decided under an operation id stands for ever, whatever happened to the member since."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import orjson
import pytest

from bonpunkt.till import operations
from services.loyalty import retention, schema
from services.loyalty.answers import Answer
from services.loyalty.domain.decision import Kind
from tests.loyalty.commands import a_change_of_cards, a_merge, an_erasure
from tests.loyalty.ledgers import Ledger, a_block
from tests.loyalty.matrix import outcome
from tests.loyalty.matrix.cells import (
    ABANDONED,
    CELLS,
    FOR_EVER,
    KEY_REUSED,
    Cell,
    Situation,
    Trial,
)
from tests.loyalty.matrix.gates import new_writer
from tests.loyalty.matrix.playing import (
    accepted,
    answers,
    booked_once,
    books,
    joined,
    second_answers,
    trials_on,
    verdict,
    verdicts,
)
from tests.loyalty.matrix.scene import Made, a_wire_abandon
from tests.loyalty.matrix.table import AT_THE_TILL

ONE_YEAR = retention.Retention(baskets_days=365, tombstones_days=0, sessions_days=0, audit_days=0)


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
    Situation.LINES_DELETED: nothing,
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
    if situation in (Situation.DAYS_400, Situation.LINES_DELETED):
        ledger.clock.move(timedelta(days=400))
    if situation is Situation.LINES_DELETED:
        now_us = ledger.clock.now_us()
        await retention.run(ledger.engine, ONE_YEAR, ledger_now_us=now_us, now=ledger.clock.at)
        assert await ledger.rows(schema.basket) == []
    before = await books(ledger)
    elsewhere = situation is Situation.ELSEWHERE

    found = await second_answers(ledger, trials, elsewhere=elsewhere)
    async with new_writer(ledger) as later:
        found = joined(found, await second_answers(later, trials, elsewhere=elsewhere))

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
        found = joined(found, await second_answers(later, trials))

    told = {
        trial.cell: ", ".join(sorted({verdict(trial.id, answer) for answer in each}))
        for trial, each in zip(trials, found, strict=True)
    }
    expected = dict.fromkeys(CELLS, ABANDONED)
    outcome.compare(Situation.ABANDONED, ledger.url, told=told, expected=expected)
    assert (await books(ledger)).booked_since(before) == []


async def performed(ledger: Ledger, trials: Sequence[Trial]) -> dict[str, Answer]:
    """Every trial's first request, booked as its operation has to be; the answers by id."""
    before = await books(ledger)
    firsts = await answers(ledger, [trial.first() for trial in trials])
    booked_once(trials, before, await books(ledger))
    return {trial.id: answer for trial, answer in zip(trials, firsts, strict=True)}
