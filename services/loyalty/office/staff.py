"""StaffService: members of staff, their passwords and sessions, and the audit trail they leave."""

import re
from typing import Any

import grpc
from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bonpunkt.loyalty.v1 import staff_pb2 as pb
from bonpunkt.loyalty.v1 import staff_pb2_grpc
from services.loyalty.office.actors import Actors, Context
from services.loyalty.office.audit import append_audit, lock_audit, newest_audit, reading
from services.loyalty.office.instants import Clock, micros, timestamp
from services.loyalty.office.passwords import CHARACTERS_MAX, Passwords, password_problem
from services.loyalty.office.schema import staff
from services.loyalty.office.sessions import (
    end_session,
    end_sessions_of,
    find_session,
    is_use_due,
    record_use,
    start_session,
)
from services.loyalty.office.throttle import begin_attempt, forget_attempts, forget_attempts_of

ROLES = ("clerk", "manager")
# With SignIn: an id of the browser, if it has signed in under that name before. With
# RESOURCE_EXHAUSTED: when to return.
BROWSER_KEY = "bonpunkt-browser"
RETRY_AFTER_KEY = "bonpunkt-retry-after-s"

_NAME = re.compile(r"[a-z0-9._-]{2,64}")
_BROWSER = re.compile(r"[A-Za-z0-9_-]{0,64}")
_PAGE_DEFAULT, _PAGE_MAX = 50, 200
_Code = grpc.StatusCode


