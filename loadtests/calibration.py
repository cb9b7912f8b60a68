"""How fast the machine and the installation are just now, for budgets that are relative to it."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from bonpunkt.till import operations as build
from bonpunkt.till.v1 import till_pb2 as pb
from loadtests.ways import UnansweredError, Way

ROUND_TRIPS = 60

Answer = Literal["identified", "abandoned"]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Medians of one operation after the other, nothing else being asked."""

    ask_ms: float  # identify: reads
    book_ms: float  # abandon: writes, and waits until that is durable

    @property
    def round_trip_ms(self) -> float:
        """The unit of relative budgets: to be answered, and to be safe on disk."""
        return max(self.ask_ms, self.book_ms)


def calibrate(way: Way, *, card: str) -> Calibration:
    """Asks and books a few times. Raises UnansweredError, also for answers that are none."""

    def median_ms(make: Callable[[], pb.Operation], expected: Answer) -> float:
        took = []
        for _ in range(ROUND_TRIPS):
            operation = make()
            begun = time.perf_counter()
            decision = way.ask(operation)
            took.append((time.perf_counter() - begun) * 1000)
            if not decision.HasField(expected):
                answer = decision.WhichOneof("result")
                raise UnansweredError(f"answered with {answer} instead of {expected}")
        return round(statistics.median(took), 3)

    return Calibration(
        ask_ms=median_ms(lambda: build.identify(card), "identified"),
        book_ms=median_ms(lambda: build.abandon(build.new_id()), "abandoned"),
    )
