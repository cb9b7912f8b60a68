"""The journal in order, without a gap, from any position, whoever wrote it."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime

import grpc
import pytest

from bonpunkt.loyalty.v1 import feed_pb2 as pb
from services.loyalty import schema
from services.loyalty.feed import ROWS_A_BUCKET_MAX, entry_to_wire
from services.loyalty.keys import BUCKET_COUNT
from services.loyalty.office.instants import micros
from tests.loyalty.commands import a_merge, a_settling
from tests.loyalty.ledgers import (
    Ledger,
    a_block,
    a_capture,
    an_abandon,
    an_enrolment,
    member_id_in,
    opened,
)
from tests.loyalty.served import WITHIN_S, Served, refusal, served

CARD = "2900000000018"


@pytest.fixture
async def filled(ledger_url: str) -> str:
    """A ledger with some rows of every kind in several buckets."""
    async with opened(ledger_url) as ledger:
        enrolments = await ledger.enrolled(*(f"card-{n}" for n in range(12)))
        captures = [a_capture(e.card, 4000, redeem="maximum") for e in enrolments * 2]
        await ledger.answers(*captures, a_capture("card-0", 100, redeem=100))
        await ledger.answers(an_abandon(captures[0].basket.basket_id))
        await ledger.answers(a_block(enrolments[0].member_id))
    return ledger_url


@pytest.fixture
async def loyalty(filled: str) -> AsyncIterator[Served]:
    async with served(filled) as running:
        yield running


def by_bucket(entries: Iterable[pb.JournalEntry]) -> dict[int, list[int]]:
    found: defaultdict[int, list[int]] = defaultdict(list)
    for entry in entries:
        found[entry.bucket].append(entry.sequence)
    return found


async def test_every_row_comes_once_in_the_order_of_its_bucket(loyalty: Served) -> None:
    overview = await loyalty.overview()

    entries = await loyalty.entries(overview.journal_entries)

    assert len(entries) == overview.journal_entries
    assert all(
        sequences == list(range(1, len(sequences) + 1)) for sequences in by_bucket(entries).values()
    )
    assert {entry.kind for entry in entries} == {"enrol", "capture", "abandon", "block"}


async def test_a_follower_goes_on_from_where_it_stopped(loyalty: Served) -> None:
    """From any position: what lies behind it is not sent again, nothing before it is left out."""
    count = (await loyalty.overview()).journal_entries
    whole = await loyalty.entries(count)
    for kept in (0, 1, count // 2, count - 1):
        positions = {e.bucket: e.sequence for e in whole[:kept]}

        rest = await loyalty.entries(
            count - kept,
            after=[pb.Position(bucket=b, sequence=s) for b, s in positions.items()],
        )

        assert sorted(e.SerializeToString() for e in rest) == sorted(
            e.SerializeToString() for e in whole[kept:]
        )


async def test_more_rows_than_a_message_takes_come_in_several(ledger_url: str) -> None:
    async with opened(ledger_url) as ledger:
        await ledger.answers(an_enrolment(CARD, member_id=member_id_in(7)))
        await ledger.answers(*(a_capture(CARD) for _ in range(2 * ROWS_A_BUCKET_MAX)))

    async with served(ledger_url) as loyalty:
        entries = await loyalty.entries(2 * ROWS_A_BUCKET_MAX + 1)

    assert by_bucket(entries) == {7: list(range(1, 2 * ROWS_A_BUCKET_MAX + 2))}


async def test_the_first_message_comes_at_once_and_says_whose_positions_these_are(
    ledger_url: str,
) -> None:
    async with served(ledger_url) as loyalty:
        call = loyalty.feed.Follow(pb.FollowRequest(), timeout=WITHIN_S)
        first = await call.read()
        call.cancel()

    assert first == pb.FollowResponse(epoch=1, bucket_count=BUCKET_COUNT)


@pytest.mark.parametrize("epoch", [0, 1])
async def test_a_follower_of_this_epoch_or_of_none_is_served(loyalty: Served, epoch: int) -> None:
    assert len(await loyalty.entries(5, epoch=epoch)) >= 5


async def test_a_follower_of_another_epoch_is_told_that_the_ledger_was_restored(
    loyalty: Served,
) -> None:
    call = loyalty.feed.Follow(pb.FollowRequest(epoch=2), timeout=WITHIN_S)

    code, words = await refusal(call.read())

    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert "epoch 1" in words


@pytest.mark.parametrize("bucket", [BUCKET_COUNT, 2**32 - 1])
async def test_a_position_in_an_unknown_bucket_is_refused(loyalty: Served, bucket: int) -> None:
    call = loyalty.feed.Follow(
        pb.FollowRequest(after=[pb.Position(bucket=bucket, sequence=1)]), timeout=WITHIN_S
    )

    code, words = await refusal(call.read())

    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert words.startswith("after:")


async def test_a_position_beyond_the_head_waits(loyalty: Served) -> None:
    """Also beyond what a database counts to."""
    after = [pb.Position(bucket=b, sequence=2**64 - 1) for b in range(BUCKET_COUNT)]
    call = loyalty.feed.Follow(pb.FollowRequest(after=after), timeout=WITHIN_S)
    assert (await call.read()).entries == []

    await loyalty.enrolled("new")
    waiting = asyncio.ensure_future(call.read())
    entries = await loyalty.entries((await loyalty.overview()).journal_entries)

    assert entries
    assert not waiting.done()
    waiting.cancel()
    call.cancel()


async def test_a_follower_sees_what_is_committed_meanwhile(loyalty: Served) -> None:
    count = (await loyalty.overview()).journal_entries
    following = asyncio.create_task(loyalty.entries(count + 3))

    (first, *_) = await loyalty.enrolled("new-1", "new-2", "new-3")

    entries = await following
    assert first.operation_id in {entry.operation_id for entry in entries}
    assert len(entries) == count + 3


async def test_a_follower_sees_what_another_process_commits(postgres_ledger_url: str) -> None:
    """By polling: nobody tells it."""
    async with served(postgres_ledger_url) as loyalty, opened(postgres_ledger_url) as other:
        following = asyncio.create_task(loyalty.entries(1))

        (enrolment,) = await other.enrolled(CARD)

        (entry,) = await following
    assert entry.operation_id == enrolment.operation_id


async def test_no_row_is_missed_while_two_processes_write(postgres_ledger_url: str) -> None:
    """A sequence that became visible before the one below it would be skipped for ever."""
    url, cards = postgres_ledger_url, [f"card-{n}" for n in range(40)]
    async with served(url) as loyalty, opened(url) as first, opened(url) as second:
        await first.enrolled(*cards)
        following = asyncio.create_task(loyalty.entries(40 + 400))

        async def spend(ledger: Ledger) -> None:
            for start in range(0, 200, 8):
                batch = [a_capture(cards[n % 40]) for n in range(start, start + 8)]
                await ledger.answers(*batch)

        await asyncio.gather(spend(first), spend(second))
        entries = await following

    assert len({entry.operation_id for entry in entries}) == 440
    assert all(s == list(range(1, len(s) + 1)) for s in by_bucket(entries).values())


async def test_a_row_alone_suffices_to_tell_the_members_state(ledger_url: str) -> None:
    """Absolute figures, as the member's row had them then."""
    async with opened(ledger_url) as ledger:
        (enrolment,) = await ledger.enrolled(CARD)
        await ledger.decision(a_capture(CARD, 20_000))
        await ledger.decision(a_capture(CARD, 2000, redeem=50))
        await ledger.decision(a_capture(CARD, 100, redeem=100))  # refused: 59 are there
        (row,) = await ledger.rows(schema.member)
        journal = await ledger.journal()

    async with served(ledger_url) as loyalty:
        enrolled, earned, redeemed, refused = await loyalty.entries(4)

    assert [e.state.points for e in (enrolled, earned, redeemed, refused)] == [0, 100, 59, 59]
    assert [e.member_version for e in (enrolled, earned, redeemed, refused)] == [1, 2, 3, 3]
    assert (refused.accepted, redeemed.accepted) == (False, True)
    assert (redeemed.points_earned, redeemed.points_redeemed) == (9, 50)
    assert redeemed.state.available == row.points == 59
    assert redeemed.state.expiring_points == 59
    assert redeemed.state.expiring_on == "2029-11-30"
    assert enrolled.state.expiring_on == ""
    assert {e.member_id for e in (enrolled, earned, redeemed)} == {enrolment.member_id}
    assert (redeemed.terminal_id, redeemed.store_id, enrolled.actor) == (
        "till-1",
        "s-1",
        "cli:test",
    )
    assert [e.chain_hash for e in (enrolled, earned, redeemed, refused)] == [
        r.chain_hash for r in journal
    ]
    assert earned.HasField("occurred_at")
    assert not enrolled.HasField("occurred_at")


