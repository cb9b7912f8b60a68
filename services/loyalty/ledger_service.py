"""The shared stream of a gateway, as gRPC calls it."""

import asyncio
from collections.abc import Callable
from typing import Any

import grpc

from bonpunkt.loyalty.v1 import ledger_pb2_grpc
from services.loyalty.clock import Clock
from services.loyalty.lanes import Lanes
from services.loyalty.ledger_stream import Frame, Intake, Outbox, message
from services.loyalty.programmes.versions import Programmes
from services.loyalty.quotes import Quotes
from services.runtime.grpc import INTERNAL_BYTES_MAX

FRAME_BYTES_MAX = INTERNAL_BYTES_MAX // 2


class LedgerServicer(ledger_pb2_grpc.LedgerServiceServicer):
    """`observed` hears of every frame of answers that leaves."""

    def __init__(
        self,
        lanes: Lanes,
        quotes: Quotes,
        programmes: Programmes,
        clock: Clock,
        *,
        observed: Callable[[Frame], None] = lambda _: None,
    ) -> None:
        self._intake = Intake(lanes, quotes, programmes, clock)
        self._observed = observed
        self._readers: set[asyncio.Task[None]] = set()

    def drain(self) -> None:
        """Reads nothing more; each stream ends when everything that was read has been answered."""
        for reader in self._readers:
            reader.cancel()

    async def Commit(self, _: object, context: grpc.aio.ServicerContext[Any, Any]) -> None:  # type: ignore[override]
        """Runs until the gateway ends its side and everything it sent is answered. A fault in
        answering ends the call: a gateway that hears nothing more would wait for ever.
        """
        outbox = Outbox()
        async with asyncio.TaskGroup() as group:
            writing = group.create_task(self._write(context, outbox))
            reading = group.create_task(self._read(context, outbox))
            self._readers.add(reading)
            reading.add_done_callback(self._readers.discard)
            await asyncio.wait([reading])
            await outbox.idle.wait()
            writing.cancel()

    async def _read(self, context: grpc.aio.ServicerContext[Any, Any], outbox: Outbox) -> None:
        take = self._intake.take
        while (request := await context.read()) is not grpc.aio.EOF:
            for operation in request.operations:
                take(operation, outbox)

    async def _write(self, context: grpc.aio.ServicerContext[Any, Any], outbox: Outbox) -> None:
        """Writes while more collect, as many a message as there are."""
        while True:
            await outbox.wake.wait()
            outbox.wake.clear()
            while frame := outbox.frame():
                await self._write_frame(context, frame)
                outbox.sent(frame)

    async def _write_frame(self, context: grpc.aio.ServicerContext[Any, Any], frame: Frame) -> None:
        """As one message; as two if a long basket's answers make it too large for one."""
        response = message(frame)
        if len(frame) > 1 and response.ByteSize() > FRAME_BYTES_MAX:
            half = len(frame) // 2
            await self._write_frame(context, frame[:half])
            await self._write_frame(context, frame[half:])
            return
        await context.write(response)
        self._observed(frame)
