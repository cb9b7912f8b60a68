"""A budget is broken by what is above it, by what was never done, and by not being there."""

from pathlib import Path

import pytest

from loadtests import budget, mix
from loadtests.budget import Budget, Limit
from loadtests.measured import Cost

FOLDER = Path(budget.__file__).parent
CAPTURE = Budget(
    p50=Limit(10), p95=Limit(30), p99=Limit(60), failed_share_max=0.01, achieved_share_min=0.9
)
RELATIVE = Budget(
    p50=Limit(10, in_round_trips=True),
    p95=Limit(30, in_round_trips=True),
    p99=Limit(60, in_round_trips=True),
    failed_share_max=0.01,
    achieved_share_min=0.9,
)


def cost(
    *,
    p50_ms: float = 10,
    p95_ms: float = 30,
    p99_ms: float = 60,
    failed: int = 1,
    missed: int = 0,
    achieved_per_s: float = 9.0,
) -> Cost:
    """By default everything is at its limit."""
    return Cost(
        due=100,
        answered=100 - failed,
        failed=failed,
        missed=missed,
        due_per_s=10.0,
        achieved_per_s=achieved_per_s,
        p50_ms=p50_ms,
        p95_ms=p95_ms,
        p99_ms=p99_ms,
        max_ms=p99_ms,
        p99_from_asking_ms=p99_ms,
        failures={},
    )


def broken(
    seen: dict[str, Cost], *, by: Budget = CAPTURE, round_trip_ms: float = 1.0, unary: int = 1
) -> list[str]:
    return budget.broken(
        {"capture": by},
        seen,
        round_trip_ms=round_trip_ms,
        asked_by_way={"stream": 1, "unary": unary},
    )


def test_a_budget_that_is_just_met_is_kept() -> None:
    assert broken({"capture": cost()}) == []


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (cost(p50_ms=10.1), "capture: p50 10.1 ms, budget 10.0 ms"),
        (cost(p95_ms=30.1), "capture: p95 30.1 ms, budget 30.0 ms"),
        (cost(p99_ms=60.1), "capture: p99 60.1 ms, budget 60.0 ms"),
        (cost(failed=2), "capture: 2.00% failed, budget 1.00%"),
        (cost(achieved_per_s=8.9), "capture: 8.90 of 10.00 a second: 89.0%, budget 90.0%"),
    ],
)
def test_a_budget_that_is_not_met_is_told(seen: Cost, words: str) -> None:
    assert broken({"capture": seen}) == [words]


def test_an_operation_that_nobody_asked_for_breaks_its_budget() -> None:
    assert broken({}) == ["capture: not one request was made"]


def test_an_operation_that_was_due_and_never_asked_breaks_its_budget() -> None:
    words = broken({"capture": cost(failed=100, missed=100, achieved_per_s=0)})

    assert "capture: not one request was made" in words
    assert "capture: 100.00% failed, budget 1.00%" in words


def test_an_operation_without_a_budget_is_told() -> None:
    assert broken({"capture": cost(), "void": cost()}) == ["void: has no budget"]


def test_a_way_of_asking_that_was_never_taken_is_told() -> None:
    assert broken({"capture": cost()}, unary=0) == ["not one request was made by unary"]


def test_relative_budgets_are_round_trips_of_the_same_run() -> None:
    seen = {"capture": cost(p50_ms=20, p95_ms=60, p99_ms=120)}

    assert broken(seen, by=RELATIVE, round_trip_ms=2.0) == []
    assert broken(seen, by=RELATIVE, round_trip_ms=1.99) == [
        "capture: p50 20.0 ms, budget 19.9 ms (10 round trips)",
        "capture: p95 60.0 ms, budget 59.7 ms (30 round trips)",
        "capture: p99 120.0 ms, budget 119.4 ms (60 round trips)",
    ]


@pytest.mark.parametrize(
    ("name", "relative"), [("budget.toml", False), ("budget-relative.toml", True)]
)
def test_the_committed_budgets_have_every_operation(name: str, relative: bool) -> None:
    budgets = budget.read(FOLDER / name)

    assert set(budgets) == set(mix.OPERATIONS)
    assert {each.p99.in_round_trips for each in budgets.values()} == {relative}


LIMITS = "p50_ms = 1\np95_ms = 1\np99_round_trips = 1\n"
SHARES = "failed_share_max = 0\nachieved_share_min = 1\n"


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (f"{LIMITS}{SHARES}p98_ms = 1\n", r"\[capture\] has p98_ms"),
        (f"{LIMITS}{SHARES}p99_ms = 1\n", r"\[capture\] has p99_ms"),
        (SHARES, r"\[capture\] lacks p50_ms"),
        (f"{LIMITS}failed_share_max = 0\n", r"\[capture\] lacks achieved_share_min"),
    ],
)
def test_a_budget_with_a_key_too_many_or_too_few_is_refused(
    tmp_path: Path, table: str, words: str
) -> None:
    file = tmp_path / "budget.toml"
    file.write_text(f"[capture]\n{table}")

    with pytest.raises(ValueError, match=words):
        budget.read(file)


def test_milliseconds_and_round_trips_may_stand_side_by_side(tmp_path: Path) -> None:
    file = tmp_path / "budget.toml"
    file.write_text(f"[capture]\n{LIMITS}{SHARES}")

    read = budget.read(file)["capture"]

    assert (read.p50, read.p99) == (Limit(1), Limit(1, in_round_trips=True))
