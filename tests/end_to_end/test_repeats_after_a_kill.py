"""The matrix of idempotency after SIGKILL: every operation was sent, loyalty was killed at once,
and something comes under the same id again.

What the process had decided stands, whether it had been able to say so or not; under an id of which
nothing is known, whatever comes first is decided. Repetition settles each.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.end_to_end import outcome
from tests.end_to_end.ledger import ledger_of
from tests.end_to_end.orders import Made, Orders, Told, orders_to
from tests.loyalty.ledgers import locked
from tests.loyalty.matrix import outcome as matrix
from tests.loyalty.matrix.cells import (
    ACCEPTED,
    CELLS,
    FOR_EVER,
    SAME_ANSWER,
    Cell,
    Situation,
    Trial,
)
from tests.servers.suite import Suite

KILLS_MIDDLE = 20
Answered = Mapping[str, Told | None]


class Killed(NamedTuple):
    """One kill with every operation under way: how many had been answered, how many decided."""

    trials: Sequence[Trial]
    answered: int
    decided: int


async def test_after_sigkill_every_operation_is_settled_by_repetition(
    tmp_path: Path, database: str, scaled: Callable[[int], int], request: pytest.FixtureRequest
) -> None:
    folder = tmp_path / "var"
    situations = [Situation.KILLED_ANSWERED, Situation.KILLED_WAITING]
    situations += [Situation.KILLED_MIDDLE] * scaled(KILLS_MIDDLE)
    async with Suite(folder, database=database, gateways=0) as suite:
        url = f"sqlite:///{folder / 'loyalty.sqlite'}" if database == "sqlite" else database
        kills = [await _killed_once(suite, situation, url=url) for situation in situations]
        trials = [trial for kill in kills for trial in kill.trials]
        outcome.tell(
            f"{request.node.name}: {len(kills)} kills, {len(trials):,} operations, of them "
            f"{sum(kill.answered for kill in kills):,} answered and "
            f"{sum(kill.decided for kill in kills):,} decided before"
        )
        async with ledger_of(suite) as ledger:
            rows = Counter(row.operation_id for row in await ledger.journal() if row.accepted)
        assert {rows[trial.id] for trial in trials} == {1}, "one effect under every id"
        verified = await suite.verify()
        assert verified["ok"], verified["problems"]


async def _killed_once(suite: Suite, situation: Situation, *, url: str) -> Killed:
    """Plays every cell around one kill; raises if something of it is wrong."""
    async with orders_to(suite) as orders:
        trials = await _trials(orders)
        answered = await _under_way_when_killed(suite, orders, trials, situation, url=url)
    await suite.start("loyalty")
    async with orders_to(suite) as orders:
        standing = await orders.found([trial.id for trial in trials])
        _nothing_acknowledged_is_lost(answered, standing)
        told = await _told_again(orders, trials, standing)
    decided = {trial.cell for trial in trials if standing[trial.id] is not None}
    expected = {cell: FOR_EVER[cell] if cell in decided else ACCEPTED for cell in CELLS}
    matrix.compare(situation, url, told=told, expected=expected)
    if situation is Situation.KILLED_ANSWERED:
        assert decided == set(CELLS)
    if situation is Situation.KILLED_WAITING:
        assert decided == set()
    return Killed(trials, sum(each is not None for each in answered.values()), len(decided))


async def _trials(orders: Orders) -> list[Trial]:
    """A trial of each cell, whose scene is set."""
    trials = [Trial(cell) for cell in CELLS]
    await _accepted(orders, [made for trial in trials for made in trial.scene.steps()[0]])
    await _accepted(orders, [made for trial in trials for made in trial.scene.steps()[1]])
    await _accepted(orders, [made for t in trials for made in t.operation.before(t.scene)])
    return trials


async def _accepted(orders: Orders, made: Sequence[Made]) -> None:
    for each, told in zip(made, await orders.send(made), strict=True):
        assert told is not None, each
        assert told.word == ACCEPTED, (each, told)


async def _under_way_when_killed(
    suite: Suite, orders: Orders, trials: Sequence[Trial], situation: Situation, *, url: str
) -> Answered:
    """Sends every first request and kills loyalty; the answers that came before, by id."""
    made = [trial.first() for trial in trials]
    answered = asyncio.Event()
    async with AsyncExitStack() as closing:
        if situation is Situation.KILLED_WAITING:
            closing.enter_context(locked(url))
        sending = asyncio.create_task(orders.send(made, answered=answered))
        match situation:
            case Situation.KILLED_ANSWERED:
                await asyncio.wait([sending])
            case Situation.KILLED_MIDDLE:
                await answered.wait()
            case _:
                # read and answered after them, and not by the writer
                assert set((await orders.found([trials[0].id])).values()) == {None}
        await suite.kill("loyalty")
        told = await sending
    return {trial.id: each for trial, each in zip(trials, told, strict=True)}


def _nothing_acknowledged_is_lost(answered: Answered, standing: Mapping[str, bytes | None]) -> None:
    for operation_id, told in answered.items():
        if told is not None:
            assert told.word == ACCEPTED
            assert standing[operation_id] is not None, operation_id
            assert told.decision in (b"", standing[operation_id]), operation_id


async def _told_again(
    orders: Orders, trials: Sequence[Trial], standing: Mapping[str, bytes | None]
) -> dict[Cell, str]:
    """What comes under each id again, and once more what came first if it had been lost."""
    ids = [trial.id for trial in trials]
    seconds = await orders.send([trial.second() for trial in trials])
    now = await orders.found(ids)
    told = {
        trial.cell: _word(second, now[trial.id], before=standing[trial.id])
        for trial, second in zip(trials, seconds, strict=True)
    }
    lost = [trial for trial in trials if standing[trial.id] is None]
    for trial, first in zip(lost, await orders.send([t.first() for t in lost]), strict=True):
        assert _word(first, now[trial.id], before=now[trial.id]) == FOR_EVER[trial.cell]
    assert await orders.found(ids) == now
    return told


def _word(told: Told | None, now: bytes | None, *, before: bytes | None) -> str:
    """What was told in a word; `before` and `now` are what stood under the id and what stands."""
    assert told is not None, "the process ended"
    assert now is not None
    if before is None:
        assert told.decision in (b"", now)
        return told.word
    assert now == before, "what had been decided was changed"
    return SAME_ANSWER if told.word == ACCEPTED and told.decision in (b"", now) else told.word
