"""One stream, many calls: what the client promises whatever the gateway does."""

import asyncio
import subprocess
import sys

import grpc
import pytest

from bonpunkt.till import operations
from bonpunkt.till.client import NotConnected, TerminalRefused, Till
from bonpunkt.till.v1 import till_pb2 as pb
from tests.pos_gateway.peer import (
    BLOCKED_TERMINAL,
    TERMINAL,
    WITHIN_S,
    Gateway,
    Loyalty,
    status_operation,
    uplink_stands,
)
from tests.servers.waiting import eventually
from tests.till_client.peer import Ledger, ScriptedGateway

BASKET = operations.basket([operations.line_item("1", total_minor=1_99)], currency="EUR")
CAUSE_ANSWER_LOST = pb.Undecided.CAUSE_ANSWER_LOST


def till(
    target: str,
    *,
    timeout_s: float = 30.0,
    secret: str = "secret-1",
    channel: grpc.aio.Channel | None = None,
) -> Till:
    return Till(
        target,
        terminal_id="till-1",
        secret=secret,
        timeout_s=timeout_s,
        channel=channel,
        jitter=lambda: 0.0,
    )


def captured(operation: pb.Operation, *, points: int = 1) -> pb.Decision:
    return pb.Decision(operation_id=operation.id, captured=pb.Captured(points_earned=points))


async def test_a_till_books_asks_and_abandons(gateway: Gateway, loyalty: Loyalty) -> None:
    loyalty.decide = Ledger().decide
    async with till(gateway.target) as one:
        booked = await one.capture("c", BASKET, redeem="maximum")
        found = await one.status(booked.operation_id)
        kept = await one.abandon(booked.operation_id)
        burnt = await one.abandon(operations.new_id())

    assert booked.captured.points_earned == 1
    assert found.status_found.decision == booked
    assert not kept.abandoned.abandoned
    assert kept.abandoned.decision == booked
    assert burnt.abandoned.abandoned


async def test_a_till_reserves_releases_takes_back_and_enrols(
    gateway: Gateway, loyalty: Loyalty
) -> None:
    loyalty.decide = Ledger().decide
    receipt = operations.receipt("4711", "2026-11-20")
    async with till(gateway.target) as one:
        reserved = await one.reserve("c", BASKET, redeem=50)
        booked = await one.capture("c", BASKET, redeem=50, reservation_id=reserved.operation_id)
        released = await one.release(reserved.operation_id)
        voided = await one.void_receipt(receipt, business_date="2026-11-20")
        returned = await one.return_items(
            receipt,
            [operations.return_line("1")],
            receipt_number="4712",
            business_date="2026-11-20",
        )
        enrolled = await one.enrol("new", language="de")

    assert [
        decision.WhichOneof("result")
        for decision in (reserved, booked, released, voided, returned, enrolled)
    ] == ["reservation", "captured", "released", "voided", "returned", "enrolled"]


async def test_every_operation_carries_the_tills_timeout(scripted: ScriptedGateway) -> None:
    receipt = operations.receipt_of(operations.new_id())
    async with till(scripted.target, timeout_s=12.5) as one:
        calls = [
            asyncio.ensure_future(work)
            for work in (
                one.identify("c"),
                one.quote("c", BASKET),
                one.reserve("c", BASKET),
                one.release(operations.new_id()),
                one.capture("c", BASKET),
                one.void_receipt(receipt, business_date="2026-11-20"),
                one.return_items(receipt, receipt_number="1", business_date="2026-11-20"),
                one.enrol("c", language="de"),
                one.status(operations.new_id()),
                one.abandon(operations.new_id()),
            )
        ]
        sent: list[pb.Operation] = []
        while len(sent) < len(calls):
            sent += (await scripted.request()).operations
        scripted.say(*map(captured, sent))
        await asyncio.gather(*calls)

    assert {each.timeout_ms for each in sent} == {12_500}
    kinds = [field.name for field in pb.Operation.DESCRIPTOR.oneofs_by_name["kind"].fields]
    assert sorted(each.WhichOneof("kind") for each in sent) == sorted(kinds)


async def test_send_many_is_one_message_and_answers_in_its_order(
    scripted: ScriptedGateway,
) -> None:
    sent = [status_operation(timeout_ms=30_000) for _ in range(256)]
    async with till(scripted.target) as one:
        call = asyncio.create_task(one.send_many(sent))
        request = await scripted.request()
        assert list(request.operations) == sent

        scripted.say(*map(captured, reversed(sent[:100])))
        scripted.say(*map(captured, reversed(sent[100:])))

        assert [each.operation_id for each in await call] == [each.id for each in sent]


