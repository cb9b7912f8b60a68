"""At least once, in the order of each member's versions, and no endpoint at another's expense."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from services.notifier import audit, schema
from services.notifier.endpoints import Endpoint
from services.notifier.schema import State
from tests.notifier.feed import Loyalty
from tests.notifier.receivers import Post, Receiver, no_content, raw_server, receiving, status
from tests.notifier.rig import HOUR_US, Rig
from tests.servers.waiting import eventually

MINUTE_US = HOUR_US // 60
NEVER = 30 * 86_400


def counted(
    notifier: Rig, state: State, count: int, endpoint: Endpoint | None = None
) -> Callable[[], Awaitable[bool]]:
    """Whether so many deliveries are in this state."""

    async def so() -> bool:
        return await notifier.count(state, endpoint) == count

    return so


def arrived(receiver: Receiver, count: int) -> Callable[[], bool]:
    """Whether so many posts came."""
    return lambda: len(receiver.posts) == count


async def reason(notifier: Rig, name: str) -> str:
    """Why the endpoint is disabled; empty if it is not."""
    (found,) = [each for each in await notifier.endpoints.all() if each.name == name]
    assert found.enabled == (not found.disabled_reason)
    return found.disabled_reason


def hung() -> tuple[asyncio.Event, Callable[[Post], Awaitable[web.StreamResponse]]]:
    """A reply that comes once the event is set."""
    released = asyncio.Event()

    async def reply(_: Post) -> web.StreamResponse:
        await released.wait()
        return web.Response(status=204)

    return released, reply


def in_order(receiver: Receiver) -> bool:
    """Whether the versions of each member arrived one after the other."""
    seen: defaultdict[str, list[int]] = defaultdict(list)
    for member, version in (post.version for post in receiver.posts):
        seen[member].append(version)
    return all(versions == list(range(1, len(versions) + 1)) for versions in seen.values())


async def test_every_delivery_arrives_and_is_recorded(notifier: Rig) -> None:
    async with receiving() as email, receiving() as crm:
        await notifier.add("email", email.url)
        await notifier.add("crm", crm.url)
        await notifier.change(*range(100), *range(50))
        async with notifier.sending():
            await eventually(counted(notifier, State.DELIVERED, 300))

    assert len(email.posts) == len(set(email.ids)) == 150
    assert len(crm.posts) == len(set(crm.ids)) == 150
    assert not set(email.ids) & set(crm.ids)


async def test_of_a_member_one_delivery_is_under_way_at_a_time_in_the_order_of_versions(
    notifier: Rig,
) -> None:
    async with receiving() as email:
        await notifier.add("email", email.url)
        await notifier.change(*[1, 2, 1, 3, 1, 1] * 5)
        async with notifier.sending(concurrency=32):
            await eventually(counted(notifier, State.DELIVERED, 30))

    assert email.most_under_way_of_a_member == 1
    assert in_order(email)


async def test_what_is_taken_in_while_sending_is_sent_too(notifier: Rig, loyalty: Loyalty) -> None:
    async with receiving() as email, notifier.sending() as sender:
        await notifier.add("email", email.url)
        sender.endpoints_changed()
        async with notifier.taking_in(loyalty, announce=sender.announce):
            for version in range(1, 4):
                loyalty.change(1, version=version)
                await eventually(arrived(email, version))

    assert in_order(email)


async def test_a_failed_delivery_is_repeated_with_the_same_id_and_the_same_bytes(
    notifier: Rig,
) -> None:
    answers = iter([status(500), status(302), status(404), no_content])

    async def reply(post: Post) -> web.StreamResponse:
        return await next(answers)(post)

    async with receiving(reply) as email:
        await notifier.add("email", email.url)
        await notifier.change(1)
        async with notifier.sending():
            await eventually(counted(notifier, State.DELIVERED, 1))

    assert len(email.posts) == 4
    assert len({(post.delivery_id, post.body) for post in email.posts}) == 1
    async with notifier.database.reading() as connection:
        attempts = await connection.execute(select(schema.attempt).order_by("attempt"))
        failed = [(row.attempt, row.status) for row in attempts]
    assert failed == [(1, 500), (2, 302), (3, 404)]


async def test_a_retry_waits_for_its_time_and_is_signed_anew(notifier: Rig) -> None:
    async with receiving(status(500)) as email:
        await notifier.add("email", email.url)
        await notifier.change(1)
        async with notifier.sending(schedule_s=(0, 1_800)) as sender:
            await eventually(attempted(notifier, 1))
            email.reply = no_content
            notifier.clock.ahead_us += 23 * MINUTE_US  # before the earliest: 30 minutes less 20 %
            await notifier.change(2)
            sender.endpoints_changed()
            await eventually(counted(notifier, State.DELIVERED, 1))
            assert [post.version[1] for post in email.posts] == [1, 1]
            assert email.ids[0] != email.ids[1]

            notifier.clock.ahead_us += 14 * MINUTE_US  # after the latest
            sender.endpoints_changed()
            await eventually(counted(notifier, State.DELIVERED, 2))

    assert email.ids[2] == email.ids[0]
    assert email.posts[2].timestamp_s - email.posts[0].timestamp_s >= 37 * 60


def attempted(notifier: Rig, count: int) -> Callable[[], Awaitable[bool]]:
    """Whether so many failed attempts are recorded."""

    async def so() -> bool:
        async with notifier.database.reading() as connection:
            return len((await connection.execute(select(schema.attempt))).all()) == count

    return so


async def test_a_delivery_that_failed_every_time_is_dead_and_the_next_version_follows(
    notifier: Rig,
) -> None:
    async def reply(post: Post) -> web.StreamResponse:
        return web.Response(status=400 if post.version[1] == 1 else 204)

    async with receiving(reply) as email:
        await notifier.add("email", email.url)
        await notifier.change(1, 1)
        async with notifier.sending(schedule_s=(0, 0, 0)):
            await eventually(counted(notifier, State.DELIVERED, 1))

    assert await notifier.count(State.DEAD) == 1
    assert [post.version[1] for post in email.posts] == [1, 1, 1, 2]


async def test_a_restart_loses_no_delivery_and_no_waiting_retry(notifier: Rig) -> None:
    async with receiving(status(500)) as email:
        await notifier.add("email", email.url)
        await notifier.change(*range(8))
        async with notifier.sending(schedule_s=(0, 1_800)):
            await eventually(attempted(notifier, 8))
        await notifier.change(*range(8, 16))
        email.reply = no_content
        notifier.clock.ahead_us += HOUR_US
        async with notifier.sending(schedule_s=(0, 1_800)):
            await eventually(counted(notifier, State.DELIVERED, 16))

    assert len(set(email.ids)) == 16


async def test_what_was_sent_but_not_recorded_is_sent_again_under_the_same_id(
    notifier: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash between the two: the receiver can tell, by `webhook-id`, that it knows it already."""

    async def fail(_: object) -> None:
        raise OperationalError("COMMIT", None, Exception("the database is away"))

    async with receiving() as email:
        await notifier.add("email", email.url)
        await notifier.change(1)
        with monkeypatch.context() as patched:
            patched.setattr(notifier.store, "record", fail)
            async with notifier.sending():
                await eventually(lambda: len(email.posts) == 1)
        assert await notifier.count(State.PENDING) == 1
        async with notifier.sending():
            await eventually(counted(notifier, State.DELIVERED, 1))

    assert email.posts[0].delivery_id == email.posts[1].delivery_id
    assert email.posts[0].body == email.posts[1].body


