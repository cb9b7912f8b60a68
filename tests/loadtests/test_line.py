"""A service that stalls cannot hide how many waited: latency counts from when it was due.

The clock is a simulated one, so that every figure is exact.
"""

from dataclasses import dataclass, field

import pytest

from loadtests import line
from loadtests.arrivals import Due, Visit
from loadtests.line import Ask, Measurement

ENDS_S = 10.0


@dataclass(slots=True)
class Till:
    """Asks a service that takes 0.01 s, and from `stalls_at_s` on once `stalls_for_s` more."""

    stalls_at_s: float = ENDS_S
    stalls_for_s: float = 0.0
    fails: str | None = None
    late_by_s: float = 0.0  # of each sleep
    now_s: float = 0.0
    asked: list[tuple[int, str]] = field(default_factory=list)

    def clock(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s = round(self.now_s + seconds + self.late_by_s, 6)

    def welcome(self, number: int) -> Ask:
        def ask(operation: str) -> str | None:
            self.asked.append((number, operation))
            if self.now_s >= self.stalls_at_s:
                self.now_s = round(self.now_s + self.stalls_for_s, 6)
                self.stalls_for_s = 0.0
            self.now_s = round(self.now_s + 0.01, 6)
            return self.fails

        return ask

    def serve(self, visits: list[Visit]) -> list[Measurement]:
        return list(
            line.serve(
                visits, welcome=self.welcome, clock=self.clock, sleep=self.sleep, ends_s=ENDS_S
            )
        )


def shoppers(*, every_s: float, until_s: float = ENDS_S) -> list[Visit]:
    """Each asks for one thing."""
    return [
        Visit(number=number, steps=(Due(operation="capture", at_s=round(number * every_s, 6)),))
        for number in range(int(until_s / every_s))
    ]


def test_a_service_that_keeps_up_is_measured_as_it_is() -> None:
    measured = Till().serve(shoppers(every_s=0.1))

    assert len(measured) == 100
    assert {round(each.latency_ms, 3) for each in measured} == {10.0}
    assert all(each.till_was_free for each in measured)


def test_everybody_who_came_while_it_stalled_waited() -> None:
    """At 5 s it stalls for 2 s: ten shoppers a second stand in line and are late, not one."""
    measured = Till(stalls_at_s=5.0, stalls_for_s=2.0).serve(shoppers(every_s=0.1))

    late = [each for each in measured if each.latency_ms > 100]
    assert len(late) == 22  # 20 who came meanwhile, two more until the line was gone
    assert [round(each.latency_ms) for each in late[:4]] == [2010, 1920, 1830, 1740]


def test_counted_from_asking_only_one_of_them_would_have_been_late() -> None:
    """What a test without a schedule reports: the figure beside it shows how far that is off."""
    measured = Till(stalls_at_s=5.0, stalls_for_s=2.0).serve(shoppers(every_s=0.1))

    assert sum(each.from_asking_ms > 100 for each in measured) == 1


def test_what_could_not_be_asked_before_the_end_is_missed_and_counts() -> None:
    till = Till(stalls_at_s=9.0, stalls_for_s=5.0)
    measured = till.serve(shoppers(every_s=0.1))

    missed = [each for each in measured if each.asked_s is None]
    assert len(measured) == 100
    assert len(missed) == 9  # those of 9.1 to 9.9 s
    assert len(till.asked) == 91
    assert all(each.failure is not None for each in missed)
    assert round(missed[0].latency_ms) == 4910  # 14.01 s, when it was noticed, less 9.1 s


def test_one_that_was_asked_in_time_has_its_answer_after_the_end() -> None:
    measured = Till(stalls_at_s=9.9, stalls_for_s=5.0).serve(shoppers(every_s=0.1))

    assert measured[-1].failure is None
    assert round(measured[-1].latency_ms) == 5010


def test_a_late_step_makes_the_next_of_the_same_visit_late() -> None:
    steps = tuple(Due(operation=name, at_s=at_s) for name, at_s in (("quote", 0), ("capture", 0.1)))

    measured = Till(stalls_at_s=0.0, stalls_for_s=1.0).serve([Visit(number=0, steps=steps)])

    assert [round(each.latency_ms) for each in measured] == [1010, 920]
    assert [each.till_was_free for each in measured] == [True, False]


def test_a_failure_is_measured_like_an_answer() -> None:
    measured = Till(fails="UNAVAILABLE").serve(shoppers(every_s=1.0))

    assert [each.failure for each in measured] == ["UNAVAILABLE"] * 10
    assert round(measured[3].latency_ms) == 10


def test_a_generator_that_wakes_up_late_is_part_of_the_latency_and_told_apart() -> None:
    measured = Till(late_by_s=0.02).serve(shoppers(every_s=1.0))

    each = measured[5]
    assert each.till_was_free
    assert each.asked_s == pytest.approx(each.due_s + 0.02)
    assert each.latency_ms == pytest.approx(30)
