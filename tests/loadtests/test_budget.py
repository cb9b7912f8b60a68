"""A budget is broken by what is above it, and by what was never done."""

from pathlib import Path

import pytest

from loadtests import budget
from loadtests.budget import Budget, Seen

BUDGETS = {"capture": Budget(p99_ms=150, failed_share_max=0.01)}


@pytest.mark.parametrize(
    "seen",
    [
        Seen(requests=100, failures=0, p99_ms=150),
        Seen(requests=100, failures=1, p99_ms=1),
        Seen(requests=1, failures=0, p99_ms=0),
    ],
)
def test_a_budget_that_is_just_met_is_kept(seen: Seen) -> None:
    assert budget.broken(BUDGETS, {"capture": seen}) == []


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (Seen(requests=100, failures=0, p99_ms=151), "capture: p99 151 ms, budget 150 ms"),
        (Seen(requests=100, failures=2, p99_ms=1), "capture: 2.00% failed, budget 1.00%"),
        (Seen(requests=0, failures=0, p99_ms=0), "capture: not one request was made"),
    ],
)
def test_a_budget_that_is_not_met_is_told(seen: Seen, words: str) -> None:
    assert budget.broken(BUDGETS, {"capture": seen}) == [words]


def test_an_operation_that_nobody_asked_for_breaks_its_budget() -> None:
    assert budget.broken(BUDGETS, {}) == ["capture: not one request was made"]


def test_the_committed_budgets_can_be_read() -> None:
    budgets = budget.read(Path(budget.__file__).with_name("budget.toml"))

    assert set(budgets) == {"identify", "quote", "capture"}


def test_a_key_that_no_budget_has_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "budget.toml"
    file.write_text("[capture]\np99_ms = 1\nfailed_share_max = 0\np98_ms = 1\n")

    with pytest.raises(TypeError, match="p98_ms"):
        budget.read(file)
