"""Child processes of one run: started, watched, ended together.

Nothing is restarted: a service that dies ends the run, with its exit code and the last lines of its
log, because a demo that heals itself hides defects. In production a process manager does this work.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

STOP_TERM_S = 4.0  # then SIGKILL: the whole stop stays within 5 s
READY_POLL_S = 0.05
ECHO_S = 0.5
LOG_LINES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Child:
    """To run: `python -m MODULE ARGUMENTS`, with `environment` on top of this process's own."""

    name: str
    module: str
    arguments: Sequence[str] = ()
    environment: Mapping[str, str] | None = None


class ChildDiedError(Exception):
    """A child ended while it was needed; `exit_code` as a shell tells it, but never 0."""

    def __init__(self, name: str, *, exit_code: int, log: Path) -> None:
        super().__init__(f"{name} ended with exit code {exit_code}")
        self.name = name
        self.exit_code = exit_code
        self.log = log

    def last_lines(self) -> list[str]:
        """The end of what the child logged in this run."""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        return text.splitlines()[-LOG_LINES_SHOWN:]


class NotReadyError(Exception):
    """A child runs but did not become ready in time."""


@dataclass(slots=True)
class _Running:
    child: Child
    process: asyncio.subprocess.Process
    log: Path
    ended: asyncio.Task[int]


class Supervisor:
    """The children of one run. Use as `async with`, which stops them all at the end."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: dict[str, _Running] = {}
        self._died: asyncio.Future[ChildDiedError] = asyncio.get_running_loop().create_future()
        self._stopping = False

    async def __aenter__(self) -> "Supervisor":
        self._logs.mkdir(parents=True, exist_ok=True)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self, child: Child) -> None:
        """Starts the process; its output goes to NAME.log, the previous run's to NAME.log.1."""
        assert child.name not in self._running, "names are unique in a run"
        log = self._logs / f"{child.name}.log"
        if log.exists():
            log.replace(log.with_suffix(".log.1"))
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *_ends_with_parent(),
                sys.executable,
                "-m",
                child.module,
                *child.arguments,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(child.environment or {})},
                # Ctrl-C at a terminal is for this process, which stops its children in its own way
                start_new_session=True,
            )
        running = _Running(child, process, log, asyncio.create_task(process.wait()))
        running.ended.add_done_callback(lambda _: self._note_end(running))
        self._running[child.name] = running

    async def ready(
        self, name: str, probe: Callable[[], Coroutine[Any, Any, bool]], *, deadline_s: float = 60.0
    ) -> None:
        """Returns once `probe` says yes; raises `NotReadyError` past the deadline."""
        try:
            async with asyncio.timeout(deadline_s):
                while not await self.guard(probe()):  # noqa: ASYNC110 - polls another process
                    await asyncio.sleep(READY_POLL_S)
        except TimeoutError:
            log = self._running[name].log
            raise NotReadyError(
                f"{name} is not ready after {deadline_s:.0f} s; see {log}"
            ) from None

    async def guard(self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` returns; if a child dies first, cancels it and raises `ChildDiedError`."""
        task = asyncio.create_task(work)
        try:
            first: set[asyncio.Future[Any]] = {task, self._died}
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task})
        if not task.cancelled() and task.exception() is not None:
            # a fault of the work is often the echo of a death that the kernel has yet to report
            await asyncio.wait({self._died}, timeout=ECHO_S)
        if self._died.done():
            raise self._died.result()
        return task.result()

    async def stop(self) -> None:
        """SIGTERM to every child at once, SIGKILL to what is still there after 4 s."""
        self._stopping = True
        self._signal(signal.SIGTERM)
        alive = [running.ended for running in self._running.values() if not running.ended.done()]
        if alive:
            await asyncio.wait(alive, timeout=STOP_TERM_S)
        for running in self._running.values():
            if not running.ended.done():
                print(f"{running.child.name} does not stop and is killed", file=sys.stderr)
        self._signal(signal.SIGKILL)
        await asyncio.gather(*(running.ended for running in self._running.values()))

    def _signal(self, number: signal.Signals) -> None:
        for running in self._running.values():
            if not running.ended.done():
                with contextlib.suppress(ProcessLookupError):  # ended a moment ago
                    running.process.send_signal(number)

    def _note_end(self, running: _Running) -> None:
        if self._stopping or self._died.done():
            return
        code = running.ended.result()
        exit_code = 128 - code if code < 0 else code or 1
        self._died.set_result(
            ChildDiedError(running.child.name, exit_code=exit_code, log=running.log)
        )


def _ends_with_parent() -> list[str]:
    """A prefix (where util-linux is) that ends the child when this process is killed outright."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM"] if setpriv else []
