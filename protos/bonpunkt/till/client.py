"""The till client: one stream to the gateway, operations in, decisions out.

    async with Till("127.0.0.1:7701", terminal_id="s1-till-3", secret=secret) as till:
        quoted = await till.quote(card, basket)
        captured = await till.settle(operations.capture(card, basket, redeem="maximum"))

A decision is always a value, refusals and uncertain ends included. `Undecided` may come from the
gateway or from this client, which answers CAUSE_ANSWER_LOST by itself when a stream breaks or a
time is over after the operation had been written. Exceptions are left for what never reached
anybody: `NotConnected`, `TerminalRefused`.

`settle` is the way to book: it repeats, asks and abandons until the end is certain. `reserve`,
`capture` and the like make one attempt each. Needs grpcio and protobuf only; imports nothing of the
services.
"""

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc

from bonpunkt.till import operations as build
from bonpunkt.till.channel import credentials_for, open_channel
from bonpunkt.till.connection import (
    PAUSE_MAX_S,
    PAUSE_MIN_S,
    Connection,
    NotConnected,
    TerminalRefused,
    TillError,
)
from bonpunkt.till.operations import Redeem, RedeemSome, new_id
from bonpunkt.till.v1.till_pb2 import (
    Basket,
    Decision,
    LineItem,
    Operation,
    ReceiptReference,
    ReturnLine,
    StatusFound,
    Undecided,
)

__all__ = [
    "Basket",
    "Decision",
    "LineItem",
    "NotConnected",
    "Operation",
    "ReceiptReference",
    "Redeem",
    "RedeemSome",
    "ReturnLine",
    "TerminalRefused",
    "Till",
    "TillError",
    "Unsettled",
    "new_id",
]


class Unsettled(TillError):  # noqa: N818
    """Neither decided nor abandoned in time. Keep `operation` and settle it later, as it is."""

    def __init__(self, operation: Operation) -> None:
        super().__init__(f"operation {operation.id} is neither decided nor abandoned")
        self.operation = operation


