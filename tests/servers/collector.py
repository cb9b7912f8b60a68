"""A collector of traces, as far as OTLP over HTTP goes: keeps what it is told."""

import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Message
from opentelemetry.proto.trace.v1.trace_pb2 import Status


@dataclass(frozen=True, slots=True)
class Seen:
    """A span as it arrived, and the service that told it."""

    service: str
    message: Message

    @property
    def trace_id(self) -> str:
        return str(UUID(bytes=self.message.trace_id))

    @property
    def attributes(self) -> dict[str, str | int]:
        return _values(self.message.attributes)

    @property
    def events(self) -> list[str]:
        return [event.name for event in self.message.events]

    @property
    def failed(self) -> bool:
        return self.message.status.code == Status.STATUS_CODE_ERROR


@dataclass(slots=True)
class Collector:
    """Answers `status`, and of each message that so many of its spans were `rejected`; or with
    these very bytes.
    """

    endpoint: str = ""
    status: int = 200
    rejected: int = 0
    answer: bytes | None = None
    bodies: list[bytes] = field(default_factory=list)

    @property
    def spans(self) -> list[Seen]:
        messages = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        return [
            Seen(str(_values(told.resource.attributes)["service.name"]), span)
            for message in messages
            for told in message.resource_spans
            for scoped in told.scope_spans
            for span in scoped.spans
        ]

    def trace(self, trace_id: str) -> list[Seen]:
        """In the order in which they began."""
        found = [span for span in self.spans if span.trace_id == trace_id]
        return sorted(found, key=lambda span: span.message.start_time_unix_nano)

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        if self.status != 200:
            return web.Response(status=self.status)
        self.bodies.append(body)
        answer = ExportTraceServiceResponse()
        answer.partial_success.rejected_spans = self.rejected
        return web.Response(body=self.answer or answer.SerializeToString())


@asynccontextmanager
async def collecting(encrypted: ssl.SSLContext | None = None) -> AsyncIterator[Collector]:
    collector = Collector()
    app = web.Application()
    app.add_routes([web.post("/v1/traces", collector.handle)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=encrypted).start()
    scheme = "http" if encrypted is None else "https"
    collector.endpoint = f"{scheme}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield collector
    finally:
        await runner.cleanup()


def _values(attributes: Sequence[KeyValue]) -> dict[str, str | int]:
    return {
        each.key: each.value.int_value
        if each.value.HasField("int_value")
        else each.value.string_value
        for each in attributes
    }
