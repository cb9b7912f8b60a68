"""The process as a whole: who may call it, how it starts, how it stops."""

import asyncio
from collections.abc import Callable
from typing import Any

import grpc
import pytest

from bonpunkt.loyalty.v1 import feed_pb2, journal_pb2, member_pb2, terminal_pb2
from bonpunkt.till import operations
from services.loyalty import schema
from services.loyalty.__main__ import SERVICES, serve
from services.loyalty.installation import WrongInstallationError
from services.loyalty.store_sqlite import AlreadyOpenError
from services.runtime.grpc import bearer, is_serving
from tests.loyalty.ledgers import a_wire_capture, opened
from tests.loyalty.served import ACTOR, TOKEN, Served, refusal, served, settings_for
from tests.servers.ports import free_port

CARD = "2900000000018"
CALLS: dict[str, Callable[[Served, Any], Any]] = {
    "journal": lambda s, m: s.journal.GetOverview(journal_pb2.GetOverviewRequest(), metadata=m),
    "member": lambda s, m: s.members.GetMember(member_pb2.GetMemberRequest(card="1"), metadata=m),
    "enrol": lambda s, m: s.members.EnrolMembers(member_pb2.EnrolMembersRequest(), metadata=m),
    "terminals": lambda s, m: s.terminals.ListTerminals(
        terminal_pb2.ListTerminalsRequest(), metadata=m
    ),
    "feed": lambda s, m: s.feed.Follow(feed_pb2.FollowRequest(), metadata=m).read(),
    "ledger": lambda s, m: s.ledger.Commit(metadata=m).read(),
}
WRONG: dict[str, tuple[tuple[str, Any], ...]] = {
    "none": ACTOR,
    "another": (*bearer("another"), *ACTOR),
    "its beginning": (*bearer(TOKEN[:-1]), *ACTOR),
    "more than it": (*bearer(TOKEN + "x"), *ACTOR),
    "without its scheme": (("authorization", TOKEN), *ACTOR),
    "as bytes": (("authorization-bin", TOKEN.encode()), *ACTOR),
}


async def test_whoever_does_not_show_the_token_is_turned_away(sqlite_url: str) -> None:
    """From every service, whatever they show instead."""
    async with served(sqlite_url) as loyalty:
        for name, call in CALLS.items():
            for shown, metadata in WRONG.items():
                code, words = await refusal(call(loyalty, metadata))
                assert code is grpc.StatusCode.UNAUTHENTICATED, (name, shown)
                assert "BONPUNKT_SERVICE_TOKEN_FILE" in words


async def test_health_is_free(sqlite_url: str) -> None:
    """Whoever starts the process asks it before they have the token."""
    async with served(sqlite_url) as loyalty:
        assert await is_serving(loyalty.target)


def test_every_service_is_named_for_health() -> None:
    assert all(name.startswith("bonpunkt.loyalty.v1.") for name in SERVICES)
    assert len(SERVICES) == 8


async def test_what_was_booked_is_there_after_a_restart(ledger_url: str) -> None:
    capture = a_wire_capture(CARD, 2000)
    async with served(ledger_url) as loyalty:
        await loyalty.enrolled(CARD)
        (first,) = await loyalty.committed(capture)

    async with served(ledger_url) as loyalty:
        (again,) = await loyalty.committed(capture)
        assert (await loyalty.member(CARD)).state.points == 10

    assert again.SerializeToString() == first.SerializeToString()


async def test_a_stop_finishes_what_had_arrived(ledger_url: str) -> None:
    """Each of these operations is answered, or never booked."""
    captures = [a_wire_capture(CARD, 200) for _ in range(50)]
    async with served(ledger_url) as loyalty:
        await loyalty.enrolled(CARD)
        committing = asyncio.create_task(loyalty.committed(*captures))
        await asyncio.sleep(0)
        loyalty.stop.set()
        answered = {d.operation_id for d in await answers_of(committing)}

    async with served(ledger_url) as loyalty:
        found = await loyalty.committed(*(operations.status(c.id) for c in captures))
        booked = {
            capture.id
            for capture, decision in zip(captures, found, strict=True)
            if decision.status_found.HasField("decision")
        }
    assert answered <= booked


async def answers_of(committing: "asyncio.Task[list[Any]]") -> list[Any]:
    try:
        return await committing
    except (grpc.aio.AioRpcError, KeyError, asyncio.CancelledError):
        return []


async def test_a_second_process_on_one_sqlite_file_does_not_start(sqlite_url: str) -> None:
    async with served(sqlite_url) as loyalty:
        await loyalty.enrolled(CARD)
        with pytest.raises(AlreadyOpenError, match="use PostgreSQL"):
            await serve(settings_for(sqlite_url, port=free_port()), asyncio.Event())
        assert await loyalty.member(CARD)

    async with served(sqlite_url) as loyalty:
        assert await loyalty.member(CARD), "the file is free again"


async def test_two_processes_on_one_postgresql_answer_alike(postgres_ledger_url: str) -> None:
    """The same operations sent to both at once: one effect each, the same bytes from both."""
    async with served(postgres_ledger_url) as one, served(postgres_ledger_url) as two:
        await one.enrolled(CARD, "2")
        sent = [a_wire_capture(card, 2000, redeem="maximum") for card in (CARD, "2") * 20]

        here, there = await asyncio.gather(one.committed(*sent), two.committed(*reversed(sent)))

        assert {d.SerializeToString() for d in here} == {d.SerializeToString() for d in there}
        assert (await two.overview()).captures == 40
        reused = a_wire_capture("2", 2000, operation_id=sent[0].id)
        (refused,) = await two.committed(reused)
        assert refused.refused.field == "id"


async def test_a_ledger_of_another_number_of_buckets_is_not_served(sqlite_url: str) -> None:
    async with opened(sqlite_url) as ledger, ledger.engine.begin() as connection:
        table = schema.installation
        await connection.execute(
            table.update().where(table.c.name == "bucket_count").values(value="64")
        )

    with pytest.raises(WrongInstallationError, match="64 buckets"):
        await serve(settings_for(sqlite_url, port=free_port()), asyncio.Event())
