"""Loyalty as the gateway sees it, over real gRPC, and as well or ill behaved as a test wants it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import grpc

from bonpunkt.loyalty.v1 import ledger_pb2, ledger_pb2_grpc, terminal_pb2, terminal_pb2_grpc
from bonpunkt.till.operations import new_id
from bonpunkt.till.v1 import till_pb2 as pb
from bonpunkt.till.v1.till_pb2_grpc import TillServiceStub
from services.pos_gateway.__main__ import serve
from services.pos_gateway.limits import Limits
from services.pos_gateway.settings import Settings
from services.pos_gateway.wire import Sent, operations
from services.runtime.grpc import Server, TokenInterceptor
from tests.servers.ports import free_port
from tests.servers.waiting import eventually

TOKEN = "the-service-token"
FIELD_OF_TOMORROW = b"\x9a\x06\x05later"  # field 99, with five bytes in it
WITHIN_S = 30.0  # ends a test that would hang; no rule is about it

TERMINAL = terminal_pb2.Terminal(
    terminal_id="till-1", store_id="store-1", secret_sha256=sha256(b"secret-1").digest()
)
OTHER_TERMINAL = terminal_pb2.Terminal(
    terminal_id="till-2", store_id="store-2", secret_sha256=sha256(b"secret-2").digest()
)
BLOCKED_TERMINAL = terminal_pb2.Terminal(
    terminal_id="till-3",
    store_id="store-1",
    secret_sha256=sha256(b"secret-3").digest(),
    blocked=True,
)

Metadata = tuple[tuple[str, str], ...]
Decide = Callable[[ledger_pb2.TillOperation], pb.Decision | None]


def metadata(terminal_id: str = "till-1", secret: str = "secret-1") -> Metadata:
    return (("bonpunkt-terminal", terminal_id), ("authorization", f"Bearer {secret}"))


def id_of(entry: ledger_pb2.TillOperation) -> str:
    """The operation's id, even where the rest of it cannot be read."""
    return ledger_pb2.OperationHead.FromString(entry.operation).id


def accept(entry: ledger_pb2.TillOperation) -> pb.Decision:
    return pb.Decision(operation_id=id_of(entry), captured=pb.Captured(points_earned=1))


def keep_silent(entry: ledger_pb2.TillOperation) -> pb.Decision | None:
    return None


