"""A real ledger in a test's hands: a migrated database, writer and quotes, a clock that it sets."""

import asyncio
import itertools
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from sqlalchemy import Row, Table, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from bonpunkt.till import operations
from bonpunkt.till.v1 import till_pb2 as pb
from services.loyalty import schema
from services.loyalty.answers import Answer, Item
from services.loyalty.domain.command import Abandon, Capture, Command, Enrol, Origin, SetBlocked
from services.loyalty.domain.decision import Decision
from services.loyalty.domain.ledger import PROGRAMME_ACCOUNTS
from services.loyalty.domain.programme import Programme
from services.loyalty.installation import Installation, open_installation
from services.loyalty.keys import member_bucket
from services.loyalty.lanes import Lanes
from services.loyalty.migrations import migrate
from services.loyalty.programmes.versions import Programmes
from services.loyalty.quotes import Asked, AskStatus, Found, Identified, Identify, Question, Quotes
from services.loyalty.quotes import Reply as QuoteReply
from services.loyalty.store import Store, open_store
from services.loyalty.verify import Report, verify
from services.loyalty.wire_answers import decision_bytes
from services.loyalty.wire_forms import command_fingerprint
from services.loyalty.wire_lines import operation_from_bytes
from services.loyalty.wire_requests import request_from_wire
from services.loyalty.writer import Writer
from tests.loyalty.examples import a_programme
from tests.loyalty.programme_rows import keep_programmes

NOON = datetime(2026, 11, 20, 11, 0, tzinfo=UTC)
WITHIN_S = 30.0  # the patience of an operation whose deadline is not the test's rule

_receipts = itertools.count(1)


class SetClock:
    """Stands still until it is set or moved; takes no notice of what tills say."""

    def __init__(self, at: datetime = NOON) -> None:
        self.at = at

    def now_us(self) -> int:
        return (self.at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)

    def observe(self, occurred_at_us: int) -> None:
        pass

    def move(self, by: timedelta) -> None:
        self.at += by

    def set_us(self, at_us: int) -> None:
        self.at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)


# --- commands -------------------------------------------------------------------------------


def a_wire_capture(
    card: str = "2900000000018",
    total_minor: int = 2000,
    *,
    redeem: operations.Redeem = None,
    reservation_id: str = "",
    operation_id: str | None = None,
    receipt_number: str | None = None,
    lines: Sequence[pb.LineItem] | None = None,
    **basket: Any,
) -> pb.Operation:
    """A well-formed capture of one line, with a receipt number of its own."""
    items = lines or [operations.line_item("1", total_minor=total_minor, vat_rate_key="DE_19")]
    basket = {"business_date": "2026-11-20", "cashier": "7", "currency": "EUR", **basket}
    number = receipt_number or str(next(_receipts))
    return operations.capture(
        card,
        operations.basket(items, receipt_number=number, **basket),
        redeem=redeem,
        reservation_id=reservation_id,
        operation_id=operation_id,
        occurred_at=NOON,
    )


def read(operation: pb.Operation, *, terminal_id: str = "till-1") -> Any:
    """What loyalty makes of a till's operation: a command, a question, or a refusal."""
    sent = operation_from_bytes(operation.SerializeToString())
    return request_from_wire(sent, terminal_id=terminal_id, store_id="s-1", currency="EUR")


def a_capture(*args: Any, terminal_id: str = "till-1", **changes: Any) -> Capture:
    command = read(a_wire_capture(*args, **changes), terminal_id=terminal_id)
    assert isinstance(command, Capture), command
    return command


def an_abandon(
    target_id: str, *, operation_id: str | None = None, terminal_id: str = "till-1"
) -> Abandon:
    operation = operations.abandon(target_id)
    operation.id = operation_id or operation.id
    command = read(operation, terminal_id=terminal_id)
    assert isinstance(command, Abandon), command
    return command


def an_enrolment(
    card: str = "2900000000018",
    *,
    member_id: str | None = None,
    operation_id: str | None = None,
    language: str = "de",
) -> Enrol:
    member_id = member_id or operations.new_id()
    return Enrol(
        operation_id=operation_id or operations.new_id(),
        fingerprint=command_fingerprint("enrol", member_id, card, language),
        origin=Origin(actor="cli:test"),
        member_id=member_id,
        card=card,
        language=language,
    )


def a_block(member_id: str, *, blocked: bool = True, operation_id: str | None = None) -> SetBlocked:
    reason = "card was lost"
    return SetBlocked(
        operation_id=operation_id or operations.new_id(),
        fingerprint=command_fingerprint("block", member_id, blocked, reason),
        origin=Origin(actor="cli:test"),
        member_id=member_id,
        blocked=blocked,
        reason=reason,
    )


def member_id_in(bucket: int) -> str:
    """A new member's id that lives in this bucket."""
    return next(new for new in iter(operations.new_id, None) if member_bucket(new) == bucket)


# --- the ledger -----------------------------------------------------------------------------


