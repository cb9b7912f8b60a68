"""A cluster comes back as of a moment: all that was acknowledged by then, and nothing after it."""

from collections.abc import Callable
from pathlib import Path

from deploy.rehearsals.point_in_time import rehearse


async def test_the_minute_before_the_disaster_comes_back(
    tmp_path: Path, scaled: Callable[[int], int]
) -> None:
    baskets = scaled(300)
    report = await rehearse(tmp_path, baskets=baskets)

    assert (report.kept, report.lost, report.too_late) == (2 * baskets, 0, 0)
    assert report.books_balance
    assert "0 of 0 erasures had to be repeated" in report.said
