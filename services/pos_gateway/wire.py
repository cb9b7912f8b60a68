"""The messages of which a gateway sees thousands a second, read and written byte by byte.

protobuf makes an object of each message and looks up each field of it by name, which is more work
than all else that a gateway does with an operation. A message written as protobuf writes it is read
here; protobuf reads every other one. What is written here is what protobuf would write.
"""

from typing import Final

from bonpunkt.loyalty.v1 import ledger_pb2
from services.runtime.varint import varint

# What protobuf writes before a field: its number and its wire type.
_ENTRY: Final = 0x0A  # TillRequest.operations, TillResponse.decisions, Commit*.operations/decisions
_ID: Final = 0x0A
_TIMEOUT: Final = 0x18
_SKIPPED: Final = b"\x12\x52\x5a\x62\x6a\x72\x7a"  # occurred_at, and the commoner kinds
_TOKEN: Final = 0x08
_DECISION: Final = 0x12
_LONG: Final = 0x80  # a length or a number of more than one byte begins with such a one
_SMALL: Final = 21  # the last shift of a number of 28 bits: a length, or a timeout
_LARGE: Final = 49  # of one of 56 bits


class Sent:
    """An operation as a till sent it: its bytes, and what of them a gateway acts upon."""

    def __init__(self, operation_id: str, timeout_ms: int, raw: bytes) -> None:
        self.operation_id = operation_id
        self.timeout_ms = timeout_ms
        self.raw = raw


def operations(message: bytes) -> list[Sent]:
    """The operations of an OpenRequest or SubmitRequest. DecodeError if it is neither."""
    sent: list[Sent] = []
    at, end = 0, len(message)
    try:
        while at < end:
            start, stop = _field(message, at, _ENTRY)
            operation = _operation(message[start:stop]) if start <= stop <= end else None
            if operation is None:
                return _any_operations(message)
            sent.append(operation)
            at = stop
    except IndexError:  # it ends within a field
        return _any_operations(message)
    return sent


def entry(token: int, terminal_id: str, store_id: str, operation: bytes, timeout_ms: int) -> bytes:
    """An operation in a CommitRequest, which is nothing but these, one after the other. A number
    is above 0, and nothing but `store_id` is empty.
    """
    terminal, store = terminal_id.encode(), store_id.encode()
    body = (
        b"\x08"
        + varint(token)
        + b"\x12"
        + varint(len(terminal))
        + terminal
        + (b"\x1a" + varint(len(store)) + store if store else b"")
        + b"\x22"
        + varint(len(operation))
    )
    rest = b"\x28" + varint(timeout_ms)
    size_bytes = len(body) + len(operation) + len(rest)
    return b"".join((b"\x0a", varint(size_bytes), body, operation, rest))


def decisions(response: bytes) -> list[tuple[int, bytes]]:
    """The tokens and decisions of a CommitResponse. DecodeError if it is none."""
    decided: list[tuple[int, bytes]] = []
    at, end = 0, len(response)
    try:
        while at < end:
            start, stop = _field(response, at, _ENTRY)
            if stop > end or response[start] != _TOKEN:
                return _any_decisions(response)
            token, after = _number(response, start + 1, _LARGE)
            begin, finish = _field(response, after, _DECISION)
            if finish != stop:
                return _any_decisions(response)
            decided.append((token, response[begin:finish]))
            at = stop
    except IndexError:  # it ends within a field
        return _any_decisions(response)
    return decided


def decision_field(decision: bytes) -> bytes:
    """A decision in a TillResponse, which is nothing but these, one after the other."""
    return b"".join((b"\x0a", varint(len(decision)), decision))


def _operation(raw: bytes) -> Sent | None:
    """One that begins with its id, as protobuf writes it, in ASCII; None for every other."""
    start, at = _field(raw, 0, _ID)
    operation_id, timeout_ms, end = raw[start:at], 0, len(raw)
    if not operation_id.isascii():
        return None
    while at < end:
        tag = raw[at]
        if tag == _TIMEOUT:
            timeout_ms, at = _number(raw, at + 1, _SMALL)
        elif tag in _SKIPPED:
            at = _field(raw, at, tag)[1]
        else:
            return None
    return Sent(operation_id.decode(), timeout_ms, raw) if at == end else None


def _field(raw: bytes, at: int, tag: int) -> tuple[int, int]:
    """Where the content of this field, whose tag is at `at`, begins and ends. IndexError if another
    field is there.
    """
    if raw[at] != tag:
        raise IndexError
    length, start = _number(raw, at + 1, _SMALL)
    return start, start + length


def _number(raw: bytes, at: int, shift_max: int) -> tuple[int, int]:
    """The number that begins at `at`, and where it ends. IndexError if it is a larger one."""
    number, shift = 0, 0
    while raw[at] >= _LONG:
        if shift == shift_max:
            raise IndexError
        number |= (raw[at] - _LONG) << shift
        at, shift = at + 1, shift + 7
    return number | raw[at] << shift, at + 1


def _any_operations(message: bytes) -> list[Sent]:
    """As protobuf reads them."""
    sent: list[Sent] = []
    for raw in ledger_pb2.TillRequest.FromString(message).operations:
        head = ledger_pb2.OperationHead.FromString(raw)
        sent.append(Sent(head.id, head.timeout_ms, raw))
    return sent


def _any_decisions(response: bytes) -> list[tuple[int, bytes]]:
    """As protobuf reads them."""
    read = ledger_pb2.CommitResponse.FromString(response)
    return [(each.token, each.decision) for each in read.decisions]
