"""A loyalty process as its peers meet it: the real server on a port of its own."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from sqlalchemy.engine import make_url

from bonpunkt.loyalty.v1 import (
    feed_pb2,
    feed_pb2_grpc,
    identity_pb2_grpc,
    journal_pb2,
    journal_pb2_grpc,
    ledger_pb2,
    ledger_pb2_grpc,
    member_pb2,
    member_pb2_grpc,
    staff_pb2_grpc,
    terminal_pb2_grpc,
)
from bonpunkt.till import operations
from bonpunkt.till.v1 import till_pb2
from services.loyalty.__main__ import serve
from services.loyalty.identity.settings import IdentitySettings
from services.loyalty.programmes import DEMO
from services.loyalty.retention import Retention
from services.loyalty.settings import LoyaltySettings
from services.runtime.grpc import bearer, channel, is_serving
from tests.servers.ports import free_port
from tests.servers.waiting import eventually

TOKEN = "the-token-of-this-installation"
ACTOR = (("bonpunkt-actor", "cli:test"),)
WITHIN_S = 30.0
_FOLDERS: dict[str, tempfile.TemporaryDirectory[str]] = {}


@dataclass(frozen=True, slots=True)
class Served:
    """Stubs that show the service token and name an actor."""

    target: str
    stop: asyncio.Event
    ledger: Any
    feed: Any
    journal: Any
    members: Any
    staff: Any
    terminals: Any
    identities: Any

    async def enrolled(self, *cards: str) -> list[member_pb2.Enrolment]:
        enrolments = [an_enrolment(card) for card in cards]
        answer = await self.members.EnrolMembers(
            member_pb2.EnrolMembersRequest(enrolments=enrolments)
        )
        assert all(outcome.accepted for outcome in answer.outcomes), answer
        return enrolments

    async def member(self, card: str) -> member_pb2.GetMemberResponse:
        found: member_pb2.GetMemberResponse = await self.members.GetMember(
            member_pb2.GetMemberRequest(card=card)
        )
        return found

    async def overview(self) -> journal_pb2.GetOverviewResponse:
        found: journal_pb2.GetOverviewResponse = await self.journal.GetOverview(
            journal_pb2.GetOverviewRequest()
        )
        return found

    async def committed(
        self, *sent: till_pb2.Operation, terminal_id: str = "till-1"
    ) -> list[till_pb2.Decision]:
        """Sends them as a gateway does, in one message; the decisions in the order of sending."""
        call = self.ledger.Commit(timeout=WITHIN_S)
        await call.write(a_request(sent, terminal_id=terminal_id))
        await call.done_writing()
        decisions: dict[int, till_pb2.Decision] = {}
        async for response in call:
            decisions |= {
                answer.token: till_pb2.Decision.FromString(answer.decision)
                for answer in response.decisions
            }
        return [decisions[number] for number in range(len(sent))]

    async def entries(
        self, count: int, *, after: Sequence[feed_pb2.Position] = (), epoch: int = 0
    ) -> list[feed_pb2.JournalEntry]:
        """The next so many entries of the feed."""
        call = self.feed.Follow(feed_pb2.FollowRequest(epoch=epoch, after=after), timeout=WITHIN_S)
        found: list[feed_pb2.JournalEntry] = []
        while len(found) < count:
            found.extend((await call.read()).entries)
        call.cancel()
        return found


def a_request(
    sent: Sequence[till_pb2.Operation], *, terminal_id: str = "till-1", first_token: int = 0
) -> ledger_pb2.CommitRequest:
    return ledger_pb2.CommitRequest(
        operations=[
            ledger_pb2.TillOperation(
                token=first_token + number,
                terminal_id=terminal_id,
                store_id="s-1",
                operation=operation.SerializeToString(),
                timeout_ms=operation.timeout_ms,
            )
            for number, operation in enumerate(sent)
        ]
    )


def an_enrolment(card: str, /, **changes: str) -> member_pb2.Enrolment:
    return member_pb2.Enrolment(
        **{
            "operation_id": operations.new_id(),
            "member_id": operations.new_id(),
            "card": card,
            "language": "de",
            **changes,
        }
    )


def identity_settings(data: Path) -> IdentitySettings:
    """As in the embedded default, in this data folder."""
    return IdentitySettings(
        keys_file=data / "identity-keys",
        keys_file_may_be_made=True,
        keys_database_url=f"sqlite:///{data / 'identity-keys.sqlite'}",
        erasure_log=data / "erasures.log",
        phone_country_code="49",
    )


def data_of(url: str) -> Path:
    """The data folder of all processes on this database: a SQLite file's own folder."""
    file = make_url(url).database
    if url.startswith("sqlite") and file:
        return Path(file).parent
    if url not in _FOLDERS:
        _FOLDERS[url] = tempfile.TemporaryDirectory()
    return Path(_FOLDERS[url].name)


def settings_for(
    url: str, *, port: int, programme: Path = DEMO, data: Path | None = None
) -> LoyaltySettings:
    return LoyaltySettings(
        listen=f"127.0.0.1:{port}",
        database_url=url,
        lanes=1 if url.startswith("sqlite") else 2,
        programme=programme,
        service_token=TOKEN,
        recorded_clock_begins=None,
        migrate_at_start=True,
        log_level="INFO",
        identity=identity_settings(data or data_of(url)),
        nightly_at=None,
        retention=Retention(
            baskets_days=1096, tombstones_days=4018, sessions_days=1, audit_days=4018
        ),
    )


@asynccontextmanager
async def served(
    url: str, *, programme: Path = DEMO, data: Path | None = None
) -> AsyncIterator[Served]:
    """`data` is the data folder, by default that of `data_of`."""
    port = free_port()
    stop = asyncio.Event()
    settings = settings_for(url, port=port, programme=programme, data=data)
    serving = asyncio.create_task(serve(settings, stop))
    target = f"127.0.0.1:{port}"

    async def up() -> bool:
        if serving.done():
            serving.result()
        return await is_serving(target)

    try:
        await eventually(up)
        async with channel(target) as opened:
            yield Served(target, stop, *_stubs(opened))
    finally:
        stop.set()
        await asyncio.wait_for(serving, WITHIN_S)


def _stubs(opened: grpc.aio.Channel) -> list[Any]:
    """One of each service; every call carries what `Served` promises."""
    return [
        _Named(stub(opened))
        for stub in (
            ledger_pb2_grpc.LedgerServiceStub,
            feed_pb2_grpc.FeedServiceStub,
            journal_pb2_grpc.JournalServiceStub,
            member_pb2_grpc.MemberServiceStub,
            staff_pb2_grpc.StaffServiceStub,
            terminal_pb2_grpc.TerminalServiceStub,
            identity_pb2_grpc.IdentityServiceStub,
        )
    ]


class _Named:
    """A stub whose calls carry the service token and an actor unless told otherwise."""

    def __init__(self, stub: Any) -> None:
        self._stub = stub

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._stub, name)

        def call(*request: Any, **how: Any) -> Any:
            return method(*request, **{"metadata": (*bearer(TOKEN), *ACTOR), **how})

        return call


async def refusal(call: Any) -> tuple[grpc.StatusCode, str]:
    """Status and words with which the call ends."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code(), error.details() or ""
    raise AssertionError("the call was answered")
