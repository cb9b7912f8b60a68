"""Following the feed: everything once, in order, and never on a guess."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event, select

from services.notifier import schema
from services.notifier.feed import FeedBrokenError
from services.notifier.schema import State
from services.notifier.store import Head, Place
from tests.notifier.feed import BUCKETS, Loyalty, entry
from tests.notifier.rig import Rig, taken
from tests.servers.waiting import eventually

PLACE = Place(epoch=7, heads={bucket: Head(10, bytes(32)) for bucket in range(BUCKETS)})


def taken_in(notifier: Rig, sequences: dict[int, int]) -> Callable[[], Awaitable[bool]]:
    """Whether the buckets' cursors stand at these sequences, and all others at 0."""

    async def reached() -> bool:
        heads = (await notifier.store.place()).heads
        return {b: h.sequence for b, h in heads.items() if h.sequence} == sequences

    return reached


async def member_versions(notifier: Rig) -> list[tuple[int, int]]:
    query = select(schema.event.c.bucket, schema.event.c.member_version)
    async with notifier.database.reading() as connection:
        rows = await connection.execute(query.order_by("bucket", "sequence"))
        return [(row.bucket, row.member_version) for row in rows]


def test_entries_that_follow_on_move_the_heads_of_their_buckets() -> None:
    entries = [entry(sequence=11), entry(bucket=1, sequence=11), entry(sequence=12)]

    found = taken(entries, PLACE)

    assert found.heads_before == {0: PLACE.heads[0], 1: PLACE.heads[1]}
    assert {bucket: head.sequence for bucket, head in found.heads.items()} == {0: 12, 1: 11}
    assert found.heads[0].chain_hash == entries[2].chain_hash
    assert [(each.epoch, each.bucket, each.sequence) for each in found.events] == [
        (7, 0, 11),
        (7, 1, 11),
        (7, 0, 12),
    ]


def test_refusals_and_abandoned_ids_move_the_cursor_only() -> None:
    entries = [entry(sequence=11, accepted=False), entry(sequence=12, member_id="")]

    found = taken(entries, PLACE)

    assert (found.heads[0].sequence, found.events) == (12, [])


@pytest.mark.parametrize("sequence", [0, 9, 10, 12, 1_000])
def test_a_gap_and_a_repetition_are_refused(sequence: int) -> None:
    with pytest.raises(FeedBrokenError, match=f"bucket 0 goes on with {sequence} after 10"):
        taken([entry(sequence=sequence)], PLACE)


def test_a_gap_within_a_message_is_refused() -> None:
    with pytest.raises(FeedBrokenError, match="goes on with 13 after 11"):
        taken([entry(sequence=11), entry(sequence=13)], PLACE)


def test_a_bucket_that_the_ledger_does_not_have_is_refused() -> None:
    with pytest.raises(FeedBrokenError, match="bucket 4 is none of the ledger's 4 buckets"):
        taken([entry(bucket=BUCKETS)], PLACE)


async def test_a_ledger_is_followed_from_its_first_entry_on(
    notifier: Rig, loyalty: Loyalty
) -> None:
    await notifier.add("email", "https://email.example/")
    loyalty.change(1, version=1, kind="enrol")
    loyalty.change(1, version=2)

    async with notifier.taking_in(loyalty):
        await eventually(taken_in(notifier, {1: 2}))
        loyalty.change(2, version=1, kind="enrol")
        await eventually(taken_in(notifier, {1: 2, 2: 1}))

    assert await member_versions(notifier) == [(1, 1), (1, 2), (2, 1)]
    assert (await notifier.store.place()).epoch == 1


async def test_a_restart_goes_on_where_the_database_stands(notifier: Rig, loyalty: Loyalty) -> None:
    await notifier.add("email", "https://email.example/")
    for version in range(1, 4):
        loyalty.change(1, version=version)
        async with notifier.taking_in(loyalty):
            await eventually(taken_in(notifier, {1: version}))

    assert await notifier.count(State.PENDING) == 3


