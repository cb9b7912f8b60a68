"""What a till client meets: a gateway of every manner, and a ledger that keeps answers back."""

import asyncio
from collections.abc import AsyncIterator

import grpc

from bonpunkt.loyalty.v1 import ledger_pb2
from bonpunkt.till.v1 import till_pb2 as pb
from bonpunkt.till.v1 import till_pb2_grpc
from tests.pos_gateway.peer import WITHIN_S
from tests.servers.ports import free_port


class ScriptedGateway(till_pb2_grpc.TillServiceServicer):
    """Admits everybody, keeps what arrives, and says what the test tells it to."""

    def __init__(self) -> None:
        self.target = f"127.0.0.1:{free_port()}"
        self.requests: asyncio.Queue[pb.OpenRequest] = asyncio.Queue()
        self.streams = 0
        self._says: asyncio.Queue[pb.OpenResponse | None] = asyncio.Queue()
        self._server: grpc.aio.Server | None = None

    async def start(self) -> None:
        self._server = grpc.aio.server()
        till_pb2_grpc.add_TillServiceServicer_to_server(self, self._server)
        self._server.add_insecure_port(self.target)
        await self._server.start()

    async def kill(self) -> None:
        if self._server is not None:
            await self._server.stop(0)
            self._server = None

    async def request(self) -> pb.OpenRequest:
        """The next message that has arrived."""
        async with asyncio.timeout(WITHIN_S):
            return await self.requests.get()

    def say(self, *decisions: pb.Decision) -> None:
        self._says.put_nowait(pb.OpenResponse(decisions=decisions))

    def hang_up(self) -> None:
        self._says.put_nowait(None)

    async def Open(self, request_iterator, context):  # type: ignore[no-untyped-def]
        self.streams += 1
        self._says = asyncio.Queue()
        await context.send_initial_metadata(())
        reader = asyncio.create_task(self._read(request_iterator))
        try:
            while (response := await self._says.get()) is not None:
                yield response
        finally:
            reader.cancel()

    async def _read(self, requests: AsyncIterator[pb.OpenRequest]) -> None:
        async for request in requests:
            self.requests.put_nowait(request)


class Ledger:
    """Books what can be booked under its id, for `Loyalty(decide=ledger.decide)`.

    It says nothing about the first `silent` operations of each named kind, and does not even book
    the first `deaf` ones.
    """

    def __init__(
        self, *, silent: dict[str, int] | None = None, deaf: dict[str, int] | None = None
    ) -> None:
        self.decided: dict[str, pb.Decision] = {}
        self.abandoned: set[str] = set()
        self.kinds: list[str] = []
        self._silent = silent or {}
        self._deaf = deaf or {}

    def decide(self, entry: ledger_pb2.TillOperation) -> pb.Decision | None:
        operation = pb.Operation.FromString(entry.operation)
        kind = operation.WhichOneof("kind") or ""
        self.kinds.append(kind)
        if self._deaf.get(kind, 0):
            self._deaf[kind] -= 1
            return None
        decision = {"status": self._status, "abandon": self._abandon}.get(kind, self._book)(
            operation
        )
        if self._silent.get(kind, 0):
            self._silent[kind] -= 1
            return None
        return decision

    def _book(self, operation: pb.Operation) -> pb.Decision:
        if operation.id in self.abandoned:
            refused = pb.Refused(reason=pb.REASON_ABANDONED)
            return pb.Decision(operation_id=operation.id, refused=refused)
        points = len(self.decided) + 1
        results = {
            "reserve": pb.Decision(reservation=pb.Reserved(points=points)),
            "release": pb.Decision(released=pb.Released(points_held=points)),
            "capture": pb.Decision(captured=pb.Captured(points_earned=points)),
            "void_receipt": pb.Decision(voided=pb.Voided(points_restored=points)),
            "return_items": pb.Decision(returned=pb.Returned(points_restored=points)),
            "enrol": pb.Decision(enrolled=pb.Enrolled(member=pb.MemberSummary(points=points))),
        }
        decision = results[operation.WhichOneof("kind") or ""]
        decision.operation_id = operation.id
        return self.decided.setdefault(operation.id, decision)

    def _status(self, operation: pb.Operation) -> pb.Decision:
        about = operation.status.operation_id
        found = pb.StatusFound(state=pb.StatusFound.STATE_UNKNOWN)
        if about in self.decided:
            found = pb.StatusFound(state=pb.StatusFound.STATE_DECIDED, decision=self.decided[about])
        elif about in self.abandoned:
            found = pb.StatusFound(state=pb.StatusFound.STATE_ABANDONED)
        return pb.Decision(operation_id=operation.id, status_found=found)

    def _abandon(self, operation: pb.Operation) -> pb.Decision:
        about = operation.abandon.operation_id
        if about in self.decided:
            answer = pb.Abandoned(abandoned=False, decision=self.decided[about])
        else:
            self.abandoned.add(about)
            answer = pb.Abandoned(abandoned=True)
        return pb.Decision(operation_id=operation.id, abandoned=answer)