@dataclass
class Ledger:
    """A writer and quotes at work on one database; several may share it if it is PostgreSQL."""

    url: str
    store: Store
    installation: Installation
    programmes: Programmes
    clock: SetClock
    writer: Writer | Lanes
    quotes: Quotes
    committed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def engine(self) -> AsyncEngine:
        return self.store.engine

    async def answers(self, *commands: Command, timeout_s: float = WITHIN_S) -> list[Answer]:
        """Submits them in one go, so that they share batches; each is answered exactly once."""
        loop = asyncio.get_running_loop()
        answered: list[asyncio.Future[Answer]] = [loop.create_future() for _ in commands]
        for command, future in zip(commands, answered, strict=True):
            # `set_result` refuses a second answer
            self.writer.submit(Item(command, loop.time() + timeout_s, future.set_result))
        return await asyncio.wait_for(asyncio.gather(*answered), WITHIN_S)

    async def answer(self, command: Command, *, timeout_s: float = WITHIN_S) -> Answer:
        (answer,) = await self.answers(command, timeout_s=timeout_s)
        return answer

    async def decision(self, command: Command) -> Decision:
        """The decision on the command; there has to be one."""
        answer = await self.answer(command)
        assert answer.decision is not None, answer
        return answer.decision

    async def enrolled(self, *cards: str, **how: Any) -> list[Enrol]:
        commands = [an_enrolment(card, **how) for card in cards]
        for answer in await self.answers(*commands):
            assert answer.cause is None, answer
        return commands

    async def ask(self, question: Question) -> QuoteReply:
        loop = asyncio.get_running_loop()
        replied: asyncio.Future[QuoteReply] = loop.create_future()
        self.quotes.submit(Asked(question, loop.time() + WITHIN_S, replied.set_result))
        return await asyncio.wait_for(replied, WITHIN_S)

    async def available(self, card: str) -> int | None:
        """What the member may spend now; None if the card is not accepted."""
        result = (await self.ask(Identify(card))).result
        return result.member.available if isinstance(result, Identified) else None

    async def status(self, operation_id: str) -> Found:
        result = (await self.ask(AskStatus(operation_id))).result
        assert isinstance(result, Found)
        return result

    async def rows(self, table: Table) -> list[Row[Any]]:
        """All committed rows, in order of their key."""
        async with self.engine.connect() as connection:
            await connection.execution_options(read_only=True)
            found = await connection.execute(select(table).order_by(*table.primary_key.columns))
            return list(found)

    async def counts(self) -> Mapping[str, int]:
        """Rows by table: nothing changed if they are the same and so is every bucket row."""
        async with self.engine.connect() as connection:
            await connection.execution_options(read_only=True)
            return {
                table.name: await connection.scalar(select(func.count()).select_from(table)) or 0
                for table in schema.CHECKOUT_TABLES
            }

    async def state(self) -> list[Any]:
        """Everything that an operation could change."""
        return [await self.rows(table) for table in schema.CHECKOUT_TABLES]

    async def journal(self, kind: str | None = None) -> list[Row[Any]]:
        rows = await self.rows(schema.journal)
        return [row for row in rows if kind is None or row.kind == kind]

    async def member(self, member_id: str) -> Row[Any]:
        (row,) = [row for row in await self.rows(schema.member) if row.member_id == member_id]
        return row

    async def verified(self) -> Report:
        """The books have to balance; says what is wrong if they do not."""
        report = await verify(self.url)
        assert report.ok, report.problems
        return report


@asynccontextmanager
async def opened(
    url: str,
    *,
    programmes: Sequence[tuple[int, Programme]] = ((0, a_programme()),),
    clock: SetClock | None = None,
    wrapped: Callable[[Store], Store] = lambda store: store,
    lanes: int = 0,
) -> AsyncIterator[Ledger]:
    """The ledger behind `url`, created if the database is empty; `wrapped` may stand between the
    writer and its store. One writer, so that what is submitted together shares a batch; or so many
    `lanes`, as a process has them.
    """
    store = await open_store(url, lanes=lanes or 1)
    await migrate(store.engine)
    installation = await open_installation(store.engine)
    await keep_programmes(store.engine, programmes)
    clock = clock or SetClock()
    versions = Programmes(list(programmes))
    committed = asyncio.Event()
    writing = Lanes if lanes else Writer
    writer = writing(wrapped(store), versions, clock, committed=committed.set)
    quotes = Quotes(store.reader, versions, clock)
    working = [asyncio.create_task(writer.run()), asyncio.create_task(quotes.run())]
    try:
        yield Ledger(url, store, installation, versions, clock, writer, quotes, committed)
    finally:
        writer.stop()
        quotes.stop()
        await asyncio.wait_for(asyncio.gather(*working), WITHIN_S)
        await store.close()


@asynccontextmanager
async def restarted(ledger: Ledger) -> AsyncIterator[Ledger]:
    """The ledger as a new process finds it days later."""
    ledger.clock.move(timedelta(days=3))
    async with with_new_writer(ledger) as later:
        yield later


@asynccontextmanager
async def with_new_writer(ledger: Ledger, store: Store | None = None) -> AsyncIterator[Ledger]:
    """The ledger as a new process finds it: its writer remembers nothing. `store` may stand between
    the two.
    """
    writer = Writer(store or ledger.store, ledger.programmes, ledger.clock)
    working = asyncio.create_task(writer.run())
    try:
        yield replace(ledger, writer=writer)
    finally:
        writer.stop()
        await asyncio.wait_for(working, WITHIN_S)


def locked(url: str) -> AbstractContextManager[Any]:
    """Somebody else holds what every commit has to lock, until the context ends."""
    if url.startswith("sqlite"):
        raw = sqlite3.connect(make_url(url).database or "", isolation_level=None)
        raw.execute("BEGIN IMMEDIATE")
        return closing(raw)
    connection = psycopg.connect(url)
    connection.execute("SELECT * FROM bucket FOR UPDATE")
    return closing(connection)


def wire(operation_id: str, answer: Answer) -> bytes:
    """The answer as a till receives it."""
    return decision_bytes(operation_id, answer)


def bucket_sums(buckets: Sequence[Row[Any]], members: Sequence[Row[Any]]) -> dict[int, int]:
    """All accounts of each bucket added up: zero in each (I1)."""
    sums = {
        row.bucket: sum(getattr(row, account.value) for account in PROGRAMME_ACCOUNTS)
        for row in buckets
    }
    for row in members:
        sums[row.bucket] += row.points + row.pending + row.receivable
    return sums