class Till:
    """One terminal's connection. Use it as an asynchronous context manager, within one event loop.

    It connects by itself, and again with growing pauses. Any number of calls may be under way at
    once; they share the stream, and what arrives while a message is being written goes out together
    in the next one.

    `target` is `host:port`, asked by TLS unless it is on loopback: `ca_file` holds the certificates
    to trust (PEM), by default the file that BONPUNKT_CA_FILE names. ValueError without either.

    `timeout_s` (0.001 to 60) is the time of every operation built here. `channel` may be shared by
    many tills; it is then not closed by them. `jitter` returns 0 to 1 and spreads the pauses.
    """

    def __init__(
        self,
        target: str,
        *,
        terminal_id: str,
        secret: str,
        timeout_s: float = 5.0,
        ca_file: str | Path | None = None,
        channel: grpc.aio.Channel | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._target = target
        self._credentials = None if channel is not None else credentials_for(target, ca_file)
        self._timeout_ms = min(max(round(timeout_s * 1000), 1), 60_000)
        self._shared_channel = channel
        self._own_channel: grpc.aio.Channel | None = None
        self._jitter = jitter
        self._connection = Connection(terminal_id=terminal_id, secret=secret, jitter=jitter)

    async def __aenter__(self) -> Self:
        if self._shared_channel is None:
            self._own_channel = open_channel(self._target, self._credentials)
        channel = self._shared_channel or self._own_channel
        assert channel is not None
        self._connection.open(channel)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Hangs up. Calls still under way end as if the stream had broken."""
        await self._connection.close()
        if self._own_channel is not None:
            await self._own_channel.close()
            self._own_channel = None

    async def connected(self, *, timeout_s: float = 10.0) -> None:
        """Waits until the gateway has admitted this terminal.

        Calls need not wait for it. Raises NotConnected or TerminalRefused when the time is over.
        """
        await self._connection.stands(timeout_s=timeout_s)

    async def identify(self, card: str) -> Decision:
        return await self.send(build.identify(card, timeout_ms=self._timeout_ms))

    async def quote(self, card: str, basket: Basket) -> Decision:
        return await self.send(build.quote(card, basket, timeout_ms=self._timeout_ms))

    async def reserve(
        self,
        card: str,
        basket: Basket,
        *,
        redeem: RedeemSome = "maximum",
        operation_id: str | None = None,
        occurred_at: datetime | None = None,
    ) -> Decision:
        """One attempt to set points aside; the decision's `operation_id` names the reservation."""
        operation = build.reserve(
            card,
            basket,
            redeem=redeem,
            operation_id=operation_id,
            occurred_at=occurred_at,
            timeout_ms=self._timeout_ms,
        )
        return await self.send(operation)

    async def release(
        self,
        reservation_id: str,
        *,
        operation_id: str | None = None,
        occurred_at: datetime | None = None,
    ) -> Decision:
        """One attempt to give up a reservation. If its end stays uncertain, time ends it."""
        operation = build.release(
            reservation_id,
            operation_id=operation_id,
            occurred_at=occurred_at,
            timeout_ms=self._timeout_ms,
        )
        return await self.send(operation)

    async def capture(
        self,
        card: str,
        basket: Basket,
        *,
        redeem: Redeem = None,
        reservation_id: str = "",
        operation_id: str | None = None,
        occurred_at: datetime | None = None,
    ) -> Decision:
        """One attempt to book; `settle` makes sure of its end."""
        operation = build.capture(
            card,
            basket,
            redeem=redeem,
            reservation_id=reservation_id,
            operation_id=operation_id,
            occurred_at=occurred_at,
            timeout_ms=self._timeout_ms,
        )
        return await self.send(operation)

    async def void_receipt(
        self,
        receipt: ReceiptReference,
        *,
        business_date: date | str,
        cashier: str = "",
        operation_id: str | None = None,
        occurred_at: datetime | None = None,
    ) -> Decision:
        """One attempt to take back a whole receipt; `settle` makes sure of its end."""
        operation = build.void_receipt(
            receipt,
            business_date=business_date,
            cashier=cashier,
            operation_id=operation_id,
            occurred_at=occurred_at,
            timeout_ms=self._timeout_ms,
        )
        return await self.send(operation)

    async def return_items(
        self,
        receipt: ReceiptReference,
        lines: Iterable[ReturnLine] = (),
        *,
        receipt_number: str,
        business_date: date | str,
        cashier: str = "",
        operation_id: str | None = None,
        occurred_at: datetime | None = None,
    ) -> Decision:
        """One attempt to take back goods; `settle` makes sure of its end before money is paid."""
        operation = build.return_items(
            receipt,
            lines,
            receipt_number=receipt_number,
            business_date=business_date,
            cashier=cashier,
            operation_id=operation_id,
            occurred_at=occurred_at,
            timeout_ms=self._timeout_ms,
        )
        return await self.send(operation)

    async def enrol(
        self,
        card: str,
        *,
        language: str,
        operation_id: str | None = None,
        occurred_at: datetime | None = None,
    ) -> Decision:
        """One attempt to make a member with a fresh card; `settle` makes sure of its end."""
        operation = build.enrol(
            card,
            language=language,
            operation_id=operation_id,
            occurred_at=occurred_at,
            timeout_ms=self._timeout_ms,
        )
        return await self.send(operation)

    async def status(self, operation_id: str) -> Decision:
        return await self.send(build.status(operation_id, timeout_ms=self._timeout_ms))

    async def abandon(self, operation_id: str) -> Decision:
        return await self.send(build.abandon(operation_id, timeout_ms=self._timeout_ms))

    async def send(self, operation: Operation) -> Decision:
        """The decision upon any operation, matched by its id."""
        return (await self.send_many((operation,)))[0]

    async def send_many(self, operations: Sequence[Operation]) -> list[Decision]:
        """The decisions upon 1 to 256 operations of at most 1 MiB, in their order; one message.

        Every one is answered within the longest `timeout_ms` among them, and a moment. If calls
        with the same id are under way at once, the first answer is everybody's.
        """
        return await self._connection.send_many(operations)

    async def settle(
        self, operation: Operation, *, within_s: float = 30.0, abandon_within_s: float = 10.0
    ) -> Decision:
        """Repeats an operation that books until its end is certain, whatever breaks on the way.

        After a lost answer it asks Status, then repeats under the same id, which is safe for ever.
        After `within_s` it gives up by Abandon, for which it takes `abandon_within_s` (either may
        last one timeout longer). Returns the final decision: what was booked, `refused`, or
        `abandoned`, which means that nothing was booked under the id and nothing ever will be.
        Raises Unsettled if even that cannot be had; and settling the same operation later goes on.
        """
        kind = operation.WhichOneof("kind")
        if kind in ("identify", "quote", "status"):
            raise ValueError(f"{kind} books nothing; send it")
        faults: list[TillError] = []
        decision = await self._repeat(operation, within_s=within_s, faults=faults)
        if decision is None and kind != "abandon":
            giving_up = build.abandon(operation.id, timeout_ms=self._timeout_ms)
            answer = await self._repeat(giving_up, within_s=abandon_within_s, faults=faults)
            if answer is not None and answer.HasField("abandoned"):
                decision = answer if answer.abandoned.abandoned else answer.abandoned.decision
        if decision is None:
            raise Unsettled(operation) from (faults[-1] if faults else None)
        return decision

    async def _repeat(
        self, operation: Operation, *, within_s: float, faults: list[TillError]
    ) -> Decision | None:
        """The decision upon the operation, sent as often as it takes; None when time is over."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + within_s
        pause_s = PAUSE_MIN_S
        attempt = operation
        while True:
            try:
                decision = await self.send(attempt)
            except TillError as fault:
                faults.append(fault)
            else:
                if decision.HasField("undecided"):
                    if decision.undecided.cause == Undecided.CAUSE_ANSWER_LOST:
                        attempt = build.status(operation.id, timeout_ms=self._timeout_ms)
                elif attempt is operation:
                    return decision
                elif decision.status_found.state == StatusFound.STATE_DECIDED:
                    return decision.status_found.decision
                else:
                    attempt = operation
                    continue  # nothing is booked under this id so far: send it at once
            left_s = until_s - loop.time()
            if left_s <= 0:
                return None
            await asyncio.sleep(min(pause_s * (0.5 + self._jitter() / 2), left_s))
            pause_s = min(pause_s * 2, PAUSE_MAX_S)
