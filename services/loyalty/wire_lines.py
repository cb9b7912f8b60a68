"""Line items, read from the bytes in which they came.

They are most of what a checkout brings: ten lines of eight fields on average. protobuf makes an
object of each line and looks up each field of it by name, which is as much work as deciding the
whole checkout. So the basket leaves its lines as bytes, and a line written as tills write it is
read here; protobuf reads every other one.
"""

from collections.abc import Sequence
from typing import Any, Final

import orjson
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import DESCRIPTOR as TIMESTAMP

from bonpunkt.till.v1 import till_pb2 as pb
from services.loyalty.domain.basket import LineItem

Row = list[Any]

# What protobuf writes before each field of a line: its number and its wire type.
_LINE_ID: Final = 0x0A
_ARTICLE_NUMBER: Final = 0x12
_TEXT: Final = 0x1A
_CATEGORY: Final = 0x22
_BRAND: Final = 0x2A
_QUANTITY: Final = 0x30
_TOTAL: Final = 0x38
_VAT_RATE_KEY: Final = 0x42
_LONG: Final = 0x80  # a length or a number of more than one byte begins with such a one
_BITS_MAX: Final = 49  # numbers below zero have 70


def _operation_with_raw_lines() -> Any:
    """The contract's `Operation` once more, in which the lines of a basket are bytes."""
    file = FileDescriptorProto()
    pb.DESCRIPTOR.CopyToProto(file)
    file.ClearField("service")
    for message in file.message_type:
        for field in message.field:
            if (message.name, field.name) == ("Basket", "line_items"):
                field.type = FieldDescriptorProto.TYPE_BYTES
                field.ClearField("type_name")
    pool = DescriptorPool()
    pool.AddSerializedFile(TIMESTAMP.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    return GetMessageClass(pool.FindMessageTypeByName(pb.Operation.DESCRIPTOR.full_name))


_OPERATION = _operation_with_raw_lines()


def with_raw_lines(basket: pb.Basket) -> pb.Basket:
    """The same basket, holding its lines as bytes."""
    operation = pb.Operation(quote=pb.Quote(basket=basket))
    return operation_from_bytes(operation.SerializeToString()).quote.basket


def operation_from_bytes(raw: bytes) -> pb.Operation:
    """An operation whose baskets hold their lines as bytes. DecodeError if it is none."""
    operation: pb.Operation = _OPERATION.FromString(raw)
    return operation


def lines_from_wire(lines: Sequence[bytes]) -> tuple[list[LineItem], str] | int:
    """The line items, and as JSON the fields of each in the order of `LINE_FIELDS`; or the number
    of the first line that is none at all.
    """
    items: list[LineItem] = []
    rows: list[Row] = []
    for raw in lines:
        try:
            item = _plain(raw)
        except IndexError:  # it ends within a field
            item = None
        item = item or _any(raw)
        if item is None:
            return len(items)
        items.append(item)
        rows.append(_row(item))
    lines_json = orjson.dumps(rows).decode()
    if not lines_json.isascii():
        for number, row in enumerate(rows):
            if not "".join([field for field in row if isinstance(field, str)]).isascii():
                item = _any(lines[number])
                if item is None:
                    return number
                items[number], rows[number] = item, _row(item)
        lines_json = orjson.dumps(rows).decode()
    return items, lines_json


def _row(line: LineItem) -> Row:
    return [
        line.line_id,
        line.article_number,
        line.text,
        line.category,
        line.brand,
        line.quantity_milli,
        line.total_minor,
        line.vat_rate_key,
    ]


def _any(raw: bytes) -> LineItem | None:
    """As protobuf reads it; None if it cannot."""
    try:
        line = pb.LineItem.FromString(raw)
    except DecodeError:
        return None
    return LineItem(
        line.line_id,
        line.article_number,
        line.text,
        line.category,
        line.brand,
        line.quantity_milli,
        line.total_minor,
        line.vat_rate_key,
    )


def _plain(raw: bytes) -> LineItem | None:
    """A line as tills write it: fields in order, each once, texts of less than 128 bytes, numbers
    neither huge nor below zero; None for one that is written otherwise. Its texts are right only if
    all of them are ASCII. IndexError if it ends within a field.
    """
    line = raw.decode("latin-1")  # a character a byte
    stop = _text_end(raw, 0, _LINE_ID)
    line_id, at = line[2:stop], stop
    stop = _text_end(raw, at, _ARTICLE_NUMBER)
    article_number, at = line[at + 2 : stop], stop
    stop = _text_end(raw, at, _TEXT)
    text, at = line[at + 2 : stop], stop
    stop = _text_end(raw, at, _CATEGORY)
    category, at = line[at + 2 : stop], stop
    stop = _text_end(raw, at, _BRAND)
    brand, at = line[at + 2 : stop], stop
    quantity_milli, at = _number(raw, at, _QUANTITY)
    total_minor, at = _number(raw, at, _TOTAL)
    stop = _text_end(raw, at, _VAT_RATE_KEY)
    vat_rate_key = line[at + 2 : stop]
    if stop != len(raw):
        return None
    return LineItem(
        line_id,
        article_number,
        text,
        category,
        brand,
        quantity_milli,
        total_minor,
        vat_rate_key,
    )


def _text_end(raw: bytes, at: int, tag: int) -> int:
    """Where the short text of this field ends that begins at `at`; `at` if something else does."""
    if at < len(raw) and raw[at] == tag and raw[at + 1] < _LONG:
        return at + 2 + raw[at + 1]
    return at


def _number(raw: bytes, at: int, tag: int) -> tuple[int, int]:
    """The number of this field that begins at `at`, and where it ends; 0 and `at` if something else
    begins there, or a longer one.
    """
    if at >= len(raw) or raw[at] != tag:
        return 0, at
    number, shift, stop = 0, 0, at + 1
    while raw[stop] >= _LONG:
        if shift == _BITS_MAX:
            return 0, at
        number |= (raw[stop] - _LONG) << shift
        stop, shift = stop + 1, shift + 7
    return number | raw[stop] << shift, stop + 1
