"""A figure reaches its goal, or does not, or is so far away that the work is not done."""

import pytest

from loadtests.goals import GOALS, judged, verdict

RATE, TIME = "ratio_256_tills_to_pgbench", "ratio_one_till_p50_to_pgbench"


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        (RATE, 2.5, "reached"),
        (RATE, 2.49, "not reached"),
        (RATE, 1.25, "not reached"),
        (RATE, 1.24, "not reached, outside the limit"),
        (TIME, 3.0, "reached"),
        (TIME, 3.01, "not reached"),
        (TIME, 5.0, "not reached"),
        (TIME, 5.01, "not reached, outside the limit"),
        (TIME, None, "not measured"),
    ],
)
def test_a_goal_is_judged_on_both_sides_of_goal_and_limit(
    key: str, value: float | None, words: str
) -> None:
    judgement = judged({key: value})[key]

    assert verdict(judgement) == words
    assert judgement["value"] == value


def test_every_goal_is_judged() -> None:
    assert list(judged({})) == [goal.key for goal in GOALS]
