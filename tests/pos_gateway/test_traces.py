"""What a gateway tells of the operations that went through it, and that it changes none of them."""

import pytest

from bonpunkt.till.operations import new_id
from bonpunkt.till.v1 import till_pb2 as pb
from services.pos_gateway.inflight import Answer, InFlight
from services.pos_gateway.limits import Limits
from services.pos_gateway.terminals import Terminal
from services.pos_gateway.traces import Traces
from services.pos_gateway.wire import Sent
from services.runtime.tracing import Span, Tracing
from tests.pos_gateway.peer import sent

TILL = Terminal(terminal_id="till-1", store_id="store-1", secret_sha256=bytes(32))
NOW_MS = 1_000_005
NEVER_KEPT = "01a20331-dee4-7595-9032-b81a00000000"


class Gateway:
    """Its parts between a till and loyalty, without either."""

    def __init__(self, *, share: float = 1, **limits: int) -> None:
        self.spans: list[Span] = []
        self.answers: list[bytes] = []
        self.handed_on: list[Answer] = []
        self.in_flight = InFlight(Limits(**limits))
        self.traces = Traces(
            Tracing("gateway", share=share, tell=self.spans.append),
            submit=self._submit,
            accepted=lambda: self.in_flight.accepted,
        )

    def _submit(self, sent: Sent, *, terminal: Terminal, answer: Answer) -> None:
        self.handed_on.append(answer)
        self.in_flight.accept(sent, terminal=terminal, answer=answer, now_ms=NOW_MS)

    def take(self, operation: pb.Operation, **metadata: str) -> None:
        submit = self.traces.of_call(tuple(metadata.items()))
        submit(sent(operation), terminal=TILL, answer=self.answers.append)

    def write(self) -> None:
        frame = self.in_flight.next_frame(now_ms=NOW_MS)
        assert frame is not None
        self.traces.written(self.in_flight.last_written)

    def decide(self, decision: pb.Decision, *, token: int = 1) -> None:
        self.in_flight.decided(token, decision.SerializeToString())


def release() -> pb.Operation:
    return pb.Operation(id=new_id(), release=pb.Release(reservation_id=new_id()))


def refused(operation: pb.Operation) -> pb.Decision:
    refusal = pb.Refused(reason=pb.REASON_RESERVATION_UNKNOWN)
    return pb.Decision(operation_id=operation.id, refused=refusal)


def test_a_span_tells_kind_decision_and_when_it_went_to_loyalty() -> None:
    gateway, operation = Gateway(), release()
    gateway.take(operation)
    gateway.write()
    gateway.decide(refused(operation))

    [span] = gateway.spans
    assert (span.trace_id, span.name, span.error) == (operation.id, "release", None)
    assert span.attributes["bonpunkt.reason"] == "reservation_unknown"
    [(event, written_ns)] = span.events
    assert event == "sent to loyalty"
    assert span.begun_ns <= written_ns <= span.ended_ns


def test_what_waits_for_the_next_frame_was_not_sent_with_this_one() -> None:
    gateway, first, second = Gateway(), release(), release()
    gateway.take(first)
    gateway.write()
    gateway.take(second)
    gateway.decide(refused(first))
    gateway.in_flight.expire(now_ms=NOW_MS + 60_000)

    assert [len(span.events) for span in gateway.spans] == [1, 0]
    assert [span.error for span in gateway.spans] == [None, "expired"]


def test_an_operation_that_finds_no_room_was_never_sent() -> None:
    gateway, operation = Gateway(operations_max=1), release()
    gateway.take(operation)
    gateway.take(release())
    gateway.write()

    [span] = gateway.spans
    assert (span.error, span.events) == ("overloaded", ())
    assert len(gateway.answers) == 1


def test_the_till_gets_the_bytes_that_loyalty_sent() -> None:
    gateway, operation = Gateway(), release()
    gateway.take(operation)
    gateway.write()
    gateway.decide(refused(operation))

    assert gateway.answers == [refused(operation).SerializeToString()]


def test_an_operation_whose_trace_is_not_kept_goes_on_untouched() -> None:
    gateway = Gateway(share=0.5)
    gateway.take(pb.Operation(id=NEVER_KEPT))

    assert gateway.handed_on == [gateway.answers.append]
    assert gateway.spans == []


@pytest.mark.parametrize("raw", [b"\xff\xff", b""])
def test_what_a_gateway_cannot_read_is_an_operation_all_the_same(raw: bytes) -> None:
    gateway = Gateway()
    operation_id = new_id()
    submit = gateway.traces.of_call(())
    submit(Sent(operation_id, 0, raw), terminal=TILL, answer=gateway.answers.append)
    gateway.write()
    gateway.decide(pb.Decision(operation_id=operation_id, refused=pb.Refused()))

    assert [span.name for span in gateway.spans] == ["operation"]


@pytest.mark.parametrize(
    ("metadata", "linked"),
    [
        ({}, False),
        ({"traceparent": "nonsense"}, False),
        ({"traceparent": f"00-{'4b' * 16}-{'a0' * 8}-01"}, True),
    ],
)
def test_a_span_is_linked_to_the_tills_own_trace(metadata: dict[str, str], linked: bool) -> None:
    gateway, operation = Gateway(), release()
    gateway.take(operation, **metadata)
    gateway.write()
    gateway.decide(refused(operation))

    [span] = gateway.spans
    assert (span.caller is not None) == linked
