"""What a database is told once: how many buckets it has, and which rules were in force when."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from services.loyalty import schema
from services.loyalty.chain import GENESIS
from services.loyalty.installation import (
    Installation,
    WrongInstallationError,
    open_installation,
    open_programmes,
)
from services.loyalty.keys import BUCKET_COUNT
from services.loyalty.migrations import migrate
from services.loyalty.programmes import DEMO, ProgrammeError
from services.loyalty.programmes.versions import Programmes
from services.loyalty.store import open_store
from tests.loyalty.examples import a_programme
from tests.loyalty.ledgers import Ledger, a_capture, opened

MARCH_US, APRIL_US = 1_772_323_200_000_000, 1_775_001_600_000_000


@pytest.fixture
async def engine(ledger_url: str) -> AsyncIterator[AsyncEngine]:
    store = await open_store(ledger_url)
    await migrate(store.engine)
    async with store.engine.begin() as connection:
        await connection.execute(schema.programme.delete())
    yield store.engine
    await store.close()


def document(folder: Path, **changes: Any) -> Path:
    """The demo's programme with some changes at its top level, in a file of its own."""
    content = {**json.loads(DEMO.read_text(encoding="utf-8")), **changes}
    path = folder / f"programme-{len(list(folder.iterdir()))}.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


# --- buckets --------------------------------------------------------------------------------


async def test_a_new_database_gets_its_buckets_once(engine: AsyncEngine) -> None:
    first = await open_installation(engine)
    again = await open_installation(engine)

    assert first == again == Installation(bucket_count=BUCKET_COUNT, epoch=1)
    async with engine.connect() as connection:
        rows = (await connection.execute(select(schema.bucket).order_by("bucket"))).all()
    assert [row.bucket for row in rows] == list(range(BUCKET_COUNT))
    assert {(row.sequence, row.chain_head, row.issued) for row in rows} == {(0, GENESIS, 0)}


@pytest.mark.parametrize("count", ["31", "33", "1"])
async def test_another_number_of_buckets_is_refused(engine: AsyncEngine, count: str) -> None:
    """Every id would be looked for in the wrong place."""
    await open_installation(engine)
    table = schema.installation
    async with engine.begin() as connection:
        await connection.execute(
            table.update().where(table.c.name == "bucket_count").values(value=count)
        )

    with pytest.raises(WrongInstallationError, match=f"created with {count} buckets"):
        await open_installation(engine)


async def test_two_processes_may_open_a_new_database_at_once(postgres_url: str) -> None:
    """Migrations, buckets and programme: one makes them, the other finds them."""

    async def started() -> tuple[Installation, int]:
        store = await open_store(postgres_url)
        try:
            await migrate(store.engine)
            installation = await open_installation(store.engine)
            programmes = await open_programmes(store.engine, DEMO, now_us=0)
            return installation, programmes.current.version
        finally:
            await store.close()

    found = await asyncio.gather(*(started() for _ in range(4)))

    assert set(found) == {(Installation(bucket_count=BUCKET_COUNT, epoch=1), 2)}


# --- programmes -----------------------------------------------------------------------------


async def test_the_first_programme_was_always_in_force(engine: AsyncEngine) -> None:
    programmes = await open_programmes(engine, DEMO, now_us=APRIL_US)

    assert programmes.at(0).version == programmes.at(APRIL_US).version == 2


async def test_a_new_version_is_in_force_from_now_on(engine: AsyncEngine, tmp_path: Path) -> None:
    """Also for a process that starts later; what was before stays under the rules of then."""
    await open_programmes(engine, DEMO, now_us=MARCH_US)
    second = document(tmp_path, version=3, expiry={"months": 12, "ends": "end_of_month"})

    for now_us in (APRIL_US, APRIL_US + 10**12):
        programmes = await open_programmes(engine, second, now_us=now_us)

        assert programmes.current.version == 3
        assert programmes.at(APRIL_US - 1).version == 2
        assert programmes.at(APRIL_US).version == 3
        assert programmes.at(APRIL_US).expiry_months == 12
        assert programmes.moment(APRIL_US - 1).programme.expiry_months == 36


async def test_a_version_that_was_in_force_keeps_its_rules(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    await open_programmes(engine, DEMO, now_us=MARCH_US)
    changed = document(tmp_path, expiry={"months": 12, "ends": "end_of_month"})

    with pytest.raises(WrongInstallationError, match="version 2 was in force with other rules"):
        await open_programmes(engine, changed, now_us=APRIL_US)


async def test_the_same_rules_in_another_hand_are_the_same_rules(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    """Spaces and the order of keys do not count."""
    await open_programmes(engine, DEMO, now_us=MARCH_US)
    content = json.loads(DEMO.read_text(encoding="utf-8"))
    rewritten = tmp_path / "rewritten.json"
    rewritten.write_text(json.dumps(dict(reversed(content.items())), indent=8), encoding="utf-8")

    assert (await open_programmes(engine, rewritten, now_us=APRIL_US)).current.version == 2


async def test_a_bad_document_is_told_and_nothing_is_kept(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    with pytest.raises(ProgrammeError, match="currency"):
        await open_programmes(engine, document(tmp_path, currency="euros"), now_us=MARCH_US)

    async with engine.connect() as connection:
        assert (await connection.execute(select(schema.programme))).all() == []


def test_versions_are_found_by_time_whatever_their_order() -> None:
    versions = [
        (20, a_programme(version=3)),
        (0, a_programme(version=1)),
        (10, a_programme(version=2)),
    ]
    programmes = Programmes(versions)

    found = [programmes.at(time_us).version for time_us in (-5, 0, 9, 10, 19, 20, 10**15)]

    assert found == [1, 1, 1, 2, 2, 3, 3]
    assert programmes.current.version == 3


async def test_a_purchase_is_decided_by_the_rules_of_its_instant(ledger_url: str) -> None:
    """The journal names them."""
    double = a_programme(version=2, minor_per_point=100)
    versions = [(0, a_programme()), (MARCH_US, double)]
    async with opened(ledger_url, programmes=versions) as ledger:
        ledger.clock.set_us(0)
        await ledger.enrolled("card")

        earned = [await earned_at(ledger, time_us) for time_us in (MARCH_US - 1, MARCH_US)]

        rows = await ledger.journal("capture")
    assert earned == [10, 20]
    assert ['"programme_version":1' in rows[0].facts, '"programme_version":2' in rows[1].facts]


async def earned_at(ledger: Ledger, time_us: int) -> int:
    ledger.clock.set_us(time_us)
    decision = await ledger.decision(a_capture("card", 2000))
    return int(decision.points_earned)  # type: ignore[union-attr]
