"""A private Redis server without persistence: it may be wiped or stopped at any second."""

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from tests.servers import child, programs
from tests.servers.ports import free_port

START_WITHIN_S = 30.0
STOP_WITHIN_S = 10.0


class Server:
    """A running Redis server."""

    def __init__(self, *, port: int, process: subprocess.Popen[bytes]) -> None:
        self.url = f"redis://127.0.0.1:{port}/0"
        self.process = process

    def flush(self) -> None:
        """Empties it, for the next test."""
        with redis.Redis.from_url(self.url) as client:
            client.flushall()


@contextmanager
def running_redis() -> Iterator[Server]:
    """A new server in a folder of its own; stopped and removed at the end, also after Ctrl-C."""
    folder = Path(tempfile.mkdtemp(prefix="bonpunkt-redis-"))
    try:
        port = free_port()
        log = folder / "log"
        options = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder)]
        process = child.spawn(
            [programs.REDIS.path(), "--port", str(port), *options], log=log, folder=folder
        )
        server = Server(port=port, process=process)
        try:
            child.wait_until(
                lambda: _answers(server.url), process=process, log=log, within_s=START_WITHIN_S
            )
            yield server
        finally:
            child.end(process, by=signal.SIGTERM, within_s=STOP_WITHIN_S)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _answers(url: str) -> bool:
    with redis.Redis.from_url(url) as client:
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
