"""Which tills may speak, and how gateways hear of it."""

import asyncio
import hashlib

import grpc
import pytest

from bonpunkt.loyalty.v1 import terminal_pb2 as pb
from bonpunkt.loyalty.v1.terminal_pb2_grpc import (
    TerminalServiceStub,
    add_TerminalServiceServicer_to_server,
)
from services.loyalty.office.terminals import TerminalsChanged, TerminalServicer
from tests.loyalty.office.conftest import CLI, Office

WITHIN_S = 10.0


async def add(office: Office, terminal_id: str, store_id: str = "store-1") -> pb.Terminal:
    request = pb.AddTerminalRequest(terminal_id=terminal_id, store_id=store_id)
    return (await office.terminals.AddTerminal(request, metadata=CLI)).terminal


async def block(office: Office, terminal_id: str) -> pb.Terminal:
    request = pb.BlockTerminalRequest(terminal_id=terminal_id)
    return (await office.terminals.BlockTerminal(request, metadata=CLI)).terminal


async def next_list(stream: grpc.aio.UnaryStreamCall) -> list[tuple[str, bool]]:
    async with asyncio.timeout(WITHIN_S):
        answer = await stream.read()
    return [(terminal.terminal_id, terminal.blocked) for terminal in answer.terminals]


async def test_the_secret_is_told_once_and_kept_as_its_hash(office: Office) -> None:
    request = pb.AddTerminalRequest(terminal_id="till-1", store_id="store-1")

    answer = await office.terminals.AddTerminal(request, metadata=CLI)

    listed = (await office.terminals.ListTerminals(pb.ListTerminalsRequest())).terminals
    assert list(listed) == [answer.terminal]
    assert answer.terminal.secret_sha256 == hashlib.sha256(answer.secret.encode()).digest()
    assert len(answer.secret) == 43, "32 random bytes as URL-safe text"
    assert answer.terminal.added_at.ToDatetime() == office.clock.now.replace(tzinfo=None)
    assert answer.secret.encode() not in listed[0].SerializeToString()


@pytest.mark.parametrize(
    ("terminal_id", "store_id", "field"),
    [
        ("", "store-1", "terminal_id"),
        ("x" * 65, "store-1", "terminal_id"),
        ("till 1", "store-1", "terminal_id"),
        ("till/1", "store-1", "terminal_id"),
        ("till-1\n", "store-1", "terminal_id"),
        ("tïll", "store-1", "terminal_id"),
        ("till-1", "", "store_id"),
        ("till-1", "x" * 65, "store_id"),
    ],
)
async def test_a_malformed_terminal_is_refused_by_field(
    office: Office, terminal_id: str, store_id: str, field: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await add(office, terminal_id, store_id)

    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert (raised.value.details() or "").startswith(f"{field}: ")
    assert await office.actions() == []


async def test_ids_of_the_longest_form_are_taken(office: Office) -> None:
    assert (await add(office, "T" * 64, "s" * 64)).terminal_id == "T" * 64


async def test_an_id_is_taken_once_and_keeps_its_secret(office: Office) -> None:
    first = await add(office, "till-1")

    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await add(office, "till-1", "store-2")

    assert raised.value.code() is grpc.StatusCode.ALREADY_EXISTS
    listed = await office.terminals.ListTerminals(pb.ListTerminalsRequest())
    assert list(listed.terminals) == [first]


async def test_two_who_add_the_same_id_at_once_are_told_apart(office: Office) -> None:
    outcomes = await asyncio.gather(
        *(add(office, "till-1", f"store-{n}") for n in range(8)), return_exceptions=True
    )

    refused = [o for o in outcomes if isinstance(o, grpc.aio.AioRpcError)]
    assert len(refused) == 7
    assert {error.code() for error in refused} == {grpc.StatusCode.ALREADY_EXISTS}
    assert [a[1] for a in await office.actions()] == ["terminal.add"]


async def test_blocking_is_recorded_once(office: Office) -> None:
    await add(office, "till-1")

    assert (await block(office, "till-1")).blocked
    assert (await block(office, "till-1")).blocked

    assert [a[1] for a in await office.actions()] == ["terminal.add", "terminal.block"]


@pytest.mark.parametrize("terminal_id", ["till-9", "", "a b"])
async def test_blocking_an_unknown_terminal_is_not_found(office: Office, terminal_id: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await block(office, terminal_id)

    assert raised.value.code() is grpc.StatusCode.NOT_FOUND


async def test_a_follower_hears_the_list_at_once_and_after_each_change(office: Office) -> None:
    stream = office.terminals.FollowTerminals(pb.FollowTerminalsRequest())
    assert await next_list(stream) == []

    await add(office, "till-1")
    assert await next_list(stream) == [("till-1", False)]
    await add(office, "till-2")
    assert await next_list(stream) == [("till-1", False), ("till-2", False)]
    await block(office, "till-1")

    assert await next_list(stream) == [("till-1", True), ("till-2", False)]


async def test_a_follower_hears_what_another_process_changed(office: Office) -> None:
    """Another server on the same database shares no signal with this one."""
    stream = office.terminals.FollowTerminals(pb.FollowTerminalsRequest())
    assert await next_list(stream) == []
    other = grpc.aio.server()
    servicer = TerminalServicer(office.engine, office.clock, TerminalsChanged())
    add_TerminalServiceServicer_to_server(servicer, other)
    port = other.add_insecure_port("127.0.0.1:0")
    await other.start()

    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        request = pb.AddTerminalRequest(terminal_id="till-1", store_id="store-1")
        await TerminalServiceStub(channel).AddTerminal(request, metadata=CLI)

    assert await next_list(stream) == [("till-1", False)]
    await other.stop(grace=None)


async def test_streams_end_when_the_server_wants_to_stop(office: Office) -> None:
    stream = office.terminals.FollowTerminals(pb.FollowTerminalsRequest())
    assert await next_list(stream) == []

    office.changed.close()

    async with asyncio.timeout(WITHIN_S):
        assert await stream.read() is grpc.aio.EOF
