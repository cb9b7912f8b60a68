"""The result of a benchmark says what was measured, and says so when it may not be quoted."""

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from loadtests import report, tables
from loadtests.batches import BatchRun
from loadtests.generator import Outcome
from loadtests.installation import Books
from loadtests.pgbench import Rate
from loadtests.plan import FRAMES, HALF_PEAK, MAIN, ONE, SQLITE
from loadtests.report import Flushes, Measured, Result, Run

GOOD = (Books(counted=3000, journal_rows=3000, balance=True),)
FUNCTION = {"function": "decide", "own_share": 0.75, "share": 0.8}
ROOT = Path(__file__).parents[2]


def run_at(per_s: float, *, refused: int = 0) -> Run:
    outcome = Outcome(seconds=1000 / per_s, captured=1000, latencies_s=[0.001] * 99 + [0.5])
    outcome.others = Counter({"REASON_CARD_NOT_ACCEPTED": refused})
    return Run.of(outcome, cpu_s={"loyalty": 0.05})


def rate_of(clients: int, per_s: float) -> Rate:
    return Rate(clients, per_s, latency_average_ms=0.5, p50_ms=0.4, p99_ms=2.0)


def result_of(
    *runs: Run,
    books: tuple[Books, ...] = GOOD,
    disks: dict[int, Flushes] | None = None,
    profile: dict[str, Any] | None = None,
    **more: Any,
) -> Result:
    """A run that measured 256 tills, and whatever is asked for besides."""
    rates = {1: [rate_of(1, 2000.0)], 16: [rate_of(16, 4000.0 + n) for n in range(3)]}
    loads = {MAIN: list(runs), **more.pop("loads", {})}
    return Result.of(
        Measured(checkouts=loads, pgbench=rates, **more),
        disks=disks or {},
        profile=profile or {},
        books=books,
        settings={"jit": "off"},
        folder=Path("/"),
    )


def full_result() -> Result:
    """Of everything there is."""
    loads = {load: [run_at(5000)] for load in (ONE, FRAMES, HALF_PEAK, SQLITE)}
    batch = BatchRun(100, 9000.0, 5.0, 9.0, {"postgresql": 30.0, "driver": 20.0})
    slow = Measured(
        checkouts={MAIN: [run_at(6000)], FRAMES: [run_at(7000)]},
        pgbench={64: [rate_of(64, 3000.0)]},
    )
    return result_of(
        run_at(9000),
        loads=loads,
        own_statements={4: [rate_of(4, 4500.0)]},
        batches={100: [batch]},
        disks={500: Flushes(slow, [520, 519, 521])},
        profile={"loyalty": {"looks": 40, "functions": [FUNCTION]}},
    )


def test_medians_count_and_the_ratio_is_to_the_best_of_pgbench() -> None:
    result = result_of(run_at(9000), run_at(8002), run_at(3000))

    assert result.checkouts["256_tills"]["checkouts_per_s"] == 8002
    assert result.pgbench_best_per_s == 4001
    assert result.ratio_256_tills_to_pgbench == 2.0
    assert result.ratio_frames_32_to_pgbench is None


def test_each_ratio_is_of_two_figures_of_one_run() -> None:
    result = full_result()

    assert result.ratio_256_tills_to_own_statements == 2.0
    assert result.ratio_one_till_p50_to_pgbench == 2.5
    assert result.ratio_half_peak_p99_to_one_till_p50 == 1.0
    assert result.ratio_sqlite_to_postgresql == 0.556
    assert result.goals["ratio_frames_32_to_pgbench"]["value"] == 1.25


def test_what_is_simulated_stays_apart() -> None:
    """The main ratio is never one of a disk that is not there."""
    result = full_result()

    (disk,) = result.simulated_disks
    assert (disk["flush_longer_us"], disk["flush_us"]) == (500, 520)
    assert disk["ratio_256_tills_to_pgbench"] == 2.0
    assert result.ratio_256_tills_to_pgbench == 2.249