async def test_requests_under_way_may_end_when_sending_stops(notifier: Rig) -> None:
    released, reply = hung()
    async with receiving(reply) as email:
        await notifier.add("email", email.url)
        await notifier.change(1)
        async with notifier.sending():
            await eventually(lambda: len(email.posts) == 1)
            asyncio.get_running_loop().call_later(0.1, released.set)

    assert await notifier.count(State.DELIVERED) == 1


async def test_a_slow_endpoint_delays_no_other(notifier: Rig) -> None:
    released, reply = hung()
    async with receiving(reply) as slow, receiving() as quick:
        await notifier.add("slow", slow.url)
        to_quick = await notifier.add("quick", quick.url)
        await notifier.change(*range(40))
        async with notifier.sending(concurrency=4):
            await eventually(counted(notifier, State.DELIVERED, 40, to_quick))
            await eventually(lambda: len(slow.posts) == 4)
            assert await notifier.count(State.DELIVERED) == 40
            released.set()
            await eventually(counted(notifier, State.DELIVERED, 80))


@pytest.mark.parametrize("answer", [b"", b"no http\r\n\r\n", b"HTTP/1.1 500 Oh\r\n\r\n"])
async def test_a_dead_endpoint_is_left_alone_and_delays_no_other(
    notifier: Rig, answer: bytes
) -> None:
    """Ten failures in a row open its breaker: the other deliveries lose no attempt to it."""
    async with raw_server(answer) as (url, connected), receiving() as quick:
        dead = await notifier.add("dead", url)
        to_quick = await notifier.add("quick", quick.url)
        await notifier.change(*range(100))
        async with notifier.sending(schedule_s=(0, NEVER), concurrency=1):
            await eventually(counted(notifier, State.DELIVERED, 100, to_quick))
            await eventually(attempted(notifier, 10))

    assert len(connected) == 10
    assert await notifier.count(State.PENDING, dead) == 100


