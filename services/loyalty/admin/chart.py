"""The geometry of the chart of purchases: points earned above, points redeemed below.

Each half has a scale of its own, because one redemption spends what many purchases earned. Units
are those of the SVG's view box; the template draws what is computed here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bonpunkt.loyalty.v1.feed_pb2 import JournalEntry

WIDTH, PANEL_HEIGHT, GAP = 960, 90, 26
LABELS_WIDTH = 88
BAR_WIDTH_MAX = 28.0


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    entry: JournalEntry


@dataclass(frozen=True, slots=True)
class Panel:
    """One half: bars that stand on `base`, and the value at the top of its scale."""

    top: float
    base: float
    top_value: int
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    width: int
    height: int
    labels_width: int
    earned: Panel
    redeemed: Panel

    @property
    def is_empty(self) -> bool:
        return not self.earned.bars


def chart(entries: Sequence[JournalEntry]) -> Chart:
    """`entries` in the order in which they are drawn from left to right."""
    below = PANEL_HEIGHT + GAP
    return Chart(
        width=WIDTH,
        height=2 * PANEL_HEIGHT + GAP + 8,
        labels_width=LABELS_WIDTH,
        earned=_panel(entries, lambda entry: entry.points_earned, top=4),
        redeemed=_panel(entries, lambda entry: entry.points_redeemed, top=4 + below),
    )


def _panel(
    entries: Sequence[JournalEntry], value: Callable[[JournalEntry], int], *, top: float
) -> Panel:
    top_value = round_up(max([1, *(value(entry) for entry in entries)]))
    pitch = (WIDTH - LABELS_WIDTH) / max(1, len(entries))
    width = min(BAR_WIDTH_MAX, pitch * 0.72)
    base = top + PANEL_HEIGHT
    bars = tuple(
        _bar(
            entry,
            centre=WIDTH - (len(entries) - place - 0.5) * min(pitch, BAR_WIDTH_MAX / 0.72),
            width=width,
            base=base,
            height=PANEL_HEIGHT * value(entry) / top_value,
        )
        for place, entry in enumerate(entries)
    )
    return Panel(top=top, base=base, top_value=top_value, bars=bars)


def _bar(entry: JournalEntry, *, centre: float, width: float, base: float, height: float) -> Bar:
    return Bar(
        x=round(centre - width / 2, 2),
        y=round(base - height, 2),
        width=round(width, 2),
        height=round(height, 2),
        entry=entry,
    )


def round_up(value: int) -> int:
    """The next of 1, 2, 5, 10, 20, 50, …: a scale that people read easily."""
    assert value >= 1
    step = 1
    while True:
        for factor in (1, 2, 5):
            if value <= factor * step:
                return factor * step
        step *= 10
