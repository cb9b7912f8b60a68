"""Secrets are replaced while tills work: nothing is lost, and the old ones are worth nothing."""

from collections.abc import Callable
from pathlib import Path

from deploy.rehearsals.rotation import rehearse


async def test_every_secret_can_be_replaced_under_way(
    tmp_path: Path, scaled: Callable[[int], int]
) -> None:
    report = await rehearse(tmp_path, baskets=scaled(600))

    assert not report.old_token_works
    assert (report.old_till_works, report.new_till_works) == (False, True)
    assert [line.split("\t")[0] for line in report.master_keys.splitlines()] == ["2"]
    assert report.damage == "lost 0, phantom 0, doubled 0"
    assert report.books_balance
