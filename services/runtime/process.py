"""One event loop per process, and a stop that every part can wait for."""

import asyncio
import gc
import logging
import os
import signal
from collections.abc import Awaitable, Callable

import uvloop

from services.runtime.logs import logger

log = logger(__name__)

# A batch makes some thousand objects that die with it: collected at Python's default pace, the
# search for cycles among them costs a third of deciding.
GC_THRESHOLDS = (200_000, 20, 50)
LEFTOVERS_S = 0.5


def run(main: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Runs `main` on uvloop; SIGTERM and SIGINT set the event that it is given."""
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)

    async def supervised() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await main(stop)
        await _end_leftovers()

    uvloop.run(supervised())


async def _end_leftovers() -> None:
    """Ends what still runs after `main`. What cannot be ended is told and left behind.

    By now everything durable is closed, so a call that hangs must not keep the process from ending.
    """
    leftovers = asyncio.all_tasks() - {asyncio.current_task()}
    for task in leftovers:
        task.cancel()
    if leftovers:
        _, stuck = await asyncio.wait(leftovers, timeout=LEFTOVERS_S)
        if stuck:
            for task in stuck:
                log.warning("left behind at the end", task=repr(task))
            logging.shutdown()
            os._exit(0)
