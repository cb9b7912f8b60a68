"""Who asks for a change: staff by their session, which loyalty knows, or a named tool."""

import re
from typing import Any, NoReturn

import grpc

from bonpunkt.loyalty.v1.staff_pb2 import CheckSessionRequest, Staff
from bonpunkt.loyalty.v1.staff_pb2_grpc import StaffServiceStub
from services.runtime.grpc import Metadata

Context = grpc.aio.ServicerContext[Any, Any]

SESSION_KEY = "bonpunkt-session"
ACTOR_KEY = "bonpunkt-actor"
MANAGER = "manager"
CHECK_TIMEOUT_S = 5.0

_ACTOR = re.compile(r"demo|cli:[!-~]{1,64}")  # as loyalty has it


class Actors:
    """Resolves the metadata of a call to an actor such as `staff:anna`, `cli:root` or `demo`."""

    def __init__(self, *, channel: grpc.aio.Channel, metadata: Metadata) -> None:
        self._staff = StaffServiceStub(channel)
        self._metadata = metadata

    async def anybody(self, context: Context) -> str:
        """Whoever is signed in, the command line, or the demo; ends the call for others."""
        found = await self._find(context)
        return found if isinstance(found, str) else f"staff:{found.name}"

    async def manager(self, context: Context) -> str:
        """Like `anybody`, but of staff managers only: endpoints say where members' data go."""
        found = await self._find(context)
        if isinstance(found, str):
            return found
        if found.role != MANAGER:
            words = "role: only a manager may do this; ask one"
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, words)
        return f"staff:{found.name}"

    async def _find(self, context: Context) -> Staff | str:
        metadata = dict(context.invocation_metadata() or ())
        session, named = metadata.get(SESSION_KEY), metadata.get(ACTOR_KEY)
        if session and named:
            words = f"name either {SESSION_KEY} or {ACTOR_KEY}, not both"
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, words)
        if session:
            return await self._of_session(str(session), context)
        if not named:
            words = f"say who acts: metadata {SESSION_KEY} or {ACTOR_KEY}"
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, words)
        if not isinstance(named, str) or not _ACTOR.fullmatch(named):
            words = f'{ACTOR_KEY}: "demo", or "cli:" and a user\'s name'
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, words)
        return named

    async def _of_session(self, session: str, context: Context) -> Staff:
        try:
            checked = await self._staff.CheckSession(
                CheckSessionRequest(session=session),
                metadata=self._metadata,
                timeout=CHECK_TIMEOUT_S,
            )
        except grpc.aio.AioRpcError as error:
            await _turned_away(error, context)
        return checked.staff


async def _turned_away(error: grpc.aio.AioRpcError, context: Context) -> NoReturn:
    if error.code() is grpc.StatusCode.UNAUTHENTICATED:
        await context.abort(error.code(), "the session has ended; sign in again")
    words = "loyalty, which knows the sessions, does not answer; try again"
    await context.abort(grpc.StatusCode.UNAVAILABLE, words)
