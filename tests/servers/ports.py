"""Free ports on loopback, below the range that the kernel takes for outgoing connections."""

import random
import socket

_FIRST, _LAST = 20_000, 31_999
_handed_out: set[int] = set()


def free_port() -> int:
    """A port nobody listens on, never handed out twice in this process.

    A server keeps its port over a restart, so it cannot let the kernel choose; and a port of the
    kernel's own range could meanwhile be taken by any client's connection.
    """
    for port in random.sample(range(_FIRST, _LAST + 1), k=200):
        if port not in _handed_out and _is_free(port):
            _handed_out.add(port)
            return port
    raise OSError(f"no free port among 200 tried between {_FIRST} and {_LAST}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
