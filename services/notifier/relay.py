"""Publishes loyalty's feed to Redis: one process of all that share the work, by its lease.

It begins behind the cursors of the database and keeps no place of its own. Redis refuses what is
there already, so a relay that repeats, or two at once, do no harm; what is missing in Redis is
taken from the feed by whoever misses it.
"""

import asyncio
from collections.abc import Callable, Mapping

import grpc
from redis.exceptions import RedisError

from bonpunkt.loyalty.v1.feed_pb2 import FollowResponse
from services.notifier.database import FAULTS
from services.notifier.events import entry_from_journal
from services.notifier.feed import Feed, FeedBrokenError, Messages, OtherEpochError, check
from services.notifier.store import Place, Store
from services.notifier.streams import Streams
from services.runtime import logs

AHEAD_MAX = 2_000  # entries of a bucket that may wait in Redis to be taken in: bounds its memory
LOOK_AGAIN_S = 0.2
RETRY_S = 1.0

log = logs.logger(__name__)


class Relay:
    def __init__(
        self, *, store: Store, feed: Feed, streams: Streams, is_mine: Callable[[], bool]
    ) -> None:
        self._store = store
        self._feed = feed
        self._streams = streams
        self._is_mine = is_mine
        self._works = True  # as far as the log has said

    async def run(self) -> None:
        """Publishes while it is this process's duty, until cancelled, whatever is away."""
        while True:
            try:
                if self._is_mine():
                    await self._publish()
                await asyncio.sleep(LOOK_AGAIN_S)
                continue
            except RedisError as error:
                self._waits("Redis", str(error))
            except grpc.aio.AioRpcError as error:
                self._waits("the feed", error.code().name)
            except (FeedBrokenError, OtherEpochError) as error:
                self._waits("the ledger", str(error))
            except FAULTS as error:
                self._waits("the database", str(error))
            await asyncio.sleep(RETRY_S)

    async def _publish(self) -> None:
        """From behind the cursors on, until somebody else has the duty."""
        place = await self._store.place()
        if place.epoch == 0:
            return
        published = _sequences(place)
        taken_in = dict(published)
        async with self._feed.following(place) as messages:
            while self._is_mine():
                for message in await _next(messages):
                    check(message, place)
                    entries = [entry_from_journal(e, epoch=place.epoch) for e in message.entries]
                    await self._streams.publish(entries, epoch=place.epoch)
                    published |= {entry.bucket: entry.sequence for entry in entries}
                    self._goes_on()
                while self._is_mine() and _is_too_far_ahead(published, taken_in):
                    await asyncio.sleep(LOOK_AGAIN_S)
                    taken_in = _sequences(await self._store.place())

    def _waits(self, for_whom: str, reason: str) -> None:
        if self._works:
            log.warning("the relay waits", for_whom=for_whom, reason=reason)
        self._works = False

    def _goes_on(self) -> None:
        if not self._works:
            log.info("the relay publishes again")
        self._works = True


def _sequences(place: Place) -> dict[int, int]:
    return {bucket: head.sequence for bucket, head in place.heads.items()}


def _is_too_far_ahead(published: Mapping[int, int], taken_in: Mapping[int, int]) -> bool:
    """Whether some bucket has more in Redis than may wait there."""
    return any(published[b] - sequence > AHEAD_MAX for b, sequence in taken_in.items())


async def _next(messages: Messages) -> list[FollowResponse]:
    """What has come, or nothing after a short while: the duty may be somebody else's by then."""
    try:
        async with asyncio.timeout(LOOK_AGAIN_S):
            return await messages.collected()
    except TimeoutError:
        return []