def test_percentiles_are_those_of_the_messages() -> None:
    run = run_at(5000)

    assert (run.p50_ms, run.p99_ms) == (1.0, 1.0)
    slow = Outcome(seconds=1, captured=98, latencies_s=[0.001] * 98 + [0.5] * 2)
    assert Run.of(slow, cpu_s={}).p99_ms == 500.0


def test_cpu_time_is_told_for_each_checkout() -> None:
    assert run_at(5000).cpu_us_per_checkout == {"loyalty": 50.0}


def test_questions_are_operations_but_no_checkouts() -> None:
    mixed = Outcome(seconds=1, captured=100, questions=200, latencies_s=[0.001])

    run = Run.of(mixed, cpu_s={})

    assert (run.checkouts_per_s, run.operations_per_s, run.refused_share) == (100, 300, 0)


def test_a_valid_result_has_no_problems() -> None:
    assert result_of(run_at(9000, refused=20)).problems() == []


@pytest.mark.parametrize(
    ("runs", "books", "problem"),
    [
        ([run_at(9000), run_at(9000, refused=21)], GOOD, "256_tills: 2.1% of the operations"),
        ([run_at(9000)], (*GOOD, Books(2, 1, balance=True)), "3,002 captured, 3,001 journalled"),
        ([run_at(9000)], (*GOOD, Books(0, 0, balance=False)), "verify found a fault"),
    ],
)
def test_a_result_that_may_not_be_quoted_says_why(
    runs: list[Run], books: tuple[Books, ...], problem: str
) -> None:
    assert problem in result_of(*runs, books=books).problems()[0]


def test_refusals_on_a_simulated_disk_are_a_problem_too() -> None:
    slow = Measured({MAIN: [run_at(9000, refused=21)], FRAMES: [run_at(1)]}, {4: [rate_of(4, 1.0)]})

    result = result_of(run_at(9000), disks={250: Flushes(slow, [270])})

    assert "256_tills (250 µs): 2.1%" in result.problems()[0]


def test_every_key_of_the_result_is_documented(tmp_path: Path) -> None:
    report.write(full_result(), tmp_path / "latest.json")
    documented = (ROOT / "docs/performance.md").read_text(encoding="utf-8")

    result = json.loads((tmp_path / "latest.json").read_text())
    keys = {*result, *result["simulated_disks"][0], *result["goals"][MAIN_GOAL]}
    keys |= FUNCTION.keys() | result["profile"]["loyalty"].keys()
    keys |= {*result["checkouts"]["256_tills"], *result["batches"]["100"], *result["pgbench"]["1"]}
    assert sorted(key for key in keys if f"`{key}" not in documented) == []
    run_keys = asdict(run_at(9000)).keys() - {"checkouts", "seconds", "refused"}
    assert [key for key in run_keys if f"`{key}" not in documented] == []


MAIN_GOAL = "ratio_256_tills_to_pgbench"


def test_the_tables_have_a_line_for_everything_that_was_measured() -> None:
    counts = {
        table.title.partition(" ")[0]: len(table.rows)
        for table in tables.tables(asdict(full_result()))
    }

    assert counts == {
        "Goals": 5,
        "Durable": 5,
        "Processor": 5,
        "Yardsticks": 3,
        "The": 1,
        "Simulated:": 1,
        "Where": 1,
    }


def test_a_run_that_measured_less_has_fewer_tables() -> None:
    titles = [table.title for table in tables.tables(asdict(result_of(run_at(9000))))]

    assert not any(title.startswith(("The limit", "Simulated")) for title in titles)


def test_a_table_reads_the_same_in_the_document() -> None:
    table = tables.Table("words", ("load", "a second"), [("256 tills", "9,000")])

    assert table.markdown() == "| load | a second |\n| --- | ---: |\n| 256 tills | 9,000 |"
    assert table.rich().row_count == 1
