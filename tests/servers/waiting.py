"""Waiting for what other processes and tasks do: on a condition, never for a while."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable

from tests.servers.child import POLL_S

WITHIN_S = 30.0


async def eventually(
    condition: Callable[[], bool | Awaitable[bool]], *, within_s: float = WITHIN_S
) -> None:
    """Returns once `condition()` is true; raises TimeoutError naming it if that takes too long.

    The limit only ends a test that would otherwise hang; no rule is about it.
    """
    deadline = time.monotonic() + within_s
    while True:
        answer = condition()
        if await answer if inspect.isawaitable(answer) else answer:
            return
        if time.monotonic() > deadline:
            name = getattr(condition, "__qualname__", repr(condition))
            raise TimeoutError(f"{name} is still not true after {within_s} s")
        await asyncio.sleep(POLL_S)
