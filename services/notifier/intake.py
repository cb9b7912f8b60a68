"""Follows loyalty's feed and turns its entries into deliveries, each exactly once.

The place in the feed and the deliveries are stored in one transaction, so a notifier that is killed
goes on where its database stands. What the feed must never do (leave a gap, change its epoch) stops
intake for good: going on would be a guess about members' points.
"""

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping, Sequence

import grpc

from bonpunkt.loyalty.v1.feed_pb2 import FollowRequest, FollowResponse, JournalEntry, Position
from bonpunkt.loyalty.v1.feed_pb2_grpc import FeedServiceStub
from services.notifier.database import FAULTS
from services.notifier.events import event_from_entry, is_event
from services.notifier.store import Head, MovedMeanwhileError, Place, Store, Taken
from services.runtime import logs
from services.runtime.grpc import Metadata

ENTRIES_MAX = 2_000  # in one transaction, give or take a message
MESSAGES_AHEAD = 32  # read from the stream while the last transaction is being committed
PACE_S = 0.03  # between transactions: a commit costs the same for one entry as for many
RECONNECT_S_MIN, RECONNECT_S_MAX = 0.1, 5.0

log = logs.logger(__name__)


class FeedBrokenError(Exception):
    """The feed says what cannot be: following on would lose or invent events."""


class OtherEpochError(Exception):
    """The ledger was restored: its journal may differ from the one that was followed so far."""


def taken_from(entries: Iterable[JournalEntry], *, heads: Mapping[int, Head], epoch: int) -> Taken:
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
        if is_event(entry):
            events.append(event_from_entry(entry, epoch=epoch))
    return Taken(heads_before=before, heads=after, events=events)


class Intake:
    """`run` follows until it is cancelled, or stopped by a feed that must not be followed."""

    def __init__(
        self,
        *,
        store: Store,
        channel: grpc.aio.Channel,
        metadata: Metadata,
        clock: Callable[[], int],
        announce: Callable[[set[int]], None],
    ) -> None:
        self._store = store
        self._stub = FeedServiceStub(channel)
        self._metadata = metadata
        self._clock = clock
        self._announce = announce
        self._wait_s = RECONNECT_S_MIN

    async def run(self) -> None:
        """Returns only if intake must stop for good; the log then says what to do."""
        while True:
            try:
                await self._follow()
            except (FeedBrokenError, OtherEpochError) as reason:
                log.error("intake has stopped for good", reason=str(reason), remedy=_REMEDY)
                return
            except MovedMeanwhileError:
                log.warning("the cursor was moved by somebody else; reading it again")
            except grpc.aio.AioRpcError as error:
                status, details = error.code().name, error.details()
                log.warning("the feed is away; trying again", status=status, details=details)
            except FAULTS as error:
                log.warning("the database failed; trying again", error=str(error))
            await asyncio.sleep(self._wait_s * random.uniform(0.8, 1.2))  # noqa: S311
            self._wait_s = min(self._wait_s * 2, RECONNECT_S_MAX)

    async def _follow(self) -> None:
        """Takes in all that comes over one stream."""
        place = await self._store.place()
        call = self._stub.Follow(_request(place), metadata=self._metadata)
        messages: asyncio.Queue[FollowResponse | BaseException] = asyncio.Queue(MESSAGES_AHEAD)
        reading = asyncio.create_task(_read(call, messages))
        try:
            while True:
                batch = await _collected(messages)
                place = await self._take_in(batch, place)
                self._wait_s = RECONNECT_S_MIN
                await asyncio.sleep(PACE_S)
        finally:
            reading.cancel()
            call.cancel()

    async def _take_in(self, batch: Sequence[FollowResponse], place: Place) -> Place:
        for message in batch:
            place = await self._checked(message, place)
        entries = [entry for message in batch for entry in message.entries]
        if not entries:
            return place
        taken = taken_from(entries, heads=place.heads, epoch=place.epoch)
        self._announce(await self._store.take_in(taken, now_us=self._clock()))
        return Place(epoch=place.epoch, heads={**place.heads, **taken.heads})

    async def _checked(self, message: FollowResponse, place: Place) -> Place:
        """The same place if the message belongs to its ledger; the first message ever names it."""
        if place.epoch == 0:
            if message.epoch == 0 or message.bucket_count == 0:
                raise FeedBrokenError("the first message names no epoch and no buckets")
            log.info("following a ledger", epoch=message.epoch, buckets=message.bucket_count)
            return await self._store.adopt(epoch=message.epoch, bucket_count=message.bucket_count)
        if message.epoch != place.epoch:
            raise OtherEpochError(
                f"the ledger is in epoch {message.epoch}, not {place.epoch} any more"
            )
        if message.bucket_count != len(place.heads):
            raise FeedBrokenError(f"{message.bucket_count} buckets instead of {len(place.heads)}")
        return place


_REMEDY = (
    "deliveries already taken in are still sent, nothing new is taken in. If the ledger was "
    "restored: restore the notifier's database of the same time, or give it an empty one "
    "(NOTIFIER_DATABASE_URL) and add the endpoints again. If not, this is a bug in the feed: "
    "keep both databases and report it"
)


def _request(place: Place) -> FollowRequest:
    after = [Position(bucket=b, sequence=head.sequence) for b, head in place.heads.items()]
    return FollowRequest(epoch=place.epoch, after=after)


async def _read(
    call: grpc.aio.UnaryStreamCall[FollowRequest, FollowResponse],
    messages: asyncio.Queue[FollowResponse | BaseException],
) -> None:
    """Reads ahead. The end of the stream comes last, so that all before it is taken in first."""
    try:
        async for message in call:
            await messages.put(message)
        end: BaseException = grpc.aio.AioRpcError(
            grpc.StatusCode.UNAVAILABLE,
            grpc.aio.Metadata(),
            grpc.aio.Metadata(),
            details="the feed ended the stream",
        )
    except grpc.aio.AioRpcError as error:
        end = error
        if error.code() is grpc.StatusCode.FAILED_PRECONDITION:
            end = OtherEpochError(error.details())
    await messages.put(end)


async def _collected(
    messages: asyncio.Queue[FollowResponse | BaseException],
) -> list[FollowResponse]:
    """Waits for a message and takes all that came with it; raises the stream's end if next."""
    batch: list[FollowResponse] = []
    entries = 0
    while entries < ENTRIES_MAX:
        if batch and messages.empty():
            break
        message = await messages.get()
        if isinstance(message, BaseException):
            if not batch:
                raise message
            messages.put_nowait(message)  # nothing comes after the end, so it stays last
            break
        batch.append(message)
        entries += len(message.entries)
    return batch
