"""Several notifiers, or one, that take their buckets' entries from Redis, and from the feed.

The streams spare loyalty most of the feed; they are no source to rely on. So each process goes back
and forth: some seconds of the streams, then the feed for a second, which brings whatever Redis has
lost. It leaves the streams at once when they fail, leave a gap, or are silent.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence

from redis.exceptions import RedisError

from services.notifier.database import FAULTS
from services.notifier.duties import BEAT_S, Duties
from services.notifier.entries import seal_key
from services.notifier.events import Entry
from services.notifier.feed import Feed
from services.notifier.intake import PACE_S, Intake
from services.notifier.relay import Relay
from services.notifier.sender import Sender
from services.notifier.settings import Settings
from services.notifier.store import Head, Place, Store
from services.notifier.streams import Streams, connect
from services.runtime import logs

STREAMS_S = 5.0
SILENT_S = 1.0  # without any entry of any bucket
FEED_S = 1.0
FEED_S_MAX = 4.0  # between attempts at a Redis that is away
SOON_S = 0.2  # whoever has no bucket looks more often
ENTRIES_MAX = 2_000  # in one transaction

log = logs.logger(__name__)


def in_order(
    entries: Iterable[Entry], *, heads: Mapping[int, Head]
) -> tuple[list[Entry], list[Entry]]:
    """Those that are still to be taken in, and those that come after a gap.

    What was taken in before is in neither.
    """
    at = {bucket: head.sequence for bucket, head in heads.items()}
    following: list[Entry] = []
    beyond: list[Entry] = []
    for each in entries:
        if each.sequence == at[each.bucket] + 1:
            at[each.bucket] += 1
            following.append(each)
        elif each.sequence > at[each.bucket]:
            beyond.append(each)
    return following, beyond


class GroupIntake:
    """`run` as `Intake` has it, for the buckets that are this process's duty."""

    def __init__(self, *, intake: Intake, store: Store, streams: Streams, duties: Duties) -> None:
        self._intake = intake
        self._store = store
        self._streams = streams
        self._duties = duties
        self._feed_s = FEED_S
        self._works = False  # Redis, as far as the log has said

    async def run(self) -> None:
        """Returns only if intake must stop for good; the log then says what to do."""
        await self._intake.insist(self._once)

    async def _once(self) -> None:
        buckets = self._duties.buckets()
        if not buckets:
            await self._wait_for_buckets()
            return
        await self._intake.follow(buckets=buckets, for_s=self._feed_s)
        try:
            await self._from_streams(buckets)
        except RedisError as error:
            if self._works:
                log.warning("Redis is away; following the feed", reason=str(error))
            self._works = False
            self._feed_s = min(self._feed_s * 2, FEED_S_MAX)

    async def _wait_for_buckets(self) -> None:
        """The first message of the feed names them to whoever comes first."""
        if (await self._store.place()).epoch == 0:
            await self._intake.follow(for_s=FEED_S)
        else:
            await asyncio.sleep(SOON_S)

    async def _from_streams(self, buckets: frozenset[int]) -> None:
        """Takes in what comes by the streams, until it is time for the feed."""
        end = time.monotonic() + STREAMS_S
        place = await self._store.place()
        heads = {bucket: place.heads[bucket] for bucket in buckets}
        batch = await self._streams.join(heads, epoch=place.epoch)
        self._tell_that_redis_works()
        while True:
            place, is_whole = await self._take_in(batch, place)
            if not is_whole or time.monotonic() > end or self._duties.buckets() != buckets:
                return
            await asyncio.sleep(PACE_S)
            batch = await self._streams.read(buckets, epoch=place.epoch, within_s=SILENT_S)
            if not batch:
                return

    async def _take_in(self, batch: Sequence[Entry], place: Place) -> tuple[Place, bool]:
        """Stores, then acknowledges. False if something is missing before what is in the batch.

        What lies beyond the gap stays pending and is claimed again after the feed.
        """
        following, beyond = in_order(batch, heads=place.heads)
        for first in range(0, len(following), ENTRIES_MAX):
            place = await self._intake.take_in(following[first : first + ENTRIES_MAX], place)
        left = {(each.bucket, each.sequence) for each in beyond}
        done = [each for each in batch if (each.bucket, each.sequence) not in left]
        await self._streams.done(done, heads=place.heads, epoch=place.epoch)
        return place, not beyond

    def _tell_that_redis_works(self) -> None:
        if not self._works:
            log.info("reading along with Redis")
        self._works = True
        self._feed_s = FEED_S


class Group:
    """This process's part in the group: its lease, the relay if that is its duty, its buckets."""

    def __init__(
        self,
        *,
        duties: Duties,
        streams: Streams,
        relay: Relay,
        intake: GroupIntake,
        sender: Sender,
    ) -> None:
        self.intake = intake
        self._duties = duties
        self._streams = streams
        self._relay = relay
        self._sender = sender

    async def run(self) -> None:
        """Until cancelled. Raises a bug: whatever may be away is waited for."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._beat())
            tasks.create_task(self._relay.run())

    async def _beat(self) -> None:
        """Also has the sender look at what others may have changed: endpoints, deliveries."""
        while True:
            try:
                await self._duties.beat(busy=self._sender.buckets_in_hand())
                self._sender.endpoints_changed()
            except FAULTS as error:
                log.warning("the lease could not be renewed; trying again", error=str(error))
            await asyncio.sleep(BEAT_S if self._duties.buckets() else SOON_S)

    async def leave(self) -> None:
        """Others need not wait for the lease to end."""
        try:
            await self._duties.leave()
        except FAULTS as error:
            log.warning("the lease is left to end by itself", error=str(error))
        await self._streams.close()


def group_of(
    of: Settings, *, duties: Duties, store: Store, feed: Feed, intake: Intake, sender: Sender
) -> Group:
    """This process's part in the group; to be left at the end."""
    streams = Streams(
        connect(of.redis_url),
        prefix=of.redis_prefix,
        consumer=duties.name,
        seal_key=seal_key(of.service_token),
        keep=of.redis_keep,
    )
    return Group(
        duties=duties,
        streams=streams,
        relay=Relay(store=store, feed=feed, streams=streams, is_mine=duties.is_relay),
        intake=GroupIntake(intake=intake, store=store, streams=streams, duties=duties),
        sender=sender,
    )
