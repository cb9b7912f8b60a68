"""Who is acting: every writing call names a staff session or, inside the house, an actor."""

import re
from typing import Any, NoReturn

import grpc
from sqlalchemy.ext.asyncio import AsyncEngine

from services.loyalty.office.audit import reading
from services.loyalty.office.instants import Clock
from services.loyalty.office.sessions import Session, find_session

Context = grpc.aio.ServicerContext[Any, Any]

SESSION_KEY = "bonpunkt-session"
ACTOR_KEY = "bonpunkt-actor"
MANAGER = "manager"

_ACTOR = re.compile(r"demo|cli:[!-~]{1,64}")  # printable ASCII without spaces


class Actors:
    """Resolves the metadata of a call to an actor such as `staff:anna`, `cli:root` or `demo`."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._reading = reading(engine)
        self._clock = clock

    async def actor(self, context: Context) -> str:
        """Anybody who is signed in, the command line, or the demo.

        Ends the call with UNAUTHENTICATED if the session is dead or nobody is named, and with
        INVALID_ARGUMENT if the name is not of the known form.
        """
        found = await self._find(context)
        return found if isinstance(found, str) else f"staff:{found.name}"

    async def manager(self, context: Context) -> str:
        """Like `actor`, but ends the call with PERMISSION_DENIED for staff who are not managers."""
        return await self.manager_or(context, name=None)

    async def manager_or(self, context: Context, *, name: str | None) -> str:
        """Like `manager`, but lets the member of staff of this name act too."""
        found = await self._find(context)
        if isinstance(found, str):
            return found
        if found.role != MANAGER and found.name != name:
            await context.abort(
                grpc.StatusCode.PERMISSION_DENIED, "role: only a manager may do this; ask one"
            )
        return f"staff:{found.name}"

    async def _find(self, context: Context) -> Session | str:
        metadata = dict(context.invocation_metadata() or ())
        token, named = metadata.get(SESSION_KEY), metadata.get(ACTOR_KEY)
        if token and named:
            await _malformed(context, f"name either {SESSION_KEY} or {ACTOR_KEY}, not both")
        if token:
            return await self._session(context, _text(token))
        if not named:
            await context.abort(
                grpc.StatusCode.UNAUTHENTICATED,
                f"say who acts: metadata {SESSION_KEY} or {ACTOR_KEY}",
            )
        actor = _text(named)
        if not _ACTOR.fullmatch(actor):
            await _malformed(context, f'{ACTOR_KEY}: "demo", or "cli:" and a user\'s name')
        return actor

    async def _session(self, context: Context, token: str) -> Session:
        async with self._reading.connect() as connection:
            session = await find_session(connection, token, now=self._clock())
        if session is None:
            await context.abort(
                grpc.StatusCode.UNAUTHENTICATED, "the session has ended; sign in again"
            )
        return session


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("ascii", "replace")


async def _malformed(context: Context, remedy: str) -> NoReturn:
    await context.abort(grpc.StatusCode.INVALID_ARGUMENT, remedy)
