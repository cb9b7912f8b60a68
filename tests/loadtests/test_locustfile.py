"""The Locust file works against real processes, and its exit code is its verdict."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.servers.suite import Suite

ROOT = Path(__file__).parents[2]
KEPT = "p99_ms = 60000\nfailed_share_max = 0.0\n"
BROKEN = "p99_ms = 0\nfailed_share_max = 0.0\n"


@pytest.fixture(scope="module")
async def suite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Suite]:
    async with Suite(tmp_path_factory.mktemp("locust")) as running:
        yield running


async def _locust(suite: Suite, folder: Path, budget: str, **environment: str) -> tuple[int, str]:
    """Exit status and output of four seconds of load; Locust patches too much to be imported."""
    budget_file = folder / "budget.toml"
    budget_file.write_text("".join(f"[{name}]\n{budget}" for name in ("identify", "capture")))
    options = ["--headless", "--users", "4", "--spawn-rate", "4", "--run-time", "4s"]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "locust", "-f", "loadtests/locustfile.py", *options),
        cwd=ROOT,
        env={
            **os.environ,
            "TARGET": suite.gateway_target,
            "LOYALTY": suite.loyalty_target,
            "BONPUNKT_SERVICE_TOKEN_FILE": str(suite.folder / "service-token"),
            "LOAD_BUDGET": str(budget_file),
            **environment,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def test_a_run_within_its_budgets_passes(suite: Suite, tmp_path: Path) -> None:
    status, output = await _locust(suite, tmp_path, KEPT)

    assert (status, "every budget was kept" in output) == (0, True), output


async def test_a_run_above_its_budgets_fails(suite: Suite, tmp_path: Path) -> None:
    status, output = await _locust(suite, tmp_path, BROKEN)

    assert (status, "budget broken: capture: p99" in output) == (1, True), output


async def test_a_run_that_reaches_nobody_fails(suite: Suite, tmp_path: Path) -> None:
    status, output = await _locust(suite, tmp_path, KEPT, TARGET="127.0.0.1:1")

    assert (status, "not one request was made" in output) == (1, True), output
