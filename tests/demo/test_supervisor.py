"""Children are started, watched and ended together; here they are small real processes."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from services.demo import supervisor
from services.demo.supervisor import Child, ChildDiedError, NotReadyError, Supervisor
from tests.servers.waiting import eventually

WELL_BEHAVED = "import signal, sys, time; print('up', flush=True); signal.pause()"
STUBBORN = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('up', flush=True)\nwhile True: signal.pause()"
)


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder from which children can be run as modules."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return folder


def _child(programs: Path, name: str, source: str) -> Child:
    (programs / f"{name}.py").write_text(source)
    return Child(name, module=name)


def _says_up(logs: Path, name: str) -> bool:
    log = logs / f"{name}.log"
    return log.exists() and "up" in log.read_text()


def _pid_of(children: Supervisor, name: str) -> int:
    return children._running[name].process.pid


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_stop_ends_every_child(tmp_path: Path, programs: Path) -> None:
    async with Supervisor(tmp_path / "logs") as children:
        for name in ("one", "two"):
            await children.start(_child(programs, name, WELL_BEHAVED))
        pids = [_pid_of(children, name) for name in ("one", "two")]
        assert all(_is_there(pid) for pid in pids)

    assert not any(_is_there(pid) for pid in pids)


async def test_a_child_that_ignores_the_stop_is_killed(
    tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "STOP_TERM_S", 0.2)
    logs = tmp_path / "logs"
    async with Supervisor(logs) as children:
        await children.start(_child(programs, "stubborn", STUBBORN))
        await eventually(lambda: _says_up(logs, "stubborn"))
        pid = _pid_of(children, "stubborn")

    assert not _is_there(pid)


@pytest.mark.parametrize(
    ("source", "exit_code"),
    [
        ("raise SystemExit(7)", 7),
        ("raise SystemExit(0)", 1),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 128 + signal.SIGKILL),
    ],
    ids=["its own", "never 0", "by a signal"],
)
async def test_a_child_that_dies_ends_the_work_with_its_exit_code(
    tmp_path: Path, programs: Path, source: str, exit_code: int
) -> None:
    cancelled = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with Supervisor(tmp_path / "logs") as children:
        await children.start(_child(programs, "mortal", source))
        with pytest.raises(ChildDiedError) as died:
            await children.guard(work())

    assert (died.value.name, died.value.exit_code) == ("mortal", exit_code)
    assert cancelled.is_set()


async def test_the_last_lines_of_the_dead_child_are_told(tmp_path: Path, programs: Path) -> None:
    source = "for n in range(50): print(f'line {n}')\nraise SystemExit('out of luck')"
    async with Supervisor(tmp_path / "logs") as children:
        await children.start(_child(programs, "talkative", source))
        with pytest.raises(ChildDiedError) as died:
            await children.guard(asyncio.Event().wait())

    lines = died.value.last_lines()
    assert len(lines) == supervisor.LOG_LINES_SHOWN
    assert lines[-2:] == ["line 49", "out of luck"]


async def test_the_work_s_own_result_and_fault_pass(tmp_path: Path) -> None:
    async def answer() -> int:
        return 42

    async def fail() -> int:
        raise LookupError("no such thing")

    async with Supervisor(tmp_path / "logs") as children:
        assert await children.guard(answer()) == 42
        with pytest.raises(LookupError):
            await children.guard(fail())


async def test_a_fault_that_a_death_caused_is_told_as_the_death(
    tmp_path: Path, programs: Path
) -> None:
    """Whoever talks to a dying service notices before the supervisor does."""
    logs = tmp_path / "logs"
    async with Supervisor(logs) as children:
        await children.start(_child(programs, "dying", WELL_BEHAVED))
        await eventually(lambda: _says_up(logs, "dying"))

        async def talk() -> None:
            os.kill(_pid_of(children, "dying"), signal.SIGKILL)
            raise ConnectionError("the other side hung up")

        with pytest.raises(ChildDiedError, match="dying ended with exit code 137"):
            await children.guard(talk())


async def test_readiness_is_waited_for(tmp_path: Path, programs: Path) -> None:
    logs = tmp_path / "logs"

    async def probe() -> bool:
        return _says_up(logs, "slow")

    async with Supervisor(logs) as children:
        await children.start(_child(programs, "slow", WELL_BEHAVED))
        await children.ready("slow", probe)

        assert _says_up(logs, "slow")


async def test_a_child_that_never_becomes_ready_is_told(tmp_path: Path, programs: Path) -> None:
    async def never() -> bool:
        return False

    async with Supervisor(tmp_path / "logs") as children:
        await children.start(_child(programs, "idle", WELL_BEHAVED))
        with pytest.raises(NotReadyError, match=r"idle is not ready .*idle\.log"):
            await children.ready("idle", never, deadline_s=0.2)


async def test_a_child_that_dies_instead_of_becoming_ready_is_told(
    tmp_path: Path, programs: Path
) -> None:
    async def never() -> bool:
        return False

    async with Supervisor(tmp_path / "logs") as children:
        await children.start(_child(programs, "failing", "raise SystemExit(3)"))
        with pytest.raises(ChildDiedError):
            await children.ready("failing", never)


async def test_the_log_of_the_run_before_is_kept(tmp_path: Path, programs: Path) -> None:
    logs = tmp_path / "logs"
    for text in ("first", "second"):
        async with Supervisor(logs) as children:
            await children.start(_child(programs, "one", f"print('{text}')"))
            with pytest.raises(ChildDiedError):
                await children.guard(asyncio.Event().wait())

    assert (logs / "one.log").read_text() == "second\n"
    assert (logs / "one.log.1").read_text() == "first\n"


async def test_children_are_told_their_environment(tmp_path: Path, programs: Path) -> None:
    (programs / "told.py").write_text("import os; print(os.environ['WORD'])")
    child = Child("told", module="told", environment={"WORD": "Bonpunkt"})
    async with Supervisor(tmp_path / "logs") as children:
        await children.start(child)
        with pytest.raises(ChildDiedError) as died:
            await children.guard(asyncio.Event().wait())

    assert died.value.last_lines() == ["Bonpunkt"]


async def test_no_child_outlives_a_parent_that_is_killed(tmp_path: Path, programs: Path) -> None:
    """Else the next run would find its ports taken by nobody's processes."""
    (programs / "orphan.py").write_text(
        f"import os; print(os.getpid(), flush=True)\n{WELL_BEHAVED}"
    )
    logs = tmp_path / "logs"
    parent = (
        "import asyncio, pathlib\n"
        "from services.demo.supervisor import Child, Supervisor\n"
        "async def main():\n"
        f"    async with Supervisor(pathlib.Path({str(logs)!r})) as children:\n"
        "        await children.start(Child('orphan', module='orphan'))\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    running = await asyncio.create_subprocess_exec(sys.executable, "-c", parent)
    try:
        await eventually(lambda: _says_up(logs, "orphan"))
        pid = int((logs / "orphan.log").read_text().split()[0])
        assert _is_there(pid)
    finally:
        running.kill()
        await running.wait()

    await eventually(lambda: not _is_there(pid))
