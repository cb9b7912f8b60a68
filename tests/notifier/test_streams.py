"""Redis Streams as relay and group use them, on a real Redis 7."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError, RedisError, ResponseError

from services.notifier.events import Entry
from services.notifier.store import Head
from services.notifier.streams import GROUP, Streams, connect
from tests.notifier.members import streams_of

BUCKET = {0: Head(0, bytes(32))}


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = connect(redis_url)
    yield client
    await client.config_set("maxmemory", 0)
    await client.aclose()


@pytest.fixture
def streams(redis: Redis) -> Streams:
    return streams_of(redis)


def steps(first: int, last: int) -> list[Entry]:
    return [Entry(0, sequence, bytes(32), None) for sequence in range(first, last + 1)]


def sequences(entries: Sequence[Entry]) -> list[int]:
    return [each.sequence for each in entries]


def head(sequence: int) -> dict[int, Head]:
    return {0: Head(sequence, bytes(32))}


async def read(streams: Streams) -> list[int]:
    return sequences(await streams.read([0], epoch=1, within_s=0.01))


async def test_what_is_published_is_read_once_in_order(streams: Streams) -> None:
    await streams.join(BUCKET, epoch=1)
    await streams.publish(steps(1, 5), epoch=1)

    assert await read(streams) == [1, 2, 3, 4, 5]
    assert await read(streams) == []


async def test_redis_refuses_repetitions_and_what_is_new_follows(streams: Streams) -> None:
    await streams.join(BUCKET, epoch=1)
    await streams.publish(steps(1, 5), epoch=1)
    await streams.publish(steps(3, 7), epoch=1)

    assert await read(streams) == [1, 2, 3, 4, 5, 6, 7]


async def test_a_group_made_late_begins_behind_the_cursor(streams: Streams) -> None:
    await streams.publish(steps(1, 5), epoch=1)
    await streams.join(head(2), epoch=1)

    assert await read(streams) == [3, 4, 5]


async def test_each_epoch_has_its_own_streams(streams: Streams) -> None:
    await streams.publish(steps(1, 5), epoch=1)
    await streams.publish(steps(1, 2), epoch=2)

    await streams.join(BUCKET, epoch=2)

    assert sequences(await streams.read([0], epoch=2, within_s=0.01)) == [1, 2]


async def test_what_another_left_unacknowledged_is_claimed_and_its_consumer_removed(
    redis: Redis, streams: Streams
) -> None:
    gone = streams_of(redis, consumer="gone")
    await gone.join(BUCKET, epoch=1)
    await gone.publish(steps(1, 450), epoch=1)
    for _ in range(3):
        await gone.read([0], epoch=1, within_s=0.01)
    await gone.done(steps(1, 10), heads=head(10), epoch=1)

    claimed = await streams.join(head(10), epoch=1)

    assert sequences(claimed) == list(range(11, 451))
    consumers = await redis.xinfo_consumers(streams.key(epoch=1, bucket=0), GROUP)
    assert [each["name"] for each in consumers] == [b"anna"]


@pytest.mark.parametrize("keep", [0, 120])
async def test_trimming_stays_behind_the_cursor(redis: Redis, keep: int) -> None:
    streams = streams_of(redis, keep=keep)
    await streams.join(BUCKET, epoch=1)
    await streams.publish(steps(1, 500), epoch=1)
    await streams.read([0], epoch=1, within_s=0.01)

    await streams.done(steps(1, 300), heads=head(300), epoch=1)

    found: Any = await redis.xrange(streams.key(epoch=1, bucket=0), count=1)
    oldest = int(found[0][0].split(b"-")[0])
    assert 1 < oldest <= 301 - keep


@pytest.mark.parametrize("id_", ["3-0", "2-1"])
async def test_a_stream_with_a_foreign_entry_is_deleted_and_nothing_of_it_is_read(
    redis: Redis, streams: Streams, id_: str
) -> None:
    await streams.join(BUCKET, epoch=1)
    await streams.publish(steps(1, 2), epoch=1)
    key = streams.key(epoch=1, bucket=0)
    await redis.xadd(key, {"body": "a million points"}, id=id_)

    assert await read(streams) == []

    assert not await redis.exists(key)
    await streams.join(BUCKET, epoch=1)
    await streams.publish(steps(1, 3), epoch=1)
    assert await read(streams) == [1, 2, 3]


@pytest.mark.parametrize("by", ["publish", "join"])
async def test_a_key_that_is_no_stream_is_deleted(redis: Redis, streams: Streams, by: str) -> None:
    key = streams.key(epoch=1, bucket=0)
    await redis.set(key, "something else")

    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await (streams.publish(steps(1, 1), epoch=1) if by == "publish" else
               streams.join(BUCKET, epoch=1))  # fmt: skip

    assert not await redis.exists(key)


async def test_a_full_redis_is_told_to_whoever_publishes(redis: Redis, streams: Streams) -> None:
    await redis.config_set("maxmemory", 1)

    with pytest.raises(OutOfMemoryError):
        await streams.publish(steps(1, 3), epoch=1)


@pytest.mark.parametrize("lost", ["stream", "group"])
async def test_a_lost_stream_or_group_is_told_and_joining_again_makes_it_anew(
    redis: Redis, streams: Streams, lost: str
) -> None:
    key = streams.key(epoch=1, bucket=0)
    await streams.join(BUCKET, epoch=1)
    await streams.publish(steps(1, 3), epoch=1)
    await (redis.delete(key) if lost == "stream" else redis.xgroup_destroy(key, GROUP))

    with pytest.raises(RedisError):
        await read(streams)

    await streams.join(head(3), epoch=1)
    await streams.publish(steps(3, 5), epoch=1)
    assert [each for each in await read(streams) if each > 3] == [4, 5]
