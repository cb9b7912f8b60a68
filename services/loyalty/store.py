"""Rows in, rows out: what the writer needs of a database, and the two databases that give it.

A transaction locks bucket rows first, with a statement of its own; whatever is decided upon is
read after that.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from services.loyalty.domain.ledger import PROGRAMME_ACCOUNTS, Account
from services.loyalty.domain.member import Member, Status
from services.loyalty.keys import BUCKET_COUNT, Key
from services.loyalty.record import (
    cards_from_json,
    cards_json,
    lots_from_json,
    lots_json,
    more_from_json,
    more_json,
)

JsonRow = dict[str, Any]


class KeyTakenError(Exception):
    """A key that the transaction wanted to insert exists: nothing of the transaction was kept."""


class StoreLostError(Exception):
    """The connection broke or a lock could not be had; whether a commit took effect may be
    unknown.
    """


@dataclass(slots=True)
class BucketState:
    """A locked bucket row; the writer changes it and writes it back."""

    bucket: int
    sequence: int
    chain_head: bytes
    last_time_us: int
    accounts: dict[Account, int]
    counters: dict[str, int]


class Located(NamedTuple):
    """Where the journal row of a key is; `member_id` only for cards."""

    home_bucket: int
    sequence: int
    member_id: str | None


class Decided(NamedTuple):
    """A journal row as far as its operation's answer needs it."""

    operation_id: str
    fingerprint: bytes
    effective_at_us: int
    decision: str


class Recorded(NamedTuple):
    """A journal row as far as a later operation refers to it; it never changes. `line_items` is
    None where there was no basket, or where its retention is over.
    """

    bucket: int
    sequence: int
    operation_id: str
    kind: str
    accepted: bool
    member_id: str
    terminal_id: str
    store_id: str
    effective_at_us: int
    decision: str
    movements: str
    facts: str
    line_items: str | None


@dataclass(slots=True)
class Batch:
    """What one transaction writes, as rows of the tables of schema.py."""

    journal: list[JsonRow] = field(default_factory=list)
    locators: list[tuple[Key, Located]] = field(default_factory=list)
    baskets: list[JsonRow] = field(default_factory=list)
    new_members: list[JsonRow] = field(default_factory=list)
    changed_members: list[JsonRow] = field(default_factory=list)
    reversals: list[JsonRow] = field(default_factory=list)
    buckets: list[JsonRow] = field(default_factory=list)


class Transaction(Protocol):
    """An open transaction; leaving it normally commits."""

    async def lock(self, buckets: Sequence[int]) -> dict[int, BucketState]:
        """Locks the bucket rows in ascending order, so that two writers never deadlock."""
        ...

    async def members(self, wanted: Sequence[tuple[int, str]]) -> dict[str, Member]:
        """Members by (bucket, id); unknown ones are left out."""
        ...

    async def owners(self, cards: Sequence[Key]) -> dict[Key, Located]:
        """Whose the cards are; unknown ones are left out."""
        ...

    async def decided(self, keys: Sequence[Key]) -> dict[Key, Decided]:
        """The journal rows that the keys lead to; free keys are left out."""
        ...

    async def recorded(self, keys: Sequence[Key]) -> dict[Key, Recorded]:
        """The journal rows of members that the keys lead to, with their baskets; others are left
        out.
        """
        ...

    async def reversals(self, places: Sequence[tuple[int, int]]) -> dict[tuple[int, int], str]:
        """What was taken back of the receipts at (bucket, sequence); JSON."""
        ...

    async def append(self, batch: Batch) -> None:
        """Writes the batch. KeyTakenError if a key exists already."""
        ...


class Reader(Protocol):
    """Committed state, from a connection of its own."""

    async def card_members(self, cards: Sequence[Key]) -> dict[Key, Member]:
        """Whose the cards were when they were handed out; see `members` for those who merged."""
        ...

    async def members(self, wanted: Sequence[tuple[int, str]]) -> dict[str, Member]: ...

    async def decided(self, keys: Sequence[Key]) -> dict[Key, Decided]: ...


class Store(Protocol):
    """One database with one writing connection, one reading connection, and an engine for
    everything unhurried.
    """

    engine: AsyncEngine

    @property
    def reader(self) -> Reader: ...

    lanes: int  # writing connections; a lane uses one at a time

    def writing(self, lane: int = 0) -> AbstractAsyncContextManager[Transaction]: ...

    async def owners(self, cards: Sequence[Key]) -> dict[Key, Located]:
        """Whose the cards are, as committed, from a connection of its own."""
        ...

    async def recorded(self, keys: Sequence[Key]) -> dict[Key, Recorded]:
        """As a transaction's, but as committed, from a connection of its own."""
        ...

    async def close(self) -> None: ...


