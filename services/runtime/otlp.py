"""Spans on their way to a collector: OTLP over HTTP, in protobuf.

Nothing waits for it. Spans collect in a queue of bounded length and leave at most once a second; a
collector that is slow, away or unwilling costs the spans, which are counted, and one line in the
log. Nothing is sent twice: a trace is worth less than what a retry could do to a till.

The only module that knows OpenTelemetry.
"""

import asyncio
import os
import socket
import ssl
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from types import TracebackType
from typing import Self
from uuid import UUID

import aiohttp
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2 as pb
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector
from yarl import URL

from services.runtime.logs import logger
from services.runtime.tracing import Span

QUEUE_MAX = 1_024
EVERY_S = 1.0  # so a process tells at most QUEUE_MAX spans a second: 2 % of its processor time
SPANS_A_MESSAGE = 256  # half a millisecond of the event loop
TIMEOUT_S = 5.0
FLUSH_S = 1.0  # at the end of the process
ANSWER_BYTES_MAX = 16_384
SAMPLED = 1  # the trace flag

QUEUE_FULL, UNDELIVERED, REJECTED = WHY_DROPPED = ("queue_full", "undelivered", "rejected")

log = logger(__name__)


class Exporter:
    """`put` never waits and never raises; open as a context it sends what was put."""

    def __init__(self, endpoint: URL, *, service: str, ca: bytes | None) -> None:
        self.exported = 0
        self.dropped: Counter[str] = Counter()
        self._endpoint = endpoint
        self._ca = ca
        self._resource = _resource(service)
        self._queue: deque[pb.Span] = deque()
        self._works = True  # as far as the log has said

    def put(self, span: Span) -> None:
        """Takes a span; drops it if too many wait already."""
        if len(self._queue) >= QUEUE_MAX:
            self.dropped[QUEUE_FULL] += 1
        else:
            self._queue.append(encoded(span))

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=1, ssl=_context(self._ca)),
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            headers={"content-type": "application/x-protobuf", "user-agent": "Bonpunkt"},
        )
        log.info("traces are told", collector=str(self._endpoint.origin()))
        self._sending = asyncio.create_task(self._send_for_ever())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._sending.cancel()
        await asyncio.wait([self._sending])
        try:
            async with asyncio.timeout(FLUSH_S):
                await self._send()
        except TimeoutError:
            self.dropped[UNDELIVERED] += len(self._queue)
        await self._session.close()

    async def _send_for_ever(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            await self._send()

    async def _send(self) -> None:
        """What waits now, in messages of bounded size."""
        left = len(self._queue)
        while left > 0:
            count = min(left, SPANS_A_MESSAGE)
            await self._send_message([self._queue.popleft() for _ in range(count)])
            left -= count

    async def _send_message(self, spans: list[pb.Span]) -> None:
        scoped = pb.ScopeSpans(spans=spans)
        message = ExportTraceServiceRequest(
            resource_spans=[pb.ResourceSpans(resource=self._resource, scope_spans=[scoped])]
        )
        rejected = len(spans)
        try:
            rejected = await self._post(message.SerializeToString())
        except (aiohttp.ClientError, OSError, DecodeError) as error:  # a timeout is an OSError
            self._tell_that_spans_are_lost(str(error) or type(error).__name__)
            self.dropped[UNDELIVERED] += len(spans)
        except asyncio.CancelledError:
            self.dropped[UNDELIVERED] += len(spans)
            raise
        else:
            self._tell_that_it_works()
            self.dropped[REJECTED] += rejected
            self.exported += len(spans) - rejected

    async def _post(self, body: bytes) -> int:
        """How many of its spans the collector did not want."""
        async with self._session.post(self._endpoint, data=body, allow_redirects=False) as response:
            if response.status != 200:
                raise aiohttp.ClientError(f"answered {response.status}")
            answer = await response.content.read(ANSWER_BYTES_MAX)
        return ExportTraceServiceResponse.FromString(answer).partial_success.rejected_spans

    def _tell_that_spans_are_lost(self, why: str) -> None:
        if self._works:
            log.warning("traces are lost until the collector takes them", why=why)
        self._works = False

    def _tell_that_it_works(self) -> None:
        if not self._works:
            log.info("the collector takes traces again", lost_spans=self.dropped[UNDELIVERED])
        self._works = True


class Figures(Collector):
    """What Prometheus learns of it."""

    def __init__(self, exporter: Exporter) -> None:
        self._exporter = exporter

    def collect(self) -> Iterator[Metric]:
        exported = float(self._exporter.exported)
        yield CounterMetricFamily(
            "bonpunkt_spans_exported", "Spans of traces that the collector took.", value=exported
        )
        dropped = CounterMetricFamily(
            "bonpunkt_spans_dropped",
            "Spans that were lost: too many waited, they could not be delivered, or the collector "
            "did not want them.",
            labels=["why"],
        )
        for why in WHY_DROPPED:
            dropped.add_metric([why], float(self._exporter.dropped[why]))
        yield dropped


def encoded(span: Span) -> pb.Span:
    """The span as OTLP has it."""
    message = pb.Span(
        trace_id=UUID(span.trace_id).bytes,
        span_id=span.span_id,
        parent_span_id=span.above,
        flags=SAMPLED,
        name=span.name,
        kind=pb.Span.SpanKind.ValueType(span.kind.value),
        start_time_unix_nano=span.begun_ns,
        end_time_unix_nano=max(span.ended_ns, span.begun_ns),  # a clock may be set back
        attributes=_attributes(span.attributes),
        events=[pb.Span.Event(name=name, time_unix_nano=at_ns) for name, at_ns in span.events],
    )
    if span.caller is not None:
        message.links.add(trace_id=span.caller.trace_id, span_id=span.caller.span_id)
    if span.error is not None:
        message.status.code = pb.Status.STATUS_CODE_ERROR
        message.status.message = span.error
    return message


def _attributes(values: Mapping[str, str | int]) -> list[KeyValue]:
    return [
        KeyValue(
            key=key,
            value=AnyValue(int_value=value)
            if isinstance(value, int)
            else AnyValue(string_value=value),
        )
        for key, value in values.items()
    ]


def _resource(service: str) -> Resource:
    """Which process it is, in the words of OpenTelemetry's conventions."""
    return Resource(
        attributes=_attributes(
            {
                "service.namespace": "bonpunkt",
                "service.name": service,
                "service.version": version("bonpunkt"),
                "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
            }
        )
    )


def _context(ca: bytes | None) -> ssl.SSLContext | bool:
    """True: as the system has it; only ever used on loopback, in plain text."""
    return True if ca is None else ssl.create_default_context(cadata=ca.decode("ascii"))
