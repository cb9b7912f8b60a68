"""TillService as a till of any make meets it: plain stubs, a real gateway, a peer for loyalty."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from bonpunkt.loyalty.v1 import ledger_pb2
from bonpunkt.till.operations import new_id
from bonpunkt.till.v1 import till_pb2 as pb
from bonpunkt.till.v1.till_pb2_grpc import TillServiceStub
from services.pos_gateway.limits import Limits
from services.pos_gateway.tills import SERVICE_NAME
from services.runtime.grpc import MESSAGE_BYTES_MAX
from tests.pos_gateway.peer import (
    BLOCKED_TERMINAL,
    FIELD_OF_TOMORROW,
    OTHER_TERMINAL,
    TERMINAL,
    WITHIN_S,
    Gateway,
    Loyalty,
    Metadata,
    accept,
    id_of,
    keep_silent,
    metadata,
    running_gateway,
    settings,
    status_operation,
    uplink_stands,
)
from tests.servers.waiting import eventually

OpenCall = Any  # grpc.aio.StreamStreamCall[pb.OpenRequest, pb.OpenResponse]

STRANGERS = [
    (),
    metadata("till-9", "secret-1"),
    metadata("till-1", "secret-2"),
    metadata("till-3", "secret-3"),
]
STRANGERS_ARE = ["nobody", "an unknown terminal", "a wrong secret", "a blocked terminal"]
STATUS_TAG = bytes([pb.Operation.STATUS_FIELD_NUMBER << 3 | 2])
LEFT_TO_LOYALTY = {
    "no kind": b"",
    "a field of tomorrow": FIELD_OF_TOMORROW,
    "a kind that is no message": STATUS_TAG + b"\x02\xff\xff",
}


def opened(gateway: Gateway, shown: Metadata | None = None) -> OpenCall:
    return gateway.till.Open(metadata=shown or metadata(), timeout=WITHIN_S)


def request(*operations: pb.Operation) -> pb.OpenRequest:
    return pb.OpenRequest(operations=operations)


def refusal(operation_id: str) -> pb.Decision:
    refused = pb.Refused(reason=pb.REASON_MALFORMED, field="kind", remedy="as loyalty says")
    return pb.Decision(operation_id=operation_id, refused=refused)


def refuse(entry: ledger_pb2.TillOperation) -> pb.Decision:
    return refusal(id_of(entry))


def accepted_tomorrow(operation_id: str) -> pb.Decision:
    """A decision with a field that no gateway of today knows."""
    decision = pb.Decision(operation_id=operation_id, captured=pb.Captured(points_earned=1))
    decision.MergeFromString(FIELD_OF_TOMORROW)
    return decision


async def decisions(call: OpenCall, count: int) -> list[pb.Decision]:
    """So many decisions, however they are grouped."""
    read: list[pb.Decision] = []
    while len(read) < count:
        response = await call.read()
        assert response is not grpc.aio.EOF
        read += response.decisions
    return read


async def failure(call: OpenCall) -> tuple[grpc.StatusCode, str]:
    """Reads to the stream's end, which has to be one with a status."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await remaining(call)
    return caught.value.code(), caught.value.details() or ""


async def remaining(call: OpenCall, into: list[pb.Decision] | None = None) -> None:
    """Reads until the stream ends."""
    while (response := await call.read()) is not grpc.aio.EOF:
        if into is not None:
            into += response.decisions


async def submit_failure(
    gateway: Gateway, *operations: pb.Operation, shown: Metadata | None = None
) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.submit(*operations, shown=shown)
    return caught.value.code(), caught.value.details() or ""


@asynccontextmanager
async def gateway_with(loyalty: Loyalty, folder: Path, **changes: object) -> AsyncIterator[Gateway]:
    async with running_gateway(settings(loyalty, folder, **changes)) as gateway:
        yield gateway


async def test_operations_are_decided_on_a_stream(gateway: Gateway) -> None:
    call = opened(gateway)
    operations = [status_operation() for _ in range(3)]
    await call.write(request(*operations[:2]))
    await call.write(request(operations[2]))

    read = await decisions(call, 3)

    assert {each.operation_id for each in read} == {each.id for each in operations}


async def test_submit_answers_when_everything_is_decided_in_the_order_of_the_request(
    gateway: Gateway,
) -> None:
    operations = [status_operation() for _ in range(256)]

    read = await gateway.submit(*operations)

    assert [each.operation_id for each in read] == [each.id for each in operations]


