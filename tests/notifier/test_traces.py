"""What the notifier tells of an event's way, and what it tells the receiver."""

import orjson

from bonpunkt.loyalty.v1.feed_pb2 import JournalEntry
from services.notifier.delivery import Answer
from services.notifier.events import entry_from_journal
from services.notifier.store import Due
from services.notifier.traces import Traces
from services.notifier.webhook import Headers
from services.runtime.tracing import Span, Tracing, span_id
from tests.notifier.feed import entry

KEPT = "01a20331-dee4-7595-9032-b81affffffff"
NOT_KEPT = "01a20331-dee4-7595-9032-b81a00000000"
BY_TIME = "01a20331-dee4-8595-9032-b81affffffff"  # version 8: the ledger's own
SECRET_URL = "Cannot connect to host crm.example:443/hooks/s3cret"


class Notifier:
    """Its traces, a receiver that answers as it is told, and what was told of both."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.headers: list[Headers] = []
        self.answer = Answer(status=204)
        self.traces = Traces(Tracing("notifier", share=0.5, tell=self.spans.append))

    async def post(self, *, headers: Headers) -> Answer:
        self.headers.append(headers)
        return self.answer

    async def attempt(self, operation_id: str, *, tries: int = 0) -> None:
        due = Due(
            number=1,
            bucket=0,
            member_id="",
            tries=tries,
            taken_in_us=0,
            delivery_id="msg_x_1_0_1",
            body=body(operation_id),
        )
        assert await self.traces.attempt(self.post, due, endpoint="crm") is self.answer


def journalled(operation_id: str, *, accepted: bool = True, kind: str = "capture") -> JournalEntry:
    made = entry(kind=kind, accepted=accepted)
    made.operation_id = operation_id
    return made


def body(operation_id: str) -> bytes:
    operation = {"id": operation_id, "kind": "capture"}
    return orjson.dumps({"data": {"operation": operation}})


def test_taking_in_is_told_of_events_whose_trace_is_kept() -> None:
    notifier = Notifier()
    entries = [
        journalled(KEPT),
        journalled(NOT_KEPT),
        journalled(KEPT[:-1] + "e", accepted=False),
    ]
    notifier.traces.taken_in([entry_from_journal(each, epoch=1) for each in entries], 1_000)

    [span] = notifier.spans
    assert (span.trace_id, span.name, span.begun_ns) == (KEPT, "take in capture", 1_000_000)
    assert span.above == span_id(KEPT, of="loyalty")


def test_what_time_alone_did_has_no_span_above() -> None:
    """Nobody asked for it, so loyalty told none."""
    notifier = Notifier()
    notifier.traces.taken_in(
        [entry_from_journal(journalled(BY_TIME, kind="expire"), epoch=1)], 1_000
    )

    [span] = notifier.spans
    assert span.above == b""


async def test_an_attempt_names_itself_to_the_receiver() -> None:
    notifier = Notifier()
    await notifier.attempt(KEPT, tries=2)

    [span] = notifier.spans
    [headers] = notifier.headers
    assert headers == {"traceparent": f"00-{KEPT.replace('-', '')}-{span.span_id.hex()}-01"}
    assert span.above == span_id(KEPT, of="notifier")
    assert span.attributes["bonpunkt.attempt"] == 3
    assert span.error is None


async def test_a_receiver_learns_that_a_trace_is_not_kept() -> None:
    notifier = Notifier()
    await notifier.attempt(NOT_KEPT)

    [headers] = notifier.headers
    assert headers["traceparent"].endswith("-00")
    assert notifier.spans == []


async def test_a_failed_attempt_tells_nothing_of_where_it_went() -> None:
    """The address of a webhook may hold a secret."""
    notifier = Notifier()
    for notifier.answer in (Answer(status=0, error=SECRET_URL), Answer(status=503, error="x")):
        await notifier.attempt(KEPT)

    assert [span.error for span in notifier.spans] == ["no answer", "answered 503"]
    assert "http.response.status_code" not in notifier.spans[0].attributes
    assert "s3cret" not in repr(notifier.spans)
