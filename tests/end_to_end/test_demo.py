"""`bonpunkt up --demo` as a newcomer starts it: what it promises, it can show."""

import itertools
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.demo.last_line import LAST_LINE
from tests.end_to_end.conftest import DATABASES, fresh
from tests.end_to_end.recorded import recordings
from tests.servers import child
from tests.servers.process import ROOT

RUN_WITHIN_S = 240.0
STOP_WITHIN_S = 30.0
BASKETS_MIN = 60
KEYS = set(LAST_LINE)
RECEIVERS = 2


@dataclass(frozen=True, slots=True)
class Demo:
    """An installation in a folder; its ledger is looked at past all services."""

    folder: Path
    database: str  # "sqlite" or an address
    notifier_database: str

    def command(self, *words: str) -> list[str | Path]:
        return [sys.executable, "-m", "services.cli", *words]

    def start(self, *words: str, log: Path) -> subprocess.Popen[bytes]:
        """`bonpunkt up --demo` with these words."""
        command = self.command("up", "--demo", *words, "--data", str(self.folder))
        return child.spawn(command, log=log, environment=self.environment(), folder=ROOT)

    def run_once(self, baskets: int, *, log: Path) -> dict[str, Any]:
        """Its last line, after exit code 0."""
        running = self.start("--baskets", str(baskets), "--once", log=log)
        try:
            assert running.wait(RUN_WITHIN_S) == 0, child.tail(log)
        finally:
            child.end(running, by=signal.SIGTERM, within_s=STOP_WITHIN_S)
        last: dict[str, Any] = json.loads(log.read_text().splitlines()[-1])
        return last

    def environment(self) -> dict[str, str]:
        told = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        told["BONPUNKT_DATA"] = str(self.folder)
        if self.database != "sqlite":
            told["LOYALTY_DATABASE_URL"] = self.database
            told["NOTIFIER_DATABASE_URL"] = self.notifier_database
        return told

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        if self.database == "sqlite":
            with closing(sqlite3.connect(self.folder / "loyalty.sqlite")) as ledger:
                return ledger.execute(query).fetchall()
        with psycopg.connect(self.database) as connection:
            return connection.execute(query.encode()).fetchall()

    def receipts(self) -> set[str]:
        return {number for (number,) in self.rows("SELECT receipt_number FROM basket")}

    def points(self) -> tuple[int, int]:
        """Issued and redeemed, of the whole programme."""
        ((issued, redeemed),) = self.rows("SELECT -SUM(issued), SUM(redeemed) FROM bucket")
        return int(issued), int(redeemed)

    def running(self, module: str = "") -> dict[int, str]:
        """What runs on this folder, by process id; only that module if one is named."""
        found = {}
        for process in Path("/proc").glob("[0-9]*"):
            try:
                environment = (process / "environ").read_text(errors="replace")
                words = (process / "cmdline").read_text(errors="replace").split("\0")
            except OSError:  # it ended a moment ago
                continue
            if str(self.folder) in environment + "".join(words) and (not module or module in words):
                found[int(process.name)] = " ".join(words)
        return found


@pytest.fixture(params=DATABASES)
def demo(request: pytest.FixtureRequest, tmp_path: Path) -> Demo:
    return Demo(
        folder=tmp_path / "var",
        database=fresh(request.param, request),
        notifier_database=fresh(request.param, request),
    )


def _recorded_receipts(count: int) -> set[str]:
    return {str(each.basket_id) for each in itertools.islice(recordings().baskets(), count)}


def _is_consistent(told: Mapping[str, Any], demo: Demo, *, baskets: int) -> None:
    """What a run's last line has to say."""
    assert told.keys() == KEYS
    ((changes,),) = demo.rows("SELECT COUNT(*) FROM journal WHERE accepted AND member_version > 0")
    assert told["deliveries_expected"] == changes * RECEIVERS
    assert told["deliveries_verified"] == told["deliveries_expected"]
    assert told["baskets"] == baskets
    assert told["refused"] == 0
    assert told["books_balance"] is True
    assert 0 < told["same_basket_redemptions"] <= baskets // 3
    assert 0 < told["points_redeemed"] < told["points_earned"]
    assert 0 < told["p50_ms"] <= told["p99_ms"]
    assert told["checkouts_per_s"] > 0
    assert told["seconds"] > 0


def test_the_demo_shows_what_it_did_and_goes_on_where_it_ended(
    demo: Demo, tmp_path: Path, scaled: Callable[[int], int]
) -> None:
    baskets = max(BASKETS_MIN, scaled(1_000))

    first = demo.run_once(baskets, log=tmp_path / "first")

    _is_consistent(first, demo, baskets=baskets)
    assert min(first[kind] for kind in ("enrolled", "reserved", "released", "voided")) > 0
    assert demo.receipts() == _recorded_receipts(baskets)
    assert demo.points() == (first["points_earned"], first["points_redeemed"])
    assert demo.running() == {}

    second = demo.run_once(baskets, log=tmp_path / "second")

    _is_consistent(second, demo, baskets=baskets)
    assert demo.receipts() == _recorded_receipts(2 * baskets)
    assert demo.points() == (
        first["points_earned"] + second["points_earned"],
        first["points_redeemed"] + second["points_redeemed"],
    )
    assert demo.running() == {}


def test_ctrl_c_stops_everything_in_order(tmp_path: Path) -> None:
    """In the middle of an endless replay; what was checked out by then is in order."""
    demo = Demo(folder=tmp_path / "var", database="sqlite", notifier_database="sqlite")
    log = tmp_path / "output"
    running = demo.start("--free-ports", log=log)
    try:
        child.wait_until(
            lambda: (
                re.search(r"^[1-9][\d,]* of [\d,]+ checkouts", log.read_text(), re.M) is not None
            ),
            process=running,
            log=log,
            within_s=RUN_WITHIN_S,
        )
        assert len(demo.running()) == 7, "up, four services and two receivers"
    finally:
        status = child.end(running, by=signal.SIGINT, within_s=STOP_WITHIN_S)

    assert status == 0, child.tail(log)
    assert "is killed" not in log.read_text()
    assert demo.running() == {}
    verified = subprocess.run(
        demo.command("verify", "--json"),
        env=demo.environment(),
        cwd=ROOT,
        check=False,
        capture_output=True,
    )
    assert json.loads(verified.stdout)["ok"], verified.stdout
    assert demo.receipts()


def test_a_demo_that_dies_leaves_nothing_running(tmp_path: Path) -> None:
    """A service that is killed ends the run with its exit code, and every other process."""
    demo = Demo(folder=tmp_path / "var", database="sqlite", notifier_database="sqlite")
    log = tmp_path / "output"
    running = demo.start("--free-ports", log=log)
    try:
        child.wait_until(
            lambda: "Bonpunkt is up" in log.read_text(),
            process=running,
            log=log,
            within_s=RUN_WITHIN_S,
        )
        (notifier,) = demo.running("services.notifier")
        os.kill(notifier, signal.SIGKILL)
        status = running.wait(RUN_WITHIN_S)
    finally:
        child.end(running, by=signal.SIGTERM, within_s=STOP_WITHIN_S)

    assert status == 128 + signal.SIGKILL, child.tail(log)
    assert "notifier ended with exit code 137" in log.read_text()
    assert demo.running() == {}
