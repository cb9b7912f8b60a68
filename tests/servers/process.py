"""One Bonpunkt service as a real process, which can be stopped, killed and started again."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from tests.servers import child

START_WITHIN_S = 60.0
STOP_WITHIN_S = 20.0
ROOT = Path(__file__).parents[2]

Ready = Callable[[], Awaitable[bool]]


class Process:
    """A service with its environment, its log and its address; these stay over a restart."""

    def __init__(
        self, name: str, *, module: str, environment: Mapping[str, str], log: Path, ready: Ready
    ) -> None:
        self.name = name
        self.log = log
        self.environment = {**_surroundings(), **environment}
        self._module = module
        self._ready = ready
        self._running: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id; only while it runs."""
        assert self._running is not None, f"{self.name} does not run"
        return self._running.pid

    @property
    def is_running(self) -> bool:
        return self._running is not None and self._running.poll() is None

    async def start(self) -> None:
        """Starts it and waits until it is ready; raises with the log's end if it is not in time.

        Called on the main thread: the kernel ends a child together with the thread that made it.
        """
        assert not self.is_running, f"{self.name} runs already"
        self._running = running = child.spawn(
            [sys.executable, "-m", self._module],
            log=self.log,
            environment=self.environment,
            folder=ROOT,
        )
        deadline = time.monotonic() + START_WITHIN_S
        while not await self._ready():
            status = running.poll()
            if status is not None or time.monotonic() > deadline:
                await self.kill()
                why = "not ready in time" if status is None else f"ended with {status}"
                raise RuntimeError(f"{self.name} {why}:\n{child.tail(self.log)}")
            await asyncio.sleep(child.POLL_S)

    async def stop(self) -> int:
        """Asks it to end (SIGTERM) and waits; returns its exit status."""
        return await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """Ends it as a power cut would (SIGKILL)."""
        await self._end(signal.SIGKILL)

    async def _end(self, by: signal.Signals) -> int:
        running, self._running = self._running, None
        if running is None:
            return 0
        return await asyncio.to_thread(child.end, running, by=by, within_s=STOP_WITHIN_S)


def _surroundings() -> dict[str, str]:
    """What a service inherits: no setting of the person who runs the tests."""
    kept = ("PATH", "BONPUNKT_COMPILED", "HOME", "LANG", "TMPDIR", "TZ")
    return {name: os.environ[name] for name in kept if name in os.environ}
