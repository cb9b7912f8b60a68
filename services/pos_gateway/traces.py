"""The gateway's part of a trace: from a till's message to the answer, and when it went to loyalty.

Stands between the tills' calls and the uplink, and only if traces are told.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from google.protobuf.message import DecodeError

from bonpunkt.till.v1 import till_pb2 as pb
from services.pos_gateway.exchange import Submit
from services.pos_gateway.inflight import Answer
from services.pos_gateway.terminals import Metadata, Terminal
from services.pos_gateway.wire import Sent
from services.runtime.tracing import Caller, Kind, Place, Span, Tracing, caller_in

_NAMES = {"void_receipt": "void", "return_items": "return", None: "operation"}


@dataclass(slots=True)
class _Followed:
    """An operation under way whose trace is kept."""

    sent: Sent
    terminal: Terminal
    caller: Caller | None
    place: Place
    begun_ns: int
    number: int = 0  # among all that were accepted, which is also its token; 0 if it was not
    written_ns: int = 0


class Traces:
    """Follows the operations that it is given on their way to `submit`, as far as they are kept."""

    def __init__(self, tracing: Tracing, *, submit: Submit, accepted: Callable[[], int]) -> None:
        """`accepted` tells how many operations `submit` has ever accepted: their numbers."""
        self._tracing = tracing
        self._forward = submit
        self._accepted = accepted
        self._unwritten: deque[_Followed] = deque()

    def of_call(self, metadata: Metadata) -> Submit:
        """`submit` for a till's call. Its operations are linked to the till's own trace, if the
        till names one.
        """
        header = dict(metadata).get("traceparent", "")
        caller = caller_in(header) if isinstance(header, str) else None
        return partial(self._submit, caller=caller)

    def written(self, number: int) -> None:
        """Everything accepted up to this number is about to be written to loyalty, or has ended."""
        now_ns = time.time_ns()
        while self._unwritten and self._unwritten[0].number <= number:
            self._unwritten.popleft().written_ns = now_ns

    def _submit(
        self, sent: Sent, *, terminal: Terminal, answer: Answer, caller: Caller | None
    ) -> None:
        if not self._tracing.keeps(sent.operation_id):
            self._forward(sent, terminal=terminal, answer=answer)
            return
        place = self._tracing.place(sent.operation_id, below=None)
        followed = _Followed(sent, terminal, caller, place, time.time_ns())
        before = self._accepted()
        self._forward(sent, terminal=terminal, answer=partial(self._answered, followed, answer))
        number = self._accepted()
        if number > before:
            followed.number = number
            self._unwritten.append(followed)

    def _answered(self, followed: _Followed, answer: Answer, decision: bytes) -> None:
        """The till first."""
        answer(decision)
        result, reason = _result(decision)
        attributes = {
            "bonpunkt.terminal_id": followed.terminal.terminal_id,
            "bonpunkt.store_id": followed.terminal.store_id,
            "bonpunkt.result": result,
        }
        if reason:
            attributes["bonpunkt.reason"] = reason
        span = Span(
            trace_id=followed.sent.operation_id,
            span_id=followed.place.span_id,
            above=followed.place.above,
            name=_name(followed.sent.raw),
            kind=Kind.SERVER,
            begun_ns=followed.begun_ns,
            ended_ns=time.time_ns(),
            attributes=attributes,
            events=[("sent to loyalty", followed.written_ns)] if followed.written_ns else (),
            caller=followed.caller,
            error=reason if result == "undecided" else None,
        )
        self._tracing.tell(span)


def _name(raw: bytes) -> str:
    """The kind of the operation, as the journal has it."""
    try:
        kind = pb.Operation.FromString(raw).WhichOneof("kind")
    except DecodeError:
        kind = None
    return _NAMES.get(kind) or str(kind)


def _result(decision: bytes) -> tuple[str, str]:
    """What was decided, and why not if nothing was or it was refused."""
    message = pb.Decision.FromString(decision)
    result = message.WhichOneof("result")
    if result == "refused":
        return result, pb.Reason.Name(message.refused.reason).removeprefix("REASON_").lower()
    if result == "undecided":
        cause = pb.Undecided.Cause.Name(message.undecided.cause)
        return result, cause.removeprefix("CAUSE_").lower()
    return result or "nothing", ""
