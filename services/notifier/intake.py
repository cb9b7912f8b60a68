"""Follows loyalty's feed and turns its entries into deliveries, each exactly once.

The place in the feed and the deliveries are stored in one transaction, so a notifier that is killed
goes on where its database stands. What the feed must never do (leave a gap, change its epoch) stops
intake for good: going on would be a guess about members' points.
"""

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence

import grpc

from bonpunkt.loyalty.v1.feed_pb2 import FollowResponse
from services.notifier.database import FAULTS
from services.notifier.events import Entry, entry_from_journal
from services.notifier.feed import Feed, FeedBrokenError, Messages, OtherEpochError, check
from services.notifier.store import Head, MovedMeanwhileError, Place, Store, Taken
from services.notifier.traces import Traces
from services.runtime import logs

PACE_S = 0.03  # between transactions: a commit costs the same for one entry as for many
RECONNECT_S_MIN, RECONNECT_S_MAX = 0.1, 5.0

log = logs.logger(__name__)


def taken_from(entries: Iterable[Entry], *, heads: Mapping[int, Head]) -> Taken:
    """What to store for `entries`. FeedBrokenError unless they follow on `heads` without a gap."""
    before: dict[int, Head] = {}
    after: dict[int, Head] = {}
    events = []
    for entry in entries:
        head = after.get(entry.bucket) or heads.get(entry.bucket)
        if head is None:
            raise FeedBrokenError(
                f"bucket {entry.bucket} is none of the ledger's {len(heads)} buckets"
            )
        if entry.sequence != head.sequence + 1:
            raise FeedBrokenError(
                f"bucket {entry.bucket} goes on with {entry.sequence} after {head.sequence}"
            )
        before.setdefault(entry.bucket, head)
        after[entry.bucket] = Head(entry.sequence, entry.chain_hash)
        if entry.event is not None:
            events.append(entry.event)
    return Taken(heads_before=before, heads=after, events=events)


class Intake:
    """`run` follows until it is cancelled, or stopped by a feed that must not be followed."""

    def __init__(
        self,
        *,
        store: Store,
        feed: Feed,
        clock: Callable[[], int],
        announce: Callable[[set[int]], None],
        observed: Callable[[Sequence[Entry]], None] = lambda _: None,
        traces: Traces | None = None,
    ) -> None:
        self._store = store
        self._feed = feed
        self._clock = clock
        self._announce = announce
        self._observed = observed
        self._traces = traces
        self.is_away = False  # the feed, when it was tried last
        self._wait_s = RECONNECT_S_MIN

    async def run(self) -> None:
        """Returns only if intake must stop for good; the log then says what to do."""
        await self.insist(self.follow)

    async def insist(self, work: Callable[[], Awaitable[None]]) -> None:
        """Does `work` again and again, whatever is away; returns if intake must stop for good."""
        while True:
            try:
                await work()
                continue
            except (FeedBrokenError, OtherEpochError) as reason:
                log.error("intake has stopped for good", reason=str(reason), remedy=_REMEDY)
                return
            except MovedMeanwhileError:
                log.warning("the cursor was moved by somebody else; reading it again")
            except grpc.aio.AioRpcError as error:
                self.is_away = True
                status, details = error.code().name, error.details()
                log.warning("the feed is away; trying again", status=status, details=details)
            except FAULTS as error:
                log.warning("the database failed; trying again", error=str(error))
            await asyncio.sleep(self._wait_s * random.uniform(0.8, 1.2))  # noqa: S311
            self._wait_s = min(self._wait_s * 2, RECONNECT_S_MAX)

    async def follow(
        self, *, buckets: Collection[int] | None = None, for_s: float = math.inf
    ) -> None:
        """Takes in what comes over one stream, of these buckets or of all, for so long."""
        end = time.monotonic() + for_s
        place = await self._store.place()
        async with self._feed.following(place, buckets=buckets) as messages:
            while (batch := await _collected(messages, until=end)) is not None:
                self.is_away = False
                place = await self._take_in_messages(batch, place)
                self._wait_s = RECONNECT_S_MIN
                await asyncio.sleep(PACE_S)

    async def _take_in_messages(self, batch: Sequence[FollowResponse], place: Place) -> Place:
        for message in batch:
            place = await self._checked(message, place)
        entries = [
            entry_from_journal(entry, epoch=place.epoch)
            for message in batch
            for entry in message.entries
        ]
        return await self.take_in(entries, place)

    async def take_in(self, entries: Sequence[Entry], place: Place) -> Place:
        """Stores what follows on `place` and tells the sender; the place after it."""
        if not entries:
            return place
        taken = taken_from(entries, heads=place.heads)
        now_us = self._clock()
        self._announce(await self._store.take_in(taken, now_us=now_us))
        self._observed(entries)
        if self._traces is not None:
            self._traces.taken_in(entries, now_us)
        return Place(epoch=place.epoch, heads={**place.heads, **taken.heads})

    async def _checked(self, message: FollowResponse, place: Place) -> Place:
        """The same place if the message belongs to its ledger; the first message ever names it."""
        if place.epoch == 0:
            if message.epoch == 0 or message.bucket_count == 0:
                raise FeedBrokenError("the first message names no epoch and no buckets")
            log.info("following a ledger", epoch=message.epoch, buckets=message.bucket_count)
            return await self._store.adopt(epoch=message.epoch, bucket_count=message.bucket_count)
        check(message, place)
        return place


_REMEDY = (
    "deliveries already taken in are still sent, nothing new is taken in. If the ledger was "
    "restored: stop everything and run bonpunkt restore. If not, this is a bug in the feed: "
    "keep both databases and report it"
)


async def _collected(messages: Messages, *, until: float) -> list[FollowResponse] | None:
    """The next messages; None once the time `until` (monotonic) has come."""
    if until == math.inf:
        return await messages.collected()
    left_s = until - time.monotonic()
    if left_s <= 0:
        return None
    try:
        async with asyncio.timeout(left_s):
            return await messages.collected()
    except TimeoutError:
        return None
