"""Loyalty dies by SIGKILL at named points of a batch, under load of every kind.

After each death what was answered is there once, with the same answer; what was not is settled by
Status, by Abandon or by repetition; and whoever was merged, returned or corrected in between has
the points that everybody was told.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end import outcome
from tests.end_to_end.kills.dying_loyalty import Note, Point, files
from tests.end_to_end.kills.shop import WAYS, Shop, open_shop
from tests.end_to_end.ledger import Ledger, ledger_of
from tests.end_to_end.programme import programme_file
from tests.servers.suite import Suite
from tests.servers.waiting import eventually

DYING_LOYALTY = "tests.end_to_end.kills.dying_loyalty"
KILLS = 25  # at each point
PASSES_MIN, PASSES_MAX = 3, 40
DAY_S = 86_400  # no reservation ends by itself here


async def test_nothing_is_lost_made_up_or_doubled_wherever_loyalty_dies(
    tmp_path: Path, database: str, scaled: Callable[[int], int], request: pytest.FixtureRequest
) -> None:
    kills, seed = scaled(KILLS), random.randrange(2**32)
    folder = tmp_path / "var"
    settings = {"LOYALTY_PROGRAMME": programme_file(folder, reservation_s=DAY_S)}
    async with (
        Suite(folder, database=database, settings=settings, loyalty_module=DYING_LOYALTY) as suite,
        ledger_of(suite) as ledger,
        open_shop(suite, ledger, seed=seed) as shop,
    ):
        settled: Counter[str] = Counter()
        for point in Point:
            unknown: Counter[str] = Counter()
            for _ in range(kills):
                note = await _die(shop, point)
                await _the_note_is_true(shop, ledger, point, note)
                unknown += shop.unknown_by_kind()
                settled += await shop.settle()
                found = shop.damage(await ledger.journal())
                assert (found.lost, found.phantom, found.doubled) == (set(), set(), set())
            verified = await suite.verify()
            assert verified["ok"], verified["problems"]
            outcome.tell(
                f"{request.node.name}, seed {seed}: {kills} kills {point.value}, "
                f"without an answer {dict(unknown)}: {found}"
            )
            assert unknown, "loyalty died, and everybody had an answer"
        outcome.tell(f"{request.node.name}: {len(shop.sent)} operations, settled {dict(settled)}")
        assert {way.partition(":")[0] for way in settled} == set(WAYS)
        assert await shop.contradictions() == []
        await shop.accounts_agree(ledger)


async def _die(shop: Shop, point: Point) -> Note:
    """Lets loyalty die at the point in the middle of the work, and starts it again."""
    order_file, note_file = files(shop.suite.folder)
    loyalty = shop.suite.processes["loyalty"]
    closing = asyncio.Event()
    passes = shop.chance.randint(PASSES_MIN, PASSES_MAX)
    async with asyncio.TaskGroup() as group:
        group.create_task(shop.work(closing))
        order_file.write_text(json.dumps({"point": point.value, "passes": passes}))
        await eventually(note_file.exists)
        note = Note(**json.loads(note_file.read_text()))
        if point is Point.BETWEEN_ANSWERS:
            await eventually(lambda: not shop.told.isdisjoint(note.answered))
            await shop.suite.kill("loyalty")
        await eventually(lambda: not loyalty.is_running)
        order_file.unlink()
        note_file.unlink()
        closing.set()
        await shop.suite.start("loyalty")
    return note


async def _the_note_is_true(shop: Shop, ledger: Ledger, point: Point, note: Note) -> None:
    """It was this point: what was there has no answer, and a row if COMMIT had returned."""
    at_the_point = shop.sent.intersection(note.operations)
    assert at_the_point, note
    assert shop.told.isdisjoint(at_the_point)
    rows = {entry.operation_id for entry in await ledger.journal()}
    committed = set() if point is Point.BEFORE_COMMIT else at_the_point
    assert rows & at_the_point == committed
