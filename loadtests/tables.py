"""Tables of a result, for the terminal and for docs/performance.md.

They are made from the JSON, so that what stands in the document is what was measured. A run that
measured less, or one of an earlier release, makes fewer of them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table as RichTable

from loadtests import goals

PROCESSES = ("loyalty", "gateway", "postgresql", "generator")
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Table:
    """The first column is text, the others are figures."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]

    def rich(self) -> RichTable:
        """For the terminal."""
        made = RichTable(title=self.title, title_justify="left")
        for number, heading in enumerate(self.headings):
            made.add_column(heading, justify="left" if number == 0 else "right", no_wrap=True)
        for row in self.rows:
            made.add_row(*row)
        return made

    def markdown(self) -> str:
        lines = [self.headings, ["---", *["---:"] * (len(self.headings) - 1)], *self.rows]
        return "\n".join(
            f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines
        )


def tables(result: Json) -> Iterator[Table]:
    """All that the result has figures for."""
    made = [_goals, _loads, _cpu, _yardsticks, _batches, _disks]
    yield from (table for make in made if (table := make(result)).rows)
    for process, seen in result.get("profile", {}).items():
        yield _profile(process, seen)


def words_of(key: str, figures: Json) -> str:
    """What a load is called."""
    return str(figures.get("words", key.replace("_", " ")))


def made_on(result: Json) -> str:
    """When and where."""
    on = result["machine"]
    code = f", {on['code'].partition(':')[0]}" if "code" in on else ""
    return (
        f"{result['made_at'][:10]}, {on['cores']} cores ({on['processor']}), {on['file_system']}, "
        f"a flush in {on['flush_us']} µs, Python {on['python']}{code}"
    )


def validity(result: Json) -> str:
    """Whether the figures may be quoted."""
    balance = "in balance" if result["books_balance"] else "NOT in balance"
    return (
        f"{result['checkouts_counted']:,} checkouts were answered, {result['journal_rows']:,} are "
        f"in the journals afterwards, and the books are {balance}."
    )


def _goals(result: Json) -> Table:
    found = result.get("goals", {})
    rows = [
        (
            goal.words,
            _figure(found[goal.key]["value"], 2),
            f"{'≥' if goal.of_rates else '≤'} {goal.goal:g}",
            f"{goal.limit:g}",
            goals.verdict(found[goal.key]),
        )
        for goal in goals.GOALS
        if goal.key in found
    ]
    return Table("Goals", ("ratio", "measured", "goal", "limit", ""), rows)


def _loads(result: Json) -> Table:
    best = result["pgbench_best_per_s"]
    rows = [
        (
            words_of(key, figures),
            _figure(figures["checkouts_per_s"]),
            _figure(figures.get("operations_per_s")),
            _figure(figures["checkouts_per_s"] / best, 2),
            _figure(figures["p50_ms"], 1),
            _figure(figures["p99_ms"], 1),
        )
        for key, figures in result["checkouts"].items()
    ]
    title = f"Durable checkouts (medians of {result['repetitions']})"
    headings = ("load", "checkouts/s", "operations/s", "÷ best pgbench", "p50 ms", "p99 ms")
    return Table(title, headings, rows)


def _cpu(result: Json) -> Table:
    rows = []
    for key, figures in result["checkouts"].items():
        spent = figures["cpu_us_per_checkout"]
        found = [_figure(spent.get(name)) for name in PROCESSES]
        rows.append((words_of(key, figures), *found, _sum(spent.values())))
    headings = ("load", *PROCESSES, "sum")
    return Table("Processor time of a checkout, by process, in µs", headings, rows)


def _yardsticks(result: Json) -> Table:
    best = result["pgbench_best_per_s"]
    rows = [
        (
            f"{name}, {clients} client" + ("s" if clients != "1" else ""),
            _figure(figures["transactions_per_s"]),
            _figure(figures["transactions_per_s"] / best, 2),
            _figure(figures.get("p50_ms"), 2),
            _figure(figures.get("p99_ms"), 2),
        )
        for name, key in (("pgbench TPC-B", "pgbench"), ("our statements", "own_statements"))
        for clients, figures in result.get(key, {}).items()
    ]
    headings = ("one transaction each", "a second", "÷ best pgbench", "p50 ms", "p99 ms")
    return Table("Yardsticks", headings, rows)


def _batches(result: Json) -> Table:
    best = result["pgbench_best_per_s"]
    rows = [
        (
            f"batches of {size}",
            _figure(figures["checkouts_per_s"]),
            _figure(figures["checkouts_per_s"] / best, 2),
            _figure(figures["p50_ms"], 1),
            _figure(figures["p99_ms"], 1),
            _figure(figures["cpu_us_per_checkout"]["postgresql"]),
            _figure(figures["cpu_us_per_checkout"]["driver"]),
        )
        for size, figures in result.get("batches", {}).items()
    ]
    headings = ("our batches alone", "checkouts/s", "÷ best pgbench", "p50 ms", "p99 ms")
    title = "The limit of the design, without gRPC and rules"
    return Table(title, (*headings, "postgresql µs", "driver µs"), rows)


def _disks(result: Json) -> Table:
    rows = []
    for disk in result.get("simulated_disks", []):
        loads = disk["checkouts"]
        rows.append(
            (
                f"{disk['flush_us']} µs"
                if disk["flush_longer_us"]
                else f"{disk['flush_us']} µs (as it is)",
                _figure(disk["pgbench_best_per_s"]),
                _figure(loads["256_tills"]["checkouts_per_s"]),
                _figure(disk["ratio_256_tills_to_pgbench"], 2),
                _figure(loads["16_tills_frames_32"]["checkouts_per_s"]),
                _figure(disk["ratio_frames_32_to_pgbench"], 2),
            )
        )
    headings = ("a flush takes", "pgbench, best", "256 tills", "ratio", "frames of 32", "ratio")
    return Table("Simulated: what disks would give that take longer", headings, rows)


def _profile(process: str, seen: Json) -> Table:
    rows = [
        (f"`{found['function']}`", f"{found['own_share']:.1%}", f"{found['share']:.1%}")
        for found in seen["functions"]
    ]
    title = f"Where {process} is at work with 256 tills ({seen['looks']:,} looks by py-spy)"
    return Table(title, ("function", "itself", "with what it calls"), rows)


def _figure(value: float | None, digits: int = 0) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def _sum(values: Iterable[float]) -> str:
    return _figure(sum(values))
