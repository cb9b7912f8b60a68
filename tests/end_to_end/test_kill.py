"""Processes are killed in the middle of a replay, as by a power cut, and started again.

Afterwards every acknowledged checkout is there once, every other one is settled, the tills' account
is the ledger's, and no webhook is missing.
"""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.end_to_end import outcome, recorded
from tests.end_to_end.conftest import DATABASES, fresh
from tests.end_to_end.ledger import Ledger, ledger_of
from tests.end_to_end.receivers import LOOPBACK_ALLOWED, Receivers, running_receivers
from tests.end_to_end.recorded import Checkout
from tests.end_to_end.replay import Replay, cashiers_of, contradictions, damage
from tests.servers.suite import Suite

PURCHASES_A_KILL = 100


@dataclass(frozen=True, slots=True)
class Scene:
    """A whole house under a replay."""

    suite: Suite
    ledger: Ledger
    receivers: Receivers
    replay: Replay


@asynccontextmanager
async def _scene(
    folder: Path, purchases: Sequence[Checkout], *, database: str, notifier_database: str
) -> AsyncIterator[Scene]:
    async with AsyncExitStack() as closing:
        enter = closing.enter_async_context
        suite = await enter(
            Suite(
                folder,
                database=database,
                notifier_database=notifier_database,
                notifier=True,
                settings=LOOPBACK_ALLOWED,
            )
        )
        receivers = await enter(running_receivers(suite))  # they hear of every member
        await recorded.enrol(suite, purchases)
        yield Scene(
            suite=suite,
            receivers=receivers,
            ledger=await enter(ledger_of(suite)),
            replay=Replay(await enter(cashiers_of(suite)), purchases),
        )


@pytest.mark.parametrize("kind", DATABASES)
@pytest.mark.parametrize(
    ("victims", "kills"),
    [(["loyalty"], 40), (["notifier", "gateway", "notifier"], 60)],
    ids=["loyalty", "notifier and gateway"],
)
async def test_no_checkout_is_lost_made_up_or_doubled_by_a_kill(
    tmp_path: Path,
    kind: str,
    victims: Sequence[str],
    kills: int,
    scaled: Callable[[int], int],
    request: pytest.FixtureRequest,
) -> None:
    kills = scaled(kills)
    purchases = list(itertools.islice(recorded.checkouts(), (kills + 1) * PURCHASES_A_KILL))
    async with _scene(
        tmp_path / "var",
        purchases,
        database=fresh(kind, request),
        notifier_database=fresh(kind, request),
    ) as scene:
        await _replay_with_kills(scene, victims=victims, kills=kills)
        unknown = scene.replay.unknown
        settled = Counter(await scene.replay.settle())
        found = damage(scene.replay, await scene.ledger.journal())

        outcome.tell(
            f"{request.node.name}: {len(purchases)} checkouts, {kills} kills, {unknown} without "
            f"an answer {dict(sorted(settled.items()))}: {found}"
        )
        assert (found.lost, found.phantom, found.doubled) == (set(), set(), set())
        assert len(scene.replay.decided) + len(scene.replay.abandoned) == len(purchases)
        assert {way.partition(":")[0] for way in settled} == {"status", "abandon", "repetition"}
        assert await contradictions(scene.replay) == []
        await _accounts_agree(scene)
        await _every_webhook_has_arrived(scene)


async def _replay_with_kills(scene: Scene, *, victims: Sequence[str], kills: int) -> None:
    """Kills one after the other, each while its share of the baskets is still to be tried."""
    async with asyncio.TaskGroup() as group:
        group.create_task(scene.replay.run())
        for number, victim in zip(range(1, kills + 1), itertools.cycle(victims), strict=False):
            share = number * PURCHASES_A_KILL
            await scene.replay.go_on(until=share, limit=share + PURCHASES_A_KILL)
            await scene.suite.kill(victim)
            await scene.suite.start(victim)


async def _accounts_agree(scene: Scene) -> None:
    """What the tills were told adds up to what the ledger says of every member."""
    by_tills = scene.replay.points_by_member()
    by_ledger = {}
    for card in {each.shopper.card for each in scene.replay.purchases}:
        member = await scene.ledger.member(card)
        by_ledger[member.member_id] = member.state.points
    assert by_ledger == {member_id: by_tills.get(member_id, 0) for member_id in by_ledger}

    overview = await scene.ledger.overview()
    assert overview.captures == len(scene.replay.decided)
    assert overview.member_changes == overview.members + overview.captures
    assert overview.liability_points == sum(by_ledger.values())
    verified = await scene.suite.verify()
    assert verified["ok"], verified["problems"]


async def _every_webhook_has_arrived(scene: Scene) -> None:
    """One distinct webhook a member change and endpoint; repeated ones do not count."""
    due = (await scene.ledger.overview()).member_changes
    for name, figures in (await scene.receivers.have_all_of(scene.ledger)).items():
        assert (name, figures.verified_distinct) == (name, due)
        assert (name, figures.rejected, figures.versions_backwards) == (name, 0, 0)
