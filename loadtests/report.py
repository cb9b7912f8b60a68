"""The result of a benchmark: medians and ratios, as JSON for machines. tables.py makes tables of it
for people, chart.py charts.
"""

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from loadtests import goals
from loadtests.batches import BatchRun
from loadtests.generator import Outcome
from loadtests.installation import Books
from loadtests.machine import machine
from loadtests.pgbench import Rate
from loadtests.plan import FRAMES, HALF_PEAK, MAIN, ONE, SQLITE, Load

REFUSED_SHARE_MAX = 0.02


@dataclass(frozen=True, slots=True)
class Run:
    """One run of checkouts. Latencies are those of a message, from its write to its last answer;
    with arrivals by the clock, from when it was due.
    """

    checkouts: int
    seconds: float
    checkouts_per_s: float
    operations_per_s: float
    p50_ms: float
    p99_ms: float
    refused_share: float
    refused: dict[str, int]
    cpu_us_per_checkout: dict[str, float]

    @classmethod
    def of(cls, outcome: Outcome, *, cpu_s: Mapping[str, float]) -> Self:
        """`cpu_s`: the CPU time of each process during the run."""
        operations = outcome.captured + outcome.questions
        return cls(
            checkouts=outcome.captured,
            seconds=round(outcome.seconds, 3),
            checkouts_per_s=round(outcome.per_s, 1),
            operations_per_s=round(operations / outcome.seconds, 1),
            p50_ms=round(outcome.percentile_ms(0.50), 2),
            p99_ms=round(outcome.percentile_ms(0.99), 2),
            refused_share=round(outcome.refused_share, 5),
            refused=dict(outcome.others),
            cpu_us_per_checkout={
                name: round(spent / outcome.captured * 1e6, 1) for name, spent in cpu_s.items()
            },
        )


@dataclass(slots=True)
class Measured:
    """Every run so far, by what was measured."""

    checkouts: dict[Load, list[Run]] = field(default_factory=dict)
    pgbench: dict[int, list[Rate]] = field(default_factory=dict)
    own_statements: dict[int, list[Rate]] = field(default_factory=dict)
    batches: dict[int, list[BatchRun]] = field(default_factory=dict)


@dataclass(slots=True)
class Flushes:
    """What was measured on a disk that is simulated, and how long a flush took there."""

    measured: Measured = field(default_factory=Measured)
    took_us: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Result:
    """Everything that docs/performance.md documents of loadtests/results/latest.json."""

    made_at: str
    machine: dict[str, Any]
    postgresql_settings: dict[str, str]
    repetitions: int
    checkouts: dict[str, dict[str, Any]]
    pgbench: dict[str, dict[str, float]]
    pgbench_best_per_s: float
    own_statements: dict[str, dict[str, float]]
    own_statements_best_per_s: float | None
    batches: dict[str, dict[str, Any]]
    ratio_256_tills_to_pgbench: float | None
    ratio_frames_32_to_pgbench: float | None
    ratio_256_tills_to_own_statements: float | None
    ratio_one_till_p50_to_pgbench: float | None
    ratio_half_peak_p99_to_one_till_p50: float | None
    ratio_sqlite_to_postgresql: float | None
    goals: dict[str, dict[str, Any]]
    simulated_disks: list[dict[str, Any]]
    profile: dict[str, dict[str, Any]]
    checkouts_counted: int
    journal_rows: int
    books_balance: bool

    @classmethod
    def of(
        cls,
        measured: Measured,
        *,
        disks: Mapping[int, Flushes],
        profile: Mapping[str, dict[str, Any]],
        books: Sequence[Books],
        settings: Mapping[str, str],
        folder: Path,
    ) -> Self:
        """`disks` by how much longer a flush took there, in microseconds."""
        checkouts = {load.key: _median(load, runs) for load, runs in measured.checkouts.items()}
        pgbench, own = _rates(measured.pgbench), _rates(measured.own_statements)
        ratios = _ratios(checkouts, pgbench, own)
        return cls(
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            machine=machine(folder),
            postgresql_settings=dict(settings),
            repetitions=max(len(runs) for runs in measured.pgbench.values()),
            checkouts=checkouts,
            pgbench=pgbench,
            pgbench_best_per_s=_best(pgbench) or 0.0,
            own_statements=own,
            own_statements_best_per_s=_best(own),
            batches={str(size): _batches(runs) for size, runs in measured.batches.items()},
            **ratios,
            goals=goals.judged(ratios),
            simulated_disks=[_disk(longer_us, found) for longer_us, found in disks.items()],
            profile=dict(profile),
            checkouts_counted=sum(each.counted for each in books),
            journal_rows=sum(each.journal_rows for each in books),
            books_balance=all(each.balance for each in books),
        )

    def problems(self) -> list[str]:
        """Why the figures may not be quoted; empty if they may."""
        loads = [("", self.checkouts)]
        loads += [(f" ({d['flush_longer_us']} µs)", d["checkouts"]) for d in self.simulated_disks]
        found = [
            f"{key}{where}: {figures['refused_share']:.1%} of the operations were refused"
            for where, checkouts in loads
            for key, figures in checkouts.items()
            if figures["refused_share"] >= REFUSED_SHARE_MAX
        ]
        if self.journal_rows != self.checkouts_counted:
            found.append(f"{self.checkouts_counted:,} captured, {self.journal_rows:,} journalled")
        if not self.books_balance:
            found.append("bonpunkt verify found a fault")
        return found


