"""What is on its way on the shared stream of a gateway: operations in, decisions out, each under
the token with which it came.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from google.protobuf.message import DecodeError

from bonpunkt.loyalty.v1 import ledger_pb2 as pb
from services.loyalty.clock import Clock
from services.loyalty.domain.decision import Refusal, Refused
from services.loyalty.lanes import Lanes
from services.loyalty.programmes.versions import Programmes
from services.loyalty.quotes import Asked, Question, Quotes, Reply
from services.loyalty.wire_answers import Outcome, decision_to_wire
from services.loyalty.wire_lines import operation_from_bytes
from services.loyalty.wire_requests import request_from_wire
from services.loyalty.writer import Answer, Item
from services.runtime.grpc import INTERNAL_BYTES_MAX

TIMEOUT_DEFAULT_MS = 5_000
TIMEOUT_MAX_MS = 60_000
FRAME_MAX = 512
NO_OPERATION = Refused(
    Refusal.MALFORMED, "", "these bytes are no Operation; build the message from the contract"
)
FRAME_BYTES_MAX = INTERNAL_BYTES_MAX // 2

# Token, operation id, outcome, and the class of what was asked.
Frame = list[tuple[int, str, Outcome, type]]


class Answers:
    """Decisions on their way back: written while more collect, as many a message as there are.

    `send` writes a message to the gateway; `observed` hears of every frame of answers that left.
    """

    def __init__(self, send: Callable[[Any], Any], observed: Callable[[Frame], None]) -> None:
        self._send, self._observed = send, observed
        self._ready: Frame = []
        self._wake = asyncio.Event()
        self._expected = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def expect(self) -> None:
        self._expected += 1
        self._idle.clear()

    def give(self, token: int, operation_id: str, outcome: Outcome, kind: type) -> None:
        self._ready.append((token, operation_id, outcome, kind))
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
                await self._write_frame(frame)
            if self._expected == 0:
                self._idle.set()

    async def _write_frame(self, frame: Frame) -> None:
        """As one message; as two if a long basket's answers make it too large for one."""
        response = _message(frame)
        if len(frame) > 1 and response.ByteSize() > FRAME_BYTES_MAX:
            half = len(frame) // 2
            await self._write_frame(frame[:half])
            await self._write_frame(frame[half:])
            return
        await self._send(response)
        self._expected -= len(frame)
        self._observed(frame)


class Intake:
    """Hands operations on to the writers, and questions to those who answer them."""

    def __init__(self, lanes: Lanes, quotes: Quotes, programmes: Programmes, clock: Clock) -> None:
        self._lanes, self._quotes = lanes, quotes
        self._programmes, self._clock = programmes, clock

    def take(self, sent: pb.TillOperation, answers: Answers) -> None:
        """Whatever it is, `answers` is given one outcome for its token."""
        answers.expect()
        token = sent.token
        try:
            operation = operation_from_bytes(sent.operation)
        except DecodeError:
            head = pb.OperationHead.FromString(sent.operation)  # the gateway could read that much
            answers.give(token, head.id, NO_OPERATION, Refused)
            return
        operation_id = operation.id
        request = request_from_wire(
            operation,
            terminal_id=sent.terminal_id,
            store_id=sent.store_id,
            currency=self._programmes.current.currency,
        )
        if isinstance(request, Refused):
            answers.give(token, operation_id, request, Refused)
            return
        timeout_ms = min(sent.timeout_ms or TIMEOUT_DEFAULT_MS, TIMEOUT_MAX_MS)
        now_s = asyncio.get_running_loop().time()
        deadline_s = now_s + timeout_ms / 1000
        kind = type(request)

        def answered(outcome: Answer | Reply) -> None:
            answers.give(token, operation_id, outcome, kind)

        if isinstance(request, Question):
            self._quotes.submit(Asked(request, deadline_s, answered))
            return
        if request.origin.occurred_at_us is not None:
            self._clock.observe(request.origin.occurred_at_us)
        self._lanes.submit(Item(request, deadline_s, answered, arrived_s=now_s))


def _message(frame: Frame) -> pb.CommitResponse:
    response = pb.CommitResponse()
    add = response.decisions.add
    for token, operation_id, outcome, _ in frame:
        add(token=token, decision=decision_to_wire(operation_id, outcome).SerializeToString())
    return response
