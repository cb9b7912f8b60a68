"""Budgets of a load test, from a TOML file with a table for each operation.

    [capture]
    p50_ms = 10              # or p50_round_trips = 5: so many times the round trip that was
    p95_ms = 30              # calibrated in the same run, for machines that nobody knows
    p99_ms = 60
    failed_share_max = 0.0   # of all that were due
    achieved_share_min = 0.99  # of the rate at which it was due

A run breaks its budgets also by what was never asked, and by what has no budget.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtests.measured import Cost

LATENCIES = ("p50", "p95", "p99")


@dataclass(frozen=True, slots=True)
class Limit:
    """The most that a latency may be: in milliseconds, or in round trips of the calibration."""

    value: float
    in_round_trips: bool = False

    def ms(self, round_trip_ms: float) -> float:
        return self.value * round_trip_ms if self.in_round_trips else self.value

    def __str__(self) -> str:
        return f"{self.value:g} round trips" if self.in_round_trips else f"{self.value:g} ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What one operation may cost."""

    p50: Limit
    p95: Limit
    p99: Limit
    failed_share_max: float
    achieved_share_min: float


def read(path: Path) -> dict[str, Budget]:
    """The budgets by operation. Raises ValueError for what is missing, double, or no budget's."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    return {operation: _budget(operation, dict(table)) for operation, table in tables.items()}


def broken(
    budgets: Mapping[str, Budget],
    costs: Mapping[str, Cost],
    *,
    round_trip_ms: float,
    asked_by_way: Mapping[str, int],
) -> list[str]:
    """Each budget that was not kept, in words; empty if all were.

    `asked_by_way` is how often each way of asking was taken: one that never was is not measured.
    """
    found = []
    for operation, budget in budgets.items():
        cost = costs.get(operation)
        if cost is None or cost.asked == 0:
            found.append(f"{operation}: not one request was made")
        if cost is not None:
            over = _over(budget, cost, round_trip_ms=round_trip_ms)
            found += [f"{operation}: {words}" for words in over]
    found += [f"{operation}: has no budget" for operation in costs if operation not in budgets]
    found += [f"not one request was made by {way}" for way, n in asked_by_way.items() if n == 0]
    return found


def _over(budget: Budget, cost: Cost, *, round_trip_ms: float) -> Iterable[str]:
    for name in LATENCIES:
        limit: Limit = getattr(budget, name)
        took_ms: float = getattr(cost, f"{name}_ms")
        if took_ms > (allowed_ms := limit.ms(round_trip_ms)):
            counted = f" ({limit})" if limit.in_round_trips else ""
            yield f"{name} {took_ms:.1f} ms, budget {allowed_ms:.1f} ms{counted}"
    if cost.failed_share > budget.failed_share_max:
        yield f"{cost.failed_share:.2%} failed, budget {budget.failed_share_max:.2%}"
    if cost.achieved_share < budget.achieved_share_min:
        share = f"{cost.achieved_share:.1%}, budget {budget.achieved_share_min:.1%}"
        yield f"{cost.achieved_per_s:.2f} of {cost.due_per_s:.2f} a second: {share}"


def _budget(operation: str, table: dict[str, Any]) -> Budget:
    try:
        made = Budget(
            **{name: _limit(name, table) for name in LATENCIES},
            failed_share_max=float(table.pop("failed_share_max")),
            achieved_share_min=float(table.pop("achieved_share_min")),
        )
    except KeyError as error:
        raise ValueError(f"[{operation}] lacks {error.args[0]}") from None
    if table:
        raise ValueError(f"[{operation}] has {', '.join(table)}, which no budget has")
    return made


def _limit(name: str, table: dict[str, Any]) -> Limit:
    if f"{name}_round_trips" in table:
        return Limit(float(table.pop(f"{name}_round_trips")), in_round_trips=True)
    return Limit(float(table.pop(f"{name}_ms")))
