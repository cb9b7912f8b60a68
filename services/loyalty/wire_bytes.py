"""The fields of a message as bytes.

protobuf makes an object of each message and looks up each field of it by name, which is twice the
work of writing the bytes. A message is its fields one after the other; in the order of their
numbers they are the very bytes that protobuf writes.
"""

import sys
from typing import Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from services.runtime.varint import LAST, MORE, varint

_NUMBERS: Final = (
    FieldDescriptor.TYPE_BOOL,
    FieldDescriptor.TYPE_ENUM,
    FieldDescriptor.TYPE_INT32,
    FieldDescriptor.TYPE_INT64,
)
_BLOCKS: Final = (
    FieldDescriptor.TYPE_BYTES,
    FieldDescriptor.TYPE_MESSAGE,
    FieldDescriptor.TYPE_STRING,
)


class Field:
    """A field of a message: its values as the bytes that they are within the message."""

    def __init__(self, number: int, wire_type: int) -> None:
        self._tag: Final = varint(number << 3 | wire_type)
        self._small: Final = [b"", *[self._tag + last for last in LAST[1:]]]

    def number(self, value: int) -> bytes:
        """Nothing for nought: a reader takes a missing field for it."""
        if 0 <= value < 0x80:
            return self._small[value]
        if 0x80 <= value < 0x4000:
            return b"%b%b%b" % (self._tag, MORE[value & 0x7F], LAST[value >> 7])
        assert -(1 << 63) <= value < 1 << 63, "numbers of the contract have 64 bits"
        return self._tag + varint(value)

    def text(self, value: str) -> bytes:
        """Nothing for the empty text."""
        return self.block(value.encode()) if value else b""

    def block(self, raw: bytes) -> bytes:
        """A message within the message, or one text of several: something, even if it is empty."""
        return b"%b%b%b" % (self._tag, varint(len(raw)), raw)


def fields_of(kind: type[Message]) -> dict[str, Field]:
    """The fields of a kind of message by their names in the contract."""
    fields: dict[str, Field] = {}
    for each in kind.DESCRIPTOR.fields:
        assert each.type in _NUMBERS + _BLOCKS, f"{each.full_name}: nobody has written such yet"
        name = sys.intern(each.name)  # found at once under the name as it stands in a program
        fields[name] = Field(each.number, 0 if each.type in _NUMBERS else 2)
    return fields
