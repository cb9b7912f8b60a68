"""Budgets of a load test, from a TOML file: a table for each operation."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Budget:
    """What one operation may cost."""

    p99_ms: float
    failed_share_max: float


@dataclass(frozen=True, slots=True)
class Seen:
    """What one operation did cost."""

    requests: int
    failures: int
    p99_ms: float


def read(path: Path) -> dict[str, Budget]:
    """The budgets by operation; raises TypeError for keys that no budget has."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    return {operation: Budget(**table) for operation, table in tables.items()}


def broken(budgets: Mapping[str, Budget], seen: Mapping[str, Seen]) -> list[str]:
    """Each budget that was not kept, in words. An operation that was never made keeps none."""
    found = []
    for operation, budget in budgets.items():
        cost = seen.get(operation, Seen(requests=0, failures=0, p99_ms=0.0))
        if cost.requests == 0:
            found.append(f"{operation}: not one request was made")
            continue
        if cost.p99_ms > budget.p99_ms:
            found.append(f"{operation}: p99 {cost.p99_ms:.0f} ms, budget {budget.p99_ms:.0f} ms")
        share = cost.failures / cost.requests
        if share > budget.failed_share_max:
            found.append(f"{operation}: {share:.2%} failed, budget {budget.failed_share_max:.2%}")
    return found
