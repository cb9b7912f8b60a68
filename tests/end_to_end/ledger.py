"""What loyalty says about itself: members, figures and the whole journal, over gRPC."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import grpc
from google.protobuf.message import Message

from bonpunkt.loyalty.v1 import (
    feed_pb2,
    feed_pb2_grpc,
    journal_pb2,
    journal_pb2_grpc,
    member_pb2,
    member_pb2_grpc,
)
from bonpunkt.till.operations import new_id
from services.runtime.grpc import Metadata, channel
from tests.servers.suite import CALL_WITHIN_S, Suite


class Ledger:
    """One loyalty process, asked as staff and the notifier ask it."""

    def __init__(self, to_loyalty: grpc.aio.Channel, metadata: Metadata) -> None:
        self._journal = journal_pb2_grpc.JournalServiceStub(to_loyalty)
        self._members = member_pb2_grpc.MemberServiceStub(to_loyalty)
        self._feed = feed_pb2_grpc.FeedServiceStub(to_loyalty)
        self._metadata = metadata

    async def overview(self) -> journal_pb2.GetOverviewResponse:
        return await self._journal.GetOverview(
            journal_pb2.GetOverviewRequest(), metadata=self._metadata, timeout=CALL_WITHIN_S
        )

    async def member(self, card: str) -> member_pb2.GetMemberResponse:
        return await self._members.GetMember(
            member_pb2.GetMemberRequest(card=card), metadata=self._metadata, timeout=CALL_WITHIN_S
        )

    async def block(self, member_id: str) -> None:
        request = member_pb2.BlockMemberRequest(
            operation_id=new_id(), member_id=member_id, reason="lost card"
        )
        await self._members.BlockMember(request, metadata=self._metadata, timeout=CALL_WITHIN_S)

    async def state(self, cards: Iterable[str]) -> bytes:
        """Everything that an operation about these cards could change."""
        said: list[Message] = [await self.overview()]
        said += [await self.member(card) for card in cards]
        return b"|".join(each.SerializeToString(deterministic=True) for each in said)

    async def journal(self) -> list[feed_pb2.JournalEntry]:
        """Every row that there is now, as the feed serves them."""
        due = (await self.overview()).journal_entries
        rows: list[feed_pb2.JournalEntry] = []
        following = self._feed.Follow(
            feed_pb2.FollowRequest(), metadata=self._metadata, timeout=CALL_WITHIN_S
        )
        while len(rows) < due:
            answer = await following.read()
            assert isinstance(answer, feed_pb2.FollowResponse), "the feed does not end by itself"
            rows.extend(answer.entries)
        following.cancel()
        return rows


@asynccontextmanager
async def ledger_of(suite: Suite, *, loyalty: int = 1) -> AsyncIterator[Ledger]:
    """The loyalty process of this number, counted from 1."""
    async with channel(suite.loyalty_targets[loyalty - 1]) as to_loyalty:
        yield Ledger(to_loyalty, suite.metadata)