async def test_an_abandon_concerns_no_member(loyalty: Served) -> None:
    entries = await loyalty.entries((await loyalty.overview()).journal_entries)

    (abandon,) = [entry for entry in entries if entry.kind == "abandon"]

    assert (abandon.member_id, abandon.HasField("state")) == ("", False)


async def test_an_announcement_tells_which_points_end_when(ledger: Ledger) -> None:
    (enrolment,) = await ledger.enrolled(CARD)
    await ledger.decision(a_capture(CARD, 20_000))
    ledger.clock.set_us(micros(datetime(2029, 11, 1, 11, tzinfo=UTC)))
    await ledger.decision(a_settling(enrolment.member_id))

    (announced,) = [entry_to_wire(row) for row in await ledger.journal("announce")]
    others = [entry_to_wire(row) for row in await ledger.journal() if row.kind != "announce"]

    notice = announced.expiry_notice
    assert (notice.points, notice.expires_on, notice.days_ahead) == (100, "2029-11-30", 30)
    assert (announced.state.points, announced.actor) == (100, "time")
    assert not any(entry.HasField("expiry_notice") for entry in others)


async def test_a_merged_member_tells_where_everything_went(ledger: Ledger) -> None:
    survivor, merged = await ledger.enrolled("card-1", "card-2")
    await ledger.decision(a_capture("card-2", 20_000))
    await ledger.decision(a_merge(survivor.member_id, merged.member_id))

    (into,) = [entry_to_wire(row) for row in await ledger.journal("merge")]
    (gone,) = [entry_to_wire(row) for row in await ledger.journal("merged")]

    assert (into.member_id, into.state.points, into.state.merged_into) == (
        survivor.member_id,
        100,
        "",
    )
    assert (gone.member_id, gone.state.points, gone.state.status) == (
        merged.member_id,
        0,
        "merged",
    )
    assert gone.state.merged_into == survivor.member_id


async def test_a_server_that_stops_ends_its_followers(sqlite_url: str) -> None:
    async with served(sqlite_url) as loyalty:
        call = loyalty.feed.Follow(pb.FollowRequest())
        await call.read()

        loyalty.stop.set()

        ended = await asyncio.wait_for(call.read(), WITHIN_S)
    assert ended is grpc.aio.EOF
