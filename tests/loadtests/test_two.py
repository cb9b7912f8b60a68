"""Two processes beside one: the parts do what the figures claim, on real servers."""

import json
import statistics
from collections.abc import Mapping

import psycopg
import pytest

from loadtests import recorded, scale, two
from loadtests.report import Run
from loadtests.two import LAYOUTS, ONE, Layout, Measured
from tests.servers.postgres import Cluster

CHECKOUTS = 40


async def test_every_layout_drives_the_processes_that_it_names(
    postgres_cluster: Cluster,
) -> None:
    """And no other: CPU time shows who worked, the journal that everything was booked."""
    baskets = recorded.baskets(CHECKOUTS)
    members = CHECKOUTS * len(LAYOUTS)
    async with two.installed(
        postgres_cluster, lanes=2, members=members, baskets=baskets, tills=4
    ) as pair:
        for layout in LAYOUTS:
            measured = await pair.measure(layout, checkouts=CHECKOUTS)

            assert measured.run.checkouts == CHECKOUTS
            assert 1 <= measured.batch <= CHECKOUTS
            assert measured.wal_bytes > 0
            assert 0 <= measured.lock_wait_share <= 1
        assert await two._problems(pair) == []
        with psycopg.connect(pair.url) as connection:
            terminals = connection.execute("SELECT count(DISTINCT terminal_id) FROM journal")
            assert terminals.fetchone() == (1 + 4,)  # no till enrols
    assert pair.answered == members


@pytest.mark.parametrize(
    ("layout", "loyalties"),
    [(LAYOUTS[0], [0]), (LAYOUTS[1], [0, 0]), (LAYOUTS[2], [0, 1])],
    ids=[layout.key for layout in LAYOUTS],
)
def test_a_layout_is_what_its_key_says(layout: Layout, loyalties: list[int]) -> None:
    """Gateway n talks to loyalty n of two, counted round."""
    assert [gateway % 2 for gateway in layout.gateways] == loyalties
    assert layout.key.startswith(f"{len(layout.gateways)}_gateway")
    assert f"_{len(set(loyalties))}_loyalt" in layout.key


def test_ratios_are_of_medians() -> None:
    rates: Mapping[Layout, list[float]] = {ONE: [100, 90, 110], LAYOUTS[2]: [150, 10, 160]}

    found = two.figures({layout: list(map(measured, some)) for layout, some in rates.items()})

    assert found[ONE.key]["ratio_to_1_gateway_1_loyalty"] == 1.0
    assert found[LAYOUTS[2].key]["ratio_to_1_gateway_1_loyalty"] == 1.5
    assert found[LAYOUTS[2].key]["checkouts_per_s"] == statistics.median([150, 10, 160])


def test_the_document_has_the_table_of_the_result() -> None:
    """`python -m loadtests.two` writes both."""
    text = scale.DOCUMENT.read_text(encoding="utf-8")
    table = two.table(json.loads(two.RESULT.read_text(encoding="utf-8")))

    assert scale.written(text, table, begins=two.BEGINS, ends=two.ENDS) == text


def test_a_result_of_a_busy_machine_says_so() -> None:
    result = json.loads(two.RESULT.read_text(encoding="utf-8"))

    assert "do not quote" in two.table(result | {"load_average_before": two.QUIET + 0.1})
    assert "do not quote" not in two.table(result | {"load_average_before": two.QUIET})


def test_the_bytes_that_docs_scale_reckons_with_are_those_that_were_measured() -> None:
    result = json.loads(two.RESULT.read_text(encoding="utf-8"))
    one = result["lanes"]["1"][ONE.key]

    assert one["table_bytes"] == pytest.approx(scale.Figures().bytes_a_row_measured, rel=0.1)
    assert one["wal_bytes"] == pytest.approx(scale.Figures().log_bytes_measured, rel=0.2)


def measured(checkouts_per_s: float) -> Measured:
    run = Run(
        checkouts=1,
        seconds=1.0,
        checkouts_per_s=checkouts_per_s,
        operations_per_s=checkouts_per_s,
        p50_ms=1.0,
        p99_ms=1.0,
        refused_share=0.0,
        refused={},
        cpu_us_per_checkout={},
    )
    return Measured(
        run=run, batch=1.0, table_bytes=1, wal_bytes=1, lock_wait_share=0.0, idle_share=0.0
    )
