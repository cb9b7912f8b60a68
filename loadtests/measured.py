"""The figures of a run, by operation, from every operation that was due."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from loadtests.line import Measurement

PERCENTILES = {"p50_ms": 0.50, "p95_ms": 0.95, "p99_ms": 0.99}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one operation did cost. Latencies count from when it was due, failed ones included."""

    due: int
    answered: int
    failed: int
    missed: int  # of the failed: those that could not even be asked
    due_per_s: float
    achieved_per_s: float  # answered, over the run's seconds and those in which it still answered
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    p99_from_asking_ms: float
    failures: Mapping[str, int]

    @property
    def asked(self) -> int:
        return self.due - self.missed

    @property
    def failed_share(self) -> float:
        return self.failed / self.due if self.due else 0.0

    @property
    def achieved_share(self) -> float:
        """Of the rate at which it was due."""
        return self.achieved_per_s / self.due_per_s if self.due else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Second:
    """The operations that were due within one second of the run."""

    due: int
    failed: int
    p50_ms: float
    p99_ms: float


def costs(measurements: Sequence[Measurement], *, seconds: float) -> dict[str, Cost]:
    """By operation, in the order of the alphabet. `seconds` is how long shoppers arrived."""
    by_operation = defaultdict(list)
    for measurement in measurements:
        by_operation[measurement.operation].append(measurement)
    elapsed_s = max([seconds, *(each.ended_s for each in measurements)])
    return {
        operation: _cost(by_operation[operation], seconds=seconds, elapsed_s=elapsed_s)
        for operation in sorted(by_operation)
    }


def by_second(measurements: Sequence[Measurement], *, seconds: float) -> list[Second]:
    """What was due in each second of the run; how a stall looks to those who waited."""
    due: list[list[Measurement]] = [[] for _ in range(math.ceil(seconds))]
    for measurement in measurements:
        due[int(measurement.due_s)].append(measurement)
    return [
        Second(
            due=len(some),
            failed=sum(each.failure is not None for each in some),
            p50_ms=percentile((each.latency_ms for each in some), 0.50),
            p99_ms=percentile((each.latency_ms for each in some), 0.99),
        )
        for some in due
    ]


def generator_late_ms(measurements: Iterable[Measurement]) -> float:
    """How late the generator itself was, p99: of what a till that waited for it asked too late.

    It is part of every latency. If it is not small against them, the machine had no time left for
    the generator, and the service is better than the figures.
    """
    late = (
        (each.asked_s - each.due_s) * 1000
        for each in measurements
        if each.till_was_free and each.asked_s is not None
    )
    return percentile(late, 0.99)


def percentile(values: Iterable[float], share: float) -> float:
    """The value that `share` of them does not exceed, by nearest rank; 0 if there are none."""
    ordered = sorted(values)
    return round(ordered[math.ceil(share * len(ordered)) - 1], 3) if ordered else 0.0


def _cost(some: Sequence[Measurement], *, seconds: float, elapsed_s: float) -> Cost:
    latencies = [each.latency_ms for each in some]
    failures = Counter(each.failure for each in some if each.failure is not None)
    answered = len(some) - failures.total()
    return Cost(
        due=len(some),
        answered=answered,
        failed=failures.total(),
        missed=sum(each.asked_s is None for each in some),
        due_per_s=round(len(some) / seconds, 3),
        achieved_per_s=round(answered / elapsed_s, 3),
        **{name: percentile(latencies, share) for name, share in PERCENTILES.items()},
        max_ms=percentile(latencies, 1.0),
        p99_from_asking_ms=percentile(
            (each.from_asking_ms for each in some if each.asked_s is not None), 0.99
        ),
        failures=dict(failures),
    )
