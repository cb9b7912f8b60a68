"""A real gRPC server with the office's servicers, on both databases and a clock that tests move."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import grpc
import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bonpunkt.loyalty.v1 import staff_pb2 as pb
from bonpunkt.loyalty.v1.staff_pb2_grpc import (
    StaffServiceStub,
    add_StaffServiceServicer_to_server,
)
from bonpunkt.loyalty.v1.terminal_pb2_grpc import (
    TerminalServiceStub,
    add_TerminalServiceServicer_to_server,
)
from services.loyalty.office import schema
from services.loyalty.office.staff import StaffServicer
from services.loyalty.office.terminals import TerminalsChanged, TerminalServicer

if TYPE_CHECKING:
    from bonpunkt.loyalty.v1.staff_pb2_grpc import StaffServiceAsyncStub
    from bonpunkt.loyalty.v1.terminal_pb2_grpc import TerminalServiceAsyncStub

CLI = (("bonpunkt-actor", "cli:root"),)
PASSWORD = "correct horse battery"
TABLES = [
    schema.terminal,
    schema.staff,
    schema.staff_session,
    schema.sign_in_attempt,
    schema.adjustment,
    schema.audit,
    schema.audit_head,
    schema.audit_base,
]


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, by: timedelta) -> None:
        self.now += by


@dataclass(frozen=True, slots=True)
class Office:
    engine: AsyncEngine
    clock: Clock
    changed: TerminalsChanged
    staff: "StaffServiceAsyncStub"
    terminals: "TerminalServiceAsyncStub"

    async def add(self, name: str, role: str = "clerk") -> None:
        request = pb.AddStaffRequest(name=name, password=PASSWORD, role=role)
        await self.staff.AddStaff(request, metadata=CLI)

    async def sign_in(self, name: str, password: str = PASSWORD, *, browser: str = "") -> str:
        request = pb.SignInRequest(name=name, password=password)
        metadata = (("bonpunkt-browser", browser),) if browser else ()
        return (await self.staff.SignIn(request, metadata=metadata)).session

    async def is_alive(self, session: str, *, passive: bool = True) -> bool:
        request = pb.CheckSessionRequest(session=session, passive=passive)
        try:
            await self.staff.CheckSession(request)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAUTHENTICATED:
                raise
            return False
        return True

    async def actions(self) -> list[tuple[str, str, str]]:
        """Actor, action and subject of the whole audit, oldest first."""
        answer = await self.staff.ListAudit(pb.ListAuditRequest(page_size=200))
        return [(e.actor, e.action, e.subject) for e in reversed(answer.entries)]


def signed_in(session: str) -> tuple[tuple[str, str], ...]:
    return (("bonpunkt-session", session),)


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    url = make_url(database_url)
    if url.get_backend_name() == "postgresql":
        url = url.set(drivername="postgresql+asyncpg")
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(lambda c: schema.metadata.create_all(c, tables=TABLES))
    yield engine
    await engine.dispose()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def office(engine: AsyncEngine, clock: Clock) -> AsyncIterator[Office]:
    server = grpc.aio.server()
    changed = TerminalsChanged()
    add_StaffServiceServicer_to_server(StaffServicer(engine, clock), server)
    add_TerminalServiceServicer_to_server(
        TerminalServicer(engine, clock, changed, poll_s=0.05), server
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Office(
            engine, clock, changed, StaffServiceStub(channel), TerminalServiceStub(channel)
        )
    changed.close()
    await server.stop(grace=1)
