"""The real ledger agrees with a model of it, after every step of random programs.

A failing program is printed shrunk, with what was asked and answered. Its seed is in the run's
closing lines; BONPUNKT_TEST_SEED=… plays it again.
"""

import asyncio
import itertools
import os
import random
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from services.loyalty.schema import CHECKOUT_TABLES, installation
from tests.loyalty.ledgers import opened
from tests.properties import reckoning, report
from tests.properties.machine import STEPS, ShopMachine
from tests.scale import scaled

SEED = "BONPUNKT_TEST_SEED"
# Programs that Hypothesis breaks off do not count, and rare things may need a few more: so many
# times the programs that are asked for, at most.
PROGRAMS_MAX = 12
ROUND_MIN = 10  # programs; the first of a round is always the simplest that there is

pytestmark = pytest.mark.timeout(3_600)  # a failing program is shrunk for minutes


def play(
    name: str,
    new_database: Callable[[], str],
    *,
    programs: int,
    phases: Sequence[Phase] = (Phase.generate, Phase.shrink),
) -> report.Run:
    """At least so many whole programs, and more until everything that can happen has happened."""
    seeds = [int(os.environ.get(SEED) or random.randrange(2**32))]
    outcomes: report.Outcomes = Counter()
    played: Counter[str] = Counter()
    members = {
        "new_database": staticmethod(new_database),
        "outcomes": outcomes,
        "played": played,
    }
    try:
        while True:
            wanted = max(programs - played["whole programs"], ROUND_MIN)
            machine = seed(seeds[-1])(type("Shop", (ShopMachine,), members))
            run_state_machine_as_test(machine, settings=as_thorough_as(wanted, phases))
            enough = played["whole programs"] >= programs and not report.missing(outcomes)
            if enough or played["programs"] >= PROGRAMS_MAX * programs:
                break
            seeds.append(seeds[-1] + 1)
    finally:
        whole, all_of_them = played["whole programs"], played["programs"]
        run = report.Run(name, tuple(seeds), whole, all_of_them, played["steps"], outcomes)
        report.runs.append(run)
    return run


def as_thorough_as(programs: int, phases: Sequence[Phase]) -> settings:
    return settings(
        max_examples=programs,
        stateful_step_count=STEPS + 1,  # the first opens the shop
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        phases=phases,
        suppress_health_check=list(HealthCheck),
    )


def test_the_ledger_agrees_with_its_model_on_sqlite(tmp_path: Path) -> None:
    run = play("SQLite", sqlite_files(tmp_path), programs=scaled(300))

    assert run.whole_programs >= scaled(300)
    assert report.missing(run.outcomes) == []


def test_the_ledger_agrees_with_its_model_on_postgresql(
    request: pytest.FixtureRequest,
) -> None:
    make: Callable[[], str] = request.getfixturevalue("make_postgres_database")

    run = play("PostgreSQL", postgres_database(make()), programs=scaled(100))

    assert run.whole_programs >= scaled(100)
    assert report.missing(run.outcomes) == []


def test_the_machine_finds_a_planted_bug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of lines that are rounded up instead of down give back a point too much. Planted in the
    model: the ledger's own part may be compiled, and a difference is one from either side.
    """

    def rounded_up(recorded: int, came_back: int, whole: int) -> int:
        return -(-recorded * came_back // whole) if whole else 0

    monkeypatch.setattr(reckoning, "part", rounded_up)
    monkeypatch.setattr(report, "runs", [])

    with pytest.raises(AssertionError):
        play("SQLite", sqlite_files(tmp_path), programs=100, phases=[Phase.generate])


def test_what_never_happened_is_told() -> None:
    outcomes: report.Outcomes = Counter({("merge", "Merged"): 3, (report.SEEN, "owed"): 1})

    missing = report.missing(outcomes)

    assert "merge was never accepted" not in missing
    assert "merge was never refused" in missing
    assert "void was never accepted" in missing
    assert "owed was never above 0" not in missing
    assert "paid_back was never above 0" in missing


def sqlite_files(folder: Path) -> Callable[[], str]:
    """Each call copies a migrated file: a fresh ledger for each program."""
    template, numbers = folder / "template.sqlite", itertools.count(1)
    asyncio.run(migrated(f"sqlite:///{template}"))

    def new_database() -> str:
        number = next(numbers)
        for old in folder.glob(f"{number - 1}.sqlite*"):
            old.unlink()
        path = shutil.copyfile(template, folder / f"{number}.sqlite")
        return f"sqlite:///{path}"

    return new_database


def postgres_database(url: str) -> Callable[[], str]:
    """Each call empties the one migrated database: making a new one takes longer than a program."""
    asyncio.run(migrated(url))
    tables = [*CHECKOUT_TABLES, installation]

    def emptied_database() -> str:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("".join(f"DELETE FROM {table.name};" for table in tables))
        return url

    return emptied_database


async def migrated(url: str) -> None:
    async with opened(url):
        pass