async def test_an_endpoint_that_recovers_is_found_by_a_probe(notifier: Rig) -> None:
    async with receiving(status(500)) as email:
        await notifier.add("email", email.url)
        await notifier.change(*range(30))
        async with notifier.sending(schedule_s=(0, 60), concurrency=1) as sender:
            await eventually(attempted(notifier, 10))
            email.reply = no_content
            notifier.clock.ahead_us += HOUR_US
            sender.endpoints_changed()
            await eventually(counted(notifier, State.DELIVERED, 30))


async def test_429_stops_an_endpoint_at_once_for_a_minute(notifier: Rig) -> None:
    async with receiving(status(429)) as email:
        await notifier.add("email", email.url)
        await notifier.change(*range(20))
        async with notifier.sending(concurrency=1) as sender:
            await eventually(attempted(notifier, 1))
            email.reply = no_content
            notifier.clock.ahead_us += 2 * MINUTE_US
            sender.endpoints_changed()
            await eventually(counted(notifier, State.DELIVERED, 20))

    assert len(email.posts) == 21


async def test_410_disables_the_endpoint_and_keeps_its_deliveries(notifier: Rig) -> None:
    async with receiving(status(410)) as email:
        await notifier.add("email", email.url)
        await notifier.change(*range(20))
        async with notifier.sending(concurrency=1) as sender:
            await eventually(lambda: is_disabled(notifier, "email"))
            assert await reason(notifier, "email") == "answered 410"
            assert len(email.posts) == 1

            email.reply = no_content
            await notifier.change(1)
            await notifier.endpoints.enable("email", actor="demo", now_us=notifier.clock())
            sender.endpoints_changed()
            await eventually(counted(notifier, State.DELIVERED, 21))

    async with notifier.database.reading() as connection:
        acts = [(each.act.actor, each.act.action) for each in await audit.read(connection)]
    assert ("notifier", "endpoint.disable") in acts


async def is_disabled(notifier: Rig, name: str) -> bool:
    return bool(await reason(notifier, name))


async def test_an_endpoint_that_fails_for_days_is_disabled_also_over_restarts(
    notifier: Rig,
) -> None:
    days = 5 * 24 * HOUR_US
    async with receiving(status(500)) as email:
        await notifier.add("email", email.url)
        await notifier.change(*range(30))
        async with notifier.sending(concurrency=1, disable_after_s=5 * 86_400):
            await eventually(attempted(notifier, 10))
            await eventually(lambda: is_failing(notifier))
        notifier.clock.ahead_us += days
        async with notifier.sending(concurrency=1, disable_after_s=5 * 86_400):
            await eventually(lambda: is_disabled(notifier, "email"))

    assert await reason(notifier, "email") == "kept failing"
    assert await notifier.count(State.PENDING) == 30


async def test_one_success_and_an_endpoint_is_not_failing_any_more(notifier: Rig) -> None:
    async with receiving(status(500)) as email:
        await notifier.add("email", email.url)
        await notifier.change(*range(30))
        async with notifier.sending(concurrency=1, disable_after_s=5 * 86_400):
            await eventually(lambda: is_failing(notifier))
        email.reply = no_content
        notifier.clock.ahead_us += 24 * HOUR_US
        async with notifier.sending(concurrency=1, disable_after_s=5 * 86_400):
            await eventually(counted(notifier, State.DELIVERED, 30))

    assert not await is_failing(notifier)
    assert not await is_disabled(notifier, "email")


async def is_failing(notifier: Rig) -> bool:
    (found,) = await notifier.endpoints.all()
    return found.failing_since_us is not None


async def test_a_disabled_endpoint_is_sent_nothing_until_it_is_enabled(notifier: Rig) -> None:
    async with receiving() as email, receiving() as crm, notifier.sending() as sender:
        to_email = await notifier.add("email", email.url)
        await notifier.add("crm", crm.url)
        now_us = notifier.clock()
        await notifier.endpoints.disable("email", reason="by staff", actor="demo", now_us=now_us)
        await notifier.change(*range(10))
        sender.endpoints_changed()
        await eventually(counted(notifier, State.DELIVERED, 10))
        assert await notifier.count(State.PENDING, to_email) == 10
        assert email.posts == []

        await notifier.endpoints.enable("email", actor="demo", now_us=notifier.clock())
        sender.endpoints_changed()
        await eventually(counted(notifier, State.DELIVERED, 20))


async def test_a_redelivered_delivery_is_sent_once_more(notifier: Rig) -> None:
    async with receiving() as email, notifier.sending() as sender:
        added = await notifier.add("email", email.url)
        await notifier.change(4)
        sender.endpoints_changed()
        await eventually(counted(notifier, State.DELIVERED, 1))
        await notifier.endpoints.redeliver(
            key=added.key, epoch=1, bucket=0, sequence=1, actor="demo", now_us=notifier.clock()
        )
        sender.endpoints_changed()
        await eventually(counted(notifier, State.DELIVERED, 1))
        await eventually(lambda: len(email.posts) == 2)

    assert email.ids[0] == email.ids[1]
