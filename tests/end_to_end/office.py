"""What staff order at one loyalty process, and how it ends: booked, refused, or nobody knows."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import grpc

from bonpunkt.loyalty.v1 import member_pb2 as pb
from bonpunkt.loyalty.v1 import member_pb2_grpc
from bonpunkt.till.operations import new_id
from services.runtime.grpc import Metadata, channel
from tests.servers.suite import CALL_WITHIN_S, Suite

Order = pb.MergeMembersRequest | pb.AdjustPointsRequest

REFUSED = grpc.StatusCode.FAILED_PRECONDITION
NOBODY_KNOWS = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.UNKNOWN,
}


class Ended(NamedTuple):
    """How an order ended; `words` say why it was refused."""

    booked: bool
    words: str = ""


class Office:
    """One loyalty process, asked as staff ask it."""

    def __init__(self, to_loyalty: grpc.aio.Channel, metadata: Metadata) -> None:
        self._members: Any = member_pb2_grpc.MemberServiceStub(to_loyalty)
        self._how = {"metadata": metadata, "timeout": CALL_WITHIN_S}

    async def order(self, order: Order) -> Ended | None:
        """One attempt; None if nobody knows what became of it."""
        try:
            await self._called(order)
        except asyncio.InvalidStateError:  # what grpc says of a call that ended as it began
            return None
        except grpc.aio.AioRpcError as error:
            if error.code() in NOBODY_KNOWS:
                return None
            if error.code() is not REFUSED:
                raise
            return Ended(booked=False, words=error.details() or "")
        return Ended(booked=True)

    def _called(self, order: Order) -> Awaitable[Any]:
        if isinstance(order, pb.MergeMembersRequest):
            called: Awaitable[Any] = self._members.MergeMembers(order, **self._how)
        else:
            called = self._members.AdjustPoints(order, **self._how)
        return called


def a_merge(*, survivor_id: str, merged_id: str) -> pb.MergeMembersRequest:
    return pb.MergeMembersRequest(
        operation_id=new_id(),
        survivor_id=survivor_id,
        merged_id=merged_id,
        reason="the same person",
    )


def an_adjustment(member_id: str, points: int) -> pb.AdjustPointsRequest:
    return pb.AdjustPointsRequest(
        operation_id=new_id(),
        member_id=member_id,
        points=points,
        reason_code="goodwill",
        reason="waited long",
    )


@asynccontextmanager
async def office_of(suite: Suite, *, loyalty: int = 1) -> AsyncIterator[Office]:
    """At the loyalty process of this number, counted from 1."""
    async with channel(suite.loyalty_targets[loyalty - 1]) as to_loyalty:
        yield Office(to_loyalty, suite.metadata)