async def test_loyalty_hears_which_terminal_and_store_it_was(
    gateway: Gateway, loyalty: Loyalty
) -> None:
    await gateway.submit(status_operation(), shown=metadata("till-2", "secret-2"))

    entry = await loyalty.operation()

    assert (entry.terminal_id, entry.store_id) == ("till-2", "store-2")


@pytest.mark.parametrize("shown", STRANGERS, ids=STRANGERS_ARE)
async def test_strangers_are_turned_away_in_the_same_words(
    gateway: Gateway, shown: Metadata
) -> None:
    turned_away = (grpc.StatusCode.UNAUTHENTICATED, "terminal id and secret are not accepted")
    call = gateway.till.Open(metadata=shown, timeout=WITHIN_S)

    assert await failure(call) == turned_away
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.till.Submit(pb.SubmitRequest(), metadata=shown, timeout=WITHIN_S)
    assert (caught.value.code(), caught.value.details()) == turned_away


async def test_a_terminal_that_becomes_blocked_loses_its_streams(
    gateway: Gateway, loyalty: Loyalty
) -> None:
    blocked, other = opened(gateway), opened(gateway, metadata("till-2", "secret-2"))
    for call in (blocked, other):
        await call.write(request(status_operation()))
        await decisions(call, 1)
    refused = type(TERMINAL)()
    refused.CopyFrom(TERMINAL)
    refused.blocked = True

    loyalty.tell_terminals(refused, OTHER_TERMINAL, BLOCKED_TERMINAL)

    assert await failure(blocked) == (
        grpc.StatusCode.UNAUTHENTICATED,
        "terminal id and secret are not accepted",
    )
    await other.write(request(status_operation()))
    assert len(await decisions(other, 1)) == 1


async def test_a_terminal_that_is_known_no_longer_loses_its_streams(
    gateway: Gateway, loyalty: Loyalty
) -> None:
    call = opened(gateway)
    await call.write(request(status_operation()))
    await decisions(call, 1)

    loyalty.tell_terminals(OTHER_TERMINAL)

    assert (await failure(call))[0] is grpc.StatusCode.UNAUTHENTICATED


async def test_a_malformed_operation_is_refused_and_the_others_are_decided(
    gateway: Gateway, loyalty: Loyalty
) -> None:
    good = status_operation()
    operations = [good, status_operation("not-a-uuid")]
    call = opened(gateway)
    await call.write(request(*operations))

    by_id = {each.operation_id: each for each in await decisions(call, 2)}
    submitted = await gateway.submit(*operations)

    assert by_id["not-a-uuid"].refused.field == "id"
    assert by_id[good.id].HasField("captured")
    assert submitted == [by_id[each.id] for each in operations]
    assert [len(frame.operations) for frame in loyalty.frames] == [1, 1]


@pytest.mark.parametrize("inside", LEFT_TO_LOYALTY.values(), ids=LEFT_TO_LOYALTY)
async def test_what_is_inside_an_operation_is_left_to_loyalty(
    gateway: Gateway, loyalty: Loyalty, inside: bytes
) -> None:
    """It gets the bytes of the till, and the till gets its words."""
    loyalty.decide = refuse
    operation_id = new_id()
    raw = inside + pb.Operation(id=operation_id, timeout_ms=7_000).SerializeToString()
    message = ledger_pb2.TillRequest(operations=[raw]).SerializeToString()
    stream = gateway.channel.stream_stream(
        f"/{SERVICE_NAME}/Open", response_deserializer=pb.OpenResponse.FromString
    )(metadata=metadata(), timeout=WITHIN_S)
    await stream.write(message)
    [decision] = await decisions(stream, 1)
    submitted = await gateway.channel.unary_unary(
        f"/{SERVICE_NAME}/Submit", response_deserializer=pb.SubmitResponse.FromString
    )(message, metadata=metadata(), timeout=WITHIN_S)

    assert [(await loyalty.operation()).operation for _ in range(2)] == [raw, raw]
    assert decision == refusal(operation_id)
    assert list(submitted.decisions) == [decision]


