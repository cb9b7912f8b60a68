"""What a load test found: JSON for machines, a page for people, a table for the terminal.

docs/performance.md documents the keys.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from rich.table import Table

from loadtests.budget import LATENCIES, Budget
from loadtests.calibration import Calibration
from loadtests.measured import Cost, Second

CHART_WIDTH, CHART_HEIGHT = 900, 180
TEMPLATE = "load_report.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that is written about one run."""

    made_at: str
    installation: str
    machine: Mapping[str, Any]
    shoppers_per_s: float
    seconds: float
    tills: int
    calibration: Mapping[str, Calibration]  # "before" and "after" the run, where it was possible
    round_trip_ms: float  # the slower of them
    generator_late_p99_ms: float
    asked_by_way: Mapping[str, int]
    operations: Mapping[str, Cost]
    by_second: Sequence[Second]
    budgets: Mapping[str, Budget]
    broken: Sequence[str]

    @property
    def kept(self) -> bool:
        return not self.broken


def write(report: Report, folder: Path) -> None:
    """report.json and report.html, in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(_plain(report), indent=2) + "\n", "utf-8")
    (folder / "report.html").write_text(page(report), "utf-8")


def page(report: Report) -> str:
    """One page of HTML that needs nothing from elsewhere."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
    )
    highest_ms = max([second.p99_ms for second in report.by_second], default=0.0) or 1.0
    return environment.get_template(TEMPLATE).render(
        report=report,
        rows=[
            (operation, cost, _limits(report, operation), _broken_of(report, operation))
            for operation, cost in report.operations.items()
        ],
        width=CHART_WIDTH,
        height=CHART_HEIGHT,
        highest_ms=highest_ms,
        lines={
            name: _points([getattr(second, name) for second in report.by_second], highest_ms)
            for name in ("p50_ms", "p99_ms")
        },
    )


def table(report: Report) -> Table:
    """A line for each operation; what broke its budget is red."""
    made = Table(title=f"{report.installation}: {report.shoppers_per_s:g} shoppers a second")
    made.add_column("operation", no_wrap=True)
    for heading in ("due", "failed", "a second", "p50 ms", "p95 ms", "p99 ms", "from asking"):
        made.add_column(heading, justify="right")
    for operation, cost in report.operations.items():
        limits = _limits(report, operation)
        made.add_row(
            f"[red]{operation}[/red]" if _broken_of(report, operation) else operation,
            f"{cost.due:,}",
            f"{cost.failed:,}",
            f"{cost.achieved_per_s:.1f}",
            *(
                _cell(getattr(cost, f"{name}_ms"), limits[name] if limits else None)
                for name in LATENCIES
            ),
            _ms(cost.p99_from_asking_ms),
        )
    return made


def _cell(took_ms: float, limit_ms: float | None) -> str:
    """A latency and, if there is one, its budget."""
    if limit_ms is None:
        return _ms(took_ms)
    words = f"{_ms(took_ms)} / {limit_ms:.0f}"
    return f"[red]{words}[/red]" if took_ms > limit_ms else words


def _ms(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def _limits(report: Report, operation: str) -> dict[str, float] | None:
    """The budget of an operation in milliseconds; None if it has none."""
    budget = report.budgets.get(operation)
    if budget is None:
        return None
    return {name: getattr(budget, name).ms(report.round_trip_ms) for name in LATENCIES}


def _broken_of(report: Report, operation: str) -> list[str]:
    return [words for words in report.broken if words.startswith(f"{operation}: ")]


def _points(values_ms: Sequence[float], highest_ms: float) -> str:
    """A line through one value a second, as SVG has it."""
    step = CHART_WIDTH / max(1, len(values_ms) - 1)
    return " ".join(
        f"{number * step:.1f},{CHART_HEIGHT * (1 - value_ms / highest_ms):.1f}"
        for number, value_ms in enumerate(values_ms)
    )


def _plain(report: Report) -> dict[str, Any]:
    plain = asdict(report) | {"kept": report.kept}
    for operation, cost in report.operations.items():
        plain["operations"][operation] |= {
            "failed_share": round(cost.failed_share, 5),
            "achieved_share": round(cost.achieved_share, 5),
        }
    return plain
