"""The growth run measures what it says, on a tiny ledger, and its page shows its result."""

import json
import os
import tempfile
from dataclasses import asdict
from pathlib import Path

import pytest
from rich.console import Console

from loadtests import growth_tables, hot
from loadtests.growth import PAGE, RESULT, NotValidError, Plan, grow
from loadtests.growth_result import BEGIN, END, Result, page_with, ratio_of, read, write
from loadtests.seeded import Run

TINY = Plan(sizes=(2_000,), small=1_000, repetitions=1, checkouts=200, tills=4)
# A socket's path may have 107 characters: pytest's own folders are too deep for a cluster.
FOLDER = Path(tempfile.gettempdir())
QUIET = Console(quiet=True)


async def test_a_tiny_run_has_every_figure_that_the_page_shows(tmp_path: Path) -> None:
    """Two ledgers are seeded, checked out on in turn, counted and verified."""
    results: list[Result] = []

    await grow(TINY, folder=FOLDER, console=QUIET, measured=results.append)

    (result,) = results

    written = tmp_path / "growth.json"
    write(result, written)
    assert asdict(read(written)) == json.loads(written.read_text()) == asdict(result)
    size = result.sizes["2000"]
    assert size["big"]["members"] == 1_000
    assert size["ratio_to_small"] > 0
    assert size["verify_s"] > 0
    assert size["big"]["wal_bytes_per_checkout"] > 0
    tables = size["big"]["tables"]
    assert tables["member"]["rows"] == 1_000
    assert tables["member"]["updates"] > 0
    assert tables["journal"]["key_levels"] == 2
    page = page_with("# Growth\n\n" + marks(), result)
    assert "| 2,000 | 1,000 |" in page
    assert '["0.001 M", "0.002 M"]' in page
    assert page_with(page, result) == page


def marks() -> str:
    text = PAGE.read_text(encoding="utf-8")
    assert text.count(BEGIN) == text.count(END) == 1
    return f"{BEGIN}\n{END}\n"


def test_the_page_shows_the_committed_result() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert page_with(page, read(RESULT)) == page


async def test_a_disk_that_is_too_small_is_told_before_anything_is_made(tmp_path: Path) -> None:
    plan = Plan(sizes=(10**12,))

    with pytest.raises(NotValidError, match="would be needed"):
        await grow(plan, folder=tmp_path, console=QUIET, measured=lambda _: None)

    assert os.listdir(tmp_path) == []


def test_a_ratio_is_that_of_neighbours() -> None:
    """A machine that was twice as fast for one pair changes nothing."""
    assert ratio_of(runs(50, 100, 45), runs(100, 200, 100)) == 0.5


def runs(*rates: float) -> list[Run]:
    return [Run(rate, 1.0, 2.0, 0, 1.0, {}) for rate in rates]


async def test_a_hot_member_is_measured_beside_others() -> None:
    plan = hot.Plan(1_000, repetitions=1, checkouts=200, other_tills=3, hot_tills=2)

    result = await hot.measure(plan, folder=FOLDER, console=QUIET)

    assert set(result["ways"]) == {"cold", "hot_store", "hot_member"}
    assert result["ways"]["cold"]["ratios_to_cold"]["p50_ms"] == 1.0
    assert all(way["beside_per_s"] > 0 for way in result["ways"].values())


def test_the_tables_that_are_looked_at_are_those_that_checkouts_fill() -> None:
    assert set(growth_tables.NAMES) == {"bucket", "member", "locator", "journal", "basket"}
