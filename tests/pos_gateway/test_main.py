"""The gateway as a whole: when it listens, what health says, how it stops, without loyalty."""

import asyncio
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bonpunkt.till.v1 import till_pb2 as pb
from bonpunkt.till.v1.till_pb2_grpc import TillServiceStub
from services.pos_gateway.__main__ import serve
from services.pos_gateway.tills import SERVICE_NAME
from services.runtime.grpc import is_serving
from tests.pos_gateway.peer import (
    TOKEN,
    WITHIN_S,
    Gateway,
    Loyalty,
    id_of,
    keep_silent,
    metadata,
    running_gateway,
    settings,
    status_operation,
)
from tests.servers.ports import free_port
from tests.servers.process import Process
from tests.servers.waiting import eventually

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def test_a_gateway_does_not_listen_before_it_knows_the_terminals(
    loyalty: Loyalty, tmp_path: Path
) -> None:
    """Else it would turn rightful tills away as unknown."""
    await loyalty.kill()
    target = f"127.0.0.1:{free_port()}"
    stop, listening = asyncio.Event(), asyncio.Event()
    served = asyncio.create_task(
        serve(
            settings(loyalty, tmp_path, listen=target),
            stop=stop,
            listening=lambda _: listening.set(),
        )
    )
    assert not await is_serving(target)

    await loyalty.start()
    await asyncio.wait_for(listening.wait(), WITHIN_S)

    assert await is_serving(target)
    stop.set()
    await served


async def test_a_gateway_that_knows_no_terminals_yet_can_be_stopped(
    loyalty: Loyalty, tmp_path: Path
) -> None:
    await loyalty.kill()
    stop = asyncio.Event()
    served = asyncio.create_task(serve(settings(loyalty, tmp_path), stop=stop))

    stop.set()

    await asyncio.wait_for(served, WITHIN_S)


async def test_a_gateway_starts_without_loyalty_from_the_copy_on_disk(
    loyalty: Loyalty, tmp_path: Path
) -> None:
    chosen = settings(loyalty, tmp_path, grace_ms=0)
    async with running_gateway(chosen):
        await eventually(chosen.terminals_path.exists)
    await loyalty.kill()

    async with running_gateway(chosen) as gateway:
        [decision] = await gateway.submit(status_operation())
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await gateway.submit(status_operation(), shown=metadata("till-1", "wrong"))
        assert await is_serving(gateway.target)

    assert decision.undecided.cause == pb.Undecided.CAUSE_UNAVAILABLE
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_health_says_first_that_the_gateway_is_stopping(
    gateway: Gateway, loyalty: Loyalty
) -> None:
    """A balancer takes it out while what is in flight is still answered."""
    loyalty.decide = keep_silent
    till = gateway.till.Open(metadata=metadata())
    await till.write(pb.OpenRequest(operations=[status_operation()]))
    entry = await loyalty.operation()
    watch = health_pb2_grpc.HealthStub(gateway.channel).Watch(
        health_pb2.HealthCheckRequest(service=SERVICE_NAME)
    )
    assert (await watch.read()).status == SERVING

    gateway.stop.set()

    assert (await watch.read()).status == NOT_SERVING
    loyalty.answer(entry)
    response = await till.read()
    assert [each.operation_id for each in response.decisions] == [id_of(entry)]


async def test_a_stopping_gateway_answers_what_is_in_flight_and_tells_tills_to_connect_again(
    gateway: Gateway, loyalty: Loyalty
) -> None:
    loyalty.decide = keep_silent
    till, idle = (gateway.till.Open(metadata=metadata()) for _ in range(2))
    await idle.initial_metadata()
    await till.write(pb.OpenRequest(operations=[status_operation()]))
    submitted = asyncio.create_task(gateway.submit(status_operation()))
    entries = [await loyalty.operation(), await loyalty.operation()]

    gateway.stop.set()
    with pytest.raises(grpc.aio.AioRpcError) as idle_end:
        await idle.read()
    loyalty.answer(*entries)

    response = await till.read()
    assert len(response.decisions) == 1
    with pytest.raises(grpc.aio.AioRpcError) as till_end:
        await till.read()
    assert len(await submitted) == 1
    assert idle_end.value.code() is grpc.StatusCode.UNAVAILABLE
    assert till_end.value.code() is grpc.StatusCode.UNAVAILABLE
    await asyncio.wait_for(gateway.served, WITHIN_S)


async def test_a_stopping_gateway_waits_for_no_answer_for_ever(
    gateway: Gateway, loyalty: Loyalty
) -> None:
    loyalty.decide = keep_silent
    till = gateway.till.Open(metadata=metadata())
    await till.write(pb.OpenRequest(operations=[status_operation(timeout_ms=60_000)]))
    await loyalty.operation()

    gateway.stop.set()

    await asyncio.wait_for(gateway.served, WITHIN_S)
    assert await till.code() is not grpc.StatusCode.OK


async def test_sigterm_ends_the_process_in_order(loyalty: Loyalty, tmp_path: Path) -> None:
    token_file = tmp_path / "service-token"
    token_file.write_text(TOKEN, encoding="ascii")
    target = f"127.0.0.1:{free_port()}"
    gateway = Process(
        "gateway",
        module="services.pos_gateway",
        environment={
            "BONPUNKT_DATA": str(tmp_path),
            "BONPUNKT_SERVICE_TOKEN_FILE": str(token_file),
            "GATEWAY_LISTEN": target,
            "GATEWAY_LOYALTY": loyalty.target,
        },
        log=tmp_path / "gateway.log",
        ready=lambda: is_serving(target),
    )
    await gateway.start()
    try:
        async with grpc.aio.insecure_channel(target) as channel:
            answer = await TillServiceStub(channel).Submit(
                pb.SubmitRequest(operations=[status_operation()]),
                metadata=metadata(),
                timeout=WITHIN_S,
            )
        await eventually((tmp_path / "gateway" / "terminals.json").is_file)
    finally:
        status = await gateway.stop()

    assert status == 0
    assert len(answer.decisions) == 1
