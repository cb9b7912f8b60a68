"""Messages that are none, and tills that nobody knows, are turned away and disturb nobody.

They never reach the ledger, so one house is enough; and nothing in it is changed.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest

from bonpunkt.loyalty.v1 import terminal_pb2, terminal_pb2_grpc
from bonpunkt.till import operations as build
from bonpunkt.till.client import TerminalRefused, Till
from bonpunkt.till.v1 import till_pb2 as pb
from services.runtime.grpc import MESSAGE_BYTES_MAX, Metadata, bearer, channel
from tests.end_to_end.counter import House, open_house
from tests.servers.suite import CALL_WITHIN_S, Terminal
from tests.servers.waiting import eventually

METHODS = {
    "call": "/bonpunkt.till.v1.TillService/Submit",
    "stream": "/bonpunkt.till.v1.TillService/Open",
}


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    folder = tmp_path_factory.mktemp("bad-messages") / "var"
    async with open_house(folder, database="sqlite", purchases=60) as running:
        yield running


@dataclass(frozen=True, slots=True)
class Answer:
    """How gRPC answered a message; decisions only with OK."""

    code: grpc.StatusCode
    words: str = ""
    decisions: tuple[pb.Decision, ...] = ()


async def _answer(
    house: House, message: bytes, *, way: str, shown: Metadata | None = None
) -> Answer:
    """What comes back for these bytes; from the first counter unless another identity is shown.

    In a thread: the synchronous client tells a server's status even while it still writes.
    """
    if shown is None:
        shown = house.first.terminal.metadata
    return await asyncio.to_thread(
        _ask, message, target=house.suite.gateway_target, way=way, shown=shown
    )


def _ask(message: bytes, *, target: str, way: str, shown: Metadata) -> Answer:
    with grpc.insecure_channel(target) as to_gateway:
        try:
            if way == "call":
                call: Any = to_gateway.unary_unary(METHODS[way])
                answered = call(message, metadata=shown, timeout=CALL_WITHIN_S)
            else:
                stream: Any = to_gateway.stream_stream(METHODS[way])
                answered = next(stream(iter([message]), metadata=shown, timeout=CALL_WITHIN_S))
        except grpc.RpcError as error:
            said: Any = error  # a call too, which its types do not tell
            return Answer(said.code(), said.details())
    decisions = tuple(pb.SubmitResponse.FromString(answered).decisions)
    return Answer(grpc.StatusCode.OK, decisions=decisions)


def _quote_of(house: House, *, size_bytes: int) -> bytes:
    """A recorded basket's quote, filled up to exactly so many bytes by the cashier's name."""
    request = pb.SubmitRequest(operations=[house.purchase().quote()])
    basket = request.operations[0].quote.basket
    basket.cashier = "x" * size_bytes
    basket.cashier = "x" * (2 * size_bytes - request.ByteSize())
    assert request.ByteSize() == size_bytes
    return request.SerializeToString()


async def test_a_message_over_one_mebibyte_is_turned_away(house: House, way: str) -> None:
    message = _quote_of(house, size_bytes=MESSAGE_BYTES_MAX + 1)
    before = await house.state()

    answer = await _answer(house, message, way=way)

    assert answer.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert await house.change_of(before) == []


async def test_a_message_of_one_mebibyte_is_answered(house: House, way: str) -> None:
    answer = await _answer(house, _quote_of(house, size_bytes=MESSAGE_BYTES_MAX), way=way)

    assert answer.code is grpc.StatusCode.OK
    assert answer.decisions[0].refused.field == "quote.basket.cashier"


def _questions(count: int) -> bytes:
    operations = [build.status(build.new_id()) for _ in range(count)]
    return pb.SubmitRequest(operations=operations).SerializeToString()


@pytest.mark.parametrize("count", [0, 257])
async def test_a_message_of_no_or_too_many_operations_is_turned_away(
    house: House, way: str, count: int
) -> None:
    answer = await _answer(house, _questions(count), way=way)

    assert answer.code is grpc.StatusCode.INVALID_ARGUMENT
    assert answer.words.startswith("operations: ")


async def test_a_message_of_256_operations_is_answered(house: House, way: str) -> None:
    assert (await _answer(house, _questions(256), way=way)).code is grpc.StatusCode.OK


async def test_what_is_no_message_is_turned_away(house: House, way: str) -> None:
    answer = await _answer(house, b"\xff no protobuf", way=way)

    assert answer.code is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    "broken",
    [b"\x62\x02\xff\xff", b"\x62\x03\x0a\x01\xff", b"\x12\x01\xff", b"\x62\x7f", b"\x0a\x01\xff"],
    ids=["capture", "card in no character set", "time", "end missing", "id in no character set"],
)
async def test_an_operation_that_is_none_is_refused_or_turned_away(
    house: House, way: str, broken: bytes
) -> None:
    """Whoever looks into it first, gateway or loyalty."""
    operation = build.abandon(build.new_id()).SerializeToString() + broken
    message = b"\x0a" + bytes([len(operation)]) + operation
    before = await house.state()

    answer = await _answer(house, message, way=way)

    if answer.code is grpc.StatusCode.OK:
        assert [each.refused.reason for each in answer.decisions] == [pb.REASON_MALFORMED]
    else:
        assert answer.code is grpc.StatusCode.INVALID_ARGUMENT
    assert await house.change_of(before) == []


async def test_fields_of_a_later_contract_do_no_harm(house: House, way: str) -> None:
    """And make no other request of it: without them, the same id has the same answer."""
    operation = house.purchase().capture()
    later = pb.Operation.FromString(operation.SerializeToString() + b"\xfa\x3e\x03new")
    assert later.ByteSize() > operation.ByteSize()

    booked = await house.first.send(later, way=way)
    repeated = await house.first.send(operation, way=way)

    assert booked.HasField("captured")
    assert repeated == booked


def _strangers(house: House, *, blocked: Terminal) -> list[Metadata]:
    known = house.first.terminal
    return [
        (("bonpunkt-terminal", "till-nobody-knows"), *bearer(known.secret)),
        (("bonpunkt-terminal", known.terminal_id), *bearer("wrong")),
        (("bonpunkt-terminal", known.terminal_id),),
        bearer(known.secret),
        bearer(house.suite.service_token),
        (),
        blocked.metadata,
    ]


async def test_every_stranger_is_turned_away_with_one_answer(house: House, way: str) -> None:
    """Unknown, wrong secret, no identity, blocked: nobody learns which terminals exist."""
    blocked = await _blocked_terminal(house)
    message = pb.SubmitRequest(operations=[house.purchase().capture()]).SerializeToString()
    before = await house.state()

    answers = [
        await _answer(house, message, way=way, shown=shown)
        for shown in _strangers(house, blocked=blocked)
    ]

    refused = Answer(grpc.StatusCode.UNAUTHENTICATED, "terminal id and secret are not accepted")
    assert answers == [refused] * len(answers)
    assert await house.change_of(before) == []


async def _blocked_terminal(house: House) -> Terminal:
    """A terminal that was admitted, and is no longer."""
    terminal = await house.suite.add_terminal()
    async with channel(house.suite.loyalty_target) as loyalty:
        await terminal_pb2_grpc.TerminalServiceStub(loyalty).BlockTerminal(
            terminal_pb2.BlockTerminalRequest(terminal_id=terminal.terminal_id),
            metadata=house.suite.metadata,
            timeout=CALL_WITHIN_S,
        )

    async def is_turned_away() -> bool:
        answer = await _answer(house, _questions(1), way="call", shown=terminal.metadata)
        return answer.code is not grpc.StatusCode.OK

    await eventually(is_turned_away)
    return terminal


async def test_a_stranger_learns_so_from_the_till_client(house: House) -> None:
    async with Till(
        house.suite.gateway_target, terminal_id="till-nobody-knows", secret="wrong"
    ) as till:
        with pytest.raises(TerminalRefused):
            await till.connected()


async def test_nothing_of_this_has_broken_the_stream_to_loyalty(house: House) -> None:
    """All tills share it: whoever could end it could disturb them all."""
    assert house.streams_opened() == 1
