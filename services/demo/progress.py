"""How the replay is told to whoever watches: a bar at a terminal, a line now and then elsewhere."""

from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

LINE_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The figures of one moment. Latencies are those of recent captures, as the tills saw them."""

    done: int
    total: int
    per_s: float
    points_earned: int
    points_redeemed: int
    same_basket_redemptions: int
    refused: int
    p50_ms: float
    p99_ms: float
    webhooks_verified: int


class Progress:
    """Shows snapshots until the end of the `with` block; may be told as often as one likes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._told_s: float | None = None

    def __enter__(self) -> "Progress":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, snapshot: Snapshot, *, now_s: float, last: bool = False) -> None:
        """Draws the bar anew; without a terminal prints a line every few seconds and at the end."""
        if self._live is not None:
            self._live.update(_picture(snapshot), refresh=True)
        elif last or self._told_s is None or now_s - self._told_s >= LINE_EVERY_S:
            self._told_s = now_s
            line = "; ".join([_checkouts(snapshot), _points(snapshot), _speed(snapshot)])
            self._console.print(line, soft_wrap=True)


def _picture(snapshot: Snapshot) -> RenderableType:
    bar = Table.grid(padding=(0, 1))
    bar.add_row(
        ProgressBar(total=max(snapshot.total, 1), completed=snapshot.done, width=30),
        Text(_checkouts(snapshot), style="bold"),
    )
    return Group(bar, Text(_points(snapshot)), Text(_speed(snapshot)))


def _checkouts(snapshot: Snapshot) -> str:
    return f"{snapshot.done:,} of {snapshot.total:,} checkouts, {snapshot.per_s:,.0f}/s"


def _points(snapshot: Snapshot) -> str:
    refused = f"; {snapshot.refused:,} checkouts refused" if snapshot.refused else ""
    return (
        f"points {snapshot.points_earned:,} earned, {snapshot.points_redeemed:,} redeemed "
        f"({snapshot.same_basket_redemptions:,} times from the same basket){refused}"
    )


def _speed(snapshot: Snapshot) -> str:
    return (
        f"p50 {snapshot.p50_ms:.1f} ms, p99 {snapshot.p99_ms:.1f} ms; "
        f"webhooks {snapshot.webhooks_verified:,} delivered and verified"
    )