class Loyalty(ledger_pb2_grpc.LedgerServiceServicer, terminal_pb2_grpc.TerminalServiceServicer):
    """`decide` says what is answered at once; None leaves it to the test, by `answer`."""

    def __init__(self, *, decide: Decide = accept) -> None:
        self.decide = decide
        self.terminals: Sequence[terminal_pb2.Terminal] = [
            TERMINAL,
            OTHER_TERMINAL,
            BLOCKED_TERMINAL,
        ]
        self.frames: list[ledger_pb2.CommitRequest] = []
        self.received: asyncio.Queue[ledger_pb2.TillOperation] = asyncio.Queue()
        self.port = free_port()
        self._answers: asyncio.Queue[ledger_pb2.CommitResponse | None] = asyncio.Queue()
        self._terminals_changed = asyncio.Event()
        self._server: Server | None = None

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Again on the port that it had."""
        server = Server(service_names=[], interceptors=[TokenInterceptor(TOKEN)])
        ledger_pb2_grpc.add_LedgerServiceServicer_to_server(self, server.grpc)
        terminal_pb2_grpc.add_TerminalServiceServicer_to_server(self, server.grpc)
        await server.start(self.target)
        self._server = server

    async def kill(self) -> None:
        """Ends every call at once, as a crash does."""
        if self._server is not None:
            await self._server.grpc.stop(0)
            self._server = None

    async def operation(self) -> ledger_pb2.TillOperation:
        """The next operation that has arrived."""
        async with asyncio.timeout(WITHIN_S):
            return await self.received.get()

    def answer(self, *entries: ledger_pb2.TillOperation, decide: Decide = accept) -> None:
        """Sends the decisions upon these operations, in one message."""
        response = ledger_pb2.CommitResponse()
        for entry in entries:
            decision = decide(entry)
            assert decision is not None, "an answer decides"
            response.decisions.add(token=entry.token, decision=decision.SerializeToString())
        self._answers.put_nowait(response)

    def break_stream(self) -> None:
        """Ends the shared stream, once what was answered before is written."""
        self._answers.put_nowait(None)

    def tell_terminals(self, *terminals: terminal_pb2.Terminal) -> None:
        self.terminals = terminals
        self._terminals_changed.set()

    async def Commit(self, request_iterator, context):  # type: ignore[no-untyped-def]
        self._answers = asyncio.Queue()
        reader = asyncio.create_task(self._read(request_iterator))
        try:
            while (response := await self._answers.get()) is not None:
                yield response
        finally:
            reader.cancel()
        await context.abort(grpc.StatusCode.ABORTED, "the test broke the stream")

    async def FollowTerminals(self, request, context):  # type: ignore[no-untyped-def]
        while True:
            self._terminals_changed.clear()
            yield terminal_pb2.FollowTerminalsResponse(terminals=self.terminals)
            await self._terminals_changed.wait()

    async def _read(self, requests: AsyncIterator[ledger_pb2.CommitRequest]) -> None:
        async for frame in requests:
            self.frames.append(frame)
            response = ledger_pb2.CommitResponse()
            for entry in frame.operations:
                decision = self.decide(entry)
                if decision is not None:
                    response.decisions.add(token=entry.token, decision=decision.SerializeToString())
                self.received.put_nowait(entry)
            if response.decisions:
                self._answers.put_nowait(response)


@dataclass
class Gateway:
    """A gateway that serves, and what tests say to it."""

    target: str
    stop: asyncio.Event
    served: asyncio.Task[None]
    channel: grpc.aio.Channel = field(init=False)

    def __post_init__(self) -> None:
        self.channel = grpc.aio.insecure_channel(
            self.target, options=[("grpc.use_local_subchannel_pool", 1)]
        )

    @property
    def till(self) -> TillServiceStub:
        return TillServiceStub(self.channel)

    async def submit(
        self, *operations: pb.Operation, shown: Metadata | None = None
    ) -> list[pb.Decision]:
        """Sends the operations by Submit, as terminal till-1 unless others are shown."""
        response = await self.till.Submit(
            pb.SubmitRequest(operations=operations), metadata=shown or metadata(), timeout=WITHIN_S
        )
        return list(response.decisions)


def settings(loyalty: Loyalty, folder: Path, **changes: object) -> Settings:
    values: dict[str, object] = {
        "listen": "127.0.0.1:0",
        "loyalty": loyalty.target,
        "service_token": TOKEN,
        "terminals_path": folder / "gateway" / "terminals.json",
        "limits": Limits(),
        "till_decisions_max": 4096,
        "grace_ms": 60_000,
    }
    return Settings(**{**values, **changes})  # type: ignore[arg-type]


@asynccontextmanager
async def running_gateway(chosen: Settings) -> AsyncIterator[Gateway]:
    """Yields when tills may connect."""
    stop = asyncio.Event()
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    served = asyncio.create_task(serve(chosen, stop=stop, listening=port.set_result))
    try:
        await asyncio.wait({served, port}, timeout=WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
        if served.done():
            served.result()
        gateway = Gateway(target=f"127.0.0.1:{port.result()}", stop=stop, served=served)
        yield gateway
        await gateway.channel.close()
    finally:
        stop.set()
        await served


async def uplink_stands(gateway: Gateway, loyalty: Loyalty) -> None:
    """Waits until operations reach loyalty."""

    async def an_operation_arrives() -> bool:
        await gateway.submit(status_operation(timeout_ms=1000))
        return bool(loyalty.frames)

    await eventually(an_operation_arrives)


def status_operation(operation_id: str | None = None, *, timeout_ms: int = 0) -> pb.Operation:
    """The smallest operation there is."""
    return pb.Operation(
        id=operation_id or new_id(), timeout_ms=timeout_ms, status=pb.Status(operation_id=new_id())
    )


def sent(operation: pb.Operation) -> Sent:
    """The operation as a gateway reads it from a till's message."""
    [read] = operations(pb.OpenRequest(operations=[operation]).SerializeToString())
    return read


@asynccontextmanager
async def running(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Runs `work` beside the block, and shows its failure."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.result()