async def test_a_decision_reaches_the_till_as_loyalty_sent_it(
    gateway: Gateway, loyalty: Loyalty
) -> None:
    """Also what a gateway older than loyalty cannot read."""
    operation = status_operation()
    raw = accepted_tomorrow(operation.id).SerializeToString()
    loyalty.decide = lambda entry: accepted_tomorrow(id_of(entry))
    call = gateway.channel.stream_stream(
        f"/{SERVICE_NAME}/Open", response_deserializer=ledger_pb2.TillResponse.FromString
    )(metadata=metadata(), timeout=WITHIN_S)
    await call.write(request(operation).SerializeToString())

    assert list((await call.read()).decisions) == [raw]
    assert [each.SerializeToString() for each in await gateway.submit(operation)] == [raw]


@pytest.mark.parametrize("count", [0, 257])
async def test_a_wrong_number_of_operations_ends_the_call(gateway: Gateway, count: int) -> None:
    wrong = (
        grpc.StatusCode.INVALID_ARGUMENT,
        f"operations: 1 to 256 a message, got {count}",
    )
    operations = [status_operation() for _ in range(count)]
    call = opened(gateway)
    await call.write(request(*operations))

    assert await failure(call) == wrong
    assert await submit_failure(gateway, *operations) == wrong


async def test_256_operations_are_not_too_many_on_a_stream(gateway: Gateway) -> None:
    call = opened(gateway)
    await call.write(request(*[status_operation() for _ in range(256)]))

    assert len(await decisions(call, 256)) == 256


@pytest.mark.parametrize("garbage", [b"\xff\xff\xff", b"\x0a\x7f", b"\x0a\x03\x0a\x01\xff"])
async def test_bytes_that_are_no_message_end_the_call(gateway: Gateway, garbage: bytes) -> None:
    no_message = (grpc.StatusCode.INVALID_ARGUMENT, "not a message of bonpunkt.till.v1")
    stream = gateway.channel.stream_stream(f"/{SERVICE_NAME}/Open")(metadata=metadata())
    await stream.write(garbage)

    assert await failure(stream) == no_message
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.channel.unary_unary(f"/{SERVICE_NAME}/Submit")(garbage, metadata=metadata())
    assert (caught.value.code(), caught.value.details()) == no_message


def with_size(size_bytes: int) -> pb.Operation:
    """An operation that makes a message of exactly so many bytes."""
    operation = pb.Operation(id=new_id(), identify=pb.Identify(card="c" * (size_bytes - 100)))
    missing = size_bytes - request(operation).ByteSize()
    operation.identify.card += "c" * missing
    assert request(operation).ByteSize() == size_bytes
    return operation


async def test_a_message_may_have_1_mib(gateway: Gateway) -> None:
    operation = with_size(MESSAGE_BYTES_MAX)
    call = opened(gateway)
    await call.write(request(operation))

    assert [each.operation_id for each in await decisions(call, 1)] == [operation.id]
    assert [each.operation_id for each in await gateway.submit(operation)] == [operation.id]


