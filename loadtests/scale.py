"""`python -m loadtests.scale`: how large a programme gets, reckoned from a recorded year.

Prints the tables of docs/scale.md, or with `--write` puts them there. What is measured, and what is
assumed, stands in `Figures`; everything else follows from the recorded baskets.
"""

import argparse
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pyarrow
import pyarrow.compute as compute
import pyarrow.parquet as parquet

from loadtests import recorded
from services.demo import mapping
from services.demo.recordings import recordings_folder

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "scale.md"
BEGINS, ENDS = "<!-- scale: made by python -m loadtests.scale -->", "<!-- scale ends -->"
HOURS_A_YEAR = 365 * 24
REQUESTS = 2_000  # recorded baskets whose message is measured

MEMBERS = {
    "a shop": 10_000,
    "a chain": 1_000_000,
    "a country": 10_000_000,
    "several countries": 100_000_000,
    "a continent": 400_000_000,
}


@dataclass(frozen=True, slots=True)
class Figures:
    """`…_measured`: here, see docs/scale.md for when and how. The others are assumptions."""

    process_per_s_measured: int = 5_000  # checkouts of one loyalty process, rounded down
    bytes_a_row_measured: int = 2_350  # a capture in all tables, with indexes
    log_bytes_measured: int = 3_150  # of the write-ahead log, at its worst: after a checkpoint
    tills_a_gateway_measured: int = 256
    peak_in_the_hour: float = 2.0  # the busiest second to the mean of the busiest hour
    full: float = 0.5  # how full anything may be in that second
    checkouts_a_till_an_hour: int = 60  # with a card, in the busiest hour
    years_kept: int = 3
    node_bytes: float = 8e12  # of ledger on one database node


@dataclass(frozen=True, slots=True)
class Year:
    """What was recorded."""

    baskets: int
    households: int
    stores: int
    lines: int
    busiest_hour: int  # baskets in it
    request_bytes: float  # of a capture, the mean

    @classmethod
    def recorded(cls) -> Self:
        """From the package's file, in about a second."""
        columns = ["basket_id", "household_id", "store_id", "transaction_timestamp"]
        with parquet.ParquetFile(recordings_folder() / "transactions.parquet") as file:
            table = file.read(columns)
        baskets = table.group_by("basket_id").aggregate(
            [("household_id", "min"), ("store_id", "min"), ("transaction_timestamp", "min")]
        )
        hours = compute.floor_temporal(baskets["transaction_timestamp_min"], unit="hour")
        return cls(
            baskets=baskets.num_rows,
            households=len(compute.unique(baskets["household_id_min"])),
            stores=len(compute.unique(baskets["store_id_min"])),
            lines=table.num_rows,
            busiest_hour=compute.max(_counts(hours)).as_py(),
            request_bytes=_request_bytes(),
        )

    @property
    def baskets_a_member(self) -> float:
        return self.baskets / self.households

    @property
    def busiest_hour_share(self) -> float:
        """Of the baskets of the year. Few households make it larger than many would."""
        return self.busiest_hour / self.baskets


@dataclass(frozen=True, slots=True)
class Size:
    """What so many members need."""

    members: int
    peak_per_s: float
    rows_a_year: float
    bytes_a_year: float
    bytes_kept: float
    processes: int
    nodes: int
    tills: int
    request_bytes_per_s: float
    log_bytes_per_s: float

    @classmethod
    def of(cls, members: int, year: Year, figures: Figures) -> Self:
        checkouts = members * year.baskets_a_member
        hour_per_s = checkouts * year.busiest_hour_share / 3600
        peak_per_s = hour_per_s * figures.peak_in_the_hour
        rows = checkouts * rows_a_basket()
        kept = rows * figures.bytes_a_row_measured * figures.years_kept
        return cls(
            members=members,
            peak_per_s=peak_per_s,
            rows_a_year=rows,
            bytes_a_year=rows * figures.bytes_a_row_measured,
            bytes_kept=kept,
            processes=math.ceil(peak_per_s / (figures.process_per_s_measured * figures.full)),
            nodes=math.ceil(kept / figures.node_bytes),
            tills=math.ceil(hour_per_s * 3600 / figures.checkouts_a_till_an_hour),
            request_bytes_per_s=peak_per_s * year.request_bytes,
            log_bytes_per_s=peak_per_s * rows_a_basket() * figures.log_bytes_measured,
        )


