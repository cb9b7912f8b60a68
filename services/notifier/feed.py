"""Loyalty's feed as a follower of it sees it: messages in order, read ahead, checked."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

import grpc

from bonpunkt.loyalty.v1.feed_pb2 import FollowRequest, FollowResponse, Position
from bonpunkt.loyalty.v1.feed_pb2_grpc import FeedServiceStub
from services.notifier.store import Place
from services.runtime.grpc import Metadata

ENTRIES_MAX = 2_000  # taken together, give or take a message
MESSAGES_AHEAD = 32  # read from the stream while the last ones are still being worked on
NEVER = (1 << 63) - 1  # a position that no bucket reaches: nothing of it is sent


class FeedBrokenError(Exception):
    """The feed says what cannot be: following on would lose or invent events."""


class OtherEpochError(Exception):
    """The ledger was restored: its journal may differ from the one that was followed so far."""


class Messages:
    """`collected` as often as wanted."""

    def __init__(self, call: grpc.aio.UnaryStreamCall[FollowRequest, FollowResponse]) -> None:
        self._queue: asyncio.Queue[FollowResponse | BaseException] = asyncio.Queue(MESSAGES_AHEAD)
        self._reading = asyncio.create_task(self._read(call))

    def close(self) -> None:
        self._reading.cancel()

    async def _read(self, call: grpc.aio.UnaryStreamCall[FollowRequest, FollowResponse]) -> None:
        """Reads ahead. The end of the stream comes last: all before it is to be taken in first."""
        try:
            async for message in call:
                await self._queue.put(message)
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
        await self._queue.put(end)

    async def collected(self) -> list[FollowResponse]:
        """Waits for a message and takes all that came with it; raises the stream's end if next."""
        batch: list[FollowResponse] = []
        entries = 0
        while entries < ENTRIES_MAX:
            if batch and self._queue.empty():
                break
            message = await self._queue.get()
            if isinstance(message, BaseException):
                if not batch:
                    raise message
                self._queue.put_nowait(message)  # nothing comes after the end, so it stays last
                break
            batch.append(message)
            entries += len(message.entries)
        return batch


class Feed:
    def __init__(self, *, channel: grpc.aio.Channel, metadata: Metadata) -> None:
        self._stub = FeedServiceStub(channel)
        self._metadata = metadata

    @asynccontextmanager
    async def following(
        self, place: Place, *, buckets: Collection[int] | None = None
    ) -> AsyncIterator[Messages]:
        """What comes after `place`, of these buckets or of all."""
        call = self._stub.Follow(_request(place, buckets), metadata=self._metadata)
        messages = Messages(call)
        try:
            yield messages
        finally:
            messages.close()
            call.cancel()


def check(message: FollowResponse, place: Place) -> None:
    """Raises unless the message belongs to the ledger of `place`."""
    if message.epoch != place.epoch:
        raise OtherEpochError(f"the ledger is in epoch {message.epoch}, not {place.epoch} any more")
    if message.bucket_count != len(place.heads):
        raise FeedBrokenError(f"{message.bucket_count} buckets instead of {len(place.heads)}")


def _request(place: Place, buckets: Collection[int] | None) -> FollowRequest:
    after = [
        Position(
            bucket=bucket,
            sequence=head.sequence if buckets is None or bucket in buckets else NEVER,
        )
        for bucket, head in place.heads.items()
    ]
    return FollowRequest(epoch=place.epoch, after=after)
