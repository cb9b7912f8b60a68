"""Locust with real tills against real processes: what it counts, and its exit code.

Locust patches too much to be imported here; it runs as a process of its own, as in `make load`.
"""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from loadtests import mix
from tests.servers.suite import Suite

ROOT = Path(__file__).parents[2]
RELATIVE = ROOT / "loadtests" / "budget-relative.toml"
SHOPPERS_PER_S = 12
SECONDS = 5
STALLED_UNTIL_WAITING = 60  # operations; five times as many as there are tills
PROGRESS = re.compile(r"s: ([\d,]+) operations, ([\d,]+) failed, ([\d,]+) waiting")


@pytest.fixture(scope="module")
async def suite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Suite]:
    async with Suite(tmp_path_factory.mktemp("locust")) as running:
        yield running


@dataclass(slots=True)
class Load:
    """A running Locust: what it says while it runs, and what it has found."""

    process: asyncio.subprocess.Process
    results: Path
    said: str = ""

    async def until_progress(self, *, ended: int = 0, waiting: int = 0) -> None:
        """Until so many operations have ended, and so many are waiting."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.said += line.decode()
            told = PROGRESS.search(line.decode())
            if told and _number(told[1]) >= ended and _number(told[3]) >= waiting:
                return
        raise AssertionError(f"it ended before:\n{self.said}")

    async def ended(self) -> int:
        """The exit code."""
        rest, _ = await self.process.communicate()
        self.said += rest.decode()
        assert self.process.returncode is not None
        return self.process.returncode

    def report(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads((self.results / "report.json").read_text())
        return read


def _number(told: str) -> int:
    return int(told.replace(",", ""))


async def _locust(
    suite: Suite, results: Path, *more: str, budget: Path = RELATIVE, target: str | None = None
) -> Load:
    options = {
        "--users": SHOPPERS_PER_S,
        "--spawn-rate": SHOPPERS_PER_S,
        "--shoppers-per-s": SHOPPERS_PER_S,
        "--seconds": SECONDS,
        "--tell-every-s": 0.1,
        "--target": target or suite.gateway_target,
        "--loyalty": suite.loyalty_target,
        "--token-file": suite.folder / "service-token",
        "--budget": budget,
        "--results": results,
    }
    words = [str(word) for option in options.items() for word in option]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "locust", "-f", "loadtests/locustfile.py", "--headless"),
        *(*words, *more),
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    return Load(process, results)


def _budget(folder: Path, *, p95_ms: float) -> Path:
    """Wide, except for one percentile."""
    file = folder / "budget.toml"
    table = f"p50_ms = 1e9\np95_ms = {p95_ms}\np99_ms = 1e9\n"
    table += "failed_share_max = 0.0\nachieved_share_min = 0.0\n"
    file.write_text("".join(f"[{operation}]\n{table}" for operation in mix.OPERATIONS))
    return file


async def test_a_stall_is_counted_for_everybody_who_waited_and_breaks_a_budget(
    suite: Suite, tmp_path: Path
) -> None:
    """The service is stopped until five times as many operations wait as there are tills. A test
    whose tills ask when they get round to it would find one slow operation at each till.
    """
    load = await _locust(suite, tmp_path, budget=_budget(tmp_path, p95_ms=400))
    await load.until_progress(ended=20)
    os.kill(suite.processes["loyalty"].pid, signal.SIGSTOP)
    try:
        await load.until_progress(waiting=STALLED_UNTIL_WAITING)
    finally:
        os.kill(suite.processes["loyalty"].pid, signal.SIGCONT)
    status = await load.ended()

    assert status == 1, load.said
    assert re.search(r"budget broken: capture: p95 \d+\.\d ms, budget 400\.0 ms", load.said)
    operations = load.report()["operations"]
    stalled_s = STALLED_UNTIL_WAITING / (sum(each["due"] for each in operations.values()) / SECONDS)
    late = [each for each in load.report()["by_second"] if each["p99_ms"] > 400]
    assert sum(each["due"] for each in late) > 2 * SHOPPERS_PER_S
    assert max(each["p50_ms"] for each in late) > 200  # half of all who came in that second
    assert max(each["max_ms"] for each in operations.values()) > 1000 * stalled_s / 2
    assert {each["failed"] for each in operations.values()} == {0}, load.said


async def test_a_run_that_reaches_no_gateway_fails(suite: Suite, tmp_path: Path) -> None:
    load = await _locust(suite, tmp_path, target="127.0.0.1:1")

    assert (await load.ended(), "not one request was made" in load.said) == (1, True), load.said
    assert "the run could not begin: UNAVAILABLE" in load.said


async def test_a_run_that_is_cut_short_fails(suite: Suite, tmp_path: Path) -> None:
    """What was due and not measured would be missing from the figures."""
    load = await _locust(suite, tmp_path)
    await load.until_progress(ended=1)
    load.process.send_signal(signal.SIGINT)

    assert await load.ended() == 1
    assert re.search(r"budget broken: [\d,]+ of [\d,]+ operations were measured", load.said)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--seconds", "1"], "are too few"),
        (["--run-time", "5s"], "use --seconds"),
        (["--target", "tills.example:7701"], "name its CA"),
    ],
)
async def test_options_that_make_no_sense_are_refused(
    suite: Suite, tmp_path: Path, more: list[str], words: str
) -> None:
    load = await _locust(suite, tmp_path, *more)

    assert (await load.ended(), words in load.said) == (2, True), load.said
