"""When every operation of a run is due: settled before it begins, whatever the service does.

Shoppers arrive at a constant rate and at each till in turn. A visit is a timetable: its operations
are due one step after another, counted from the arrival. Latency counts from these times (an open
loop), so a service that stalls cannot slow the shoppers down and hide how many of them waited.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from loadtests import mix

STEP_S = 0.1  # between two operations of a visit: scanning, asking, paying
VISIT_S_MAX = 0.8  # so long a till is taken by one shopper, with a step until the next
TILLS_MIN = 2  # one with a stream, one without


class TooFewError(ValueError):
    """So few tills or shoppers would measure themselves, or not every operation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """An operation and when it is due, in seconds since the run began."""

    operation: str
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What is due for one shopper, in order; what would be due after the run's end is left out."""

    number: int
    steps: tuple[Due, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """All shoppers of a run. Raises TooFewError."""

    shoppers_per_s: float
    seconds: float
    tills: int

    def __post_init__(self) -> None:
        tills_min = max(TILLS_MIN, math.ceil(self.shoppers_per_s * VISIT_S_MAX))
        if self.tills < tills_min:
            words = f"{self.shoppers_per_s:g} shoppers a second need {tills_min} tills"
            raise TooFewError(f"{words}: {self.tills} would make a queue of their own")
        if self.shoppers < mix.shoppers_min():
            words = f"every operation is asked for by the first {mix.shoppers_min()} shoppers"
            raise TooFewError(f"{words}: {self.shoppers} are too few")

    @property
    def shoppers(self) -> int:
        """How many arrive before the end, visits of which the end cuts something off left out."""
        return max(0, math.ceil((self.seconds - VISIT_S_MAX) * self.shoppers_per_s))

    def at_till(self, till: int) -> Iterator[Visit]:
        """The visits to one till, in the order of arrival; tills are numbered from 0."""
        assert 0 <= till < self.tills, f"there is no till {till}"
        for number in range(till, math.ceil(self.seconds * self.shoppers_per_s), self.tills):
            yield self._visit(number)

    def timetable(self) -> list[float]:
        """When each operation of the run is due, earliest first."""
        visits = (visit for till in range(self.tills) for visit in self.at_till(till))
        return sorted(step.at_s for visit in visits for step in visit.steps)

    def _visit(self, number: int) -> Visit:
        arrives_s = number / self.shoppers_per_s
        steps = (
            Due(operation=operation, at_s=arrives_s + position * STEP_S)
            for position, operation in enumerate(mix.visit(number))
        )
        return Visit(number=number, steps=tuple(s for s in steps if s.at_s < self.seconds))
