"""What is read and written byte by byte is what protobuf reads and writes."""

from collections.abc import Callable, Sequence

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from bonpunkt.loyalty.v1 import ledger_pb2
from bonpunkt.till.v1 import till_pb2 as pb
from services.pos_gateway import wire
from services.pos_gateway.wire import Sent
from tests.pos_gateway.peer import FIELD_OF_TOMORROW

WELL_FORMED = "0192f3c4-0000-7000-8000-0000000000ff"
UINT32 = st.integers(0, 2**32 - 1) | st.sampled_from([127, 128, 2**28 - 1, 2**28])
TOKENS = st.integers(1, 2**64 - 1) | st.sampled_from([127, 128, 2**14, 2**56 - 1, 2**56])
TEXTS = st.text(max_size=40)
SIZES = st.sampled_from([0, 1, 127, 128, 16_383, 16_384, 300_000])
BYTES = st.binary(max_size=200) | SIZES.map(bytes)
KINDS = st.sampled_from(
    [
        {"capture": pb.Capture(card="29", basket=pb.Basket(basket_id="b" * 200))},
        {"identify": pb.Identify(card="29")},
        {"status": pb.Status(operation_id=WELL_FORMED)},
        {"enrol": pb.Enrol(card="29")},
        {},
    ]
)
OPERATIONS = st.builds(
    lambda operation_id, seconds, timeout_ms, kind: pb.Operation(
        id=operation_id,
        occurred_at={"seconds": seconds} if seconds else None,
        timeout_ms=timeout_ms,
        **kind,
    ),
    TEXTS | st.uuids().map(str),
    st.integers(0, 2_000_000_000),
    UINT32,
    KINDS,
)
MESSAGES = st.lists(OPERATIONS, max_size=4).map(
    lambda operations: pb.OpenRequest(operations=operations).SerializeToString()
)
RESPONSES = st.lists(st.builds(ledger_pb2.TillDecision, token=TOKENS, decision=BYTES), max_size=4)


def fields(sent: Sequence[Sent]) -> list[tuple[str, int, bytes]]:
    return [(each.operation_id, each.timeout_ms, each.raw) for each in sent]


def operations_as_protobuf_reads(message: bytes) -> list[tuple[str, int, bytes]]:
    raws = ledger_pb2.TillRequest.FromString(message).operations
    heads = [ledger_pb2.OperationHead.FromString(raw) for raw in raws]
    return [(head.id, head.timeout_ms, raw) for head, raw in zip(heads, raws, strict=True)]


def decisions_as_protobuf_reads(response: bytes) -> list[tuple[int, bytes]]:
    read = ledger_pb2.CommitResponse.FromString(response).decisions
    return [(each.token, each.decision) for each in read]


def read_or_refused(read: Callable[[bytes], object], raw: bytes) -> object:
    try:
        return read(raw)
    except DecodeError:
        return DecodeError


def same_operations(message: bytes) -> bool:
    def read(raw: bytes) -> object:
        return fields(wire.operations(raw))

    return read_or_refused(read, message) == read_or_refused(operations_as_protobuf_reads, message)


def same_decisions(response: bytes) -> bool:
    expected = read_or_refused(decisions_as_protobuf_reads, response)
    return read_or_refused(wire.decisions, response) == expected


def damaged(raw: bytes, data: st.DataObject) -> bytes:
    """Cut short, or with other bytes somewhere."""
    at = data.draw(st.integers(0, len(raw)))
    inserted = data.draw(st.binary(max_size=12) | st.just(FIELD_OF_TOMORROW))
    return raw[:at] + inserted + raw[at + data.draw(st.integers(0, 3)) :]


@pytest.mark.parametrize("request_type", [pb.OpenRequest, pb.SubmitRequest])
def test_the_operations_of_a_message_are_read_in_order(
    request_type: type[pb.OpenRequest] | type[pb.SubmitRequest],
) -> None:
    first = pb.Operation(id="1", timeout_ms=700, capture=pb.Capture(card="c"))
    second = pb.Operation(id="2", status=pb.Status(operation_id=WELL_FORMED))
    message = request_type(operations=[first, second]).SerializeToString()

    assert fields(wire.operations(message)) == [
        ("1", 700, first.SerializeToString()),
        ("2", 0, second.SerializeToString()),
    ]


