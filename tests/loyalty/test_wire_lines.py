"""Line items are looked at all together first, and one by one only where that finds something."""

from hypothesis import given
from hypothesis import strategies as st

from bonpunkt.till.v1 import till_pb2 as pb
from services.loyalty.domain.decision import Refused
from services.loyalty.wire_baskets import MINOR_MAX
from tests.loyalty.ledgers import a_wire_capture, read

some_text = st.text(
    st.sampled_from(
        ["a", "ä", "€", '"', "\\", "/", " ", "\n", "\x7f", "\u2028", "🍞", "\x85", "\xa0"]
    ),
    max_size=4,
)
some_line = st.builds(
    pb.LineItem,
    line_id=st.sampled_from(["1", "2", "3", "4", ""]),
    text=some_text,
    category=some_text,
    quantity_milli=st.sampled_from([0, 1000, MINOR_MAX, MINOR_MAX + 1, -MINOR_MAX - 1]),
    total_minor=st.sampled_from([0, 5, MINOR_MAX, -MINOR_MAX, MINOR_MAX + 1]),
)


def _expected(items: list[pb.LineItem]) -> str | None:
    """Path of the field that the rules, one line after the other, find wrong first."""
    seen: set[str] = set()
    for number, item in enumerate(items):
        at = f"capture.basket.line_items[{number}]"
        for name in ("line_id", "text", "category"):
            if not getattr(item, name).replace("\xa0", "").isprintable():
                return f"{at}.{name}"
        if not item.line_id or item.line_id in seen:
            return f"{at}.line_id"
        seen.add(item.line_id)
        if abs(item.total_minor) > MINOR_MAX:
            return f"{at}.total_minor"
        if abs(item.quantity_milli) > MINOR_MAX:
            return f"{at}.quantity_milli"
    return None


@given(st.lists(some_line, min_size=1, max_size=4))
def test_lines_are_judged_alike_together_and_one_by_one(items: list[pb.LineItem]) -> None:
    """What is plain at one look is not looked at again: nothing wrong may hide in it."""
    result = read(a_wire_capture(lines=items))

    wrong = result.field if isinstance(result, Refused) else None
    assert wrong == _expected(items) or wrong == "capture.basket.total_minor"
    if wrong == "capture.basket.total_minor":
        assert _expected(items) is None
