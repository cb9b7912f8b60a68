"""Spans reach a collector that takes them; any other costs spans, and nothing else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uuid_utils.compat as uuids
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs
from yarl import URL

from services.runtime import otlp
from services.runtime.otlp import Exporter, Figures
from services.runtime.tls import KeyPair
from services.runtime.tracing import Caller, Kind, Span, fresh_span_id
from tests.servers.certificates import certificate_files
from tests.servers.collector import Collector, collecting
from tests.servers.ports import free_port
from tests.servers.waiting import eventually

LOST, AGAIN = "traces are lost until the collector takes them", "the collector takes traces again"
NOON_NS = 1_800_000_000_000_000_000


def span(name: str = "capture", *, ended_ns: int = NOON_NS + 5) -> Span:
    return Span(
        trace_id=str(uuids.uuid7()),
        span_id=fresh_span_id(),
        above=fresh_span_id(),
        name=name,
        kind=Kind.SERVER,
        begun_ns=NOON_NS,
        ended_ns=ended_ns,
        attributes={"bonpunkt.lane": 3, "bonpunkt.result": "captured"},
        events=[("committed", NOON_NS + 2)],
        caller=Caller(bytes(range(16)), bytes(range(8))),
        error="expired",
    )


@asynccontextmanager
async def exporting(endpoint: str, *, ca: bytes | None = None) -> AsyncIterator[Exporter]:
    exporter = Exporter(URL(endpoint) / "v1" / "traces", service="gateway", ca=ca)
    async with exporter:
        yield exporter


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp, "EVERY_S", 0.02)


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    async with collecting() as running:
        yield running


async def test_a_span_arrives_as_it_was_told(collector: Collector) -> None:
    told = span()
    async with exporting(collector.endpoint) as exporter:
        exporter.put(told)
        await eventually(lambda: exporter.exported == 1)

    [seen] = collector.spans
    message = seen.message
    assert (seen.service, seen.trace_id, message.name) == ("gateway", told.trace_id, "capture")
    assert (message.span_id, message.parent_span_id) == (told.span_id, told.above)
    assert (message.kind, message.flags) == (message.SPAN_KIND_SERVER, 1)
    assert (message.start_time_unix_nano, message.end_time_unix_nano) == (NOON_NS, NOON_NS + 5)
    assert seen.attributes == told.attributes
    assert [(e.name, e.time_unix_nano) for e in message.events] == list(told.events)
    assert [(link.trace_id, link.span_id) for link in message.links] == [told.caller]
    assert (seen.failed, message.status.message) == (True, "expired")


async def test_a_collector_elsewhere_is_told_by_tls_if_our_ca_has_signed_it(
    tmp_path: Path,
) -> None:
    files = certificate_files(tmp_path)
    other = certificate_files(tmp_path / "other")
    encrypted = KeyPair(certificate=files.certificate, key=files.key).context()
    async with collecting(encrypted) as collector:
        async with exporting(collector.endpoint, ca=files.ca.read_bytes()) as exporter:
            exporter.put(span())
        async with exporting(collector.endpoint, ca=other.ca.read_bytes()) as mistaken:
            mistaken.put(span())

    assert (exporter.exported, mistaken.exported) == (1, 0)
    assert mistaken.dropped == {"undelivered": 1}


async def test_what_waits_at_the_end_still_leaves(collector: Collector) -> None:
    async with exporting(collector.endpoint) as exporter:
        for _ in range(otlp.SPANS_A_MESSAGE + 1):
            exporter.put(span())

    assert len(collector.spans) == exporter.exported == otlp.SPANS_A_MESSAGE + 1
    assert len(collector.bodies) == 2


async def test_a_clock_that_is_set_back_makes_no_negative_time(collector: Collector) -> None:
    async with exporting(collector.endpoint) as exporter:
        exporter.put(span(ended_ns=NOON_NS - 1))

    [seen] = collector.spans
    assert seen.message.end_time_unix_nano == NOON_NS


async def test_only_so_many_spans_wait(collector: Collector) -> None:
    async with exporting(collector.endpoint) as exporter:
        for _ in range(otlp.QUEUE_MAX + 3):
            exporter.put(span())
        assert exporter.dropped == {"queue_full": 3}

    assert exporter.exported == otlp.QUEUE_MAX


async def test_what_the_collector_does_not_want_is_counted(collector: Collector) -> None:
    collector.rejected = 2
    async with exporting(collector.endpoint) as exporter:
        for _ in range(5):
            exporter.put(span())

    assert (exporter.exported, exporter.dropped["rejected"]) == (3, 2)


@pytest.mark.parametrize("status", [302, 404, 429, 503])
async def test_losses_are_told_once_and_so_is_their_end(collector: Collector, status: int) -> None:
    with capture_logs() as lines:
        async with exporting(collector.endpoint) as exporter:
            collector.status = status
            for lost in (1, 2):
                exporter.put(span())
                await eventually(lambda lost=lost: exporter.dropped["undelivered"] == lost)
            collector.status = 200
            exporter.put(span())
            await eventually(lambda: exporter.exported == 1)

    assert [line["event"] for line in lines if line["event"] in (LOST, AGAIN)] == [LOST, AGAIN]
    assert [line["why"] for line in lines if line["event"] == LOST] == [f"answered {status}"]


async def test_nobody_there_costs_the_spans_only() -> None:
    with capture_logs() as lines:
        async with exporting(f"http://127.0.0.1:{free_port()}") as exporter:
            exporter.put(span())

    assert (exporter.exported, exporter.dropped) == (0, {"undelivered": 1})
    assert [line["event"] for line in lines].count(LOST) == 1


async def test_a_collector_that_never_answers_does_not_keep_the_process_from_ending(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(otlp, "FLUSH_S", 0.05)
    asked = asyncio.Event()

    async def never_answer(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()

    server = await asyncio.start_server(never_answer, "127.0.0.1", 0)
    async with server:
        endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with exporting(endpoint) as exporter:
            exporter.put(span())
            await asked.wait()
            exporter.put(span())

    assert (exporter.exported, exporter.dropped) == (0, {"undelivered": 2})


async def test_an_answer_that_is_no_otlp_loses_the_spans(collector: Collector) -> None:
    async with exporting(collector.endpoint) as exporter:
        collector.answer = b"<html>"
        exporter.put(span())
        await eventually(lambda: exporter.dropped["undelivered"] == 1)


async def test_prometheus_is_told_what_left_and_what_was_lost(collector: Collector) -> None:
    registry = CollectorRegistry()
    async with exporting(collector.endpoint) as exporter:
        registry.register(Figures(exporter))
        exporter.put(span())
        await eventually(lambda: exporter.exported == 1)
        exporter.dropped["queue_full"] = 7

    assert registry.get_sample_value("bonpunkt_spans_exported_total") == 1
    dropped = "bonpunkt_spans_dropped_total"
    assert registry.get_sample_value(dropped, {"why": "queue_full"}) == 7
    assert registry.get_sample_value(dropped, {"why": "undelivered"}) == 0
