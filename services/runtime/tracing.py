"""Traces: where the time of one operation went, over all processes that had a hand in it.

What is followed has a UUID, and that is as long as the id of a trace: so it is the trace's id.
Nothing is handed on between processes. Each of them knows the trace by the id that it has anyway,
derives the id of its own span and of the span above it from the names of the services, and comes to
the same conclusion whether the trace is among the share that is kept. A span is told when it is
over, with its times; there is no "current" span.

Off unless `BONPUNKT_OTLP_ENDPOINT` is set: then no hook is called and OpenTelemetry is not
imported. docs/tracing.md has the whole picture.
"""

import hashlib
import re
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from importlib.util import find_spec
from typing import NamedTuple

from environs import Env
from marshmallow.validate import Range
from prometheus_client import CollectorRegistry
from yarl import URL

from services.runtime.settings import refuse
from services.runtime.tls import is_loopback, read_ca

SHARE = 0.01
BEGUN_MAX = 4_096  # traces of which it is remembered that this process told its span
_SAMPLED, _NOT_SAMPLED = "01", "00"
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")


class Kind(Enum):
    """Of a span; the values are those of OTLP."""

    INTERNAL = 1
    SERVER = 2
    CLIENT = 3
    CONSUMER = 5


class Caller(NamedTuple):
    """A span of somebody else's trace, to which one of ours is linked."""

    trace_id: bytes
    span_id: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Times are nanoseconds since 1970. `attributes` and `events` never hold personal data."""

    trace_id: str
    span_id: bytes
    above: bytes = b""  # the id of the span that it is a part of; empty for the first of a trace
    name: str
    kind: Kind
    begun_ns: int
    ended_ns: int
    attributes: Mapping[str, str | int] = field(default_factory=dict)
    events: Sequence[tuple[str, int]] = ()
    caller: Caller | None = None
    error: str | None = None  # why it failed; None if it did not


class Place(NamedTuple):
    """The id of a span and of the span above it."""

    span_id: bytes
    above: bytes


class Tracing:
    """Which traces a service keeps, where its spans are in them, and `tell`, which takes them."""

    def __init__(self, service: str, *, share: float, tell: Callable[[Span], None]) -> None:
        self.tell = tell
        self._service = service
        self._least = f"{min(round((1 - share) * 2**32), 2**32 - 1):08x}"
        self._begun: OrderedDict[str, None] = OrderedDict()

    def keeps(self, trace_id: str) -> bool:
        """Whether the trace is among the share: the same answer in every process.

        By the last 32 bits only. Those before them may be a counter in a UUID of version 7 (RFC
        9562, 6.2): all ids that a process makes in one millisecond would be kept together, or none.
        """
        return trace_id[28:] >= self._least

    def place(self, trace_id: str, *, below: str | None) -> Place:
        """Where this service's next span of the trace is: below that of another service.

        The first has the id that others derive. What comes again under the same id, since a till
        repeated it, gets an id of its own, below the first.
        """
        own = span_id(trace_id, of=self._service)
        if trace_id in self._begun:
            return Place(fresh_span_id(), own)
        self._begun[trace_id] = None
        if len(self._begun) > BEGUN_MAX:
            self._begun.popitem(last=False)
        return Place(own, span_id(trace_id, of=below) if below is not None else b"")


def span_id(trace_id: str, *, of: str) -> bytes:
    """The id of the span by which a service tells what it did in this trace; 8 bytes."""
    half = int(trace_id[19:23] + trace_id[24:], 16)
    return (half ^ _mask(of)).to_bytes(8, "big")


def fresh_span_id() -> bytes:
    """For a span of which no other process has to know the id."""
    return secrets.token_bytes(8)


def traceparent(trace_id: str, span: bytes, *, sampled: bool) -> str:
    """The header of W3C Trace Context. Level 1: that all of the last 56 bits are random, as level 2
    would say, is not so for every UUID.
    """
    flags = _SAMPLED if sampled else _NOT_SAMPLED
    return f"00-{trace_id.replace('-', '')}-{span.hex()}-{flags}"


def caller_in(header: str) -> Caller | None:
    """Whom a `traceparent` names; None if it is none."""
    found = _TRACEPARENT.fullmatch(header)
    if found is None:
        return None
    caller = Caller(bytes.fromhex(found[1]), bytes.fromhex(found[2]))
    return caller if any(caller.trace_id) and any(caller.span_id) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class TracingSettings:
    endpoint: URL  # of the collector's OTLP over HTTP, with the path for traces
    share: float
    ca: bytes | None  # certificates that the collector's is checked by, PEM


def read(env: Env) -> TracingSettings | None:
    """From `BONPUNKT_OTLP_ENDPOINT` and `BONPUNKT_TRACE_SHARE`; None: no traces."""
    text = env.str("BONPUNKT_OTLP_ENDPOINT", "")
    share = env.float(
        "BONPUNKT_TRACE_SHARE", SHARE, validate=Range(min=0, max=1, min_inclusive=False)
    )
    if not text:
        return None
    url = _url(text)
    if url is None:
        refuse(env, "BONPUNKT_OTLP_ENDPOINT", "write http://127.0.0.1:4318 or https://host:4318")
        return None
    if not _is_installed():
        words = "traces need the extra: pip install 'bonpunkt[otel]'"
        refuse(env, "BONPUNKT_OTLP_ENDPOINT", words)
    address = f"{url.host}:{url.port}"
    if url.scheme == "http" and not is_loopback(address):
        words = f"{address} is not on loopback, where alone plain text is spoken; write https://"
        refuse(env, "BONPUNKT_OTLP_ENDPOINT", words)
    ca = read_ca(env, {"BONPUNKT_OTLP_ENDPOINT": text}) if url.scheme == "https" else None
    return TracingSettings(endpoint=url / "v1" / "traces", share=share, ca=ca)


@asynccontextmanager
async def traced(
    settings: TracingSettings | None, *, service: str, registry: CollectorRegistry
) -> AsyncIterator[Tracing | None]:
    """Tells the collector the spans of `service` as long as the context is open; None if off."""
    if settings is None:
        yield None
        return
    from services.runtime.otlp import Exporter, Figures

    exporter = Exporter(settings.endpoint, service=service, ca=settings.ca)
    registry.register(Figures(exporter))
    async with exporter:
        yield Tracing(service, share=settings.share, tell=exporter.put)


@cache
def _mask(service: str) -> int:
    return int.from_bytes(hashlib.sha256(service.encode()).digest()[:8], "big")


def _url(text: str) -> URL | None:
    """Of http or https with a host; None for everything else."""
    try:
        url = URL(text)
    except ValueError:
        return None
    return url if url.scheme in {"http", "https"} and url.host else None


def _is_installed() -> bool:
    try:
        return find_spec("opentelemetry.proto") is not None
    except ModuleNotFoundError:
        return False
