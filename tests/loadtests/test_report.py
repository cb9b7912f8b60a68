"""The result of a benchmark says what was measured, and says so when it may not be quoted."""

import json
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from loadtests import report
from loadtests.generator import Outcome
from loadtests.pgbench import Rate
from loadtests.report import Result, Run, Shape

TILLS_256 = Shape(tills=256, frame=1)
FRAMES = Shape(tills=16, frame=32)


def _run(per_s: float, *, refused: int = 0) -> Run:
    outcome = Outcome(seconds=1000 / per_s, captured=1000, latencies_s=[0.001] * 99 + [0.5])
    outcome.others = Counter({"REASON_CARD_NOT_ACCEPTED": refused})
    return Run.of(outcome, cpu_s={"loyalty": 0.05})


def _result(*runs: Run, journal_rows: int = 3000, ok: bool = True) -> Result:
    return Result.of(
        checkouts={TILLS_256: runs},
        rates={1: [Rate(1, 2000.0, 0.5)], 16: [Rate(16, 4000.0 + n, 4.0) for n in range(3)]},
        answered=3000,
        journal_rows=journal_rows,
        books={"I1": {"ok": ok, "rows_checked": 7}, "ok": ok},
        settings={"jit": "off"},
        folder=Path("/"),
    )


def test_medians_count_and_the_ratio_is_to_the_best_of_pgbench() -> None:
    result = _result(_run(9000), _run(8002), _run(3000))

    assert result.checkouts["256_tills"]["checkouts_per_s"] == 8002
    assert result.pgbench_best_per_s == 4001
    assert result.ratio_256_tills_to_pgbench == 2.0
    assert result.ratio_frames_32_to_pgbench is None


def test_percentiles_are_those_of_the_messages() -> None:
    run = _run(5000)

    assert (run.p50_ms, run.p99_ms) == (1.0, 1.0)
    slow = Outcome(seconds=1, captured=98, latencies_s=[0.001] * 98 + [0.5] * 2)
    assert Run.of(slow, cpu_s={}).p99_ms == 500.0


def test_cpu_time_is_told_for_each_checkout() -> None:
    assert _run(5000).cpu_us_per_checkout == {"loyalty": 50.0}


def test_a_valid_result_has_no_problems() -> None:
    assert _result(_run(9000, refused=20)).problems() == []


@pytest.mark.parametrize(
    ("result", "problem"),
    [
        (_result(_run(9000), _run(9000, refused=21)), "256_tills: 2.1% of the checkouts"),
        (_result(_run(9000), journal_rows=2999), "3,000 captured, 2,999 journalled"),
        (_result(_run(9000), ok=False), "verify found a fault"),
    ],
)
def test_a_result_that_may_not_be_quoted_says_why(result: Result, problem: str) -> None:
    assert problem in result.problems()[0]


def test_every_key_of_the_result_is_documented(tmp_path: Path) -> None:
    report.write(_result(_run(9000)), tmp_path / "latest.json")
    documented = (Path(__file__).parents[2] / "docs/performance.md").read_text(encoding="utf-8")

    keys = json.loads((tmp_path / "latest.json").read_text())
    assert [key for key in keys if f"`{key}" not in documented] == []
    run_keys = asdict(_run(9000)).keys() - {"checkouts", "seconds", "refused"}
    assert [key for key in run_keys if f"`{key}`" not in documented] == []


def test_the_table_has_a_line_for_every_load() -> None:
    assert report.table(_result(_run(9000))).row_count == 3


def test_loads_are_named_for_people_and_machines() -> None:
    assert (str(TILLS_256), TILLS_256.key) == ("256 tills", "256_tills")
    assert (str(FRAMES), FRAMES.key) == ("16 tills, frames of 32", "16_tills_frames_32")
    assert str(replace(TILLS_256, tills=1)) == "1 till"
