"""What is measured, and for how long."""

from dataclasses import replace

import pytest

from loadtests.plan import (
    ALL_LOADS,
    FRAMES,
    GOAL_LOADS,
    HALF_PEAK,
    MAIN,
    ONE,
    PROFILED_CHECKOUTS,
    WARM_UP_CHECKOUTS,
    Load,
    Plan,
)

PLAN = Plan(loads=ALL_LOADS, repetitions=3, checkouts=1000, pgbench_s=1)


@pytest.mark.parametrize(
    ("load", "words", "key"),
    [
        (ONE, "1 till", "1_tills"),
        (MAIN, "256 tills", "256_tills"),
        (FRAMES, "16 tills, frames of 32", "16_tills_frames_32"),
        (Load(tills=256, tls=True), "256 tills, TLS", "256_tills_tls"),
        (HALF_PEAK, "256 tills, half of the peak rate, by the clock", "256_tills_half_peak"),
    ],
)
def test_loads_are_named_for_people_and_machines(load: Load, words: str, key: str) -> None:
    assert (str(load), load.key) == (words, key)


def test_no_two_loads_have_one_key() -> None:
    assert len({load.key for load in ALL_LOADS}) == len(ALL_LOADS)


def test_everything_includes_what_the_goals_speak_of() -> None:
    assert set(GOAL_LOADS) <= set(ALL_LOADS)


@pytest.mark.parametrize("loads", [GOAL_LOADS, ALL_LOADS])
def test_the_peak_is_known_before_half_of_it_is_measured(loads: tuple[Load, ...]) -> None:
    assert loads.index(MAIN) < loads.index(HALF_PEAK)


def test_there_is_a_member_for_every_checkout_of_the_plan() -> None:
    once = sum(PLAN.checkouts_of(load) for load in ALL_LOADS)
    assert PLAN.checkouts_of(MAIN) == 1000
    assert PLAN.members(ALL_LOADS) == WARM_UP_CHECKOUTS + 3 * once
    profiled = replace(PLAN, profiled=True)
    assert profiled.members(ALL_LOADS) == PLAN.members(ALL_LOADS) + 2 * PROFILED_CHECKOUTS


def test_every_till_has_something_to_do() -> None:
    assert all(PLAN.checkouts_of(load) >= load.tills * load.frame for load in ALL_LOADS)


@pytest.mark.parametrize("size", [1, 16, 100, 300])
def test_batches_are_full(size: int) -> None:
    count = PLAN.captures_in_batches_of(size)

    assert count >= size
    assert count % size == 0
