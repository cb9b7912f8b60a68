"""TerminalService: which tills may speak. Gateways follow the list and keep a copy of it."""

import asyncio
import contextlib
import hashlib
import re
import secrets
from collections.abc import AsyncIterator
from typing import Any

import grpc
from sqlalchemy import Row, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bonpunkt.loyalty.v1 import terminal_pb2 as pb
from bonpunkt.loyalty.v1 import terminal_pb2_grpc
from services.loyalty.office.actors import Actors, Context
from services.loyalty.office.audit import append_audit, lock_audit, reading
from services.loyalty.office.instants import Clock, micros, timestamp
from services.loyalty.office.schema import terminal

POLL_S = 1.0  # how late a change by another loyalty process may be noticed

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ID_FORM = "1 to 64 characters of A-Z a-z 0-9 . _ -"
_Code = grpc.StatusCode


class TerminalsChanged:
    """Tells followers in this process that the list has changed, and when to stop following."""

    def __init__(self) -> None:
        self._next = asyncio.Event()
        self._closed = False

    @property
    def closed(self) -> bool:
        return self._closed

    def next(self) -> asyncio.Event:
        """Set at the next change. Take it before reading the list, so that none is missed."""
        return self._next

    def announce(self) -> None:
        happened, self._next = self._next, asyncio.Event()
        happened.set()

    def close(self) -> None:
        """Ends all streams, so that the server need not wait for them when it stops."""
        self._closed = True
        self.announce()


class TerminalServicer(terminal_pb2_grpc.TerminalServiceServicer):
    def __init__(
        self,
        engine: AsyncEngine,
        clock: Clock,
        changed: TerminalsChanged,
        *,
        poll_s: float = POLL_S,
    ) -> None:
        self._engine = engine
        self._reading = reading(engine)
        self._clock = clock
        self._changed = changed
        self._poll_s = poll_s
        self._actors = Actors(engine, clock)

    async def AddTerminal(
        self, request: pb.AddTerminalRequest, context: Context
    ) -> pb.AddTerminalResponse:
        actor = await self._actors.manager(context)
        for field, value in (
            ("terminal_id", request.terminal_id),
            ("store_id", request.store_id),
        ):
            if not _ID.fullmatch(value):
                await context.abort(_Code.INVALID_ARGUMENT, f"{field}: {_ID_FORM}")
        secret = secrets.token_urlsafe(32)
        async with self._engine.begin() as connection:
            await lock_audit(connection)
            row = None
            if await _find(connection, request.terminal_id) is None:
                row = await self._insert(connection, request, secret, actor=actor)
        if row is None:
            await context.abort(_Code.ALREADY_EXISTS, "terminal_id: taken; choose another")
        self._changed.announce()
        return pb.AddTerminalResponse(terminal=_terminal(row), secret=secret)

    async def _insert(
        self,
        connection: AsyncConnection,
        request: pb.AddTerminalRequest,
        secret: str,
        *,
        actor: str,
    ) -> Row[Any]:
        now = self._clock()
        sequence = await append_audit(
            connection,
            at=now,
            actor=actor,
            action="terminal.add",
            subject=request.terminal_id,
            detail=f"store {request.store_id}",
        )
        inserted = await connection.execute(
            insert(terminal)
            .values(
                terminal_id=request.terminal_id,
                store_id=request.store_id,
                secret_sha256=hashlib.sha256(secret.encode()).digest(),
                added_at_us=micros(now),
                blocked_at_us=None,
                audit_sequence=sequence,
            )
            .returning(*terminal.c)
        )
        return inserted.one()

    async def ListTerminals(
        self, request: pb.ListTerminalsRequest, context: Context
    ) -> pb.ListTerminalsResponse:
        async with self._reading.connect() as connection:
            return pb.ListTerminalsResponse(terminals=await _all(connection))

    async def BlockTerminal(
        self, request: pb.BlockTerminalRequest, context: Context
    ) -> pb.BlockTerminalResponse:
        """Blocking a blocked terminal changes nothing."""
        actor = await self._actors.manager(context)
        async with self._engine.begin() as connection:
            await lock_audit(connection)
            row = await _find(connection, request.terminal_id)
            is_change = row is not None and row.blocked_at_us is None
            if is_change:
                row = await self._block(connection, request.terminal_id, actor=actor)
        if row is None:
            await context.abort(_Code.NOT_FOUND, "terminal_id: there is no such terminal")
        if is_change:
            self._changed.announce()
        return pb.BlockTerminalResponse(terminal=_terminal(row))

    async def _block(
        self, connection: AsyncConnection, terminal_id: str, *, actor: str
    ) -> Row[Any]:
        now = self._clock()
        sequence = await append_audit(
            connection, at=now, actor=actor, action="terminal.block", subject=terminal_id
        )
        updated = await connection.execute(
            update(terminal)
            .where(terminal.c.terminal_id == terminal_id)
            .values(blocked_at_us=micros(now), audit_sequence=sequence)
            .returning(*terminal.c)
        )
        return updated.one()

    async def FollowTerminals(
        self, request: pb.FollowTerminalsRequest, context: Context
    ) -> AsyncIterator[pb.FollowTerminalsResponse]:
        """Sees changes of this process at once and those of others within `poll_s`."""
        sent = -1
        while not self._changed.closed:
            change = self._changed.next()
            async with self._reading.connect() as connection:
                version = await _version(connection)
                terminals = await _all(connection) if version != sent else []
            if version != sent:
                yield pb.FollowTerminalsResponse(terminals=terminals)
                sent = version
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._poll_s):
                    await change.wait()


async def _version(connection: AsyncConnection) -> int:
    """The sequence of the last act that changed the list, so it rises with each; 0 for none.

    Read before the list: a list newer than its version is merely sent twice.
    """
    return int(await connection.scalar(select(func.max(terminal.c.audit_sequence))) or 0)


async def _find(connection: AsyncConnection, terminal_id: str) -> Row[Any] | None:
    if not _ID.fullmatch(terminal_id):
        return None
    found = await connection.execute(select(terminal).where(terminal.c.terminal_id == terminal_id))
    return found.first()


async def _all(connection: AsyncConnection) -> list[pb.Terminal]:
    rows = await connection.execute(select(terminal).order_by(terminal.c.terminal_id))
    return [_terminal(row) for row in rows]


def _terminal(row: Row[Any]) -> pb.Terminal:
    return pb.Terminal(
        terminal_id=row.terminal_id,
        store_id=row.store_id,
        secret_sha256=bytes(row.secret_sha256),
        blocked=row.blocked_at_us is not None,
        added_at=timestamp(row.added_at_us),
    )
