"""`bonpunkt seed` as an operator types it."""

import os
import subprocess
import sys
from pathlib import Path

from services.loyalty.seeding.cohorts import card_of
from services.loyalty.verify import verify
from tests.servers.process import ROOT


def bonpunkt(url: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    own = {"BONPUNKT_DATA": str(folder), "LOYALTY_DATABASE_URL": url, "LOGNAME": "ada"}
    return subprocess.run(
        [sys.executable, "-m", "services.cli", *words],
        env={**os.environ, **own},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


async def test_a_ledger_is_seeded_once(database_url: str, tmp_path: Path) -> None:
    """With recorded baskets, by the demo programme; the second attempt changes nothing."""
    words = ("seed", "--members", "10", "--journal-rows", "30", "--processes", "2")

    first = bonpunkt(database_url, tmp_path, *words)
    second = bonpunkt(database_url, tmp_path, "loyalty", *words)

    assert first.returncode == 0, first.stderr
    assert first.stdout == f"10 members with the cards {card_of(0)} to {card_of(9)}\n"
    assert second.returncode == 1
    assert "30 operations are booked in this ledger" in second.stderr
    assert "name an empty database in LOYALTY_DATABASE_URL" in second.stderr
    report = await verify(database_url)
    assert report.ok, report.problems
    assert report.rows["audit"] > 0


def test_fewer_rows_than_members_are_refused(sqlite_url: str, tmp_path: Path) -> None:
    refused = bonpunkt(sqlite_url, tmp_path, "seed", "--members", "5", "--journal-rows", "4")

    assert refused.returncode == 1
    assert "--journal-rows is to be as many, or more" in refused.stderr
    assert not (tmp_path / "test.sqlite").exists()
