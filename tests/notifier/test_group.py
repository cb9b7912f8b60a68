"""Notifiers that share the work: from Redis where it has the entries, from the feed otherwise."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

import pytest
from redis.asyncio import Redis

from services.notifier.events import Entry, entry_from_journal
from services.notifier.feed import Feed
from services.notifier.group import in_order
from services.notifier.relay import Relay
from services.notifier.store import Head
from services.runtime.grpc import bearer, channel
from tests.notifier.feed import BUCKETS, TOKEN, Loyalty, entry
from tests.notifier.members import joined, streams_of
from tests.notifier.receivers import Receiver, never_backwards, receiving
from tests.notifier.rig import Rig, rig, running, taken
from tests.servers.waiting import eventually

MEMBERS = 20


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """A server, where notifiers share; a file where a test says so."""
    kind = getattr(request, "param", "postgres_url")
    url: str = request.getfixturevalue(kind)
    return url


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
async def email() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


def step(sequence: int, *, bucket: int = 0) -> Entry:
    return Entry(bucket=bucket, sequence=sequence, chain_hash=bytes(32), event=None)


def has_all(email: Receiver, *, versions: int) -> Callable[[], bool]:
    """Whether each of these versions of every member has arrived."""
    return lambda: len({post.version for post in email.posts}) == MEMBERS * versions


def change_all(loyalty: Loyalty, *, version: int) -> None:
    for member in range(MEMBERS):
        loyalty.change(member, version=version)


def published(redis: Redis, *, versions: int) -> Callable[[], Awaitable[bool]]:
    """Whether the streams end with the last entries of these versions."""

    async def everything_is_in_redis() -> bool:
        for bucket in range(BUCKETS):
            key = streams_of(redis).key(epoch=1, bucket=bucket)
            last = await redis.xrevrange(key, count=1)
            if not last or last[0][0] != b"%d-0" % (MEMBERS // BUCKETS * versions):
                return False
        return True

    return everything_is_in_redis


def test_what_follows_on_is_told_from_what_was_there_and_what_lies_beyond_a_gap() -> None:
    heads = {0: Head(10, bytes(32)), 1: Head(3, bytes(32))}
    read = [step(9), step(10), step(11), step(12), step(14), step(4, bucket=1), step(6, bucket=1)]

    following, beyond = in_order(read, heads=heads)

    assert [(each.bucket, each.sequence) for each in following] == [(0, 11), (0, 12), (1, 4)]
    assert [(each.bucket, each.sequence) for each in beyond] == [(0, 14), (1, 6)]


@pytest.mark.parametrize("database_url", ["sqlite_url", "postgres_url"], indirect=True)
async def test_a_group_of_one_publishes_and_delivers_everything(
    notifier: Rig, loyalty: Loyalty, redis_url: str, redis: Redis, email: Receiver
) -> None:
    await notifier.add("email", email.url)
    change_all(loyalty, version=1)
    async with joined(notifier, loyalty, redis_url):
        await eventually(has_all(email, versions=1))
        change_all(loyalty, version=2)
        await eventually(has_all(email, versions=2))
        await eventually(published(redis, versions=2))

    assert len(set(email.ids)) == MEMBERS * 2
    assert never_backwards(email)


async def test_without_redis_everything_comes_by_the_feed(
    notifier: Rig, loyalty: Loyalty, email: Receiver
) -> None:
    await notifier.add("email", email.url)
    async with joined(notifier, loyalty, "redis://127.0.0.1:1/0"):
        for version in range(1, 4):
            change_all(loyalty, version=version)
            await eventually(has_all(email, versions=version))

    assert never_backwards(email)


async def test_entries_come_by_the_streams_too(
    notifier: Rig, loyalty: Loyalty, redis: Redis, redis_url: str, email: Receiver
) -> None:
    """The second one stands in Redis only: the feed does not have it."""
    await notifier.add("email", email.url)
    loyalty.change(0, version=1)
    async with joined(notifier, loyalty, redis_url, relays=False):
        await eventually(lambda: len(email.posts) == 1)
        only_in_redis = entry(
            sequence=2, member_id=str(uuid.UUID(int=0)), member_version=2, points=102
        )
        written = [entry_from_journal(only_in_redis, epoch=1)]
        await streams_of(redis).publish(written, epoch=1)
        await eventually(lambda: len(email.posts) == 2)

    assert [post.data["member_version"] for post in email.posts] == [1, 2]


@pytest.mark.parametrize("lost", ["a gap", "the end"])
async def test_what_redis_lost_is_taken_from_the_feed(
    notifier: Rig, loyalty: Loyalty, redis: Redis, redis_url: str, email: Receiver, lost: str
) -> None:
    await notifier.add("email", email.url)
    made = [loyalty.change(0, version=version) for version in range(1, 4)]
    kept = [made[0], made[2]] if lost == "a gap" else made[:2]
    written = [entry_from_journal(each, epoch=1) for each in kept]
    await streams_of(redis).publish(written, epoch=1)

    async with joined(notifier, loyalty, redis_url, relays=False):
        await eventually(lambda: len(email.posts) == 3)

    assert [post.data["member_version"] for post in email.posts] == [1, 2, 3]


async def test_what_nobody_vouches_for_is_not_delivered(
    notifier: Rig, loyalty: Loyalty, redis: Redis, redis_url: str, email: Receiver
) -> None:
    """Somebody writes into the streams; what the ledger says arrives, and nothing else."""
    await notifier.add("email", email.url)
    async with joined(notifier, loyalty, redis_url):
        change_all(loyalty, version=1)
        await eventually(has_all(email, versions=1))
        for bucket in range(BUCKETS):
            key = streams_of(redis).key(epoch=1, bucket=bucket)
            await redis.xadd(key, {"type": "member.points_changed", "body": '{"data": {}}'})
        change_all(loyalty, version=2)
        await eventually(has_all(email, versions=2))
        await eventually(partial(nothing_is_foreign, redis))
        change_all(loyalty, version=3)
        await eventually(has_all(email, versions=3))
        await eventually(published(redis, versions=3))

    assert len(set(email.ids)) == MEMBERS * 3


async def nothing_is_foreign(redis: Redis) -> bool:
    """Ids that Redis chose are times, far beyond any sequence."""
    keys = [streams_of(redis).key(epoch=1, bucket=bucket) for bucket in range(BUCKETS)]
    return not any([await redis.xrange(key, min=1_000_000_000_000) for key in keys])


async def test_a_restored_ledger_stops_intake_for_good(
    notifier: Rig, loyalty: Loyalty, redis_url: str
) -> None:
    await notifier.store.adopt(epoch=1, bucket_count=BUCKETS)
    loyalty.epoch = 2
    async with joined(notifier, loyalty, redis_url) as member:
        await eventually(member.intake.done)

    assert member.intake.exception() is None


async def test_two_share_the_buckets_and_each_delivery_is_sent_once(
    postgres_url: str, loyalty: Loyalty, redis_url: str, email: Receiver
) -> None:
    async with rig(postgres_url) as first, rig(postgres_url) as second:
        await first.add("email", email.url)
        change_all(loyalty, version=1)
        async with joined(first, loyalty, redis_url, name="anna") as anna:
            async with joined(second, loyalty, redis_url, name="bert") as bert:
                await eventually(lambda: bool(anna.duties.buckets() and bert.duties.buckets()))
                change_all(loyalty, version=2)
                await eventually(has_all(email, versions=2))
            await eventually(lambda: len(anna.duties.buckets()) == BUCKETS)
            change_all(loyalty, version=3)
            await eventually(has_all(email, versions=3))

    assert len(email.ids) == len(set(email.ids)) == MEMBERS * 3
    assert never_backwards(email)


async def test_the_relay_writes_no_further_ahead_than_allowed(
    notifier: Rig,
    loyalty: Loyalty,
    redis: Redis,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If nothing is taken in for long, Redis does not fill up."""
    monkeypatch.setattr("services.notifier.relay.AHEAD_MAX", 5)
    await notifier.store.adopt(epoch=1, bucket_count=BUCKETS)
    loyalty.append(*(entry(sequence=sequence) for sequence in range(1, 8)))
    looked = asyncio.Event()

    def is_mine() -> bool:
        looked.set()
        return True

    async with channel(f"127.0.0.1:{loyalty.port}") as to_loyalty:
        feed = Feed(channel=to_loyalty, metadata=bearer(TOKEN))
        relay = Relay(store=notifier.store, feed=feed, streams=streams_of(redis), is_mine=is_mine)
        key = streams_of(redis).key(epoch=1, bucket=0)
        async with running(relay.run()):
            await eventually(partial(has_length, redis, key, 7))
            loyalty.append(*(entry(sequence=sequence) for sequence in range(8, 10)))
            looked.clear()
            await looked.wait()
            assert await has_length(redis, key, 7), "five may wait; one message more is let through"

            place = await notifier.store.place()
            first = [entry(sequence=sequence) for sequence in range(1, 8)]
            await notifier.store.take_in(taken(first, place), now_us=notifier.clock())
            await eventually(partial(has_length, redis, key, 9))


async def has_length(redis: Redis, key: str, length: int) -> bool:
    return await redis.xlen(key) == length
