"""The parts of the benchmark do what the figures claim, on real servers."""

import os
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import psycopg
from rich.console import Console

from bonpunkt.till.v1 import till_pb2 as pb
from loadtests import cpu, pgbench, profiling, recorded
from loadtests.generator import arrive, connected, drive
from loadtests.installation import installed
from loadtests.plan import Load
from loadtests.ticks import Ticks
from tests.servers.suite import Suite

CHECKOUTS = 60
QUIET = Console(quiet=True)


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
            outcome = await drive(calls, [[frame] for frame in frames])

        assert (outcome.captured, outcome.others.total()) == (CHECKOUTS, 0)
        assert len(outcome.latencies_s) == len(frames)
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT count(*) FROM journal WHERE kind = 'capture' AND accepted"
        )
        assert rows.fetchone() == (CHECKOUTS,)


async def test_an_installation_is_driven_by_every_load(tmp_path: Path) -> None:
    """One message at a time, by the clock, with questions, and over TLS."""
    loads = (
        Load(tills=2),
        Load(tills=2, frame=8),
        Load(tills=2, mix=True),
        Load(tills=2, tls=True),
        Load(tills=2, half_peak=True),
    )
    members = len(loads) * CHECKOUTS
    baskets = recorded.baskets(CHECKOUTS)
    async with installed(
        loads, members=members, baskets=baskets, folder=tmp_path, cluster=None, console=QUIET
    ) as installation:
        outcomes = {}
        for load in loads:
            outcomes[load], cpu_s = await installation.run(load, checkouts=CHECKOUTS, per_s=200)
            assert set(cpu_s) == {"loyalty", "gateway", "generator"}
        books = await installation.books()

    assert [outcome.captured for outcome in outcomes.values()] == [CHECKOUTS] * len(loads)
    assert [outcome.refused_share for outcome in outcomes.values()] == [0] * len(loads)
    assert outcomes[loads[2]].questions == 2 * CHECKOUTS
    assert [len(outcomes[load].latencies_s) for load in loads] == [60, 8, 180, 60, 60]
    assert (books.counted, books.journal_rows, books.balance) == (members, members, True)


async def test_what_is_refused_is_counted_apart(tmp_path: Path) -> None:
    async with Suite(tmp_path) as suite:
        till = (await suite.add_terminal()).metadata
        operations = recorded.captures(["nobody's card"] * 6, recorded.baskets(3))
        frames = list(recorded.frames(operations, size=1))

        async with connected(suite.gateway_target, [till]) as calls:
            driven = await drive(calls, [frames[:3]])
            arrived = await arrive(calls, frames[3:], per_s=1000)

    for outcome in (driven, arrived):
        assert outcome.captured == 0
        assert outcome.others == {"REASON_CARD_NOT_ACCEPTED": 3}
        assert outcome.refused_share == 1.0


async def test_ticks_are_due_at_even_distances_and_none_is_lost() -> None:
    """Also those that passed while nobody looked."""
    async with Ticks(per_s=1000) as ticks:
        due_s = [await ticks.next() for _ in range(50)]

    distances = {round(b - a, 6) for a, b in pairwise(due_s)}
    assert distances == {0.001}


def test_a_recorded_basket_becomes_a_new_purchase_each_time() -> None:
    baskets = recorded.baskets(2)

    made = list(recorded.captures(["a", "b", "c", "d"], baskets))

    assert [operation.capture.card for operation in made] == ["a", "b", "c", "d"]
    assert len({operation.id for operation in made}) == 4
    assert len({operation.capture.basket.receipt_number for operation in made}) == 4
    assert made[0].capture.basket.line_items == made[2].capture.basket.line_items
    assert [operation.capture.redeem_maximum for operation in made] == [False, False, True, False]


def test_a_visit_asks_before_it_captures() -> None:
    (visit,) = recorded.visits(["a"], recorded.baskets(1))

    sent = [pb.OpenRequest.FromString(frame.request).operations for frame in visit]
    assert [[each.WhichOneof("kind") for each in operations] for operations in sent] == [
        ["identify"],
        ["quote"],
        ["capture"],
    ]


def test_frames_carry_every_operation_once() -> None:
    operations = [pb.Operation(id=str(number)) for number in range(5)]

    frames = list(recorded.frames(operations, size=2))

    assert [(frame.operations, frame.first_id) for frame in frames] == [
        (2, "0"),
        (2, "2"),
        (1, "4"),
    ]
    sent = [pb.OpenRequest.FromString(frame.request).operations for frame in frames]
    assert [operation.id for each in sent for operation in each] == ["0", "1", "2", "3", "4"]


def test_pgbench_reports_its_rate(make_postgres_database: Callable[[], str]) -> None:
    url = make_postgres_database()
    pgbench._pgbench("--initialize", "--scale=1", "--quiet", url)

    rate = pgbench.run(url, clients=2, seconds=1)

    assert rate.clients == 2
    assert rate.transactions_per_s > 0
    assert rate.latency_average_ms > 0
    assert 0 < rate.p50_ms <= rate.p99_ms


def test_a_profile_leaves_out_who_waits(tmp_path: Path) -> None:
    stacks = tmp_path / "loyalty.txt"
    stacks.write_text(
        "main;run;decide 30\nmain;run;0x7f0a (grpc.so) 10\nmain;epoll_wait (libc.so.6) 900\n"
    )

    seen = profiling.busiest(stacks)

    assert seen["looks"] == 40
    assert seen["functions"] == [
        {"function": "decide", "own_share": 0.75, "share": 0.75},
        {"function": "somewhere (grpc.so)", "own_share": 0.25, "share": 0.25},
    ]


def test_cpu_time_of_a_family_includes_that_of_children() -> None:
    """PostgreSQL works in children of the process that was started."""
    own, family = cpu.own(os.getpid()), cpu.family(os.getpid())

    subprocess.run([sys.executable, "-c", "for n in range(5_000_000): pass"], check=True)

    assert cpu.family(os.getpid()) - family > cpu.own(os.getpid()) - own


def test_a_process_that_has_ended_has_no_cpu_time() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()

    assert cpu.family(ended.pid) == 0
