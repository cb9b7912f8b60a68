"""The notifier's part of a trace: taking the journal entry in, and each attempt to deliver it."""

import time
from collections.abc import Sequence
from typing import Protocol

import orjson

from services.notifier.delivery import Answer
from services.notifier.events import Entry
from services.notifier.store import Due
from services.notifier.webhook import Headers
from services.runtime.tracing import Kind, Span, Tracing, fresh_span_id, span_id, traceparent

_LEDGERS_OWN = "8"  # the version of ids that the ledger makes: by time alone, or of a second row


class Post(Protocol):
    """One attempt, with further headers."""

    async def __call__(self, *, headers: Headers) -> Answer: ...


class Traces:
    def __init__(self, tracing: Tracing) -> None:
        self._tracing = tracing

    def taken_in(self, entries: Sequence[Entry], begun_us: int) -> None:
        """These are durable. An entry that is no event is nobody's news, in traces as well."""
        ended_ns = time.time_ns()
        for entry in entries:
            if entry.event is None:
                continue
            operation_id, kind = _operation(entry.event.body)
            if not self._tracing.keeps(operation_id):
                continue
            is_ledgers_own = operation_id[14] == _LEDGERS_OWN
            place = self._tracing.place(operation_id, below=None if is_ledgers_own else "loyalty")
            span = Span(
                trace_id=operation_id,
                span_id=place.span_id,
                above=place.above,
                name=f"take in {kind}",
                kind=Kind.CONSUMER,
                begun_ns=begun_us * 1_000,
                ended_ns=ended_ns,
                attributes={"bonpunkt.event_type": entry.event.event_type},
            )
            self._tracing.tell(span)

    async def attempt(self, post: Post, due: Due, *, endpoint: str) -> Answer:
        """Posts, and tells the receiver which trace it belongs to: also if that is not kept, so
        that the receiver does not begin one of its own.
        """
        operation_id, kind = _operation(due.body)
        is_kept = self._tracing.keeps(operation_id)
        own = fresh_span_id()
        begun_ns = time.time_ns()
        header = traceparent(operation_id, own, sampled=is_kept)
        answer = await post(headers={"traceparent": header})
        if is_kept:
            attributes: dict[str, str | int] = {
                "bonpunkt.endpoint": endpoint,
                "bonpunkt.attempt": due.tries + 1,
                "http.request.method": "POST",
            }
            if answer.status:
                attributes["http.response.status_code"] = answer.status
            span = Span(
                trace_id=operation_id,
                span_id=own,
                above=span_id(operation_id, of="notifier"),
                name=f"deliver {kind}",
                kind=Kind.CLIENT,
                begun_ns=begun_ns,
                ended_ns=time.time_ns(),
                attributes=attributes,
                error=None if answer.is_success else _why(answer),
            )
            self._tracing.tell(span)
        return answer


def _operation(body: bytes) -> tuple[str, str]:
    """Id and kind of the operation that an event tells of."""
    operation = orjson.loads(body)["data"]["operation"]
    return operation["id"], operation["kind"]


def _why(answer: Answer) -> str:
    """Without the receiver's words, and without its address, which may hold a secret."""
    return f"answered {answer.status}" if answer.status else "no answer"
