"""What the figures are held against: ratios within one run, so that they mean something on any
machine.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Goal:
    """A key of the result, what it should be, and from where on the work is not done.

    A ratio of rates should be at least `goal` (and not below `limit`), one of times at most.
    """

    key: str
    words: str
    goal: float
    limit: float
    of_rates: bool

    def judge(self, value: float | None) -> dict[str, Any]:
        """For the result; nothing is judged that was not measured."""
        judged: dict[str, Any] = {"value": value, "goal": self.goal, "limit": self.limit}
        if value is None:
            return judged | {"reached": None, "within_limit": None}
        sign = 1 if self.of_rates else -1
        return judged | {
            "reached": sign * value >= sign * self.goal,
            "within_limit": sign * value >= sign * self.limit,
        }


GOALS = (
    Goal(
        "ratio_256_tills_to_pgbench",
        "256 tills: checkouts a second, to the best of pgbench",
        goal=2.5,
        limit=1.25,
        of_rates=True,
    ),
    Goal(
        "ratio_frames_32_to_pgbench",
        "frames of 32: checkouts a second, to the best of pgbench",
        goal=4.0,
        limit=2.0,
        of_rates=True,
    ),
    Goal(
        "ratio_one_till_p50_to_pgbench",
        "one till: p50, to that of pgbench -c 1",
        goal=3.0,
        limit=5.0,
        of_rates=False,
    ),
    Goal(
        "ratio_half_peak_p99_to_one_till_p50",
        "half of the peak rate: p99, to the p50 of one till",
        goal=8.0,
        limit=8.0,
        of_rates=False,
    ),
    Goal(
        "ratio_sqlite_to_postgresql",
        "256 tills: SQLite, to PostgreSQL",
        goal=0.6,
        limit=0.6,
        of_rates=True,
    ),
)


def judged(result: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Every goal, by key, with what the run says of it."""
    return {goal.key: goal.judge(result.get(goal.key)) for goal in GOALS}


def verdict(judgement: Mapping[str, Any]) -> str:
    """In words."""
    if judgement["reached"] is None:
        return "not measured"
    if judgement["reached"]:
        return "reached"
    return "not reached" if judgement["within_limit"] else "not reached, outside the limit"
