"""The result of a growth run: JSON for machines, and the tables and the chart of docs/growth.md."""

import json
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from loadtests.growth_tables import Table
from loadtests.seeded import Run

GOAL_PERCENT = 80
BEGIN = "<!-- growth: made by loadtests/growth_result.py -->"
END = "<!-- growth ends -->"


@dataclass(frozen=True, slots=True)
class Ledger:
    """One ledger: how it was seeded, the runs on it, and its tables after them."""

    journal_rows: int
    members: int
    runs: Sequence[Run]
    tables: Mapping[str, Table]

    def as_json(self) -> dict[str, Any]:
        """With the medians of the runs."""
        return {
            "journal_rows": self.journal_rows,
            "members": self.members,
            **{name: self._median(name) for name in ("checkouts_per_s", "p50_ms", "p99_ms")},
            "wal_bytes_per_checkout": self._median("wal_bytes_per_checkout"),
            "cpu_us_per_checkout": self._cpu_us(),
            "runs": [asdict(run) for run in self.runs],
            "tables": {name: asdict(table) for name, table in self.tables.items()},
        }

    def _median(self, name: str) -> float:
        middle: float = statistics.median(getattr(run, name) for run in self.runs)
        return round(middle, 2)

    def _cpu_us(self) -> dict[str, float]:
        spent = [run.cpu_us_per_checkout for run in self.runs]
        return {name: statistics.median(each[name] for each in spent) for name in spent[0]}


@dataclass(frozen=True, slots=True)
class Measured:
    """A size beside the small ledger; `verify_s` is None where the books were not checked."""

    big: Ledger
    small: Ledger
    seed_s: float
    verify_s: float | None

    @property
    def ratio(self) -> float:
        """Of the rates on the big and on the small ledger."""
        return ratio_of(self.big.runs, self.small.runs)

    def as_json(self) -> dict[str, Any]:
        return {
            "ratio_to_small": round(self.ratio, 3),
            "seed_s": round(self.seed_s, 1),
            "seed_rows_per_s": round(self.big.journal_rows / self.seed_s),
            "verify_s": round(self.verify_s, 1) if self.verify_s is not None else None,
            "big": self.big.as_json(),
            "small": self.small.as_json(),
        }


@dataclass(frozen=True, slots=True)
class Result:
    """Everything that docs/growth.md documents of loadtests/results/growth.json; `sizes` by their
    journal rows.
    """

    made_at: str
    machine: dict[str, Any]
    postgresql: str
    postgresql_settings: dict[str, str]
    tills: int
    checkouts_per_run: int
    sizes: dict[str, dict[str, Any]]

    @classmethod
    def of(
        cls,
        measured: Sequence[Measured],
        *,
        machine: Mapping[str, Any],
        postgresql: str,
        settings: Mapping[str, str],
        tills: int,
        checkouts_per_run: int,
    ) -> Self:
        return cls(
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            machine=dict(machine),
            postgresql=postgresql,
            postgresql_settings=dict(settings),
            tills=tills,
            checkouts_per_run=checkouts_per_run,
            sizes={str(each.big.journal_rows): each.as_json() for each in measured},
        )


def ratio_of(runs: Sequence[Run], others: Sequence[Run]) -> float:
    """Of their rates: the median of the pairs, each of which was measured one after the other."""
    pairs = zip(runs, others, strict=True)
    return statistics.median(a.checkouts_per_s / b.checkouts_per_s for a, b in pairs)


def write(result: Result, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(result), indent=2) + "\n", encoding="utf-8")


def read(path: Path) -> Result:
    return Result(**json.loads(path.read_text(encoding="utf-8")))


def page_with(page: str, result: Result) -> str:
    """The page with the figures of this result between its marks."""
    made = "\n\n".join([_when(result), _rates(result), _chart(result), _disk(result)])
    marked = f"{BEGIN}\n{made}\n{END}"
    return re.sub(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: marked, page, flags=re.DOTALL)


def _when(result: Result) -> str:
    machine = result.machine
    return (
        f"{result.made_at[:10]}, {machine['cores']} cores of {machine['processor']}, "
        f"{machine['memory_gib']:.0f} GiB, {machine['file_system']}, PostgreSQL "
        f"{result.postgresql.split()[0]}, {result.tills} tills, {result.checkouts_per_run:,} "
        "checkouts a run, load generator on the same cores; medians."
    )


def _rates(result: Result) -> str:
    lines = [
        "| journal rows | members | checkouts a second | on the small ledger | ratio "
        "| p50, p99 | CPU of PostgreSQL a checkout | log a checkout | seeded at | verified in |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for size in result.sizes.values():
        big, small = size["big"], size["small"]
        verified = f"{size['verify_s'] / 60:.0f} min" if size["verify_s"] is not None else "–"
        lines.append(
            f"| {big['journal_rows']:,} | {big['members']:,} | {big['checkouts_per_s']:,.0f} "
            f"| {small['checkouts_per_s']:,.0f} | **{size['ratio_to_small']:.2f}** "
            f"| {big['p50_ms']:.0f}, {big['p99_ms']:.0f} ms "
            f"| {big['cpu_us_per_checkout']['postgresql']:.0f} µs "
            f"(small: {small['cpu_us_per_checkout']['postgresql']:.0f}) "
            f"| {big['wal_bytes_per_checkout'] / 1000:.1f} kB "
            f"(small: {small['wal_bytes_per_checkout'] / 1000:.1f}) "
            f"| {size['seed_rows_per_s']:,} rows/s | {verified} |"
        )
    return "\n".join(lines)


def _chart(result: Result) -> str:
    """The ratio in percent by size, beside the goal. A Mermaid chart is text that is compared."""
    sizes = result.sizes.values()
    small = next(iter(sizes))["small"]["journal_rows"] if sizes else 0
    rows = [f'"{small / 1e6:g} M"', *(f'"{int(size) / 1e6:g} M"' for size in result.sizes)]
    percents = [100, *(round(size["ratio_to_small"] * 100) for size in sizes)]
    goal = [GOAL_PERCENT] * len(percents)
    return "\n".join(
        [
            "```mermaid",
            "xychart-beta",
            f'    title "Checkouts a second, % of the small ledger; the goal is {GOAL_PERCENT}"',
            f'    x-axis "journal rows" [{", ".join(rows)}]',
            '    y-axis "%" 0 --> 120',
            f"    bar {percents}",
            f"    line {goal}",
            "```",
        ]
    )


def _disk(result: Result) -> str:
    """Of the biggest."""
    (*_, rows), (*_, size) = result.sizes, result.sizes.values()
    tables = size["big"]["tables"]
    lines = [
        f"| at {int(rows):,} rows | rows | table | bytes a row | key | bytes a row "
        "| levels of the key | updates in place |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, table in tables.items():
        share = table["hot_update_share"]
        lines.append(
            f"| `{name}` | {table['rows']:,} | {table['bytes'] / 1e9:,.2f} GB "
            f"| {table['bytes_per_row']:,.0f} | {table['key_bytes'] / 1e9:,.2f} GB "
            f"| {table['key_bytes_per_row']:,.0f} | {table['key_levels']} "
            f"| {f'{share:.1%}' if share is not None else '–'} |"
        )
    total = sum(table["bytes"] + table["key_bytes"] for table in tables.values())
    journalled = tables["journal"]["rows"]
    lines.append(
        f"\nAll together {total / 1e9:,.1f} GB: {total / journalled:,.0f} bytes a journal row."
    )
    return "\n".join(lines)