@pytest.mark.parametrize("count", [0, 257])
async def test_what_would_end_the_stream_is_not_sent(scripted: ScriptedGateway, count: int) -> None:
    async with till(scripted.target) as one:
        with pytest.raises(ValueError, match="1 to 256 operations"):
            await one.send_many([status_operation()] * count)


async def test_a_message_over_1_mib_is_not_sent(gateway: Gateway) -> None:
    def with_card(length: int) -> pb.Operation:
        return operations.identify("c" * length)

    async with till(gateway.target) as one:
        with pytest.raises(ValueError, match="1048576 bytes"):
            await one.send(with_card(1 << 20))
        assert (await one.send(with_card((1 << 20) - 100))).HasField("captured")


async def test_calls_that_wait_for_the_stream_share_messages_within_the_bounds(
    scripted: ScriptedGateway,
) -> None:
    async with till(scripted.target) as one:
        small = [status_operation(timeout_ms=30_000) for _ in range(300)]
        large = [operations.identify("c" * 600_000, timeout_ms=30_000) for _ in range(2)]
        calls = [asyncio.create_task(one.send(each)) for each in [*small, *large]]
        requests = [await scripted.request() for _ in range(3)]
        for request in requests:
            scripted.say(*map(captured, request.operations))
        await asyncio.gather(*calls)

    assert [len(request.operations) for request in requests] == [256, 45, 1]


async def test_decisions_in_any_order_and_unknown_or_repeated_ones_do_no_harm(
    scripted: ScriptedGateway,
) -> None:
    async with till(scripted.target) as one:
        first, second = (status_operation(timeout_ms=30_000) for _ in range(2))
        calls = [asyncio.create_task(one.send(each)) for each in (first, second)]
        await scripted.request()

        scripted.say(captured(status_operation()), captured(second))
        scripted.say(captured(second), captured(first))

        assert [each.operation_id for each in await asyncio.gather(*calls)] == [
            first.id,
            second.id,
        ]


async def test_two_calls_under_one_id_both_get_the_answer(scripted: ScriptedGateway) -> None:
    operation = status_operation(timeout_ms=30_000)
    async with till(scripted.target) as one:
        calls = [asyncio.create_task(one.send(operation)) for _ in range(2)]
        await scripted.request()

        scripted.say(captured(operation))

        assert await asyncio.gather(*calls) == [captured(operation)] * 2


async def test_a_broken_stream_loses_the_answers_to_what_was_written(
    scripted: ScriptedGateway,
) -> None:
    sent = [status_operation(timeout_ms=30_000) for _ in range(2)]
    async with till(scripted.target) as one:
        call = asyncio.create_task(one.send_many(sent))
        await scripted.request()
        scripted.say(captured(sent[0]))
        scripted.hang_up()

        kept, lost = await call

    assert kept == captured(sent[0])
    assert lost.operation_id == sent[1].id
    assert lost.undecided.cause == CAUSE_ANSWER_LOST
    assert lost.undecided.remedy


async def test_a_crash_of_the_gateway_loses_them_too(scripted: ScriptedGateway) -> None:
    async with till(scripted.target) as one:
        call = asyncio.create_task(one.send(status_operation(timeout_ms=30_000)))
        await scripted.request()

        await scripted.kill()

        assert (await call).undecided.cause == CAUSE_ANSWER_LOST


async def test_the_client_connects_again(scripted: ScriptedGateway) -> None:
    async with till(scripted.target) as one:
        for stream in range(1, 4):
            await one.connected()
            call = asyncio.create_task(one.send(status_operation(timeout_ms=30_000)))
            [operation] = (await scripted.request()).operations
            scripted.say(captured(operation))
            assert await call == captured(operation)
            assert scripted.streams == stream
            scripted.hang_up()
            await eventually(lambda seen=stream: scripted.streams > seen)  # type: ignore[misc]


async def test_what_was_not_written_waits_for_the_gateway(scripted: ScriptedGateway) -> None:
    await scripted.kill()
    async with till(scripted.target) as one:
        call = asyncio.create_task(one.send(status_operation(timeout_ms=30_000)))
        await asyncio.sleep(0)
        await scripted.start()
        [operation] = (await scripted.request()).operations
        scripted.say(captured(operation))

        assert await call == captured(operation)


