"""Loyalty as it is shipped, but for a store and a ledger service that die at a named point.

`python -m tests.end_to_end.kills.dying_loyalty` takes loyalty's place. It serves like any other
until an order to die lies in its data folder: then it ends itself by SIGKILL the n-th time that it
passes the point, and leaves a note of the operations that were there. The shipped code knows
nothing of it: two names of loyalty's own wiring are given other values here.
"""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from bonpunkt.loyalty.v1 import ledger_pb2 as pb
from bonpunkt.till.v1 import till_pb2
from services.loyalty import __main__ as loyalty
from services.loyalty.ledger_service import LedgerServicer
from services.loyalty.store import Batch, Store, Transaction, open_store


class Point(Enum):
    """Where loyalty dies; `ANSWERS` is between two answers to the same gateway."""

    BEFORE_COMMIT = "before the commit"  # all rows are written, COMMIT is not sent
    AFTER_COMMIT = "after the commit"  # COMMIT returned, nobody was answered
    BEFORE_ANSWER = "before the answer"  # the writer has told of it, nothing was sent
    BETWEEN_ANSWERS = "between two answers"  # one half was sent, the other is not


@dataclass(frozen=True, slots=True)
class Order:
    """To die at the point when it is passed for the n-th time; `passes` counts from 1."""

    point: str
    passes: int


@dataclass(frozen=True, slots=True)
class Note:
    """Ids of the operations that were at the point; `answered` are those sent before."""

    operations: Sequence[str]
    answered: Sequence[str] = ()


class Death:
    """Reads the order and leaves the note, both in the data folder."""

    def __init__(self, folder: Path) -> None:
        self._order_file, self._note_file = files(folder)
        self._passes = 0

    def is_due(self, point: Point) -> bool:
        """Whether this is the pass that was ordered."""
        if not self._order_file.exists():
            return False
        order = Order(**json.loads(self._order_file.read_text()))
        if order.point != point.value:
            return False
        self._passes += 1
        return self._passes == order.passes

    def leave(self, note: Note) -> None:
        """Whole or not at all: somebody may be looking."""
        written = self._note_file.with_suffix(".new")
        written.write_text(json.dumps(asdict(note)))
        written.rename(self._note_file)

    def now(self, operations: Sequence[str]) -> None:
        self.leave(Note(operations))
        os.kill(os.getpid(), signal.SIGKILL)


def files(folder: Path) -> tuple[Path, Path]:
    """Where the order to die and the note are."""
    return folder / "die-at.json", folder / "died-at.json"


class DyingStore:
    """A store whose transactions may be the process's last; everything else is the store's."""

    def __init__(self, store: Store, death: Death) -> None:
        self._store, self._death = store, death

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @asynccontextmanager
    async def writing(self, lane: int = 0) -> AsyncIterator["_Noting"]:
        async with self._store.writing(lane) as transaction:
            noting = _Noting(transaction)
            yield noting
            if noting.operations and self._death.is_due(Point.BEFORE_COMMIT):
                self._death.now(noting.operations)
        if noting.operations and self._death.is_due(Point.AFTER_COMMIT):
            self._death.now(noting.operations)


class _Noting:
    """A transaction that knows of which operations it writes rows."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self.operations: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transaction, name)

    async def append(self, batch: Batch) -> None:
        await self._transaction.append(batch)
        self.operations = [row["operation_id"] for row in batch.journal]


class DyingLedger(LedgerServicer):
    """A ledger service whose answers may be its last ones."""

    death: Death

    async def Commit(self, request: object, context: Any) -> None:  # type: ignore[override]
        stream: Any = _Stream(context, self.death)
        await super().Commit(request, stream)


class _Stream:
    """A gateway's stream, with all that may happen to an answer on its way."""

    def __init__(self, context: Any, death: Death) -> None:
        self._context, self._death = context, death

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    async def write(self, response: pb.CommitResponse) -> None:
        if self._death.is_due(Point.BEFORE_ANSWER):
            self._death.now(_operations(response))
        if len(response.decisions) > 1 and self._death.is_due(Point.BETWEEN_ANSWERS):
            half = len(response.decisions) // 2
            first = pb.CommitResponse(decisions=response.decisions[:half])
            rest = pb.CommitResponse(decisions=response.decisions[half:])
            await self._context.write(first)
            self._death.leave(Note(_operations(rest), answered=_operations(first)))
            # Whether the first half has left the process only its receivers can tell: the test
            # ends this process once one of them has heard.
            await asyncio.Event().wait()
        await self._context.write(response)


def _operations(response: pb.CommitResponse) -> list[str]:
    return [till_pb2.Decision.FromString(d.decision).operation_id for d in response.decisions]


def main() -> None:
    death = Death(Path(os.environ["BONPUNKT_DATA"]))

    async def opening(url: str, *, lanes: int) -> Store:
        dying: Any = DyingStore(await open_store(url, lanes=lanes), death)
        store: Store = dying
        return store

    DyingLedger.death = death
    vars(loyalty).update(open_store=opening, LedgerServicer=DyingLedger)
    loyalty.main()


if __name__ == "__main__":
    main()
