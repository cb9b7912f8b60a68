"""Recorded baskets at simulated tills, against a real gateway and ledger that follow their time."""

import asyncio
from collections.abc import AsyncIterator
from itertools import islice
from pathlib import Path

import pytest

from bonpunkt.loyalty.v1 import journal_pb2, journal_pb2_grpc, member_pb2, member_pb2_grpc
from services.demo import mapping, provision
from services.demo.folder import DataFolder, FolderLock
from services.demo.recordings import RecordedBasket, Recordings
from services.demo.replay import Pace, Position, Replay
from services.runtime.grpc import channel
from tests.servers.suite import Suite
from tests.servers.waiting import eventually

RECORDED = Recordings()
BASKETS = 60


@pytest.fixture
def baskets() -> list[RecordedBasket]:
    return list(islice(RECORDED.baskets(), BASKETS))


@pytest.fixture
async def suite(tmp_path: Path) -> AsyncIterator[Suite]:
    """Loyalty and gateway on the recorded clock, with the shoppers of the first baskets."""
    settings = {"LOYALTY_DEMO": "true", "LOYALTY_CLOCK": "recorded"}
    async with Suite(tmp_path / "suite", settings=settings) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    with FolderLock(tmp_path / "data") as opened:
        return opened


async def _replay(suite: Suite, folder: DataFolder, baskets: list[RecordedBasket]) -> Replay:
    """A replay for which terminals and members are there."""
    async with channel(suite.loyalty_target) as loyalty:
        terminals = await provision.add_terminals(
            loyalty,
            metadata=suite.metadata,
            stores={basket.store_id for basket in baskets},
            folder=folder,
        )
        households = sorted({basket.household_id for basket in baskets})
        await provision.enrol(
            loyalty,
            metadata=suite.metadata,
            shoppers=[mapping.shopper(household) for household in households],
        )
    return Replay(
        gateway=suite.gateway_target,
        terminals=terminals,
        products=RECORDED.products,
        position=Position(0),
    )


async def _overview(suite: Suite) -> journal_pb2.GetOverviewResponse:
    async with channel(suite.loyalty_target) as loyalty:
        return await journal_pb2_grpc.JournalServiceStub(loyalty).GetOverview(
            journal_pb2.GetOverviewRequest(), metadata=suite.metadata
        )


async def test_every_basket_is_checked_out_as_the_ledger_says(
    suite: Suite, folder: DataFolder, baskets: list[RecordedBasket]
) -> None:
    replay = await _replay(suite, folder, baskets)
    await replay.run(iter(baskets), at_once=8, per_s=0)

    seen, told = replay.figures, await _overview(suite)
    assert (seen.captured, seen.refused, seen.unsettled) == (BASKETS, {}, 0)
    assert replay.position.baskets == BASKETS
    assert told.captures == BASKETS
    assert told.issued_points == seen.points_earned - seen.points_taken_back > 0
    assert told.redeemed_points == seen.points_redeemed - seen.points_restored > 0
    assert told.same_basket_redemptions == seen.same_basket_redemptions > 0
    assert (await suite.verify())["ok"] is True


async def test_the_ledger_lives_in_recorded_time(
    suite: Suite, folder: DataFolder, baskets: list[RecordedBasket]
) -> None:
    replay = await _replay(suite, folder, baskets)
    await replay.run(iter(baskets), at_once=8, per_s=0)

    async with channel(suite.loyalty_target) as loyalty:
        recent = await journal_pb2_grpc.JournalServiceStub(loyalty).ListRecent(
            journal_pb2.ListRecentRequest(page_size=1), metadata=suite.metadata
        )
        richest = await member_pb2_grpc.MemberServiceStub(loyalty).GetMember(
            member_pb2.GetMemberRequest(member_id=recent.entries[0].member_id),
            metadata=suite.metadata,
        )
    assert recent.entries[0].effective_at.ToDatetime().year == 2017
    assert {lot.expires_on for lot in richest.lots} <= {"2020-01-31"}


async def test_a_replay_that_is_repeated_books_nothing_twice(
    suite: Suite, folder: DataFolder, baskets: list[RecordedBasket]
) -> None:
    first = await _replay(suite, folder, baskets)
    await first.run(iter(baskets), at_once=8, per_s=0)
    before = await _overview(suite)

    again = await _replay(suite, folder, baskets)
    await again.run(iter(baskets), at_once=3, per_s=0)

    assert again.figures.captured == BASKETS
    assert again.figures.points_earned == first.figures.points_earned
    assert again.figures.points_redeemed == first.figures.points_redeemed
    assert await _overview(suite) == before


async def test_loyalty_killed_in_the_middle_loses_and_repeats_nothing(
    suite: Suite, folder: DataFolder
) -> None:
    baskets = list(islice(RECORDED.baskets(), 400))
    replay = await _replay(suite, folder, baskets)
    running = asyncio.create_task(replay.run(iter(baskets), at_once=16, per_s=0))
    await eventually(lambda: replay.figures.captured >= 40)

    await suite.kill("loyalty")
    killed_after = replay.figures.captured
    await suite.start("loyalty")
    await running

    told = await _overview(suite)
    assert killed_after < len(baskets), "the kill came too late to prove anything"
    assert (replay.figures.captured, replay.figures.unsettled) == (len(baskets), 0)
    assert told.captures == len(baskets)
    seen = replay.figures
    assert told.issued_points == seen.points_earned - seen.points_taken_back
    assert (await suite.verify())["ok"] is True


async def test_a_second_provision_finds_everything_there(
    suite: Suite, folder: DataFolder, baskets: list[RecordedBasket]
) -> None:
    await _replay(suite, folder, baskets)
    before = (folder.terminals(), await _overview(suite))
    await _replay(suite, folder, baskets)

    assert (folder.terminals(), await _overview(suite)) == before


async def test_a_terminal_whose_secret_was_lost_is_replaced(
    suite: Suite, folder: DataFolder, baskets: list[RecordedBasket], tmp_path: Path
) -> None:
    """A run that is killed between the ledger's commit and its own note must not end the demo."""
    await _replay(suite, folder, baskets)
    with FolderLock(tmp_path / "other") as forgetful:
        replay = await _replay(suite, forgetful, baskets)
    await replay.run(iter(baskets), at_once=8, per_s=0)

    till = mapping.till_of(baskets[0])
    assert forgetful.terminals()[till].terminal_id == f"{till}.2"
    assert replay.figures.captured == BASKETS


async def test_the_staff_password_is_new_each_time(suite: Suite) -> None:
    async with channel(suite.loyalty_target) as loyalty:
        first = await provision.renew_staff_password(loyalty, metadata=suite.metadata)
        second = await provision.renew_staff_password(loyalty, metadata=suite.metadata)

    assert first != second
    assert len(first) >= 12


def test_the_position_rises_only_without_a_gap() -> None:
    position = Position(10)
    seen = []
    for number in (11, 13, 10, 12):
        position.settle(number)
        seen.append(position.baskets)

    assert seen == [10, 10, 12, 14]


async def test_without_a_limit_nobody_waits() -> None:
    for _ in range(10_000):
        await Pace(0).turn()


async def test_a_pace_spreads_its_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def note(delay_s: float) -> None:
        waits.append(delay_s)

    monkeypatch.setattr("services.demo.replay.asyncio.sleep", note)
    pace = Pace(0.001)
    for _ in range(3):
        await pace.turn()

    assert [round(wait, -1) for wait in waits] == [0, 1_000, 2_000]
