"""Lines read from their bytes are the lines that protobuf reads."""

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from bonpunkt.till.v1 import till_pb2 as pb
from services.loyalty.domain.basket import LINE_FIELDS
from services.loyalty.domain.decision import Refusal, Refused
from services.loyalty.wire_lines import lines_from_wire, operation_from_bytes, with_raw_lines
from tests.loyalty.ledgers import a_wire_capture, read

INT64 = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(max_size=200) | st.text("abcß€ 1&", max_size=8)
LINES = st.builds(
    pb.LineItem,
    line_id=TEXTS,
    article_number=TEXTS,
    text=TEXTS,
    category=TEXTS,
    brand=TEXTS,
    quantity_milli=INT64 | st.integers(0, 5000),
    total_minor=INT64 | st.integers(-500, 5000),
    vat_rate_key=TEXTS,
)


def fields(line: object) -> list[object]:
    return [getattr(line, name) for name in LINE_FIELDS]


@given(st.lists(LINES, max_size=4))
def test_whatever_a_till_writes_is_read_as_protobuf_reads_it(lines: list[pb.LineItem]) -> None:
    read_lines = lines_from_wire([line.SerializeToString() for line in lines])

    assert not isinstance(read_lines, int)
    assert [fields(item) for item in read_lines[0]] == [fields(line) for line in lines]


def read_as_protobuf_reads(raw: bytes) -> bool:
    """Whether both make the same of it: a line, or none."""
    found = lines_from_wire([raw])
    try:
        expected = fields(pb.LineItem.FromString(raw))
    except DecodeError:
        return found == 0
    return not isinstance(found, int) and fields(found[0][0]) == expected


@given(st.binary(max_size=60))
def test_bytes_that_are_no_line_are_refused_where_protobuf_refuses_them(raw: bytes) -> None:
    assert read_as_protobuf_reads(raw)


@given(LINES, st.data())
def test_a_line_that_was_damaged_on_its_way_is_read_as_protobuf_reads_it(
    line: pb.LineItem, data: st.DataObject
) -> None:
    """Cut short, or with another byte somewhere."""
    whole = line.SerializeToString()
    at = data.draw(st.integers(0, len(whole)))
    changed = whole[:at] + bytes([data.draw(st.integers(0, 255))]) + whole[at + 1 :]

    assert read_as_protobuf_reads(whole[:at])
    assert read_as_protobuf_reads(changed)


@pytest.mark.parametrize(
    "raw",
    [
        pb.LineItem(text="b").SerializeToString() + pb.LineItem(line_id="a").SerializeToString(),
        pb.LineItem(line_id="a").SerializeToString() + pb.LineItem(line_id="b").SerializeToString(),
        pb.LineItem(line_id="a").SerializeToString() + b"\xfa\x3e\x03new",
        b"\x0a\x80\x01" + b"x" * 128,
        b"\x0a\x81\x00a",
        b"\x30\x80\x80\x80\x00",
        b"",
    ],
    ids=["disordered", "twice", "unknown", "long", "length-in-two-bytes", "padded-number", "empty"],
)
def test_lines_that_are_written_otherwise_are_lines_too(raw: bytes) -> None:
    assert lines_from_wire([raw]) != 0
    assert read_as_protobuf_reads(raw)


def test_the_first_line_that_is_none_is_named() -> None:
    operation = a_wire_capture(lines=[pb.LineItem(line_id="1", total_minor=5)])
    sent = operation_from_bytes(operation.SerializeToString())
    sent.capture.basket.line_items.append(b"\x0a\x05ab")  # type: ignore[arg-type]
    refused = read(sent)

    assert isinstance(refused, Refused)
    assert (refused.reason, refused.field) == (
        Refusal.MALFORMED,
        "capture.basket.line_items[1]",
    )


def test_everything_else_of_a_basket_stays_as_it_is() -> None:
    basket = a_wire_capture("2900000000018", 2000).capture.basket
    raw = with_raw_lines(basket)

    assert raw.line_items[0] == basket.line_items[0].SerializeToString()
    for field in ("basket_id", "receipt_number", "business_date", "currency", "total_minor"):
        assert getattr(raw, field) == getattr(basket, field)
