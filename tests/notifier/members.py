"""Members of a group of notifiers, in the test's own process: what `serve` puts together."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis

from services.notifier.duties import Duties
from services.notifier.entries import seal_key
from services.notifier.feed import Feed
from services.notifier.group import Group, GroupIntake
from services.notifier.intake import Intake
from services.notifier.relay import Relay
from services.notifier.sender import Sender
from services.notifier.streams import Streams, connect
from services.runtime.grpc import bearer, channel
from tests.notifier.feed import TOKEN, Loyalty
from tests.notifier.rig import Rig, running

PREFIX = "test"
KEY = seal_key(TOKEN)


@dataclass(frozen=True, slots=True)
class Member:
    duties: Duties
    sender: Sender
    intake: asyncio.Task[None]


def streams_of(redis: Redis, *, consumer: str = "anna", keep: int = 1_000) -> Streams:
    return Streams(redis, prefix=PREFIX, consumer=consumer, seal_key=KEY, keep=keep)


@asynccontextmanager
async def joined(
    notifier: Rig,
    loyalty: Loyalty,
    redis_url: str,
    *,
    name: str = "anna",
    keep: int = 1_000,
    relays: bool = True,
) -> AsyncIterator[Member]:
    """A running member; what it holds is free again afterwards."""
    duties = Duties(notifier.database, name=name)
    streams = streams_of(connect(redis_url), consumer=name, keep=keep)
    is_relay: Callable[[], bool] = duties.is_relay if relays else lambda: False
    async with (
        channel(f"127.0.0.1:{loyalty.port}") as to_loyalty,
        notifier.sending(buckets=duties.buckets) as sender,
    ):
        store = notifier.store
        feed = Feed(channel=to_loyalty, metadata=bearer(TOKEN))
        intake = Intake(store=store, feed=feed, clock=notifier.clock, announce=sender.announce)
        group = Group(
            duties=duties,
            streams=streams,
            relay=Relay(store=store, feed=feed, streams=streams, is_mine=is_relay),
            intake=GroupIntake(intake=intake, store=store, streams=streams, duties=duties),
            sender=sender,
        )
        try:
            async with running(group.run()), running(group.intake.run()) as taking_in:
                yield Member(duties=duties, sender=sender, intake=taking_in)
        finally:
            await group.leave()
