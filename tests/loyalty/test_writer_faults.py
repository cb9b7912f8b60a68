"""Whatever the database does: nothing is booked twice, nothing half, and everybody is answered."""

import asyncio
import itertools
import os
import signal
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from services.loyalty import store_postgresql
from services.loyalty.answers import Answer, Cause
from services.loyalty.domain.decision import Captured, Enrolled
from services.loyalty.store import Store, StoreLostError, Transaction
from tests.loyalty.ledgers import (
    Ledger,
    a_capture,
    an_abandon,
    an_enrolment,
    locked,
    opened,
    restarted,
    wire,
)
from tests.servers.waiting import eventually

CARD = "2900000000018"

Fault = Callable[[], Awaitable[None]]


class Interrupted:
    """A store between whose writing and COMMIT a test can put a fault."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.before_commit: Fault | None = None
        self.interruptions = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @asynccontextmanager
    async def writing(self, lane: int = 0) -> AsyncIterator[Transaction]:
        async with self._store.writing(lane) as transaction:
            yield transaction
            if self.before_commit is not None:
                self.interruptions += 1
                await self.before_commit()


@asynccontextmanager
async def interruptible(url: str) -> AsyncIterator[tuple[Ledger, Interrupted]]:
    stores: list[Interrupted] = []

    def wrapped(store: Store) -> Any:
        stores.append(Interrupted(store))
        return stores[0]

    async with opened(url, wrapped=wrapped) as ledger:
        await ledger.enrolled(CARD)
        yield ledger, stores[0]
        await ledger.verified()


def backends(connection: psycopg.Connection[Any], *, doing: str = "true") -> list[int]:
    """Processes of the database's other connections that are `doing` something."""
    rows = connection.execute(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
        f"AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND {doing}"
    )
    return [pid for (pid,) in rows]


def terminate(connection: psycopg.Connection[Any], *, doing: str = "true") -> None:
    for pid in backends(connection, doing=doing):
        connection.execute("SELECT pg_terminate_backend(%s)", [pid])


# --- poison ---------------------------------------------------------------------------------


async def test_one_poisonous_operation_harms_no_other(ledger: Ledger) -> None:
    """A fault in deciding it; those before and after it in the batch are booked."""
    enrolments = await ledger.enrolled(*(f"card-{n}" for n in range(4)))
    captures = [a_capture(e.card) for e in enrolments * 5]
    sound = captures[7]
    beyond_time = replace(sound.origin, occurred_at_us=2**70)  # no row can be made of that
    captures[7] = replace(sound, origin=beyond_time)
    rows = len(await ledger.journal())

    answers = await ledger.answers(*captures)

    assert answers.pop(7) == Answer(cause=Cause.UNAVAILABLE)
    assert all(isinstance(answer.decision, Captured) for answer in answers)
    assert len(await ledger.journal()) == rows + len(captures) - 1
    assert isinstance(await ledger.decision(sound), Captured), "its id was not used up"


async def test_a_row_that_the_database_refuses_harms_no_other(postgres_ledger_url: str) -> None:
    """PostgreSQL takes no NUL in a text, so no bad form can be let through unharmed."""
    async with opened(postgres_ledger_url) as ledger:
        await ledger.enrolled(CARD)
        captures = [a_capture(CARD) for _ in range(8)]
        captures[3] = a_capture(CARD, terminal_id="till\0")

        answers = await ledger.answers(*captures)

        assert answers.pop(3) == Answer(cause=Cause.UNAVAILABLE)
        assert all(isinstance(answer.decision, Captured) for answer in answers)
        await ledger.verified()


# --- deadlines ------------------------------------------------------------------------------


async def test_an_operation_whose_time_ends_in_the_wait_for_a_lock_is_not_decided(
    ledger: Ledger,
) -> None:
    await ledger.enrolled(CARD)
    before = await ledger.state()
    loop = asyncio.get_running_loop()
    capture = a_capture(CARD)
    over_s = loop.time() + 0.2

    with locked(ledger.url):
        waiting = asyncio.create_task(ledger.answer(capture, timeout_s=0.2))
        await eventually(lambda: loop.time() > over_s)

    assert await waiting == Answer(cause=Cause.EXPIRED)
    assert await ledger.state() == before


