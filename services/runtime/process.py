"""One event loop per process, and a stop that every part can wait for."""

import asyncio
import gc
import signal
from collections.abc import Awaitable, Callable

import uvloop

# A batch makes some thousand objects that die with it: collected at Python's default pace, the
# search for cycles among them costs a third of deciding.
GC_THRESHOLDS = (50_000, 20, 50)


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

    uvloop.run(supervised())
