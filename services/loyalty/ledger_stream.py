"""What is on its way on the shared stream of a gateway: operations in, decisions out, each under
the token with which it came.
"""

import asyncio

from google.protobuf.message import DecodeError

from bonpunkt.loyalty.v1 import ledger_pb2 as pb
from services.loyalty.answers import Answer, Item
from services.loyalty.clock import Clock
from services.loyalty.domain.decision import Refusal, Refused
from services.loyalty.lanes import Lanes
from services.loyalty.programmes.versions import Programmes
from services.loyalty.quotes import Asked, Question, Quotes, Reply
from services.loyalty.wire_answers import Outcome, decision_bytes
from services.loyalty.wire_lines import operation_from_bytes
from services.loyalty.wire_requests import request_from_wire

TIMEOUT_DEFAULT_MS = 5_000
TIMEOUT_MAX_MS = 60_000
FRAME_MAX = 512
NO_OPERATION = Refused(
    Refusal.MALFORMED, "", "these bytes are no Operation; build the message from the contract"
)

# Token, operation id, outcome, and the class of what was asked.
Frame = list[tuple[int, str, Outcome, type]]


class Outbox:
    """Decisions on their way back to a gateway, until they are written: `wake` is set when there
    are some, `idle` while none is expected.
    """

    def __init__(self) -> None:
        self.wake, self.idle = asyncio.Event(), asyncio.Event()
        self._ready: Frame = []
        self._expected = 0
        self.idle.set()

    def expect(self) -> None:
        self._expected += 1
        self.idle.clear()

    def give(self, token: int, operation_id: str, outcome: Outcome, kind: type) -> None:
        self._ready.append((token, operation_id, outcome, kind))
        self.wake.set()

    def frame(self) -> Frame:
        """The next decisions for one message; empty if there are none."""
        frame, self._ready = self._ready[:FRAME_MAX], self._ready[FRAME_MAX:]
        return frame

    def sent(self, frame: Frame) -> None:
        """The frame was written."""
        self._expected -= len(frame)
        if self._expected == 0:
            self.idle.set()


class Intake:
    """Hands operations on to the writers, and questions to those who answer them."""

    def __init__(self, lanes: Lanes, quotes: Quotes, programmes: Programmes, clock: Clock) -> None:
        self._lanes, self._quotes = lanes, quotes
        self._programmes, self._clock = programmes, clock

    def take(self, sent: pb.TillOperation, outbox: Outbox) -> None:
        """Whatever it is, `outbox` is given one outcome for its token."""
        outbox.expect()
        token = sent.token
        try:
            operation = operation_from_bytes(sent.operation)
        except DecodeError:
            head = pb.OperationHead.FromString(sent.operation)  # the gateway could read that much
            outbox.give(token, head.id, NO_OPERATION, Refused)
            return
        operation_id = operation.id
        request = request_from_wire(
            operation,
            terminal_id=sent.terminal_id,
            store_id=sent.store_id,
            currency=self._programmes.current.currency,
        )
        if isinstance(request, Refused):
            outbox.give(token, operation_id, request, Refused)
            return
        timeout_ms = min(sent.timeout_ms or TIMEOUT_DEFAULT_MS, TIMEOUT_MAX_MS)
        now_s = asyncio.get_running_loop().time()
        deadline_s = now_s + timeout_ms / 1000
        kind = type(request)

        def answered(outcome: Answer | Reply) -> None:
            outbox.give(token, operation_id, outcome, kind)

        if isinstance(request, Question):
            self._quotes.submit(Asked(request, deadline_s, answered))
            return
        if request.origin.occurred_at_us is not None:
            self._clock.observe(request.origin.occurred_at_us)
        self._lanes.submit(Item(request, deadline_s, answered, arrived_s=now_s))


def message(frame: Frame) -> pb.CommitResponse:
    """The decisions of a frame, rendered."""
    response = pb.CommitResponse()
    add = response.decisions.add
    for token, operation_id, outcome, _ in frame:
        add(token=token, decision=decision_bytes(operation_id, outcome))
    return response
