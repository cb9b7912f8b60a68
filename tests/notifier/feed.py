"""A loyalty of our own for tests: a real gRPC server that serves a journal over `Follow`."""

import asyncio
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from bonpunkt.loyalty.v1 import feed_pb2 as pb
from bonpunkt.loyalty.v1 import feed_pb2_grpc, staff_pb2, staff_pb2_grpc
from services.runtime.grpc import Server, TokenInterceptor

TOKEN = "token-of-the-tests"
BUCKETS = 4

Context = grpc.aio.ServicerContext[Any, Any]


def entry(
    *,
    bucket: int = 0,
    sequence: int = 1,
    kind: str = "capture",
    accepted: bool = True,
    member_id: str = "0190d8f0-0000-7000-8000-000000000001",
    member_version: int = 1,
    points: int = 120,
) -> pb.JournalEntry:
    """A journal entry that is always the same for the same arguments."""
    operation_id = uuid.uuid5(uuid.NAMESPACE_OID, f"{bucket}/{sequence}")
    return pb.JournalEntry(
        bucket=bucket,
        sequence=sequence,
        operation_id=str(operation_id),
        kind=kind,
        accepted=accepted,
        member_id=member_id,
        member_version=member_version,
        state=pb.MemberState(
            points=points,
            available=points,
            status="active",
            tier="basic",
            expiring_points=min(points, 20),
            expiring_on="2029-05-31",
            language="de",
        ),
        points_earned=30,
        points_redeemed=10,
        terminal_id="T-1",
        store_id="S-7",
        actor="terminal:T-1",
        effective_at=Timestamp(seconds=1_777_897_800, nanos=125_900_000),
        chain_hash=operation_id.bytes * 2,
    )


class Loyalty(feed_pb2_grpc.FeedServiceServicer, staff_pb2_grpc.StaffServiceServicer):
    """Serves what was appended, in that order, whatever sequences the entries claim to have."""

    def __init__(self, *, epoch: int = 1) -> None:
        self.epoch = epoch
        self.bucket_count = BUCKETS
        self.sessions: dict[str, staff_pb2.Staff] = {}
        self.port = 0
        self._journal: dict[int, list[pb.JournalEntry]] = defaultdict(list)
        self._changed = asyncio.Event()
        self._server: Server | None = None

    async def start(self) -> None:
        """At a free port, or at that of the last time."""
        self._server = Server(service_names=[], interceptors=[TokenInterceptor(TOKEN)])
        feed_pb2_grpc.add_FeedServiceServicer_to_server(self, self._server.grpc)
        staff_pb2_grpc.add_StaffServiceServicer_to_server(self, self._server.grpc)
        self.port = await self._server.start(f"127.0.0.1:{self.port}")

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.grpc.stop(None)
            self._server = None

    def append(self, *entries: pb.JournalEntry) -> None:
        for each in entries:
            self._journal[each.bucket].append(each)
        self.notify()

    def notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def change(
        self, member: int, *, version: int, kind: str = "capture", accepted: bool = True
    ) -> pb.JournalEntry:
        """Appends the next entry of the member's bucket."""
        bucket = member % self.bucket_count
        made = entry(
            bucket=bucket,
            sequence=len(self._journal[bucket]) + 1,
            kind=kind,
            accepted=accepted,
            member_id=str(uuid.UUID(int=member)),
            member_version=version,
            points=100 + version,
        )
        self.append(made)
        return made

    async def Follow(
        self, request: pb.FollowRequest, context: Context
    ) -> AsyncIterator[pb.FollowResponse]:
        if request.epoch not in (0, self.epoch):
            words = f"epoch: the ledger is in epoch {self.epoch}"
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, words)
        served = {each.bucket: each.sequence for each in request.after}
        yield pb.FollowResponse(epoch=self.epoch, bucket_count=self.bucket_count)
        while True:
            changed = self._changed
            entries = [
                each
                for bucket, rows in self._journal.items()
                for each in rows[served.get(bucket, 0) :]
            ]
            served = {bucket: len(rows) for bucket, rows in self._journal.items()}
            if entries:
                yield pb.FollowResponse(
                    epoch=self.epoch, bucket_count=self.bucket_count, entries=entries
                )
            else:
                await changed.wait()

    async def CheckSession(
        self, request: staff_pb2.CheckSessionRequest, context: Context
    ) -> staff_pb2.CheckSessionResponse:
        if request.session not in self.sessions:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "no such session")
        return staff_pb2.CheckSessionResponse(staff=self.sessions[request.session])
