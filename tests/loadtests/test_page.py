"""The figures and charts of docs/performance.md are those of the last run, typed by nobody."""

import json
from dataclasses import asdict
from xml.etree import ElementTree

import pytest

from loadtests import chart, page
from tests.loadtests.test_report import full_result, result_of, run_at

LATEST = json.loads(page.LATEST.read_text(encoding="utf-8"))
SVG = "{http://www.w3.org/2000/svg}"


def test_the_page_shows_the_last_run() -> None:
    """Otherwise: `python -m loadtests.page`."""
    shown = page.PAGE.read_text(encoding="utf-8")

    assert shown == page.with_figures(shown, LATEST)


def test_the_charts_show_the_last_run() -> None:
    """Otherwise: `python -m loadtests.page`."""
    shown = {
        name: (page.IMAGES / name).read_text(encoding="utf-8")
        for name in (page.RATES, page.DISKS)
        if (page.IMAGES / name).exists()
    }

    assert shown == page.charts(LATEST)


def test_only_what_is_between_the_marks_changes() -> None:
    before = f"# Words\n\n{page.BEGIN}\n\nold\n\n{page.END}\n\nmore words\n"

    after = page.with_figures(before, asdict(full_result()))

    assert after.startswith(f"# Words\n\n{page.BEGIN}\n")
    assert after.endswith(f"{page.END}\n\nmore words\n")
    assert "old" not in after
    assert "| 256 tills | 9,000 |" in after


def test_a_page_without_the_marks_is_left_alone() -> None:
    with pytest.raises(ValueError, match="has to have"):
        page.with_figures(f"# Words\n{page.BEGIN}\n", LATEST)


def test_the_chart_has_a_bar_for_every_rate() -> None:
    drawn = ElementTree.fromstring(chart.rates(asdict(full_result())))

    words = [text.text for text in drawn.iter(f"{SVG}text")]
    assert {"pgbench TPC-B, best", "256 tills", "16 tills, frames of 32", "9,000"} <= set(words)
    assert "256 tills, half of the peak rate, by the clock" not in words
    assert len(list(drawn.iter(f"{SVG}rect"))) == 1 + 7


def test_the_chart_of_disks_says_that_they_are_simulated() -> None:
    drawn = ElementTree.fromstring(chart.disks(asdict(full_result())))

    words = [text.text or "" for text in drawn.iter(f"{SVG}text")]
    assert any(text.startswith("Simulated") for text in words)
    assert "256 tills: goal 2.5" in words
    assert len(list(drawn.iter(f"{SVG}polyline"))) == 2


def test_there_is_no_chart_of_disks_that_were_not_simulated() -> None:
    result = asdict(result_of(run_at(9000)))

    assert list(page.charts(result)) == [page.RATES]
    assert page.DISKS not in page.figures(result)
