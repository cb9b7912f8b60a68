"""A place in a transaction where it waits until it is let go, and other processes on one ledger."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from enum import Enum
from typing import Any

from services.loyalty.store import Batch, BucketState, Store, Transaction
from tests.loyalty.ledgers import WITHIN_S, Ledger, with_new_writer


class Place(Enum):
    """Where a transaction of the writer waits."""

    BEFORE_BEGIN = "before its transaction begins"
    BEFORE_LOCK = "before it locks"
    BEFORE_WRITE = "decided, before it writes"
    BEFORE_COMMIT = "written, before COMMIT"


class Gate:
    """Open at first; closed, it stops whoever comes to `place`."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.reached = asyncio.Event()
        self._free = asyncio.Event()
        self._free.set()

    def close(self) -> None:
        self.reached.clear()
        self._free.clear()

    def open(self) -> None:
        self._free.set()

    async def pass_by(self, place: Place) -> None:
        if place is self.place:
            self.reached.set()
            await asyncio.wait_for(self._free.wait(), WITHIN_S)


class GatedStore:
    """The store, with a gate in every transaction."""

    def __init__(self, store: Store, gate: Gate) -> None:
        self._store, self._gate = store, gate

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @asynccontextmanager
    async def writing(self, lane: int = 0) -> AsyncIterator[Any]:
        await self._gate.pass_by(Place.BEFORE_BEGIN)
        async with self._store.writing(lane) as transaction:
            yield _GatedTransaction(transaction, self._gate)


class _GatedTransaction:
    def __init__(self, transaction: Transaction, gate: Gate) -> None:
        self._transaction, self._gate = transaction, gate

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transaction, name)

    async def lock(self, buckets: Sequence[int]) -> dict[int, BucketState]:
        await self._gate.pass_by(Place.BEFORE_LOCK)
        return await self._transaction.lock(buckets)

    async def append(self, batch: Batch) -> None:
        await self._gate.pass_by(Place.BEFORE_WRITE)
        await self._transaction.append(batch)
        await self._gate.pass_by(Place.BEFORE_COMMIT)


def new_writer(ledger: Ledger, *, gate: Gate | None = None) -> AbstractAsyncContextManager[Ledger]:
    """The ledger as a new process finds it; `gate` may stop its writer."""
    wrapped: Any = None if gate is None else GatedStore(ledger.store, gate)
    return with_new_writer(ledger, wrapped)
