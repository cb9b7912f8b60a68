"""One till's open stream: reads operations, writes decisions, and knows when it is over.

What ends it: the till is done and has every answer; the till hangs up; a message against the
contract (INVALID_ARGUMENT, at once: what was sent before is still decided, its answers have to be
asked for by Status); a till that does not read its answers (RESOURCE_EXHAUSTED); a terminal that is
admitted no longer (UNAUTHENTICATED); a gateway that stops (UNAVAILABLE, once what is in flight has
been answered).
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Protocol

import grpc
from google.protobuf.message import DecodeError

from bonpunkt.loyalty.v1 import ledger_pb2
from services.pos_gateway import form
from services.pos_gateway.form import Sent
from services.pos_gateway.inflight import Answer
from services.pos_gateway.terminals import Terminal
from services.runtime.grpc import MESSAGE_BYTES_MAX

Context = grpc.aio.ServicerContext[bytes, ledger_pb2.TillResponse]


class Submit(Protocol):
    """`Uplink.submit`."""

    def __call__(self, sent: Sent, *, terminal: Terminal, answer: Answer) -> None: ...


@dataclass(frozen=True, slots=True)
class End:
    """How a call ends; `OK` is a stream whose till was done."""

    code: grpc.StatusCode
    words: str = ""


DONE = End(grpc.StatusCode.OK)
TURNED_AWAY = End(grpc.StatusCode.UNAUTHENTICATED, "terminal id and secret are not accepted")
NO_MESSAGE = End(grpc.StatusCode.INVALID_ARGUMENT, "not a message of bonpunkt.till.v1")
NOT_READING = End(
    grpc.StatusCode.RESOURCE_EXHAUSTED, "too many decisions wait to be read; ask for them by Status"
)
STOPPING = End(grpc.StatusCode.UNAVAILABLE, "the gateway is stopping; connect again")


class Outbox:
    """Decisions for one till, packed into responses of at most 1 MiB each."""

    def __init__(self) -> None:
        self._responses: deque[ledger_pb2.TillResponse] = deque()
        self._last_bytes = 0
        self._decisions = 0

    def __len__(self) -> int:
        return self._decisions

    def put(self, decision: bytes) -> None:
        size_bytes = len(decision) + 8  # its tag and length
        if not self._responses or self._last_bytes + size_bytes > MESSAGE_BYTES_MAX:
            self._responses.append(ledger_pb2.TillResponse())
            self._last_bytes = 0
        self._responses[-1].decisions.append(decision)
        self._last_bytes += size_bytes
        self._decisions += 1

    def take(self) -> ledger_pb2.TillResponse | None:
        """The next response to write; None if there is nothing to say."""
        if not self._responses:
            return None
        response = self._responses.popleft()
        self._decisions -= len(response.decisions)
        return response


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
        self._submit = submit
        self._decisions_max = decisions_max
        self._outbox = Outbox()
        self._unanswered = 0
        self._wake = asyncio.Event()
        self._end: End | None = None
        self._end_when_answered: End | None = None
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
        self._end = self._end or how
        self._outbox = Outbox()
        self._wake.set()

    def drain(self, how: End) -> None:
        """Reads nothing more; ends the stream when everything that was read has been answered."""
        self._end_when_answered = self._end_when_answered or how
        if self._reader is not None:
            self._reader.cancel()
        self._wake.set()

    async def _write(self) -> End:
        """Writes what was collected while the last write was under way, until the stream ends."""
        await self._context.send_initial_metadata(())  # tells the till that it is admitted
        while True:
            while (response := self._outbox.take()) is not None:
                await self._context.write(response)
            if self._fault is not None:
                raise self._fault
            if self._end is not None:
                return self._end
            if self._end_when_answered is not None and self._unanswered == 0:
                return self._end_when_answered
            self._wake.clear()
            await self._wake.wait()

    async def _read(self) -> None:
        while True:
            raw: object = await self._context.read()
            if raw is grpc.aio.EOF:
                return self.drain(DONE)
            assert isinstance(raw, bytes), "messages are read as they came"
            wrong = self._take(raw)
            if wrong is not None:
                return self.end(wrong)

    def _take(self, raw: bytes) -> End | None:
        """Sends the operations of one message on their way, or says why the stream ends."""
        try:
            operations = form.operations(raw)
        except DecodeError:
            return NO_MESSAGE
        wrong = form.wrong_count(operations)
        if wrong is not None:
            return End(grpc.StatusCode.INVALID_ARGUMENT, wrong)
        self._unanswered += len(operations)
        for sent in operations:
            refused = form.refusal(sent)
            if refused is not None:
                self._answer(refused)
            else:
                self._submit(sent, terminal=self.terminal, answer=self._answer)
        return None

    def _answer(self, decision: bytes) -> None:
        self._unanswered -= 1
        if self._end is not None:
            return
        self._outbox.put(decision)
        if len(self._outbox) > self._decisions_max:
            self.end(NOT_READING)
        self._wake.set()

    def _reading_finished(self, reader: asyncio.Task[None]) -> None:
        """A fault of the reader is the stream's."""
        if not reader.cancelled() and reader.exception() is not None:
            self._fault = reader.exception()
            self._wake.set()
