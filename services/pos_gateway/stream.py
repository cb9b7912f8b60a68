"""One till's open stream: reads operations, writes decisions, and knows when it is over.

What ends it: the till is done and has every answer; the till hangs up; a message against the
contract (INVALID_ARGUMENT, at once: what was sent before is still decided, its answers have to be
asked for by Status); a till that does not read its answers (RESOURCE_EXHAUSTED); a terminal that is
admitted no longer (UNAUTHENTICATED); a gateway that stops (UNAVAILABLE, once what is in flight has
been answered).
"""

import asyncio

import grpc

from services.pos_gateway.ends import DONE, End
from services.pos_gateway.exchange import Exchange, Submit
from services.pos_gateway.terminals import Terminal

Context = grpc.aio.ServicerContext[bytes, bytes]


class Stream:
    """One call of TillService.Open by an admitted terminal.

    Only `serve` writes, and only it ends the call: gRPC loses a status that is sent while a message
    is being written. So a till that does not read learns how its stream ended when it reads again.
    """

    def __init__(
        self, context: Context, *, terminal: Terminal, submit: Submit, decisions_max: int
    ) -> None:
        self.terminal = terminal
        self._context = context
        self._exchange = Exchange(terminal=terminal, submit=submit, decisions_max=decisions_max)
        self._fault: BaseException | None = None
        self._reader: asyncio.Task[None] | None = None

    async def serve(self) -> End:
        """Runs the stream until it is over. Cancelled when the till hangs up."""
        self._reader = asyncio.create_task(self._read())
        self._reader.add_done_callback(self._reading_finished)
        try:
            return await self._write()
        finally:
            self.end(DONE)  # answers that are still to come are dropped
            self._reader.cancel()

    def end(self, how: End) -> None:
        """Ends the stream at once. Answers that are still to come are dropped."""
        self._exchange.end(how)

    def drain(self, how: End) -> None:
        """Reads nothing more; ends the stream when everything that was read has been answered."""
        if self._reader is not None:
            self._reader.cancel()
        self._exchange.end_when_answered(how)

    async def _write(self) -> End:
        """Writes what was collected while the last write was under way, until the stream ends."""
        exchange, write = self._exchange, self._context.write
        await self._context.send_initial_metadata(())  # tells the till that it is admitted
        while True:
            while (response := exchange.response()) is not None:
                await write(response)
            if self._fault is not None:
                raise self._fault
            if (end := exchange.over()) is not None:
                return end
            await exchange.change()

    async def _read(self) -> None:
        take, read = self._exchange.take, self._context.read
        while True:
            raw: object = await read()
            if raw is grpc.aio.EOF:
                return self.drain(DONE)
            assert isinstance(raw, bytes), "messages are read as they came"
            wrong = take(raw)
            if wrong is not None:
                return self.end(wrong)

    def _reading_finished(self, reader: asyncio.Task[None]) -> None:
        """A fault of the reader is the stream's."""
        if not reader.cancelled() and reader.exception() is not None:
            self._fault = reader.exception()
            self._exchange.wake()
