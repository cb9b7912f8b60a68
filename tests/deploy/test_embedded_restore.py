"""After a restore the books balance, the erased stay erased, and receivers believe what is true."""

import re
from collections.abc import Callable
from pathlib import Path

from deploy.rehearsals.embedded_restore import rehearse


async def test_a_restored_ledger_is_whole_and_everybody_is_told(
    tmp_path: Path, scaled: Callable[[int], int]
) -> None:
    baskets = scaled(400)
    report = await rehearse(tmp_path, baskets=baskets)

    assert (report.kept, report.lost) == (baskets, 0)
    assert report.told_wrongly == 0
    assert report.still_known == 0
    assert report.books_balance
    assert "1 of 1 erasures had to be repeated" in report.said
    assert re.search(r"had taken in [1-9]\d* entries that are gone", report.said)
    assert "1 members of whom receivers were told are not known any more" in report.said
