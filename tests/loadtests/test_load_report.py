"""What was found is told alike to machines, on a page and at the terminal."""

import json
from dataclasses import fields, replace
from pathlib import Path

from playwright.async_api import Page
from rich.console import Console

from loadtests import load_report
from loadtests.budget import Budget, Limit
from loadtests.calibration import Calibration
from loadtests.load_report import Report
from loadtests.measured import Cost, Second

ROOT = Path(__file__).parents[2]
BUDGET = Budget(
    p50=Limit(10), p95=Limit(30), p99=Limit(60), failed_share_max=0.0, achieved_share_min=0.99
)
CAPTURE = Cost(
    due=1200,
    answered=1200,
    failed=0,
    missed=0,
    due_per_s=20.0,
    achieved_per_s=20.0,
    p50_ms=4.0,
    p95_ms=9.0,
    p99_ms=61.0,
    max_ms=70.0,
    p99_from_asking_ms=12.0,
    failures={},
)
REPORT = Report(
    made_at="2026-11-22T12:00:00+00:00",
    installation="sqlite <ext4>",
    machine={"processor": "a processor", "cores": 2},
    shoppers_per_s=20.0,
    seconds=60.0,
    tills=20,
    calibration={"before": Calibration(ask_ms=0.5, book_ms=1.0)},
    round_trip_ms=1.0,
    generator_late_p99_ms=0.4,
    asked_by_way={"stream": 900, "unary": 300},
    operations={"capture": CAPTURE, "void": replace(CAPTURE, p99_ms=9.0)},
    by_second=[Second(due=20, failed=0, p50_ms=4.0, p99_ms=61.0)] * 60,
    budgets={"capture": BUDGET, "void": BUDGET},
    broken=["capture: p99 61.0 ms, budget 60.0 ms"],
)


def test_machines_read_every_figure_and_the_judgement(tmp_path: Path) -> None:
    load_report.write(REPORT, tmp_path)

    read = json.loads((tmp_path / "report.json").read_text())
    assert (read["kept"], read["broken"]) == (False, list(REPORT.broken))
    assert read["operations"]["capture"]["p99_ms"] == 61.0
    assert read["operations"]["capture"]["achieved_share"] == 1.0
    assert read["budgets"]["capture"]["p99"] == {"value": 60, "in_round_trips": False}
    assert read["calibration"]["before"] == {"ask_ms": 0.5, "book_ms": 1.0}


async def test_the_page_marks_what_broke_its_budget_and_nothing_else(
    tmp_path: Path, chromium_page: Page
) -> None:
    load_report.write(REPORT, tmp_path)

    await chromium_page.goto((tmp_path / "report.html").as_uri())

    assert await chromium_page.locator("#verdict li").all_inner_texts() == list(REPORT.broken)
    assert await chromium_page.locator("td.over").all_inner_texts() == ["61.0 / 60"]
    assert await chromium_page.locator("h1").inner_text() == "Load test of sqlite <ext4>"
    assert await chromium_page.locator("polyline").count() == 2


async def test_the_page_asks_nobody_for_anything(tmp_path: Path, chromium_page: Page) -> None:
    asked: list[str] = []
    chromium_page.on("request", lambda request: asked.append(request.url))
    load_report.write(REPORT, tmp_path)

    await chromium_page.goto(address := (tmp_path / "report.html").as_uri())

    assert asked == [address]


def test_a_run_that_kept_everything_says_so() -> None:
    assert "Every budget was kept." in load_report.page(replace(REPORT, broken=[]))


def test_a_run_that_measured_nothing_has_a_report_too() -> None:
    nothing = replace(REPORT, operations={}, by_second=[], calibration={}, asked_by_way={})

    assert "p99 61.0 ms, budget 60.0 ms" in load_report.page(nothing)


def test_the_table_has_a_line_for_each_operation_with_its_budget() -> None:
    console = Console(width=118)
    with console.capture() as captured:
        console.print(load_report.table(REPORT))

    told = captured.get()
    assert "61.0 / 60" in told
    assert "1,200" in told


def test_every_key_is_documented() -> None:
    documented = (ROOT / "docs" / "performance.md").read_text()
    keys = {field.name for kind in (Report, Cost, Second, Calibration) for field in fields(kind)}

    assert [key for key in sorted(keys - {"before", "after"}) if f"`{key}" not in documented] == []
