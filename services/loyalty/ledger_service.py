"""The shared stream of a gateway: parse, hand on, render; nothing else."""

import asyncio
from typing import Any

import grpc

from bonpunkt.loyalty.v1 import ledger_pb2 as pb
from bonpunkt.loyalty.v1 import ledger_pb2_grpc
from services.loyalty.clock import Clock
from services.loyalty.domain.decision import Abandon, Capture, Refused
from services.loyalty.programmes.versions import Programmes
from services.loyalty.quotes import Asked, AskStatus, Identify, QuoteBasket, Quotes, Reply
from services.loyalty.wire_answers import Outcome, write_decision
from services.loyalty.wire_requests import request_from_wire
from services.loyalty.writer import Answer, Item, Writer

TIMEOUT_DEFAULT_MS = 5_000
TIMEOUT_MAX_MS = 60_000
FRAME_MAX = 512


class LedgerServicer(ledger_pb2_grpc.LedgerServiceServicer):
    def __init__(
        self, writer: Writer, quotes: Quotes, programmes: Programmes, clock: Clock
    ) -> None:
        self._writer, self._quotes = writer, quotes
        self._programmes, self._clock = programmes, clock

    async def Commit(self, _: object, context: grpc.aio.ServicerContext[Any, Any]) -> None:  # type: ignore[override]
        """Runs until the gateway ends its side and everything it sent is answered."""
        answers = _Answers(context)
        writing = asyncio.create_task(answers.write())
        try:
            while (request := await context.read()) is not grpc.aio.EOF:
                for operation in request.operations:
                    self._take(operation, answers)
            await answers.drained()
        finally:
            writing.cancel()

    def _take(self, sent: pb.TillOperation, answers: "_Answers") -> None:
        operation = sent.operation
        token, operation_id = sent.token, operation.id
        request = request_from_wire(
            operation,
            terminal_id=sent.terminal_id,
            store_id=sent.store_id,
            currency=self._programmes.current.currency,
        )
        answers.expect()
        if isinstance(request, Refused):
            answers.give(token, operation_id, request)
            return
        timeout_ms = min(operation.timeout_ms or TIMEOUT_DEFAULT_MS, TIMEOUT_MAX_MS)
        deadline_s = asyncio.get_running_loop().time() + timeout_ms / 1000

        def answered(outcome: Answer | Reply) -> None:
            answers.give(token, operation_id, outcome)

        if isinstance(request, Capture) and request.origin.occurred_at_us is not None:
            self._clock.observe(request.origin.occurred_at_us)
        if isinstance(request, Capture | Abandon):
            self._writer.submit(Item(request, deadline_s, answered))
        elif isinstance(request, Identify | QuoteBasket | AskStatus):
            self._quotes.submit(Asked(request, deadline_s, answered))


class _Answers:
    """Decisions on their way back: written while more collect, as many a message as there are."""

    def __init__(self, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        self._context = context
        self._ready: list[tuple[int, str, Outcome]] = []
        self._wake = asyncio.Event()
        self._expected = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def expect(self) -> None:
        self._expected += 1
        self._idle.clear()

    def give(self, token: int, operation_id: str, outcome: Outcome) -> None:
        self._ready.append((token, operation_id, outcome))
        self._wake.set()

    async def drained(self) -> None:
        """Until every expected answer was written."""
        await self._idle.wait()

    async def write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._ready:
                frame, self._ready = self._ready[:FRAME_MAX], self._ready[FRAME_MAX:]
                await self._context.write(_frame(frame))
                self._expected -= len(frame)
            if self._expected == 0:
                self._idle.set()


def _frame(ready: list[tuple[int, str, Outcome]]) -> pb.CommitResponse:
    response = pb.CommitResponse()
    for token, operation_id, outcome in ready:
        sent = response.decisions.add()
        sent.token = token
        write_decision(sent.decision, operation_id, outcome)
    return response