def write(result: Result, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(result), indent=2) + "\n", encoding="utf-8")


def _ratios(
    checkouts: Mapping[str, Mapping[str, Any]],
    pgbench: Mapping[str, Mapping[str, float]],
    own: Mapping[str, Mapping[str, float]],
) -> dict[str, float | None]:
    def rate(load: Load) -> float | None:
        return checkouts[load.key]["checkouts_per_s"] if load.key in checkouts else None

    def latency(load: Load, percentile: str) -> float | None:
        return checkouts[load.key][percentile] if load.key in checkouts else None

    best, own_best, one_p50_ms = _best(pgbench), _best(own), latency(ONE, "p50_ms")
    one_client_p50_ms = pgbench["1"]["p50_ms"] if "1" in pgbench else None
    return {
        "ratio_256_tills_to_pgbench": _ratio(rate(MAIN), best),
        "ratio_frames_32_to_pgbench": _ratio(rate(FRAMES), best),
        "ratio_256_tills_to_own_statements": _ratio(rate(MAIN), own_best),
        "ratio_one_till_p50_to_pgbench": _ratio(one_p50_ms, one_client_p50_ms),
        "ratio_half_peak_p99_to_one_till_p50": _ratio(latency(HALF_PEAK, "p99_ms"), one_p50_ms),
        "ratio_sqlite_to_postgresql": _ratio(rate(SQLITE), rate(MAIN)),
    }


def _ratio(figure: float | None, to: float | None) -> float | None:
    return None if figure is None or to is None else round(figure / to, 3)


def _disk(longer_us: int, found: Flushes) -> dict[str, Any]:
    """A simulated disk, with the ratios that it would give."""
    measured = found.measured
    checkouts = {load.key: _median(load, runs) for load, runs in measured.checkouts.items()}
    pgbench = _rates(measured.pgbench)
    ratios = _ratios(checkouts, pgbench, {})
    return {
        "flush_longer_us": longer_us,
        "flush_us": round(statistics.median(found.took_us)),
        "checkouts": checkouts,
        "pgbench": pgbench,
        "pgbench_best_per_s": _best(pgbench),
        **{
            key: ratios[key] for key in ("ratio_256_tills_to_pgbench", "ratio_frames_32_to_pgbench")
        },
    }


def _median(load: Load, runs: Sequence[Run]) -> dict[str, Any]:
    """The figures of a load: each the median of the runs, but the worst share of refusals."""
    return {
        "tills": load.tills,
        "frame": load.frame,
        "words": str(load),
        "checkouts_per_s": _middle(run.checkouts_per_s for run in runs),
        "operations_per_s": _middle(run.operations_per_s for run in runs),
        "p50_ms": _middle(run.p50_ms for run in runs),
        "p99_ms": _middle(run.p99_ms for run in runs),
        "refused_share": max(run.refused_share for run in runs),
        "cpu_us_per_checkout": _middles([run.cpu_us_per_checkout for run in runs]),
        "runs": [asdict(run) for run in runs],
    }


def _rates(found: Mapping[int, Sequence[Rate]]) -> dict[str, dict[str, float]]:
    """By the number of clients."""
    keys = ("transactions_per_s", "latency_average_ms", "p50_ms", "p99_ms")
    return {
        str(clients): _middles([{key: getattr(run, key) for key in keys} for run in runs])
        for clients, runs in found.items()
    }


def _batches(runs: Sequence[BatchRun]) -> dict[str, Any]:
    keys = ("checkouts_per_s", "p50_ms", "p99_ms")
    return {
        **_middles([{key: getattr(run, key) for key in keys} for run in runs]),
        "cpu_us_per_checkout": _middles([run.cpu_us_per_checkout for run in runs]),
    }


def _best(rates: Mapping[str, Mapping[str, float]]) -> float | None:
    return max((figures["transactions_per_s"] for figures in rates.values()), default=None)


def _middles(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: _middle(each[name] for each in found) for name in found[0]}


def _middle(values: Iterable[float]) -> float:
    return round(statistics.median(values), 3)