async def test_a_lock_that_is_held_too_long_is_asked_for_again(postgres_ledger_url: str) -> None:
    """The writer gives up after two seconds, on a new connection: the old one may be the fault."""
    async with opened(postgres_ledger_url) as ledger:
        await ledger.enrolled(CARD)
        with (
            closing(psycopg.connect(ledger.url, autocommit=True)) as connection,
            locked(ledger.url),
        ):
            waiting = asyncio.create_task(ledger.answer(a_capture(CARD)))
            doing = "wait_event_type = 'Lock'"
            await eventually(lambda: bool(backends(connection, doing=doing)))
            (first,) = backends(connection, doing=doing)
            await eventually(lambda: first not in backends(connection))
            assert not waiting.done()

        assert isinstance((await waiting).decision, Captured)
        await ledger.verified()


async def test_without_a_database_operations_expire_and_may_be_repeated(ledger_url: str) -> None:
    """Never sent to COMMIT: expired. Sent: the answer may be lost, so ask for it."""

    async def lost() -> None:
        raise StoreLostError("the test cut the line")

    async with interruptible(ledger_url) as (ledger, store):
        before = await ledger.state()
        capture, behind = a_capture(CARD), a_capture(CARD)
        store.before_commit = lost

        sent = asyncio.create_task(ledger.answer(capture, timeout_s=0.3))
        await eventually(lambda: store.interruptions > 0)
        queued = asyncio.create_task(ledger.answer(behind, timeout_s=0.1))

        assert await sent == Answer(cause=Cause.ANSWER_LOST)
        assert await queued == Answer(cause=Cause.EXPIRED)
        store.before_commit = None
        assert await ledger.state() == before
        assert isinstance(await ledger.decision(capture), Captured)


# --- connections that end -------------------------------------------------------------------


async def test_an_idle_connection_that_ended_is_opened_again(postgres_ledger_url: str) -> None:
    async with opened(postgres_ledger_url) as ledger:
        await ledger.enrolled(CARD)
        assert await ledger.available(CARD) == 0
        with closing(psycopg.connect(ledger.url, autocommit=True)) as connection:
            terminate(connection)
            await eventually(lambda: not backends(connection))

        captured, available = await asyncio.gather(
            ledger.decision(a_capture(CARD)), ledger.available(CARD)
        )

        assert isinstance(captured, Captured)
        assert available in {0, 10}
        assert await ledger.available(CARD) == 10


