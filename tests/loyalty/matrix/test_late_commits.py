"""An operation that was held up and comes after its id was abandoned is never booked."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from bonpunkt.till import operations
from services.loyalty.domain.decision import AlreadyDecided, Burnt
from tests.loyalty.ledgers import Ledger, opened
from tests.loyalty.matrix.cells import ABANDONED, ACCEPTED, Cell, Request, Trial
from tests.loyalty.matrix.gates import Gate, GatedStore, Place, new_writer
from tests.loyalty.matrix.playing import answers, books, outcome, trials_on
from tests.loyalty.matrix.scene import a_wire_abandon
from tests.loyalty.matrix.table import OPERATIONS

ORIGINALS = [Cell(operation, Request.SAME) for operation in OPERATIONS]


@asynccontextmanager
async def two_writers(url: str, gate: Gate) -> AsyncIterator[tuple[Ledger, Ledger]]:
    """One whose transactions pass the gate, and another: on PostgreSQL of another process; a
    SQLite file has one process and one transaction at a time.
    """
    async with AsyncExitStack() as closing:
        enter = closing.enter_async_context
        if url.startswith("sqlite"):
            ledger = await enter(opened(url))
            yield await enter(new_writer(ledger, gate=gate)), ledger
        else:
            held = await enter(opened(url, wrapped=lambda store: GatedStore(store, gate)))
            yield held, await enter(opened(url))


async def abandoned_while_held(
    held: Ledger, other: Ledger, gate: Gate, trials: Sequence[Trial]
) -> None:
    """Holds the originals up at the gate, burns their ids, lets them go: they are refused, then and
    ever after, and the books know of the abandons alone.
    """
    before = await books(other)
    gate.close()
    late = asyncio.create_task(answers(held, [trial.first() for trial in trials]))
    await gate.reached.wait()
    abandons = [a_wire_abandon(operations.new_id(), trial.id) for trial in trials]
    burnt = [answer.decision for answer in await answers(other, abandons)]
    gate.open()

    told = [outcome(answer) for answer in await late]
    told += [outcome(answer) for answer in await answers(held, [t.second() for t in trials])]
    async with new_writer(other) as later:
        told += [outcome(answer) for answer in await answers(later, [t.second() for t in trials])]

    assert burnt == [Burnt(trial.id) for trial in trials]
    assert told == [ABANDONED] * 3 * len(trials)
    expected = {f"abandon {abandon.id}" for abandon in abandons}
    assert set((await books(other)).booked_since(before)) == expected


async def test_held_up_before_its_transaction(ledger_url: str) -> None:
    """Every kind of operation, all in one batch."""
    gate = Gate(Place.BEFORE_BEGIN)
    async with two_writers(ledger_url, gate) as (held, other):
        trials = await trials_on(other, ORIGINALS)
        await abandoned_while_held(held, other, gate, trials)
        await other.verified()


async def test_held_up_before_its_lock(postgres_ledger_url: str) -> None:
    """What it has looked up so far is older than the abandon."""
    gate = Gate(Place.BEFORE_LOCK)
    async with two_writers(postgres_ledger_url, gate) as (held, other):
        trials = await trials_on(other, ORIGINALS)
        await abandoned_while_held(held, other, gate, trials)
        await other.verified()


async def test_held_up_with_its_decision_made(postgres_ledger_url: str) -> None:
    """One by one, each with its locks held: the key in the locator alone keeps it from booking. The
    id's own bucket is none of those, else the abandon would wait for the original and be too late.
    """
    gate = Gate(Place.BEFORE_WRITE)
    async with two_writers(postgres_ledger_url, gate) as (held, other):
        for trial in await trials_on(other, ORIGINALS, apart=True):
            await abandoned_while_held(held, other, gate, [trial])
        await other.verified()


async def test_an_abandon_that_meets_a_written_original_waits_and_is_told_it(
    ledger_url: str,
) -> None:
    """The other way round: what is written and not yet committed is decided, if COMMIT succeeds."""
    gate = Gate(Place.BEFORE_COMMIT)
    async with opened(ledger_url, wrapped=lambda store: GatedStore(store, gate)) as held:
        async with AsyncExitStack() as closing:
            other = held
            if not ledger_url.startswith("sqlite"):
                other = await closing.enter_async_context(opened(ledger_url))
            trials = await trials_on(held, ORIGINALS)
            gate.close()
            originals = asyncio.create_task(answers(held, [trial.first() for trial in trials]))
            await gate.reached.wait()
            abandons = [a_wire_abandon(operations.new_id(), trial.id) for trial in trials]
            abandoning = asyncio.create_task(answers(other, abandons))
            await asyncio.sleep(0)  # they are submitted
            gate.open()

            decided, too_late = await originals, await abandoning

            assert [answer.decision for answer in too_late] == [
                AlreadyDecided(trial.id) for trial in trials
            ]
            assert [answer.original for answer in too_late] == decided
            assert {outcome(answer) for answer in decided} == {ACCEPTED}
        await held.verified()
