"""The parts of the benchmark do what the figures claim, on real servers."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg

from bonpunkt.till.v1 import till_pb2 as pb
from loadtests import cpu, pgbench, recorded
from loadtests.bench import ALL_SHAPES, MAIN_SHAPE, WARM_UP_CHECKOUTS, Plan
from loadtests.generator import connected, drive
from tests.servers.suite import Suite

CHECKOUTS = 60


async def test_every_checkout_that_is_counted_is_in_the_journal(
    tmp_path: Path, make_postgres_database: Callable[[], str]
) -> None:
    url = make_postgres_database()
    async with Suite(tmp_path, database=url) as suite:
        tills = [(await suite.add_terminal()).metadata for _ in range(4)]
        cards = [member.card for member in await suite.enrol(CHECKOUTS)]
        operations = recorded.captures(cards, recorded.baskets(CHECKOUTS))
        frames = list(recorded.frames(operations, size=7))

        async with connected(suite.gateway_target, tills) as calls:
            outcome = await drive(calls, frames)

        assert (outcome.captured, outcome.others.total()) == (CHECKOUTS, 0)
        assert len(outcome.latencies_s) == len(frames)
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT count(*) FROM journal WHERE kind = 'capture' AND accepted"
        )
        assert rows.fetchone() == (CHECKOUTS,)


async def test_what_is_refused_is_counted_apart(tmp_path: Path) -> None:
    async with Suite(tmp_path) as suite:
        till = (await suite.add_terminal()).metadata
        operations = recorded.captures(["nobody's card"] * 3, recorded.baskets(3))

        async with connected(suite.gateway_target, [till]) as calls:
            outcome = await drive(calls, recorded.frames(operations, size=1))

    assert outcome.captured == 0
    assert outcome.others == {"REASON_CARD_NOT_ACCEPTED": 3}
    assert outcome.refused_share == 1.0


def test_a_recorded_basket_becomes_a_new_purchase_each_time() -> None:
    baskets = recorded.baskets(2)

    made = list(recorded.captures(["a", "b", "c", "d"], baskets))

    assert [operation.capture.card for operation in made] == ["a", "b", "c", "d"]
    assert len({operation.id for operation in made}) == 4
    assert len({operation.capture.basket.receipt_number for operation in made}) == 4
    assert made[0].capture.basket.line_items == made[2].capture.basket.line_items
    assert [operation.capture.redeem_maximum for operation in made] == [False, False, True, False]


def test_frames_carry_every_operation_once() -> None:
    operations = [pb.Operation(id=str(number)) for number in range(5)]

    frames = list(recorded.frames(operations, size=2))

    assert [frame.operations for frame in frames] == [2, 2, 1]
    sent = [pb.OpenRequest.FromString(frame.request).operations for frame in frames]
    assert [operation.id for each in sent for operation in each] == ["0", "1", "2", "3", "4"]


def test_there_is_a_member_for_every_checkout_of_the_plan() -> None:
    plan = Plan(shapes=ALL_SHAPES, repetitions=3, checkouts=1000, pgbench_s=1)

    once = sum(plan.checkouts_of(shape) for shape in ALL_SHAPES)
    assert plan.checkouts_of(MAIN_SHAPE) == 1000
    assert plan.members() == WARM_UP_CHECKOUTS + 3 * once


def test_pgbench_reports_its_rate(make_postgres_database: Callable[[], str]) -> None:
    url = make_postgres_database()
    pgbench._pgbench("--initialize", "--scale=1", "--quiet", url)

    rate = pgbench.run(url, clients=2, seconds=1)

    assert rate.clients == 2
    assert rate.transactions_per_s > 0
    assert rate.latency_average_ms > 0


def test_cpu_time_of_a_family_includes_that_of_children() -> None:
    """PostgreSQL works in children of the process that was started."""
    own, family = cpu.own(os.getpid()), cpu.family(os.getpid())

    subprocess.run([sys.executable, "-c", "for n in range(5_000_000): pass"], check=True)

    assert cpu.family(os.getpid()) - family > cpu.own(os.getpid()) - own


def test_a_process_that_has_ended_has_no_cpu_time() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()

    assert cpu.family(ended.pid) == 0
