"""Two loyalty processes on one database: one is killed, the other goes on, and nothing is lost."""

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from services.loyalty.keys import BUCKET_COUNT
from tests.end_to_end import outcome, recorded
from tests.end_to_end.ledger import ledger_of
from tests.end_to_end.replay import Replay, cashiers_of, contradictions, damage
from tests.servers.suite import Suite

PURCHASES_A_KILL = 60
HOUSEHOLDS = 40  # few, so that both processes are after the same rows all the time
VICTIMS = ("loyalty", "loyalty-2")


@pytest.mark.parametrize("lanes", [1, BUCKET_COUNT])
async def test_what_one_of_two_leaves_undone_is_whole_or_absent(
    tmp_path: Path,
    postgres_url: str,
    lanes: int,
    scaled: Callable[[int], int],
    request: pytest.FixtureRequest,
) -> None:
    """With a lane for each bucket, too: a batch is then fourteen statements instead of four."""
    kills = scaled(20)
    purchases = recorded.of_regulars((kills + 1) * PURCHASES_A_KILL, households=HOUSEHOLDS)
    settings = {"LOYALTY_LANES": str(lanes)}
    async with (
        Suite(
            tmp_path / "var", database=postgres_url, loyalties=2, gateways=2, settings=settings
        ) as suite,
        cashiers_of(suite) as cashiers,
        ledger_of(suite, loyalty=1) as first,
        ledger_of(suite, loyalty=2) as second,
    ):
        await recorded.enrol(suite, purchases)
        replay = Replay(cashiers, purchases)
        await _replay_with_kills(suite, replay, kills=kills)
        unknown = replay.unknown
        await replay.settle()

        found = damage(replay, await first.journal())
        outcome.tell(
            f"{request.node.name}: {len(purchases)} checkouts, {kills} kills, {unknown} without "
            f"an answer: {found}"
        )
        assert (found.lost, found.phantom, found.doubled) == (set(), set(), set())
        assert len(replay.decided) + len(replay.abandoned) == len(purchases)
        assert await contradictions(replay) == []
        assert await first.overview() == await second.overview()
        verified = await suite.verify()
        assert verified["ok"], verified["problems"]


async def _replay_with_kills(suite: Suite, replay: Replay, *, kills: int) -> None:
    """While a process is dead, the tills of the other one's gateway do half of the share alone."""
    async with asyncio.TaskGroup() as group:
        group.create_task(replay.run())
        for number, victim in zip(range(1, kills + 1), itertools.cycle(VICTIMS), strict=False):
            share = number * PURCHASES_A_KILL
            limit = share + PURCHASES_A_KILL
            await replay.go_on(until=share, limit=limit)
            await suite.kill(victim)
            await replay.go_on(until=share + PURCHASES_A_KILL // 2, limit=limit)
            await suite.start(victim)
        replay.limit = len(replay.purchases)
        await replay.go_on(until=replay.limit, limit=replay.limit)