async def test_a_larger_message_ends_the_call_and_no_other(gateway: Gateway) -> None:
    operation = with_size(MESSAGE_BYTES_MAX + 1)
    good, too_large = opened(gateway), opened(gateway)
    await too_large.write(request(operation))

    assert (await failure(too_large))[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (await submit_failure(gateway, operation))[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
    await good.write(request(status_operation()))
    assert len(await decisions(good, 1)) == 1


async def test_one_id_from_two_tills_at_once_gets_an_answer_each(
    gateway: Gateway, loyalty: Loyalty
) -> None:
    loyalty.decide = keep_silent
    one_id = new_id()
    calls = [opened(gateway), opened(gateway, metadata("till-2", "secret-2"))]
    for call in calls:
        await call.write(request(status_operation(one_id)))
    entries = [await loyalty.operation(), await loyalty.operation()]
    assert {entry.terminal_id for entry in entries} == {"till-1", "till-2"}

    loyalty.answer(*reversed(entries))

    for call in calls:
        assert [each.operation_id for each in await decisions(call, 1)] == [one_id]


async def test_a_till_that_is_done_still_hears_what_is_under_way(
    gateway: Gateway, loyalty: Loyalty
) -> None:
    loyalty.decide = keep_silent
    call = opened(gateway)
    await call.write(request(status_operation(), status_operation()))
    entries = [await loyalty.operation(), await loyalty.operation()]
    await call.done_writing()

    loyalty.answer(entries[1])
    first = await decisions(call, 1)
    loyalty.answer(entries[0])
    second = await decisions(call, 1)

    assert [first[0].operation_id, second[0].operation_id] == [
        id_of(entries[1]),
        id_of(entries[0]),
    ]
    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK


async def test_a_till_that_has_nothing_to_say_may_leave(gateway: Gateway) -> None:
    call = opened(gateway)
    await call.done_writing()

    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK


async def test_a_till_that_vanishes_disturbs_nobody(gateway: Gateway, loyalty: Loyalty) -> None:
    """Its operation is decided all the same, and the answer is dropped."""
    loyalty.decide = keep_silent
    async with grpc.aio.insecure_channel(
        gateway.target, options=[("grpc.use_local_subchannel_pool", 1)]
    ) as own_channel:
        vanishing = TillServiceStub(own_channel).Open(metadata=metadata("till-2", "secret-2"))
        await vanishing.write(request(status_operation()))
        orphan = await loyalty.operation()
    staying = opened(gateway)
    await staying.write(request(status_operation()))
    entry = await loyalty.operation()

    loyalty.answer(orphan, entry)

    assert [each.operation_id for each in await decisions(staying, 1)] == [id_of(entry)]


async def test_a_submit_that_hangs_up_disturbs_nobody(gateway: Gateway, loyalty: Loyalty) -> None:
    loyalty.decide = keep_silent
    call = gateway.till.Submit(
        pb.SubmitRequest(operations=[status_operation()]), metadata=metadata()
    )
    waiting = asyncio.ensure_future(call)  # the call begins when somebody waits for it
    orphan = await loyalty.operation()
    call.cancel()
    await asyncio.wait({waiting})

    loyalty.answer(orphan)
    loyalty.decide = accept

    assert len(await gateway.submit(status_operation())) == 1


def long_decision(entry: ledger_pb2.TillOperation) -> pb.Decision:
    """100 kB: a dozen fill what HTTP/2 and gRPC hold for a till that does not read."""
    captured = pb.Captured(receipt_lines=["x" * 1000] * 100)
    return pb.Decision(operation_id=id_of(entry), captured=captured)


async def test_a_till_that_does_not_read_its_answers_is_dropped(
    loyalty: Loyalty, tmp_path: Path
) -> None:
    """It learns so when it reads again; meanwhile others go on."""
    loyalty.decide = keep_silent
    async with gateway_with(loyalty, tmp_path, till_decisions_max=64) as gateway:
        call = opened(gateway)
        await call.write(request(*[status_operation() for _ in range(128)]))
        entries = [await loyalty.operation() for _ in range(128)]
        for entry in entries:
            loyalty.answer(entry, decide=long_decision)
        loyalty.decide = accept
        assert len(await gateway.submit(status_operation())) == 1

        read: list[pb.Decision] = []
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await remaining(call, into=read)

    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert len(read) < 128


async def test_a_till_that_sends_too_much_at_once_is_told_so(
    loyalty: Loyalty, tmp_path: Path
) -> None:
    loyalty.decide = keep_silent
    limits = Limits(terminal_operations_max=2)
    async with gateway_with(loyalty, tmp_path, limits=limits) as gateway:
        call = opened(gateway)
        operations = [status_operation() for _ in range(3)]
        await call.write(request(*operations))
        [overloaded] = await decisions(call, 1)
        assert overloaded.operation_id == operations[2].id
        assert overloaded.undecided.cause == pb.Undecided.CAUSE_OVERLOADED

        loyalty.answer(await loyalty.operation())
        await decisions(call, 1)
        await call.write(request(operations[2]))
        await loyalty.operation()
        repeated = await loyalty.operation()

    assert id_of(repeated) == operations[2].id


async def test_a_till_hears_that_loyalty_is_away(loyalty: Loyalty, tmp_path: Path) -> None:
    async with gateway_with(loyalty, tmp_path, grace_ms=10) as gateway:
        await uplink_stands(gateway, loyalty)
        await loyalty.kill()

        async def told_so() -> bool:
            [decision] = await gateway.submit(status_operation())
            return decision.undecided.cause == pb.Undecided.CAUSE_UNAVAILABLE

        await eventually(told_so)
        await loyalty.start()
        await eventually(lambda: is_decided(gateway))


async def is_decided(gateway: Gateway) -> bool:
    [decision] = await gateway.submit(status_operation())
    return decision.HasField("captured")
