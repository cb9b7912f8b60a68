"""The short run that belongs to every change, with budgets relative to the machine of the run."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from loadtests import load, mix
from loadtests.arrivals import Arrivals

ROOT = Path(__file__).parents[2]
SHOPPERS_PER_S = 12.0
SECONDS = 5.0


async def test_a_short_run_makes_every_operation_without_an_error_and_keeps_relative_budgets(
    tmp_path: Path,
) -> None:
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "loadtests.load"),
        *("--shoppers-per-s", str(SHOPPERS_PER_S), "--seconds", str(SECONDS)),
        *("--budget", "loadtests/budget-relative.toml", "--results", str(tmp_path)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await running.communicate()
    said = output.decode()

    assert running.returncode == 0, said
    assert "every budget was kept" in said
    assert "books in balance: yes" in said
    report = json.loads((tmp_path / "report.json").read_text())
    due = Arrivals(shoppers_per_s=SHOPPERS_PER_S, seconds=SECONDS, tills=12).timetable()
    operations = report["operations"]
    assert set(operations) == set(mix.OPERATIONS)
    assert sum(each["due"] for each in operations.values()) == len(due)
    assert {each["failed"] for each in operations.values()} == {0}, said
    assert min(report["asked_by_way"].values()) > 0
    assert sum(report["asked_by_way"].values()) == len(due)
    assert set(report["calibration"]) == {"before", "after"}
    assert (tmp_path / "report.html").exists()
    assert (tmp_path / "locust.html").exists()


def test_a_run_that_could_not_measure_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert load.main(["--shoppers-per-s", "1", "--seconds", "10"]) == load.CANNOT_START
    assert "too few" in capsys.readouterr().out


def test_an_own_installation_and_one_that_is_there_exclude_each_other() -> None:
    with pytest.raises(SystemExit):
        load.main(["--db", "postgres", "--target", "127.0.0.1:7701"])
