"""Two requests under one operation id while neither is committed: one of them has the id."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from services.loyalty.store_sqlite import AlreadyOpenError
from tests.loyalty.ledgers import Ledger, opened
from tests.loyalty.matrix import outcome
from tests.loyalty.matrix.cells import ACCEPTED, FOR_EVER, Cell, Situation
from tests.loyalty.matrix.gates import Gate, GatedStore, Place
from tests.loyalty.matrix.playing import (
    answers,
    booked_once,
    books,
    trials_on,
    verdict,
    verdicts,
)


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


@pytest.mark.parametrize(
    "situation",
    [Situation.TWO_LANES, Situation.TWO_PROCESSES],
    ids=lambda situation: situation.value,
)
async def test_at_two_writers_at_once(postgres_ledger_url: str, situation: Situation) -> None:
    """Either may have the id; then the other one's request is a repeat, or refused."""
    async with two_writers(postgres_ledger_url, situation) as (one, two):
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
        outcome.compare(situation, one.url, told=told, expected=FOR_EVER)
        booked = (await books(one)).booked_since(before)
        assert all(sum(trial.id in row for row in booked) == 1 for trial in trials)
        await one.verified()


@asynccontextmanager
async def two_writers(url: str, situation: Situation) -> AsyncIterator[tuple[Ledger, Ledger]]:
    """Two lanes of one process, which find the right one themselves, or two processes."""
    if situation is Situation.TWO_LANES:
        async with opened(url, lanes=2) as ledger:
            yield ledger, ledger
    else:
        async with opened(url) as one, opened(url) as two:
            yield one, two


async def test_a_second_process_on_sqlite_refuses_to_start(sqlite_url: str) -> None:
    """Why "at two processes" has no cells on SQLite. Nor has "on two lanes": there is one."""
    with pytest.raises(ValueError, match="SQLite has one writer"):
        async with opened(sqlite_url, lanes=2):
            raise AssertionError("a file has two writers")
    async with opened(sqlite_url):
        with pytest.raises(AlreadyOpenError):
            async with opened(sqlite_url):
                raise AssertionError("a second process owns the file")
