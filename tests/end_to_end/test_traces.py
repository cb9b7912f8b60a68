"""One trace from till to webhook, told by three processes that hand nothing on to each other."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

import aiohttp
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from bonpunkt.notifier.v1 import notifier_pb2, notifier_pb2_grpc
from bonpunkt.till import operations
from bonpunkt.till.client import Till
from bonpunkt.till.v1 import till_pb2 as pb
from bonpunkt.till.v1 import till_pb2_grpc as till_service
from services.runtime.grpc import channel
from tests.end_to_end.receivers import LOOPBACK_ALLOWED
from tests.servers.collector import Collector, Seen, collecting
from tests.servers.ports import free_port
from tests.servers.suite import CALL_WITHIN_S, Member, Suite, Terminal
from tests.servers.waiting import eventually

CASHIER, RECEIPT, GOODS = "Frau Morgenstern", "R-4711-0815", "Bio-Dinkelbrot"
TILLS_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
EVERY_TRACE = {"BONPUNKT_TRACE_SHARE": "1"}


@asynccontextmanager
async def webhooks(suite: Suite) -> AsyncIterator[list[tuple[str, str]]]:
    """`traceparent` and body of every webhook that arrives."""
    arrived: list[tuple[str, str]] = []

    async def handle(request: web.Request) -> web.Response:
        arrived.append((request.headers.get("traceparent", ""), await request.text()))
        return web.Response(status=204)

    app = web.Application()
    app.add_routes([web.post("/", handle)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    request = notifier_pb2.AddEndpointRequest(
        name="crm", url=f"http://127.0.0.1:{runner.addresses[0][1]}/"
    )
    async with channel(suite.notifier_target) as notifier:
        await notifier_pb2_grpc.EndpointServiceStub(notifier).AddEndpoint(
            request, metadata=suite.metadata, timeout=CALL_WITHIN_S
        )
    try:
        yield arrived
    finally:
        await runner.cleanup()


def capture(member: Member, *, receipt_number: str = RECEIPT) -> pb.Operation:
    basket = operations.basket(
        [operations.line_item("1", text=GOODS, total_minor=349, vat_rate_key="DE_7")],
        currency="EUR",
        receipt_number=receipt_number,
        business_date=date(2026, 5, 4),
        cashier=CASHIER,
    )
    return operations.capture(member.card, basket)


async def sent_with_a_trace(
    suite: Suite, terminal: Terminal, operation: pb.Operation
) -> pb.Decision:
    """As a till sends that has tracing of its own."""
    header = ("traceparent", f"00-{TILLS_TRACE}-00f067aa0ba902b7-01")
    async with channel(suite.gateway_target) as gateway:
        answer = await till_service.TillServiceStub(gateway).Submit(
            pb.SubmitRequest(operations=[operation]),
            metadata=(*terminal.metadata, header),
            timeout=CALL_WITHIN_S,
        )
    return answer.decisions[0]


def shape(trace: list[Seen]) -> list[tuple[str, str, str]]:
    """Service, name, and the name of the span above, in the order in which they began."""
    names = {span.message.span_id: span.message.name for span in trace}
    return [
        (span.service, span.message.name, names.get(span.message.parent_span_id, ""))
        for span in trace
    ]


async def test_one_trace_tells_of_a_checkout_from_till_to_webhook(
    tmp_path: Path, database: str
) -> None:
    async with collecting() as collector:
        settings = LOOPBACK_ALLOWED | EVERY_TRACE | {"BONPUNKT_OTLP_ENDPOINT": collector.endpoint}
        async with (
            Suite(tmp_path, database=database, notifier=True, settings=settings) as suite,
            webhooks(suite) as arrived,
        ):
            terminal = await suite.add_terminal("till-7", store_id="store-3")
            [member] = await suite.enrol(1)
            operation = capture(member)
            decision = await sent_with_a_trace(suite, terminal, operation)
            again = await sent_with_a_trace(suite, terminal, operation)
            unknown = operations.identify("nobody's")
            await sent_with_a_trace(suite, terminal, unknown)

            await eventually(lambda: len(collector.trace(operation.id)) == 6)
            await eventually(lambda: len(collector.trace(unknown.id)) == 1)
            [enrolled] = [span for span in collector.spans if span.message.name == "book enrol"]
            await eventually(lambda: len(collector.trace(enrolled.trace_id)) == 3)
    assert decision.HasField("captured")
    assert again == decision
    trace = collector.trace(operation.id)
    assert sorted(shape(trace)) == [
        ("gateway", "capture", ""),
        ("gateway", "capture", "capture"),  # the repeat
        ("loyalty", "book capture", "book capture"),  # answered from memory
        ("loyalty", "book capture", "capture"),
        ("notifier", "deliver capture", "take in capture"),
        ("notifier", "take in capture", "book capture"),
    ]
    assert_that_each_tells_what_it_did(trace)
    assert_that_the_receiver_was_told(trace, arrived, operation.id)
    assert shape(collector.trace(enrolled.trace_id)) == [
        ("loyalty", "book enrol", ""),  # ordered by staff: no till, no gateway
        ("notifier", "take in enrol", "book enrol"),
        ("notifier", "deliver enrol", "take in enrol"),
    ]
    [refused] = collector.trace(unknown.id)
    assert refused.attributes["bonpunkt.reason"] == "card_not_accepted"
    assert not refused.failed, "a refusal is an answer"
    assert_that_nobody_is_named(collector, member)


def assert_that_each_tells_what_it_did(trace: list[Seen]) -> None:
    at_gateway, booked, repeated, *_ = (each for each in trace if each.service != "notifier")
    assert at_gateway.attributes == {
        "bonpunkt.terminal_id": "till-7",
        "bonpunkt.store_id": "store-3",
        "bonpunkt.result": "captured",
    }
    assert at_gateway.events == ["sent to loyalty"]
    assert [link.trace_id.hex() for link in at_gateway.message.links] == [TILLS_TRACE]
    assert booked.events == [
        *("batch begins", "buckets locked", "members read"),
        *("decided", "written", "committed"),
    ]
    assert booked.attributes["bonpunkt.batch_rows"] == 1
    assert "bonpunkt.batch_rows" not in repeated.attributes
    taken_in, delivered = (each for each in trace if each.service == "notifier")
    assert taken_in.attributes == {"bonpunkt.event_type": "member.points_changed"}
    assert delivered.attributes == {
        "bonpunkt.endpoint": "crm",
        "bonpunkt.attempt": 1,
        "http.request.method": "POST",
        "http.response.status_code": 204,
    }
    assert not any(each.failed for each in trace)


def assert_that_the_receiver_was_told(
    trace: list[Seen], arrived: list[tuple[str, str]], operation_id: str
) -> None:
    [delivered] = [each for each in trace if each.message.name.startswith("deliver")]
    [header] = [header for header, body in arrived if operation_id in body]
    span_id = delivered.message.span_id.hex()
    assert header == f"00-{operation_id.replace('-', '')}-{span_id}-01"


def assert_that_nobody_is_named(collector: Collector, member: Member) -> None:
    """No card, no person, no goods: neither of the shopper nor of the cashier."""
    told = b"".join(collector.bodies)
    for secret in (member.card, member.member_id, CASHIER, RECEIPT, GOODS, "nobody's"):
        assert secret.encode() not in told


async def figure(address: str, name: str, **labels: str) -> float:
    async with aiohttp.ClientSession() as session, session.get(f"http://{address}/metrics") as got:
        text = await got.text()
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


async def test_checkouts_go_on_while_the_collector_is_dead(tmp_path: Path) -> None:
    listening = f"127.0.0.1:{free_port()}"
    settings = EVERY_TRACE | {
        "BONPUNKT_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}",
        "GATEWAY_METRICS_LISTEN": listening,
    }
    async with Suite(tmp_path, settings=settings) as suite:
        terminal = await suite.add_terminal()
        members = await suite.enrol(20)
        async with Till(
            suite.gateway_target, terminal_id=terminal.terminal_id, secret=terminal.secret
        ) as till:
            for member in members:
                purchase = capture(member, receipt_number=member.card)
                assert (await till.settle(purchase)).HasField("captured")

        async def every_span_is_counted_as_lost() -> bool:
            dropped = "bonpunkt_spans_dropped_total"
            return await figure(listening, dropped, why="undelivered") >= len(members)

        await eventually(every_span_is_counted_as_lost)
        assert await figure(listening, "bonpunkt_spans_exported_total") == 0
        assert [await suite.stop(name) for name in ("gateway", "loyalty")] == [0, 0]
    log = (tmp_path / "gateway.log").read_text(encoding="utf-8")
    assert log.count("traces are lost until the collector takes them") == 1
