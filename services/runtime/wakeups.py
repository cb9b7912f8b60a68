"""How grpc.aio's thread wakes the event loop: through a pipe that is emptied at once.

grpc.aio does so with a byte for each completed read or write, through a pair of sockets, of which
its handler takes one byte a turn of the loop, although it handles everything that is ready. A pipe
costs the kernel a third of that, and one that is emptied spares as many turns as bytes waited
(decision 0037).
"""

import os
from io import FileIO
from types import SimpleNamespace

from grpc._cython import cygrpc  # type: ignore[attr-defined]

WAKE_UPS_MAX = 4096


class _End(FileIO):
    """One end of a pipe, with what grpc.aio asks of a socket."""

    def setblocking(self, flag: bool) -> None:
        os.set_blocking(self.fileno(), flag)

    def recv(self, _size: int) -> bytes:
        """All that waits; nothing if another event loop was faster."""
        return self.read(WAKE_UPS_MAX) or b""


def pipe() -> tuple[_End, _End]:
    """To read from, to write to. Writing never waits: a full pipe wakes the loop just as well."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    return _End(reading, "rb"), _End(writing, "wb")


def use_pipe() -> None:
    """Has grpc.aio make a pipe when it starts. A release that wakes loops by other means does not
    look there, and goes on as it wants.
    """
    cygrpc.socket = SimpleNamespace(socketpair=pipe)
