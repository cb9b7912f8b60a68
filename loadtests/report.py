"""The result of a benchmark: medians, ratios, a table for people and JSON for machines."""

import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from rich.table import Table

from loadtests.generator import Outcome
from loadtests.pgbench import Rate

REFUSED_SHARE_MAX = 0.02
FLUSHES = 200


@dataclass(frozen=True, slots=True)
class Shape:
    """So many tills, each with one message of so many operations in flight."""

    tills: int
    frame: int

    def __str__(self) -> str:
        tills = f"{self.tills} till" + ("s" if self.tills > 1 else "")
        return tills if self.frame == 1 else f"{tills}, frames of {self.frame}"

    @property
    def key(self) -> str:
        """256_tills; 16_tills_frames_32."""
        return f"{self.tills}_tills" + ("" if self.frame == 1 else f"_frames_{self.frame}")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of checkouts. Latencies are those of a message, from its write to its last answer."""

    checkouts: int
    seconds: float
    checkouts_per_s: float
    p50_ms: float
    p99_ms: float
    refused_share: float
    refused: dict[str, int]
    cpu_us_per_checkout: dict[str, float]

    @classmethod
    def of(cls, outcome: Outcome, *, cpu_s: Mapping[str, float]) -> Self:
        """`cpu_s`: the CPU time of each process during the run."""
        return cls(
            checkouts=outcome.captured,
            seconds=round(outcome.seconds, 3),
            checkouts_per_s=round(outcome.per_s, 1),
            p50_ms=round(outcome.percentile_ms(0.50), 2),
            p99_ms=round(outcome.percentile_ms(0.99), 2),
            refused_share=round(outcome.refused_share, 5),
            refused=dict(outcome.others),
            cpu_us_per_checkout={
                name: round(spent / outcome.captured * 1e6, 1) for name, spent in cpu_s.items()
            },
        )


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
    ratio_256_tills_to_pgbench: float | None
    ratio_frames_32_to_pgbench: float | None
    checkouts_counted: int
    journal_rows: int
    books_balance: bool

    @classmethod
    def of(
        cls,
        *,
        checkouts: Mapping[Shape, Sequence[Run]],
        rates: Mapping[int, Sequence[Rate]],
        answered: int,
        journal_rows: int,
        books: Mapping[str, Any],
        settings: Mapping[str, str],
        folder: Path,
    ) -> Self:
        pgbench = {
            str(clients): {
                "transactions_per_s": statistics.median(run.transactions_per_s for run in runs),
                "latency_average_ms": statistics.median(run.latency_average_ms for run in runs),
            }
            for clients, runs in rates.items()
        }
        best = max(figures["transactions_per_s"] for figures in pgbench.values())
        medians = {shape.key: _median(shape, runs) for shape, runs in checkouts.items()}
        return cls(
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            machine=machine(folder),
            postgresql_settings=dict(settings),
            repetitions=max(len(runs) for runs in rates.values()),
            checkouts=medians,
            pgbench=pgbench,
            pgbench_best_per_s=best,
            ratio_256_tills_to_pgbench=_ratio(medians.get("256_tills"), best),
            ratio_frames_32_to_pgbench=_ratio(medians.get("16_tills_frames_32"), best),
            checkouts_counted=answered,
            journal_rows=journal_rows,
            books_balance=bool(books["ok"]),
        )

    def problems(self) -> list[str]:
        """Why the figures may not be quoted; empty if they may."""
        found = [
            f"{key}: {figures['refused_share']:.1%} of the checkouts were refused"
            for key, figures in self.checkouts.items()
            if figures["refused_share"] >= REFUSED_SHARE_MAX
        ]
        if self.journal_rows != self.checkouts_counted:
            found.append(f"{self.checkouts_counted:,} captured, {self.journal_rows:,} journalled")
        if not self.books_balance:
            found.append("bonpunkt verify found a fault")
        return found


def machine(folder: Path) -> dict[str, Any]:
    """On what it was measured; figures of two machines are not comparable."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory / 2**30, 1),
        "file_system": _file_system(folder),
        "flush_us": round(_flush_s(folder) * 1e6),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def write(result: Result, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(result), indent=2) + "\n", encoding="utf-8")


def table(result: Result) -> Table:
    """One line a load; CPU time in microseconds for each checkout."""
    best = result.pgbench_best_per_s
    processes = list(next(iter(result.checkouts.values()))["cpu_us_per_checkout"])
    made = Table(title=f"medians of {result.repetitions}")
    made.add_column("load", no_wrap=True)
    for heading in ("a second", "÷ best pgbench", "p50 ms", "p99 ms"):
        made.add_column(heading, justify="right")
    for process in processes:
        made.add_column(f"{process} µs", justify="right")
    for key, figures in result.checkouts.items():
        rate = figures["checkouts_per_s"]
        latencies = (f"{figures['p50_ms']:.1f}", f"{figures['p99_ms']:.1f}")
        cpu = (f"{figures['cpu_us_per_checkout'][process]:.0f}" for process in processes)
        made.add_row(f"bonpunkt {key}", f"{rate:,.0f}", f"{rate / best:.2f}", *latencies, *cpu)
    for clients, pgbench in result.pgbench.items():
        rate = pgbench["transactions_per_s"]
        average = f"⌀ {pgbench['latency_average_ms']:.1f}"
        made.add_row(f"pgbench -c {clients}", f"{rate:,.0f}", f"{rate / best:.2f}", average)
    return made


def _median(shape: Shape, runs: Sequence[Run]) -> dict[str, Any]:
    """The figures of a shape: each the median of the runs, but the worst share of refusals."""

    def middle(values: Iterable[float]) -> float:
        return round(statistics.median(values), 2)

    return {
        "tills": shape.tills,
        "frame": shape.frame,
        "checkouts_per_s": middle(run.checkouts_per_s for run in runs),
        "p50_ms": middle(run.p50_ms for run in runs),
        "p99_ms": middle(run.p99_ms for run in runs),
        "refused_share": max(run.refused_share for run in runs),
        "cpu_us_per_checkout": {
            name: middle(run.cpu_us_per_checkout[name] for run in runs)
            for name in runs[0].cpu_us_per_checkout
        },
        "runs": [asdict(run) for run in runs],
    }


def _ratio(figures: Mapping[str, Any] | None, best: float) -> float | None:
    return None if figures is None else round(figures["checkouts_per_s"] / best, 3)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _flush_s(folder: Path) -> float:
    """The median time of writing one page and waiting until the disk says that it is safe."""
    took = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(FLUSHES):
            os.pwrite(file.fileno(), bytes(8192), 0)
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - begun)
    return statistics.median(took)


def _file_system(folder: Path) -> str:
    """The kind of the file system that holds `folder`, such as ext4."""
    where = str(folder.resolve())
    mounts = [line.split() for line in Path("/proc/mounts").read_text("utf-8").splitlines()]
    holding = [m for m in mounts if where == m[1] or where.startswith(m[1].rstrip("/") + "/")]
    return max(holding, key=lambda mount: len(mount[1]))[2]
