"""Two loyalty processes on one database: any of them takes any operation of any member."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end import outcome, recorded
from tests.end_to_end.ledger import ledger_of
from tests.end_to_end.replay import Replay, cashiers_of, contradictions, damage
from tests.servers.child import tail
from tests.servers.postgres import Cluster
from tests.servers.suite import Suite

TROUBLE = re.compile("deadlock|serializ|lost, trying again|cannot be booked|Traceback", re.I)
HOUSEHOLDS = 120  # few, so that both processes are after the same rows all the time
TILLS = 16
LOG_MAX = 10**7  # characters


async def test_two_processes_book_for_the_same_members_at_once(
    tmp_path: Path,
    postgres_cluster: Cluster,
    postgres_url: str,
    scaled: Callable[[int], int],
    request: pytest.FixtureRequest,
) -> None:
    count = scaled(6_000)
    async with (
        Suite(tmp_path / "var", database=postgres_url, loyalties=2, gateways=2) as suite,
        cashiers_of(suite, tills=TILLS) as cashiers,
        ledger_of(suite, loyalty=1) as first,
        ledger_of(suite, loyalty=2) as second,
    ):
        purchases = recorded.of_regulars(count, households=HOUSEHOLDS)
        await recorded.enrol(suite, purchases)
        replay = Replay(cashiers, purchases)
        replay.limit = len(purchases)
        await replay.run()

        found = damage(replay, await second.journal())
        outcome.tell(f"{request.node.name}: {count} checkouts: {found}")
        assert (found.lost, found.phantom, found.doubled) == (set(), set(), set())
        assert (replay.unknown, len(replay.decided)) == (0, count)
        assert {each.WhichOneof("result") for each in replay.decided.values()} == {"captured"}
        assert await contradictions(replay) == []

        points = replay.points_by_member()
        for card in {each.shopper.card for each in purchases}:
            member = await first.member(card)
            assert member == await second.member(card)
            assert member.state.points == points[member.member_id]
        assert await first.overview() == await second.overview()
        verified = await suite.verify()
        assert verified["ok"], verified["problems"]
        for process in suite.processes.values():
            log = tail(process.log, characters=LOG_MAX)
            assert TROUBLE.findall(log) == [], (process.name, log[-2_000:])
    assert "deadlock" not in tail(postgres_cluster.log, characters=LOG_MAX)
