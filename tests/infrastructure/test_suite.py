"""The house starts as real processes, survives a kill, and leaves nothing running."""

from pathlib import Path

import pytest

from services.runtime.grpc import is_serving
from tests.servers.process import Process
from tests.servers.suite import Suite
from tests.servers.waiting import eventually


async def test_a_killed_process_comes_back_at_the_same_address(
    tmp_path: Path, database_url: str
) -> None:
    async with Suite(tmp_path, database=database_url) as suite:
        await suite.add_terminal()
        await suite.enrol(3)

        await suite.kill("loyalty")
        assert not await is_serving(suite.loyalty_target)

        await suite.start("loyalty")
        assert await is_serving(suite.loyalty_target)
        await suite.enrol(2)


def _runs(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def test_nothing_runs_after_the_end(tmp_path: Path) -> None:
    async with Suite(tmp_path, notifier=True) as suite:
        started = [process.pid for process in suite.processes.values()]
        assert len(started) == 3

    assert [pid for pid in started if _runs(pid)] == []


async def test_every_service_ends_in_order_when_asked(tmp_path: Path) -> None:
    """Asked to stop, a service leaves with status 0 and was not killed."""
    async with Suite(tmp_path, notifier=True) as suite:
        for name in reversed(suite.processes):
            assert await suite.stop(name) == 0


async def test_a_service_that_does_not_start_tells_why(tmp_path: Path) -> None:
    suite = Suite(tmp_path, settings={"LOYALTY_CLOCK": "recorded"})

    with pytest.raises(RuntimeError, match="LOYALTY_CLOCK"):
        await suite.__aenter__()


async def test_a_process_that_is_never_ready_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.servers.process.START_WITHIN_S", 0.0)

    async def never() -> bool:
        return False

    process = Process(
        "idle", module="http.server", environment={}, log=tmp_path / "log", ready=never
    )
    with pytest.raises(RuntimeError, match="idle not ready in time"):
        await process.start()
    assert not process.is_running


async def test_waiting_ends_with_the_condition_or_the_deadline() -> None:
    answers = iter([False, False, True])
    await eventually(lambda: next(answers))

    with pytest.raises(TimeoutError):
        await eventually(lambda: False, within_s=0)
