"""How the replay is told: a bar at a terminal, a line now and then elsewhere."""

import io

from rich.console import Console

from services.demo.progress import LINE_EVERY_S, Progress, Snapshot


def _snapshot(*, done: int = 1_234, refused: int = 0) -> Snapshot:
    return Snapshot(
        done=done,
        total=155_848,
        per_s=812.4,
        points_earned=12_345,
        points_redeemed=2_345,
        same_basket_redemptions=67,
        refused=refused,
        p50_ms=8.12,
        p99_ms=21.4,
        webhooks_verified=4_321,
    )


def _console(*, terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=100, highlight=False)


def _said(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_line_tells_every_figure() -> None:
    console = _console(terminal=False)
    with Progress(console) as progress:
        progress.show(_snapshot(), now_s=0.0)

    assert _said(console) == (
        "1,234 of 155,848 checkouts, 812/s; points 12,345 earned, 2,345 redeemed (67 times from "
        "the same basket); p50 8.1 ms, p99 21.4 ms; webhooks 4,321 delivered and verified\n"
    )


def test_refusals_are_told_where_there_are_some() -> None:
    console = _console(terminal=False)
    with Progress(console) as progress:
        progress.show(_snapshot(refused=3), now_s=0.0)

    assert "; 3 checkouts refused; " in _said(console)


def test_without_a_terminal_lines_come_every_few_seconds_and_at_the_end() -> None:
    console = _console(terminal=False)
    with Progress(console) as progress:
        progress.show(_snapshot(done=1), now_s=0.0)
        progress.show(_snapshot(done=2), now_s=LINE_EVERY_S - 0.1)
        progress.show(_snapshot(done=3), now_s=LINE_EVERY_S)
        progress.show(_snapshot(done=4), now_s=LINE_EVERY_S + 0.1, last=True)

    assert [line.split()[0] for line in _said(console).splitlines()] == ["1", "3", "4"]


def test_at_a_terminal_the_bar_is_drawn_anew_each_time() -> None:
    console = _console(terminal=True)
    with Progress(console) as progress:
        progress.show(_snapshot(done=1), now_s=0.0)
        progress.show(_snapshot(done=2), now_s=0.1)

    assert "1 of 155,848 checkouts" in _said(console)
    assert "2 of 155,848 checkouts" in _said(console)
    assert "━" in _said(console)
