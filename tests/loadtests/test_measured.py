"""Figures come from everything that was due, whatever became of it."""

import pytest

from loadtests import measured
from loadtests.line import Measurement


def measurement(
    due_s: float,
    *,
    took_s: float = 0.01,
    failure: str | None = None,
    missed: bool = False,
    late_s: float = 0.0,
    free: bool = True,
) -> Measurement:
    return Measurement(
        operation="capture",
        due_s=due_s,
        asked_s=None if missed else due_s + late_s,
        ended_s=due_s + took_s,
        failure=failure,
        till_was_free=free,
    )


def test_percentiles_are_of_the_nearest_rank() -> None:
    values = [float(n) for n in range(1, 101)]

    assert [measured.percentile(values, share) for share in (0.5, 0.95, 0.99, 1.0)] == [
        50,
        95,
        99,
        100,
    ]
    assert measured.percentile([7.0], 0.99) == 7
    assert measured.percentile([], 0.99) == 0


def test_failed_and_missed_ones_are_in_every_figure() -> None:
    some = [measurement(n / 10) for n in range(96)]
    some += [measurement(9.6, took_s=3, failure="no"), measurement(9.7, took_s=3, failure="no")]
    some += [measurement(n, took_s=4, failure="missed", missed=True) for n in (9.8, 9.9)]

    cost = measured.costs(some, seconds=10)["capture"]

    assert (cost.due, cost.answered, cost.failed, cost.missed, cost.asked) == (100, 96, 4, 2, 98)
    assert (cost.p50_ms, cost.p95_ms, cost.p99_ms) == (10, 10, 4000)
    assert cost.failed_share == 0.04
    assert cost.failures == {"no": 2, "missed": 2}


def test_the_achieved_rate_counts_answers_over_the_time_that_they_took() -> None:
    kept_up = [measurement(n / 10) for n in range(100)]
    behind = [*kept_up[:-1], measurement(9.9, took_s=10.1)]

    assert measured.costs(kept_up, seconds=10)["capture"].achieved_share == 1
    assert measured.costs(behind, seconds=10)["capture"].achieved_per_s == 5
    assert measured.costs(behind, seconds=10)["capture"].achieved_share == 0.5


def test_from_asking_leaves_out_what_came_before() -> None:
    cost = measured.costs([measurement(1, took_s=2, late_s=1.99)], seconds=10)["capture"]

    assert (cost.p99_ms, cost.p99_from_asking_ms) == (2000, pytest.approx(10))


def test_each_second_has_what_was_due_in_it() -> None:
    some = [measurement(0.5), measurement(2.0, took_s=5), measurement(2.9, failure="no")]

    seconds = measured.by_second(some, seconds=3)

    assert [(each.due, each.failed, each.p99_ms) for each in seconds] == [
        (1, 0, 10),
        (0, 0, 0),
        (2, 1, 5000),
    ]


def test_the_generator_is_late_where_a_till_that_waited_asked_late() -> None:
    """A till that was busy is late because of the service."""
    some = [measurement(1, late_s=0.004), measurement(2, late_s=3, free=False)]

    assert measured.generator_late_ms(some) == 4