@pytest.mark.parametrize(
    "garbage",
    [
        b"\xff\xff\xff",
        b"\x0a\x7f",
        b"\x0a\x03\x0a\x01\xff",  # an id that is no text
        b"\x0a\x02\x18\xff",  # a timeout_ms without an end
        b"\x0a\x04\x0a\x01a\x02",  # a field with the number 0
        b"\x0a\x86\x80\x80\x80\x80\x00\x0a\x01a",  # a length that goes on and on
    ],
)
def test_bytes_without_readable_operations_are_no_message(garbage: bytes) -> None:
    with pytest.raises(DecodeError):
        wire.operations(garbage)


@pytest.mark.parametrize(
    "raw",
    [
        b"\x0a\x01a\x0a\x01b",  # two ids: the last counts
        b"\x18\x05\x0a\x01a",  # the id comes last
        b"\x18\x05\x18\x06",  # no id; of two times the last counts
        b"\x0a\x01a\x18\xff\xff\xff\xff\xff\x7f",  # more than 32 bits
        b"\x0a\x81\x00a",  # a length in more bytes than it needs
        b"\x0a\x01a" + FIELD_OF_TOMORROW + b"\x18\x07",
        b"",
    ],
)
def test_an_operation_that_is_written_otherwise_is_read_as_protobuf_reads_it(raw: bytes) -> None:
    message = ledger_pb2.TillRequest(operations=[raw]).SerializeToString()

    assert fields(wire.operations(message)) == operations_as_protobuf_reads(message)


@given(MESSAGES)
def test_whatever_a_till_writes_is_read_as_protobuf_reads_it(message: bytes) -> None:
    assert fields(wire.operations(message)) == operations_as_protobuf_reads(message)


@given(MESSAGES, st.data())
def test_a_message_that_was_damaged_is_read_or_refused_as_by_protobuf(
    message: bytes, data: st.DataObject
) -> None:
    assert same_operations(damaged(message, data))


@given(RESPONSES)
def test_whatever_loyalty_writes_is_read_as_protobuf_reads_it(
    decided: list[ledger_pb2.TillDecision],
) -> None:
    response = ledger_pb2.CommitResponse(decisions=decided).SerializeToString()

    assert wire.decisions(response) == [(each.token, each.decision) for each in decided]


@given(RESPONSES, st.data())
def test_a_response_that_was_damaged_is_read_or_refused_as_by_protobuf(
    decided: list[ledger_pb2.TillDecision], data: st.DataObject
) -> None:
    response = ledger_pb2.CommitResponse(decisions=decided).SerializeToString()

    assert same_decisions(damaged(response, data))


@given(st.binary(max_size=60))
def test_bytes_of_any_kind_are_read_or_refused_as_by_protobuf(raw: bytes) -> None:
    assert same_operations(raw)
    assert same_decisions(raw)


@given(
    TOKENS,
    st.text(min_size=1, max_size=150),
    st.text(max_size=150),
    st.binary(min_size=1, max_size=200) | SIZES.filter(bool).map(bytes),
    st.integers(1, 60_000),
)
def test_a_frame_is_written_as_protobuf_writes_it(
    token: int, terminal_id: str, store_id: str, operation: bytes, timeout_ms: int
) -> None:
    written = ledger_pb2.TillOperation(
        token=token,
        terminal_id=terminal_id,
        store_id=store_id,
        operation=operation,
        timeout_ms=timeout_ms,
    )

    frame = wire.entry(token, terminal_id, store_id, operation, timeout_ms)

    assert frame == ledger_pb2.CommitRequest(operations=[written]).SerializeToString()


@given(st.lists(BYTES, max_size=3))
def test_a_response_is_written_as_protobuf_writes_it(decisions: list[bytes]) -> None:
    response = b"".join(map(wire.decision_field, decisions))

    assert response == ledger_pb2.TillResponse(decisions=decisions).SerializeToString()
