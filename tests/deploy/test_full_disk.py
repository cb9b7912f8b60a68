"""A full disk loses nothing that was acknowledged, and is over as soon as there is room."""

from collections.abc import Callable
from pathlib import Path

from deploy.rehearsals.full_disk import rehearse, small_disk


async def test_a_full_disk_is_told_by_name_and_harms_nothing(
    tmp_path: Path, scaled: Callable[[int], int]
) -> None:
    baskets = scaled(600)
    with small_disk(tmp_path / "disk") as disk:
        report = await rehearse(disk, baskets=baskets)

    turned_back = {name for name in report.told if name != "captured"}
    assert turned_back
    assert turned_back <= {"CAUSE_EXPIRED", "CAUSE_ANSWER_LOST"}
    assert report.after > 0
    assert report.damage == "lost 0, phantom 0, doubled 0"
    assert report.contradictions == 0
    assert report.books_balance
