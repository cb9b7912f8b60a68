"""The pipe through which grpc.aio wakes the loop, and that grpc.aio takes it."""

import os
import subprocess
import sys

from services.runtime.wakeups import pipe

ASKED = """
import asyncio
from types import SimpleNamespace
from grpc._cython import cygrpc
from services.runtime import grpc

made, pipe = [], cygrpc.socket.socketpair
cygrpc.socket = SimpleNamespace(socketpair=lambda: made.append("a pipe") or pipe())

async def main():
    async with grpc.channel("127.0.0.1:1"):
        print(*made)

asyncio.run(main())
"""


def test_grpc_takes_the_pipe() -> None:
    """The release of gRPC that asks no longer makes the module needless, or has to be looked at."""
    told = subprocess.run(
        [sys.executable, "-c", ASKED], capture_output=True, text=True, check=True, timeout=60
    )

    assert told.stdout.split("\n")[0] == "a pipe"


def test_one_look_takes_every_wake_up_that_waits() -> None:
    reading, writing = pipe()
    with reading, writing:
        reading.setblocking(False)
        for _ in range(3):
            os.write(writing.fileno(), b"1")

        assert reading.recv(1) == b"111"
        assert reading.recv(1) == b""


def test_a_full_pipe_keeps_nobody_waiting() -> None:
    """gRPC's thread writes where no exception can be raised."""
    reading, writing = pipe()
    with reading, writing:
        assert not os.get_blocking(writing.fileno())