class StaffServicer(staff_pb2_grpc.StaffServiceServicer):
    """`clock` is the real time, also where the ledger replays another: sessions grow old by it."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._reading = reading(engine)
        self._clock = clock
        self._actors = Actors(engine, clock)
        self._passwords = Passwords()

    async def AddStaff(self, request: pb.AddStaffRequest, context: Context) -> pb.AddStaffResponse:
        actor = await self._actors.manager(context)
        problem = _name_problem(request.name) or _role_problem(request.role)
        problem = problem or password_problem(request.password, name=request.name)
        if problem:
            await context.abort(_Code.INVALID_ARGUMENT, problem)
        password_hash = await self._passwords.hash(request.password)
        async with self._engine.begin() as connection:
            await lock_audit(connection)
            taken = await _find_staff(connection, request.name) is not None
            if not taken:
                await self._insert(connection, request, password_hash, actor=actor)
        if taken:
            await context.abort(_Code.ALREADY_EXISTS, "name: taken; choose another")
        return pb.AddStaffResponse()

    async def _insert(
        self,
        connection: AsyncConnection,
        request: pb.AddStaffRequest,
        password_hash: str,
        *,
        actor: str,
    ) -> None:
        now = self._clock()
        await connection.execute(
            insert(staff).values(
                name=request.name,
                role=request.role,
                password_hash=password_hash,
                added_at_us=micros(now),
            )
        )
        await append_audit(
            connection,
            at=now,
            actor=actor,
            action="staff.add",
            subject=request.name,
            detail=request.role,
        )

    async def SetPassword(
        self, request: pb.SetPasswordRequest, context: Context
    ) -> pb.SetPasswordResponse:
        """Anybody may replace their own; the admin page asks for the old one first."""
        actor = await self._actors.manager_or(context, name=request.name)
        problem = password_problem(request.password, name=request.name)
        if problem:
            await context.abort(_Code.INVALID_ARGUMENT, problem)
        password_hash = await self._passwords.hash(request.password)
        async with self._engine.begin() as connection:
            await lock_audit(connection)
            known = await _find_staff(connection, request.name) is not None
            if known:
                await self._replace_password(connection, request.name, password_hash, actor=actor)
        if not known:
            await context.abort(_Code.NOT_FOUND, "name: there is no such member of staff")
        return pb.SetPasswordResponse()

    async def _replace_password(
        self, connection: AsyncConnection, name: str, password_hash: str, *, actor: str
    ) -> None:
        await connection.execute(
            update(staff).where(staff.c.name == name).values(password_hash=password_hash)
        )
        await end_sessions_of(connection, name)
        await forget_attempts_of(connection, name)
        await append_audit(
            connection, at=self._clock(), actor=actor, action="staff.set_password", subject=name
        )

    async def SignIn(self, request: pb.SignInRequest, context: Context) -> pb.SignInResponse:
        """An unknown name, also an impossible one, costs the same time and gets the same answer."""
        if not 1 <= len(request.password) <= CHARACTERS_MAX:
            problem = f"password: 1 to {CHARACTERS_MAX} characters"
            await context.abort(_Code.INVALID_ARGUMENT, problem)
        browser = _metadata(context, BROWSER_KEY)
        if not _BROWSER.fullmatch(browser):
            problem = f"{BROWSER_KEY}: up to 64 characters of A-Z a-z 0-9 _ -"
            await context.abort(_Code.INVALID_ARGUMENT, problem)
        await self._throttle(context, name=request.name, browser=browser)
        async with self._reading.connect() as connection:
            found = await _find_staff(connection, request.name)
        fits = await self._passwords.verify(
            request.password, found.password_hash if found is not None else None
        )
        answer = None
        if fits and found is not None:
            answer = await self._signed_in(found, browser=browser)
        if answer is None:
            await self._record_failure(found.name if found is not None else "")
            await context.abort(_Code.UNAUTHENTICATED, "name or password is wrong")
        return answer

    async def _throttle(self, context: Context, *, name: str, browser: str) -> None:
        async with self._engine.begin() as connection:
            wait_s = await begin_attempt(connection, name=name, browser=browser, now=self._clock())
        if wait_s:
            await context.abort(
                _Code.RESOURCE_EXHAUSTED,
                f"too many failed attempts; try again in {wait_s} s",
                trailing_metadata=((RETRY_AFTER_KEY, str(wait_s)),),
            )

    async def _signed_in(self, found: Row[Any], *, browser: str) -> pb.SignInResponse | None:
        """None if the password was replaced while it was verified: that ended all sessions."""
        async with self._engine.begin() as connection:
            await lock_audit(connection)
            now_found = await _find_staff(connection, found.name)
            if now_found is None or now_found.password_hash != found.password_hash:
                return None
            now = self._clock()
            await forget_attempts(connection, name=found.name, browser=browser)
            token = await start_session(connection, name=found.name, now=now)
            actor = f"staff:{found.name}"
            await append_audit(
                connection, at=now, actor=actor, action="staff.sign_in", subject=found.name
            )
        return pb.SignInResponse(session=token, staff=pb.Staff(name=found.name, role=found.role))

    async def _record_failure(self, name: str) -> None:
        """`name` is empty if nobody has it: what was typed there may be a password."""
        async with self._engine.begin() as connection:
            await append_audit(
                connection,
                at=self._clock(),
                actor="unknown",
                action="staff.sign_in_failed",
                subject=name,
                detail="" if name else "a name that nobody has",
            )

    async def SignOut(self, request: pb.SignOutRequest, context: Context) -> pb.SignOutResponse:
        async with self._engine.begin() as connection:
            await lock_audit(connection)
            now = self._clock()
            session = await find_session(connection, request.session, now=now)
            if session is not None:
                await end_session(connection, session)
                actor = f"staff:{session.name}"
                await append_audit(
                    connection, at=now, actor=actor, action="staff.sign_out", subject=session.name
                )
        return pb.SignOutResponse()

    async def CheckSession(
        self, request: pb.CheckSessionRequest, context: Context
    ) -> pb.CheckSessionResponse:
        now = self._clock()
        async with self._reading.connect() as connection:
            session = await find_session(connection, request.session, now=now)
        if session is None:
            await context.abort(_Code.UNAUTHENTICATED, "the session has ended; sign in again")
        if not request.passive and is_use_due(session, now=now):
            async with self._engine.begin() as connection:
                await record_use(connection, session, now=now)
        return pb.CheckSessionResponse(staff=pb.Staff(name=session.name, role=session.role))

    async def ListAudit(
        self, request: pb.ListAuditRequest, context: Context
    ) -> pb.ListAuditResponse:
        if request.page_size > _PAGE_MAX:
            await context.abort(_Code.INVALID_ARGUMENT, f"page_size: 1 to {_PAGE_MAX}")
        async with self._reading.connect() as connection:
            rows = await newest_audit(connection, request.page_size or _PAGE_DEFAULT)
        return pb.ListAuditResponse(entries=[_entry(row) for row in rows])


async def _find_staff(connection: AsyncConnection, name: str) -> Row[Any] | None:
    if not _NAME.fullmatch(name):
        return None
    return (await connection.execute(select(staff).where(staff.c.name == name))).first()


def _name_problem(name: str) -> str | None:
    return None if _NAME.fullmatch(name) else "name: 2 to 64 characters of a-z 0-9 . _ -"


def _role_problem(role: str) -> str | None:
    return None if role in ROLES else 'role: "clerk" or "manager"'


def _metadata(context: Context, key: str) -> str:
    value = dict(context.invocation_metadata() or ()).get(key, "")
    return value if isinstance(value, str) else value.decode("ascii", "replace")


def _entry(row: Row[Any]) -> pb.AuditEntry:
    return pb.AuditEntry(
        sequence=row.sequence,
        at=timestamp(row.at_us),
        actor=row.actor,
        action=row.action,
        subject=row.subject,
        detail=row.detail,
    )