async def test_a_connection_on_which_nothing_comes_back_is_given_up(
    postgres_ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that froze, or a network that swallows what it is given, ends no connection."""
    monkeypatch.setattr(store_postgresql, "ANSWER_MAX_S", 0.3)
    async with opened(postgres_ledger_url) as ledger:
        await ledger.enrolled(CARD)
        with closing(psycopg.connect(ledger.url, autocommit=True)) as connection:
            frozen = backends(connection)
            for pid in frozen:
                os.kill(pid, signal.SIGSTOP)
            try:
                captured, available = await asyncio.gather(
                    ledger.decision(a_capture(CARD)), ledger.available(CARD)
                )
            finally:
                for pid in frozen:
                    os.kill(pid, signal.SIGCONT)

        assert isinstance(captured, Captured)
        assert available in {0, 10}
        await ledger.verified()


async def test_a_batch_whose_connection_ends_before_commit_is_booked_once(
    postgres_ledger_url: str,
) -> None:
    async with interruptible(postgres_ledger_url) as (ledger, store):
        with closing(psycopg.connect(ledger.url, autocommit=True)) as connection:

            async def killed() -> None:
                store.before_commit = None
                terminate(connection, doing="state = 'idle in transaction'")
                await eventually(
                    lambda: not backends(connection, doing="state = 'idle in transaction'")
                )

            store.before_commit = killed
            answers = await ledger.answers(*(a_capture(CARD) for _ in range(5)))

        assert store.interruptions == 1
        assert all(isinstance(answer.decision, Captured) for answer in answers)
        assert await ledger.available(CARD) == 50


@contextmanager
def waiting_for_a_standby(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """While it lasts COMMIT is durable and does not return: the server waits for a standby that
    never comes. It may take a moment to begin.
    """
    try:
        connection.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        connection.execute("SELECT pg_reload_conf()")
        yield
    finally:
        connection.execute("ALTER SYSTEM RESET synchronous_standby_names")
        connection.execute("SELECT pg_reload_conf()")


async def test_a_batch_whose_connection_ends_after_commit_is_not_booked_again(
    postgres_ledger_url: str,
) -> None:
    """The transaction is durable, its answer never came: each is answered from its row."""
    cards = itertools.count()
    async with opened(postgres_ledger_url) as ledger:
        with closing(psycopg.connect(ledger.url, autocommit=True)) as connection:

            async def answered_or_held() -> tuple[asyncio.Task[list[Answer]], list[int]]:
                enrolments = [an_enrolment(f"card-{next(cards)}") for _ in range(5)]
                task = asyncio.create_task(ledger.answers(*enrolments))
                doing = "wait_event = 'SyncRep'"
                await eventually(lambda: task.done() or bool(backends(connection, doing=doing)))
                return task, backends(connection, doing=doing)

            with waiting_for_a_standby(connection):
                held: list[int] = []
                while not held:
                    committing, held = await answered_or_held()
                assert not committing.done()
                connection.execute("SELECT pg_terminate_backend(%s)", held)
                await eventually(lambda: held[0] not in backends(connection))
            answers = await committing

        assert all(isinstance(answer.decision, Enrolled) for answer in answers)
        assert len(await ledger.journal("enrol")) == next(cards)
        await ledger.verified()


async def test_a_commit_that_fails_leaves_no_open_transaction(sqlite_url: str) -> None:
    """A full disk, say. The next batch begins a transaction of its own."""
    async with opened(sqlite_url) as ledger:
        await ledger.enrolled(CARD)
        capture = a_capture(CARD)
        raw = ledger.store._writer._raw  # type: ignore[attr-defined]

        def deny_commit(action: int, what: str | None, *_: object) -> int:
            denied = action == sqlite3.SQLITE_TRANSACTION and what == "COMMIT"
            return sqlite3.SQLITE_DENY if denied else sqlite3.SQLITE_OK

        raw.set_authorizer(deny_commit)
        assert await ledger.answer(capture) == Answer(cause=Cause.UNAVAILABLE)
        raw.set_authorizer(None)

        assert isinstance(await ledger.decision(capture), Captured)
        await ledger.verified()


async def test_what_was_answered_is_answered_alike_after_every_fault(
    postgres_ledger_url: str,
) -> None:
    """Connections end again and again while tills repeat and abandon: one effect per id."""
    async with interruptible(postgres_ledger_url) as (ledger, store):
        captures = [a_capture(CARD, 2000) for _ in range(30)]
        first: list[Answer] = []
        with closing(psycopg.connect(ledger.url, autocommit=True)) as connection:

            async def killed() -> None:
                if store.interruptions % 3 == 0:
                    terminate(connection)

            store.before_commit = killed
            for start in range(0, 30, 3):
                batch = captures[start : start + 3]
                first += await ledger.answers(*batch)
                await ledger.answers(*batch, an_abandon(batch[0].operation_id))

        assert store.interruptions > 10
        async with restarted(ledger) as later:
            again = await later.answers(*captures)
        told = [(wire("", a), wire("", b)) for a, b in zip(first, again, strict=True)]
        assert all(one == other for one, other in told)
        assert await ledger.available(CARD) == 300
