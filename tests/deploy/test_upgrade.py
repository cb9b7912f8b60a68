"""Tills go on while the next release migrates the database and every process is replaced."""

from collections.abc import Callable
from pathlib import Path

from deploy.rehearsals.upgrade import rehearse


async def test_an_upgrade_is_in_no_tills_way(
    tmp_path: Path, postgres_url: str, scaled: Callable[[int], int]
) -> None:
    report = await rehearse(tmp_path, postgres_url, baskets=scaled(900))

    assert report.during_the_wait > 0
    assert report.damage == "lost 0, phantom 0, doubled 0"
    assert report.books_balance
    assert report.migrated
