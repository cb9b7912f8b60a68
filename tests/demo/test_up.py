"""`bonpunkt up`, as a newcomer runs it: the whole suite as real processes."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.demo.last_line import LAST_LINE
from tests.servers.waiting import eventually

WITHIN_S = 120.0
# No setting of whoever runs the tests reaches the run.
SURROUNDINGS = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}


class Run:
    """A `bonpunkt up` in progress, and what it has said so far."""

    def __init__(self, process: asyncio.subprocess.Process, said: Path) -> None:
        self.process = process
        self._said = said

    def said(self) -> str:
        return self._said.read_text()

    def children(self) -> list[int]:
        pid = self.process.pid
        return [
            int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]

    def child(self, module: str) -> int:
        """The process id of a service that runs."""
        (pid,) = (pid for pid in self.children() if f"\0{module}\0" in _command_line(pid))
        return pid

    async def ended(self) -> int:
        return await asyncio.wait_for(self.process.wait(), WITHIN_S)


def _is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


@pytest.fixture
def up(tmp_path: Path) -> Callable[..., Any]:
    """`async with up("--demo", …) as run` on a data folder of this test; what is left is killed."""

    @asynccontextmanager
    async def begun(*words: str, settings: dict[str, str] | None = None) -> AsyncIterator[Run]:
        said = tmp_path / "said"
        command = [sys.executable, "-m", "services.cli", "up", "--data", str(tmp_path / "data")]
        with said.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(*command, *words),
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                env={**SURROUNDINGS, **(settings or {})},
            )
        try:
            yield Run(process, said)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    return begun


async def _once(up: Callable[..., Any], *, baskets: int) -> dict[str, Any]:
    async with up("--demo", "--once", "--baskets", str(baskets)) as run:
        assert await run.ended() == 0, run.said()
        last: dict[str, Any] = json.loads(run.said().splitlines()[-1])
    return last


async def test_a_demo_ends_by_itself_when_everything_has_arrived_and_then_goes_on(
    up: Callable[..., Any], tmp_path: Path
) -> None:
    first = await _once(up, baskets=30)
    second = await _once(up, baskets=15)

    assert list(first) == LAST_LINE
    assert (first["baskets"], second["baskets"]) == (30, 15)
    for told in (first, second):
        assert told["refused"] == 0
        assert told["books_balance"] is True
        assert told["deliveries_verified"] == told["deliveries_expected"]
        assert 0 < told["points_redeemed"] <= told["points_earned"]
        assert 0 < told["same_basket_redemptions"] <= told["baskets"]
        assert 0 < told["p50_ms"] <= told["p99_ms"]
        assert told["checkouts_per_s"] > 0
    assert first["deliveries_expected"] > 2 * (2_000 + 30), "two receivers are told of each change"
    assert second["deliveries_expected"] >= first["deliveries_expected"] + 2 * 15
    assert json.loads((tmp_path / "data/demo/position.json").read_text()) == {"baskets": 45}


async def test_a_stop_ends_the_demo_and_all_its_processes_in_order(up: Callable[..., Any]) -> None:
    async with up("--demo", "--free-ports") as run:
        await eventually(lambda: " of 155,848 checkouts" in run.said(), within_s=WITHIN_S)
        children = run.children()
        run.process.send_signal(signal.SIGINT)

        assert await run.ended() == 0, run.said()
        assert "Sign in as demo with the password " in run.said()
        assert "killed" not in run.said()
        assert len(children) == 6
        assert not any(_is_there(pid) for pid in children)


async def test_a_demo_that_was_to_be_finished_tells_that_it_was_not(up: Callable[..., Any]) -> None:
    async with up("--demo", "--once") as run:
        await eventually(lambda: " of 155,848 checkouts" in run.said(), within_s=WITHIN_S)
        run.process.send_signal(signal.SIGTERM)

        assert await run.ended() == 130


async def test_a_service_that_dies_ends_the_run_with_its_exit_code_and_log(
    up: Callable[..., Any],
) -> None:
    async with up("--free-ports") as run:
        await eventually(lambda: "Bonpunkt is up" in run.said(), within_s=WITHIN_S)
        os.kill(run.child("services.loyalty"), signal.SIGKILL)

        assert await run.ended() == 128 + signal.SIGKILL
        assert "loyalty ended with exit code 137" in run.said()
        assert "loyalty serves" in run.said()


async def test_a_taken_port_is_told_with_its_setting(up: Callable[..., Any]) -> None:
    with socket.socket() as somebody:
        somebody.bind(("127.0.0.1", 0))
        somebody.listen()
        taken = f"127.0.0.1:{somebody.getsockname()[1]}"
        async with up("--demo", "--free-ports", settings={"LOYALTY_LISTEN": taken}) as run:
            assert await run.ended() == 2
            assert f"{taken} (address already in use): set LOYALTY_LISTEN" in run.said()


async def test_two_runs_never_share_a_folder(up: Callable[..., Any], tmp_path: Path) -> None:
    async with up("--free-ports") as first:
        await eventually(lambda: (tmp_path / "data/service-token").exists())
        async with up("--free-ports") as second:
            assert await second.ended() == 2
            assert f"another bonpunkt up runs on {tmp_path / 'data'}" in second.said()
        assert first.process.returncode is None


async def test_without_the_demo_the_first_commands_are_told_and_work(
    up: Callable[..., Any],
) -> None:
    async with up("--free-ports") as run:
        await eventually(lambda: "bonpunkt staff add NAME" in run.said(), within_s=WITHIN_S)
        exports = " && ".join(line for line in run.said().splitlines() if "  export " in line)
        asked = await asyncio.create_subprocess_shell(
            f"{exports} && {sys.executable} -m services.cli terminal add till-1 --store s1",
            stdout=asyncio.subprocess.PIPE,
            env=SURROUNDINGS,
        )
        output, _ = await asked.communicate()

        assert asked.returncode == 0
        assert b"secret   " in output
        assert len(run.children()) == 4