async def test_an_operation_without_a_gateway_is_not_sent(scripted: ScriptedGateway) -> None:
    await scripted.kill()
    async with till(scripted.target, timeout_s=0.001) as one:
        with pytest.raises(NotConnected):
            await one.identify("c")
        await scripted.start()
        await one.connected()
        call = asyncio.create_task(one.send(status_operation(timeout_ms=30_000)))

        request = await scripted.request()  # the first operation is not sent late either

        assert [each.WhichOneof("kind") for each in request.operations] == ["status"]
        scripted.say(*map(captured, request.operations))
        await call


async def test_no_answer_in_time_is_a_lost_answer(scripted: ScriptedGateway) -> None:
    async with till(scripted.target, timeout_s=0.001) as one:
        await one.connected()
        decision = await one.identify("c")

    assert decision.undecided.cause == CAUSE_ANSWER_LOST


async def test_a_late_answer_is_dropped(scripted: ScriptedGateway) -> None:
    async with till(scripted.target, timeout_s=0.001) as one:
        await one.connected()
        operation = status_operation(timeout_ms=1)
        assert (await one.send(operation)).HasField("undecided")
        await scripted.request()

        scripted.say(captured(operation))
        call = asyncio.create_task(one.send(status_operation(timeout_ms=30_000)))
        [other] = (await scripted.request()).operations
        scripted.say(captured(other))

        assert await call == captured(other)


async def test_a_cancelled_call_leaves_nothing_behind(scripted: ScriptedGateway) -> None:
    operation = status_operation(timeout_ms=30_000)
    async with till(scripted.target) as one:
        call = asyncio.create_task(one.send(operation))
        await scripted.request()
        call.cancel()
        await asyncio.wait({call})

        again = asyncio.create_task(one.send(operation))
        await scripted.request()
        scripted.say(captured(operation))

        assert await again == captured(operation)


async def test_a_terminal_that_is_refused_hears_so(gateway: Gateway) -> None:
    async with till(gateway.target, secret="wrong") as one:
        with pytest.raises(TerminalRefused, match="not accepted"):
            await one.identify("c")
        with pytest.raises(TerminalRefused):
            await one.connected()


async def test_a_terminal_that_is_accepted_later_connects(
    gateway: Gateway, loyalty: Loyalty
) -> None:
    loyalty.tell_terminals()
    async with till(gateway.target) as one:

        async def refused() -> bool:
            try:
                await one.connected()
            except TerminalRefused:
                return True
            return False

        await eventually(refused)
        loyalty.tell_terminals(TERMINAL)

        async def accepted() -> bool:
            return not await refused()

        await eventually(accepted)
        assert (await one.identify("c")).HasField("captured")


async def test_a_terminal_that_becomes_blocked_loses_its_answers_and_is_refused(
    gateway: Gateway, loyalty: Loyalty
) -> None:
    await uplink_stands(gateway, loyalty)
    loyalty.decide = lambda entry: None
    async with till(gateway.target) as one:
        call = asyncio.create_task(one.identify("c"))
        await eventually(lambda: len(loyalty.frames) > 1)

        loyalty.tell_terminals(BLOCKED_TERMINAL)

        assert (await call).undecided.cause == CAUSE_ANSWER_LOST
        with pytest.raises(TerminalRefused):
            await one.identify("c")


async def test_hanging_up_ends_every_call(scripted: ScriptedGateway) -> None:
    async with till(scripted.target) as one:
        written = asyncio.create_task(one.identify("c"))
        await scripted.request()

    assert (await asyncio.wait_for(written, WITHIN_S)).undecided.cause == CAUSE_ANSWER_LOST
    with pytest.raises(NotConnected, match="closed"):
        await one.identify("c")


async def test_hanging_up_before_there_was_a_connection_ends_every_call(
    scripted: ScriptedGateway,
) -> None:
    await scripted.kill()
    async with till(scripted.target) as one:
        call = asyncio.create_task(one.identify("c"))
        await asyncio.sleep(0)

    with pytest.raises(NotConnected, match="closed"):
        await asyncio.wait_for(call, WITHIN_S)


async def test_many_tills_share_a_channel_that_outlives_them(gateway: Gateway) -> None:
    tills = [till("unused", channel=gateway.channel) for _ in range(20)]
    for one in tills:
        await one.__aenter__()
    decisions = await asyncio.gather(*(one.identify("c") for one in tills))
    for one in tills:
        await one.__aexit__(None, None, None)

    assert all(each.HasField("captured") for each in decisions)
    assert len(await gateway.submit(status_operation())) == 1


def test_the_client_imports_nothing_of_the_services() -> None:
    """It is shipped with the stubs, to tills that have nothing else."""
    program = (
        "import sys\n"
        "import bonpunkt.till.client\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('services', 'structlog')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"
