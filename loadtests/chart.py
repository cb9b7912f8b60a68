"""Charts of a result, as SVG: rates as bars, and the ratio to pgbench by the time of a flush."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from loadtests import tables
from loadtests.goals import GOALS
from loadtests.plan import HALF_PEAK

WIDTH = 860
LABELS, RIGHT, TOP, BOTTOM = 300, 110, 54, 40  # room for words around what is drawn
BAR, GAP = 20, 8
PLOT_HEIGHT = 260
OURS, YARDSTICK, LIMIT, SECOND = "#2f6f4f", "#8a8f98", "#c8b27a", "#3b6ea5"
INK, FAINT = "#1f2328", "#d0d4d9"

Json = Mapping[str, Any]
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Bar:
    words: str
    per_s: float
    colour: str


@dataclass(frozen=True, slots=True)
class Line:
    words: str
    key: str
    colour: str


_LINES = (
    Line("256 tills", "ratio_256_tills_to_pgbench", OURS),
    Line("frames of 32", "ratio_frames_32_to_pgbench", SECOND),
)
_GOALS = {goal.key: goal.goal for goal in GOALS}


def rates(result: Json) -> str:
    """A bar for each load, for the best of each yardstick, and for the largest batches alone."""
    bars = list(_bars(result))
    longest = max(bar.per_s for bar in bars)
    scale = (WIDTH - LABELS - RIGHT) / longest
    drawn = []
    for number, bar in enumerate(bars):
        y = TOP + number * (BAR + GAP)
        length = bar.per_s * scale
        middle = y + BAR - 5
        drawn += [
            _text(bar.words, x=LABELS - 10, y=middle, anchor="end"),
            f'<rect x="{LABELS}" y="{y}" width="{length:.1f}" height="{BAR}" fill="{bar.colour}"/>',
            _text(f"{bar.per_s:,.0f}", x=LABELS + length + 6, y=middle),
        ]
    height = TOP + len(bars) * (BAR + GAP) + BOTTOM
    return _drawing("Durable checkouts (pgbench: transactions) a second", result, drawn, height)


def disks(result: Json) -> str:
    """The ratio to pgbench's best by what a flush takes, on simulated disks; dashed: the goals."""
    found = sorted(result["simulated_disks"], key=lambda disk: disk["flush_us"])
    right = found[-1]["flush_us"]
    ratios = [disk[line.key] for disk in found for line in _LINES]
    top = max(*ratios, *(_GOALS[line.key] for line in _LINES)) * 1.1
    left, width = 70, WIDTH - 70 - 230

    def place(x: float, y: float) -> Point:
        return left + x / right * width, TOP + PLOT_HEIGHT - y / top * PLOT_HEIGHT

    drawn = list(_axes(place, right=right, top=top))
    for line in _LINES:
        placed = [place(disk["flush_us"], disk[line.key]) for disk in found]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        (x0, goal), (x1, _) = place(0, _GOALS[line.key]), place(right, _GOALS[line.key])
        dashed = f'stroke="{line.colour}" stroke-dasharray="5 4"'
        words = f"{line.words}: goal {_GOALS[line.key]:g}"
        drawn += [
            f'<polyline points="{path}" fill="none" stroke="{line.colour}" stroke-width="2.5"/>',
            *(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{line.colour}"/>' for x, y in placed),
            f'<line x1="{x0:.1f}" y1="{goal:.1f}" x2="{x1:.1f}" y2="{goal:.1f}" {dashed}/>',
            _text(words, x=x1 + 8, y=goal + 4, colour=line.colour),
        ]
    title = "Simulated disks: checkouts to pgbench's best, by the time of a flush"
    return _drawing(title, result, drawn, TOP + PLOT_HEIGHT + 2 * BOTTOM)


def _bars(result: Json) -> Iterator[Bar]:
    yield Bar("pgbench TPC-B, best", result["pgbench_best_per_s"], YARDSTICK)
    own = result.get("own_statements_best_per_s")
    if own is not None:
        yield Bar("our statements one by one, best", own, YARDSTICK)
    for key, figures in result["checkouts"].items():
        if key == HALF_PEAK.key:
            continue  # its rate was given
        yield Bar(tables.words_of(key, figures), figures["checkouts_per_s"], OURS)
    batches = result.get("batches", {})
    if batches:
        size, figures = list(batches.items())[-1]
        yield Bar(f"batches of {size} without the services", figures["checkouts_per_s"], LIMIT)


def _axes(place: Callable[[float, float], Point], *, right: float, top: float) -> Iterator[str]:
    for number in range(int(top) + 1):
        (x0, y), (x1, _) = place(0, number), place(right, number)
        yield f'<line x1="{x0:.1f}" y1="{y:.1f}" x2="{x1:.1f}" y2="{y:.1f}" stroke="{FAINT}"/>'
        yield _text(str(number), x=x0 - 10, y=y + 4, anchor="end")
    for quarter in range(5):
        x, y = place(right * quarter / 4, 0)
        yield _text(f"{right * quarter / 4:.0f} µs", x=x, y=y + 20, anchor="middle")


def _drawing(title: str, result: Json, drawn: Sequence[str], height: int) -> str:
    """White behind it, so that it can be read on any page."""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" font-family="system-ui, sans-serif" font-size="13">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        _text(title, x=16, y=28, size=16),
        *drawn,
        _text(tables.made_on(result), x=16, y=height - 14, size=12),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _text(
    words: str, *, x: float, y: float, anchor: str = "start", size: int = 13, colour: str = INK
) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}"'
    return f"<text {place}>{escape(words)}</text>"