async def test_an_endpoint_hears_of_what_is_taken_in_after_it_was_added(
    notifier: Rig, loyalty: Loyalty
) -> None:
    async with notifier.taking_in(loyalty):
        loyalty.change(1, version=1)
        await eventually(taken_in(notifier, {1: 1}))
        await notifier.add("email", "https://email.example/")
        loyalty.change(1, version=2)
        await eventually(taken_in(notifier, {1: 2}))

    assert await member_versions(notifier) == [(1, 2)]


async def test_when_loyalty_is_away_intake_waits_and_goes_on(
    notifier: Rig, loyalty: Loyalty
) -> None:
    await notifier.add("email", "https://email.example/")
    async with notifier.taking_in(loyalty) as intake:
        loyalty.change(1, version=1)
        await eventually(taken_in(notifier, {1: 1}))
        await loyalty.stop()
        loyalty.change(1, version=2)
        await loyalty.start()
        await eventually(taken_in(notifier, {1: 2}))

        assert not intake.done()
    assert await notifier.count(State.PENDING) == 2


@pytest.mark.parametrize("statements", range(1, 8))
async def test_intake_that_is_cut_off_after_any_statement_takes_in_everything_once(
    notifier: Rig, loyalty: Loyalty, statements: int
) -> None:
    """A transaction has seven, then its commit; the database alone says where to go on."""
    await notifier.add("email", "https://email.example/")
    await notifier.store.adopt(epoch=1, bucket_count=BUCKETS)
    for member in range(20):
        loyalty.change(member, version=1)
    async with notifier.taking_in(loyalty) as intake:
        with after_statements(notifier, statements, intake.cancel):
            await eventually(intake.done)

    async with notifier.taking_in(loyalty):
        await eventually(taken_in(notifier, dict.fromkeys(range(BUCKETS), 5)))

    assert await notifier.count(State.PENDING) == 20
    assert len(await member_versions(notifier)) == 20


@contextmanager
def after_statements(notifier: Rig, count: int, act: Callable[[], object]) -> Iterator[None]:
    """Acts once the writer has executed so many statements since the block began."""
    left = count

    def note(_: object, __: object, statement: str, *___: object) -> None:
        nonlocal left
        left -= not statement.startswith("BEGIN")
        if left == 0:
            act()

    engine = notifier.database.writer.sync_engine
    event.listen(engine, "after_cursor_execute", note)
    try:
        yield
    finally:
        event.remove(engine, "after_cursor_execute", note)


async def test_a_gap_in_the_feed_stops_intake_for_good_and_takes_in_nothing_of_it(
    notifier: Rig, loyalty: Loyalty
) -> None:
    async with notifier.taking_in(loyalty) as intake:
        loyalty.change(1, version=1)
        await eventually(taken_in(notifier, {1: 1}))
        loyalty.append(entry(bucket=1, sequence=3))
        await asyncio.wait_for(intake, 10)

    assert await taken_in(notifier, {1: 1})()


async def test_a_ledger_of_another_epoch_stops_intake_for_good(
    notifier: Rig, loyalty: Loyalty
) -> None:
    """Refused by loyalty, before any entry."""
    await notifier.store.adopt(epoch=1, bucket_count=BUCKETS)
    loyalty.epoch = 2
    loyalty.change(1, version=1)

    async with notifier.taking_in(loyalty) as intake:
        await asyncio.wait_for(intake, 10)

    assert (await notifier.store.place()).epoch == 1
    assert await taken_in(notifier, {})()


async def test_another_number_of_buckets_stops_intake_for_good(
    notifier: Rig, loyalty: Loyalty
) -> None:
    await notifier.store.adopt(epoch=1, bucket_count=BUCKETS)
    loyalty.bucket_count = BUCKETS * 2

    async with notifier.taking_in(loyalty) as intake:
        await asyncio.wait_for(intake, 10)


async def test_whoever_waits_for_deliveries_is_told(notifier: Rig, loyalty: Loyalty) -> None:
    email = await notifier.add("email", "https://email.example/")
    announced: list[set[int]] = []
    loyalty.change(1, version=1)

    async with notifier.taking_in(loyalty, announce=announced.append):
        await eventually(lambda: bool(announced))

    assert announced == [{email.endpoint_id}]
