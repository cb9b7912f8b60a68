"""The geometry of the chart of purchases."""

import itertools

import pytest

from bonpunkt.loyalty.v1.feed_pb2 import JournalEntry
from services.loyalty.admin.chart import LABELS_WIDTH, PANEL_HEIGHT, WIDTH, chart, round_up


def purchases(*pairs: tuple[int, int]) -> list[JournalEntry]:
    return [JournalEntry(points_earned=e, points_redeemed=r) for e, r in pairs]


def test_no_purchases_make_an_empty_chart() -> None:
    assert chart([]).is_empty


def test_bars_stand_on_the_base_and_the_scale_fits_the_highest() -> None:
    drawn = chart(purchases((50, 0), (100, 40)))

    low, high = drawn.earned.bars
    assert (drawn.earned.top_value, drawn.redeemed.top_value) == (100, 50)
    assert (high.height, low.height) == (PANEL_HEIGHT, PANEL_HEIGHT / 2)
    assert high.y == drawn.earned.top
    assert low.y + low.height == drawn.earned.base
    assert drawn.redeemed.bars[0].height == 0


@pytest.mark.parametrize("count", [1, 2, 60])
def test_bars_keep_their_order_inside_the_picture(count: int) -> None:
    bars = chart(purchases(*[(1, 1)] * count)).earned.bars

    assert bars[0].x >= LABELS_WIDTH
    assert bars[-1].x + bars[-1].width <= WIDTH
    assert all(left.x + left.width < right.x for left, right in itertools.pairwise(bars))


@pytest.mark.parametrize(
    ("value", "top"),
    [(1, 1), (2, 2), (3, 5), (5, 5), (6, 10), (10, 10), (11, 20), (501, 1000), (1001, 2000)],
)
def test_scales_end_at_a_round_number(value: int, top: int) -> None:
    assert round_up(value) == top