def rows_a_basket() -> float:
    """Journal rows: the capture, and what else the demo's tills do (services/demo/mapping.py)."""
    reserved = 1 / mapping.RESERVES_EVERY
    hesitated = 2 / mapping.HESITATES_EVERY  # reserved, released
    return 1 + reserved + hesitated + 1 / mapping.VOIDED_EVERY + 1 / mapping.BRINGS_BACK_EVERY


def members_of_one_process(year: Year, figures: Figures) -> int:
    """For whom one loyalty process is enough, by its rate."""
    one = Size.of(1_000_000, year, figures)
    return int(1_000_000 * figures.process_per_s_measured * figures.full / one.peak_per_s)


def tables(year: Year, figures: Figures) -> str:
    """As they stand in docs/scale.md."""
    return "\n\n".join([_recorded(year), _sizes(year, figures)])


def _recorded(year: Year) -> str:
    mean = year.baskets / HOURS_A_YEAR
    rows = [
        ("recorded", ""),
        ("---", "---"),
        (
            "baskets, households, stores",
            f"{year.baskets:,}, {year.households:,}, {year.stores:,}",
        ),
        ("baskets a household a year", f"{year.baskets_a_member:.1f}"),
        ("lines a basket", f"{year.lines / year.baskets:.1f}"),
        (
            "busiest hour",
            f"{year.busiest_hour} baskets, {year.busiest_hour_share:.3%} of the year, "
            f"{year.busiest_hour / mean:.1f} times the mean hour",
        ),
        ("bytes of a capture, as the till sends it", f"{year.request_bytes:,.0f}"),
        ("journal rows a basket, with the demo's mix", f"{rows_a_basket():.2f}"),
    ]
    return table(rows)


def _sizes(year: Year, figures: Figures) -> str:
    head = [
        *("", "members", "checkouts in the busiest second", "rows a year", "disk a year"),
        *(f"disk, {figures.years_kept} years", "loyalty processes", "database nodes"),
        *("tills", "from tills", "write-ahead log"),
    ]
    rows: list[Sequence[str]] = [head, ["---"] + ["---:"] * (len(head) - 1)]
    for name, members in MEMBERS.items():
        size = Size.of(members, year, figures)
        rows.append(
            (
                name,
                _number(members),
                _number(size.peak_per_s),
                _number(size.rows_a_year),
                _bytes(size.bytes_a_year),
                _bytes(size.bytes_kept),
                str(size.processes),
                str(size.nodes),
                str(size.tills) if size.tills < 100 else _number(size.tills),
                f"{_bytes(size.request_bytes_per_s)}/s",
                f"{_bytes(size.log_bytes_per_s)}/s",
            )
        )
    return table(rows)


def table(rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _number(value: float) -> str:
    """Two digits that count, since more would pretend to know."""
    for size, word in ((1e9, " billion"), (1e6, " million"), (1e4, "")):
        if value >= size:
            short = value / size if word else value
            return f"{_two(short)}{word}"
    return _two(value)


def _bytes(value: float) -> str:
    for size, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if value >= size:
            return f"{_two(value / size)} {unit}"
    return f"{_two(value)} B"


def _two(value: float) -> str:
    if value == 0:
        return "0"
    digits = 1 - math.floor(math.log10(value))
    return f"{round(value, digits):,.{max(digits, 0)}f}"


def _counts(values: pyarrow.ChunkedArray) -> pyarrow.Array:
    return compute.value_counts(values).field("counts")


def _request_bytes() -> float:
    cards = itertools.repeat("2900000000018", REQUESTS)
    operations = recorded.captures(cards, recorded.baskets(REQUESTS))
    sizes = [operation.ByteSize() for operation in operations]
    return round(sum(sizes) / len(sizes), -1)  # what of it is a clock's varies by a byte


def written(document: str, made: str, *, begins: str = BEGINS, ends: str = ENDS) -> str:
    """The document with these tables in place of those that it had between the two marks."""
    before, _, rest = document.partition(begins)
    _, found, after = rest.partition(ends)
    assert found, f"no {begins} … {ends}"
    return f"{before}{begins}\n\n{made}\n\n{ends}{after}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m loadtests.scale", description=__doc__)
    parser.add_argument("--write", action="store_true", help="into docs/scale.md")
    year, figures = Year.recorded(), Figures()
    made = tables(year, figures)
    print(made)
    print(f"\none process: {members_of_one_process(year, figures):,} members")
    if parser.parse_args().write:
        text = DOCUMENT.read_text(encoding="utf-8")
        DOCUMENT.write_text(written(text, made), encoding="utf-8")


if __name__ == "__main__":
    main()
