"""Stores what became of attempts: what arrives during one commit is stored by the next."""

import asyncio
from collections.abc import Callable, Sequence

from services.notifier.database import FAULTS
from services.notifier.store import Result, Store
from services.runtime import logs

RESULTS_MAX = 1_000
PACE_S = 0.05  # between transactions: a commit costs the same for one result as for many
RETRY_S = 0.5

log = logs.logger(__name__)


class Recorder:
    """`run` until cancelled; `recorded` is told of every batch once it is durable."""

    def __init__(self, store: Store, *, recorded: Callable[[Sequence[Result]], None]) -> None:
        self._store = store
        self._recorded = recorded
        self._waiting: list[Result] = []
        self._arrived = asyncio.Event()
        self._all_stored = asyncio.Event()
        self._all_stored.set()

    def put(self, result: Result) -> None:
        self._waiting.append(result)
        self._arrived.set()
        self._all_stored.clear()

    async def flushed(self) -> None:
        """Returns once everything put before is durable."""
        await self._all_stored.wait()

    async def run(self) -> None:
        while True:
            await self._arrived.wait()
            batch = self._waiting[:RESULTS_MAX]
            del self._waiting[:RESULTS_MAX]
            await self._store_batch(batch)
            self._recorded(batch)
            if not self._waiting:
                self._arrived.clear()
                self._all_stored.set()
            await asyncio.sleep(PACE_S)

    async def _store_batch(self, batch: Sequence[Result]) -> None:
        """As often as it takes: what is not recorded would be sent once more after a restart."""
        while True:
            try:
                return await self._store.record(batch)
            except FAULTS as error:
                log.warning("cannot record attempts; trying again", error=str(error))
                await asyncio.sleep(RETRY_S)