def normal_url(url: str) -> str:
    """The URL with the driver that Bonpunkt uses: asyncpg for PostgreSQL, aiosqlite for SQLite."""
    parsed = make_url(url)
    driver = {"postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
    driver["sqlite"] = "sqlite+aiosqlite"
    name = parsed.drivername
    return parsed.set(drivername=driver.get(name, name)).render_as_string(hide_password=False)


async def open_store(url: str, *, lanes: int = 1) -> Store:
    """The store behind a database URL. Its tables must exist (see migrations).

    With as many lanes as buckets its statements are those that a distributed database takes.
    """
    url = normal_url(url)
    if url.startswith("postgresql"):
        from services.loyalty.store_distributed import DistributedStore
        from services.loyalty.store_postgresql import PostgresStore

        one_bucket_a_lane = lanes == BUCKET_COUNT
        return (DistributedStore if one_bucket_a_lane else PostgresStore)(url, lanes=lanes)
    if url.startswith("sqlite"):
        from services.loyalty.store_sqlite import SqliteStore

        if lanes != 1:
            raise ValueError("LOYALTY_LANES: SQLite has one writer; leave it at 1")
        return SqliteStore(url)
    raise ValueError(
        f"LOYALTY_DATABASE_URL: {make_url(url).drivername} is neither PostgreSQL nor SQLite"
    )


ACCOUNT_COLUMNS = tuple(account.value for account in PROGRAMME_ACCOUNTS)
COUNTERS = ("members", "member_changes", "captures", "refusals", "same_basket_redemptions")
BUCKET_COLUMNS = (
    "bucket",
    "sequence",
    "chain_head",
    "last_time_us",
    *ACCOUNT_COLUMNS,
    *COUNTERS,
)
MEMBER_COLUMNS = (
    "bucket",
    "member_id",
    "version",
    "status",
    "language",
    "tier",
    "points",
    "pending",
    "receivable",
    "held",
    "lots",
    "cards",
    "enrolled_at_us",
    "last_sequence",
    "due_at_us",
    "more",
)
# What a command can change.
MEMBER_CHANGES = tuple(
    c for c in MEMBER_COLUMNS if c not in ("bucket", "member_id", "enrolled_at_us")
)


# An enum's `value` is a property written in Python, and so is finding a member by its value. Each
# checkout would do both many times over: the attribute `_value_` and a dict cost less than a tenth.
_STATUSES = {status.value: status for status in Status}


def bucket_from_row(row: Sequence[Any]) -> BucketState:
    """From `BUCKET_COLUMNS`."""
    number, sequence, chain_head, last_time_us, *figures = row
    accounts = dict(zip(PROGRAMME_ACCOUNTS, figures, strict=False))
    counters = dict(zip(COUNTERS, figures[len(PROGRAMME_ACCOUNTS) :], strict=True))
    return BucketState(number, sequence, bytes(chain_head), last_time_us, accounts, counters)


def bucket_row(state: BucketState) -> JsonRow:
    row: JsonRow = {
        "bucket": state.bucket,
        "sequence": state.sequence,
        "chain_head": state.chain_head,
        "last_time_us": state.last_time_us,
        **state.counters,
    }
    for account, balance in state.accounts.items():
        row[account._value_] = balance
    return row


def member_from_row(row: Sequence[Any]) -> Member:
    """From `MEMBER_COLUMNS`."""
    (
        _,
        member_id,
        version,
        status,
        language,
        tier,
        points,
        pending,
        receivable,
        held,
        lots,
        cards,
        enrolled_at_us,
        last_sequence,
        due_at_us,
        more,
    ) = row
    found = more_from_json(more)
    return Member(
        member_id=str(member_id),
        version=version,
        status=_STATUSES[status],
        language=language,
        tier=tier,
        points=points,
        pending=pending,
        receivable=receivable,
        held=held,
        lots=lots_from_json(lots),
        cards=cards_from_json(cards),
        enrolled_at_us=enrolled_at_us,
        last_sequence=last_sequence,
        pending_lots=found.pending_lots,
        reservations=found.reservations,
        standing=found.standing,
        announced=found.announced,
        merged_into=found.merged_into,
        due_at_us=due_at_us,
    )


def member_row(bucket: int, member: Member) -> JsonRow:
    return {
        "bucket": bucket,
        "member_id": member.member_id,
        "version": member.version,
        "status": member.status._value_,
        "language": member.language,
        "tier": member.tier,
        "points": member.points,
        "pending": member.pending,
        "receivable": member.receivable,
        "held": member.held,
        "lots": lots_json(member.lots),
        "cards": cards_json(member.cards),
        "enrolled_at_us": member.enrolled_at_us,
        "last_sequence": member.last_sequence,
        "due_at_us": member.due_at_us,
        "more": more_json(member),
    }
