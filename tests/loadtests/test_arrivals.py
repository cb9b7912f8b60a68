"""The timetable of a run is settled before it begins, and nothing in it is lost or double."""

import pytest

from loadtests import mix
from loadtests.arrivals import STEP_S, VISIT_S_MAX, Arrivals, TooFewError


def test_shoppers_arrive_at_a_constant_rate_at_each_till_in_turn() -> None:
    arrivals = Arrivals(shoppers_per_s=10, seconds=10, tills=8)

    visits = list(arrivals.at_till(3))

    assert [visit.number for visit in visits] == list(range(3, 100, 8))
    assert [visit.steps[0].at_s for visit in visits] == [n / 10 for n in range(3, 100, 8)]


def test_the_operations_of_a_visit_are_due_one_step_after_another() -> None:
    arrivals = Arrivals(shoppers_per_s=10, seconds=10, tills=8)

    visit = next(arrivals.at_till(5))

    assert [step.operation for step in visit.steps] == ["identify", "quote", "reserve", "capture"]
    assert [step.at_s for step in visit.steps] == [0.5 + n * STEP_S for n in range(4)]


def test_the_tills_together_have_every_shopper_once() -> None:
    arrivals = Arrivals(shoppers_per_s=7.3, seconds=11, tills=9)

    numbers = [visit.number for till in range(9) for visit in arrivals.at_till(till)]

    assert sorted(numbers) == list(range(81))  # 7.3 × 11 = 80.3: number 80 arrives at 10.96 s


def test_what_would_be_due_after_the_end_is_not_part_of_the_run() -> None:
    arrivals = Arrivals(shoppers_per_s=10, seconds=10, tills=8)

    timetable = arrivals.timetable()

    assert timetable == sorted(timetable)
    assert timetable[-1] < 10
    assert len(timetable) < sum(len(mix.visit(number)) for number in range(100))


def test_no_visit_is_longer_than_a_till_is_kept_free_for_it() -> None:
    assert max(len(mix.visit(number)) for number in range(20_000)) * STEP_S < VISIT_S_MAX


@pytest.mark.parametrize(("per_s", "tills"), [(10.0, 8), (1.0, 2)])
def test_so_few_tills_are_enough(per_s: float, tills: int) -> None:
    Arrivals(shoppers_per_s=per_s, seconds=60, tills=tills)

    with pytest.raises(TooFewError, match=f"need {tills} tills"):
        Arrivals(shoppers_per_s=per_s, seconds=60, tills=tills - 1)


def test_a_run_is_refused_if_not_every_operation_would_be_asked_for() -> None:
    just_enough = mix.shoppers_min() / 10 + VISIT_S_MAX - 0.05
    Arrivals(shoppers_per_s=10, seconds=just_enough, tills=10)

    with pytest.raises(TooFewError, match="are too few"):
        Arrivals(shoppers_per_s=10, seconds=just_enough - 0.1, tills=10)
