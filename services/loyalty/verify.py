"""Recomputes the invariants of the ledger (DESIGN §3) from its rows, in one snapshot.

Reads the database directly and alone: what the service believes does not count. Nothing is
written. Each bucket is replayed from its first row, so memory holds one bucket's members at a
time; the locator is compared by sums of hashes, and row by row only where a sum differs.
"""

import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Row, Table, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from services.loyalty import schema
from services.loyalty.chain import GENESIS, basket_hash, row_hash
from services.loyalty.domain.ledger import MEMBER_ACCOUNTS, PROGRAMME_ACCOUNTS
from services.loyalty.keys import Key, card_key, operation_key, receipt_key
from services.loyalty.office.audit import verify_audit
from services.loyalty.store import COUNTERS, normal_url
from services.loyalty.store_sqlite import sqlite_engine

# What rows cannot show, and what shows it instead.
NOT_PROVABLE_FROM_ROWS = {
    "I6": "that what was acknowledged is there: kill tests compare answers with rows",
    "I7": "that what was not acknowledged is whole or absent: kill tests settle it by Status",
}
CHECKS = {
    "I1": "each bucket's accounts sum to zero, in_transit over all buckets too",
    "I2": "a member's points are the sum of their open lots and of their transfers",
    "I3": "available is never negative; held is the sum of open reservations",
    "I4": "a reservation ends exactly once",
    "I5": "at most one effect per operation id; every key leads to its row",
    "I8": "sequences have no gap, the hash chain verifies, baskets match their hash",
    "I9": "an operation of several legs is whole",
    "I10": "reversals of a transfer never exceed it",
    "members": "each member row is what its journal rows say",
    "audit": "the audit chain verifies",
}
PROBLEMS_MAX = 100

Progress = Callable[[int, int], None]


@dataclass(slots=True)
class Report:
    """Rows checked and what was wrong, by invariant; `problems` are sentences that name the row."""

    rows: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.wrong

    def check(self, invariant: str, right: bool, problem: str) -> None:
        """Counts a checked row; a wrong one is named."""
        self.rows[invariant] += 1
        if not right:
            self.wrong[invariant] += 1
            if len(self.problems) < PROBLEMS_MAX:
                self.problems.append(f"{invariant}: {problem}")

    def as_json(self) -> dict[str, Any]:
        checks: dict[str, Any] = {
            name: {"ok": not self.wrong[name], "rows_checked": self.rows[name], "says": says}
            for name, says in CHECKS.items()
        }
        return {
            "ok": self.ok,
            **checks,
            "not_provable_from_rows": NOT_PROVABLE_FROM_ROWS,
            "problems": self.problems,
        }


@dataclass(slots=True)
class _Replayed:
    """A member as the journal rows so far say they are."""

    version: int = 0
    last_sequence: int = 0
    balances: dict[str, int] = field(default_factory=lambda: {a.value: 0 for a in MEMBER_ACCOUNTS})
    lots: dict[str, int] = field(default_factory=dict)
    cards: list[str] = field(default_factory=list)
    enrolled_at_us: int = 0
    after: dict[str, Any] = field(default_factory=dict)


async def verify(url: str, *, progress: Progress = lambda done, total: None) -> Report:
    """Checks the ledger behind a database URL. `progress` hears of buckets done and in all."""
    url = normal_url(url)
    if url.startswith("sqlite"):
        engine = sqlite_engine(url).execution_options(read_only=True)
    else:
        engine = create_async_engine(url, isolation_level="REPEATABLE READ")
    try:
        return await _verify(engine, progress)
    finally:
        await engine.dispose()


async def _verify(engine: AsyncEngine, progress: Progress) -> Report:
    report = Report()
    keys = _KeySums()
    async with engine.connect() as snapshot:
        buckets = (await snapshot.execute(select(schema.bucket).order_by("bucket"))).all()
        for done, row in enumerate(buckets):
            progress(done, len(buckets))
            await _Bucket(row, report, keys).replay(snapshot)
        in_transit = sum(row.in_transit for row in buckets)
        report.check("I1", in_transit == 0, f"in_transit is {in_transit} over all buckets")
        await keys.compare(snapshot, report)
        for problem in await verify_audit(snapshot):
            report.check("audit", False, problem)
        report.rows["audit"] += 1
        progress(len(buckets), len(buckets))
    return report


class _Bucket:
    """Replays one bucket from its first row and compares the outcome with its state rows."""

    def __init__(self, row: Row[Any], report: Report, keys: "_KeySums") -> None:
        self._row, self._report, self._keys = row, report, keys
        self._members: dict[str, _Replayed] = {}
        self._accounts = {account.value: 0 for account in PROGRAMME_ACCOUNTS}
        self._counters = dict.fromkeys(COUNTERS, 0)
        self._sequence, self._head, self._time_us = 0, GENESIS, 0

    async def replay(self, snapshot: AsyncConnection) -> None:
        number = self._row.bucket
        baskets = _ordered(snapshot, schema.basket, number)
        basket = await anext(baskets, None)
        async for row in _ordered(snapshot, schema.journal, number):
            while basket is not None and basket.sequence < row.sequence:
                self._report.check(
                    "I8", False, f"basket {number}/{basket.sequence} has no journal row"
                )
                basket = await anext(baskets, None)
            belongs = basket is not None and basket.sequence == row.sequence
            self._take(row, basket if belongs else None)
            if belongs:
                basket = await anext(baskets, None)
        if basket is not None:
            self._report.check("I8", False, f"basket {number}/{basket.sequence} has no journal row")
        self._compare_bucket()
        await self._compare_members(snapshot)

    def _take(self, row: Row[Any], basket: Row[Any] | None) -> None:
        at = f"journal {row.bucket}/{row.sequence}"
        whole = row.sequence == self._sequence + 1
        self._report.check("I8", whole, f"{at} follows {self._sequence}: rows are missing")
        columns = row._asdict()
        expected = row_hash(self._head, columns)
        self._report.check(
            "I8", expected == row.chain_hash, f"{at} does not hash to its chain_hash"
        )
        self._sequence, self._head = row.sequence, row.chain_hash
        self._time_us = row.effective_at_us
        if basket is not None:
            right = row.basket_hash == basket_hash(basket._asdict())
            self._report.check("I8", right, f"basket {row.bucket}/{row.sequence} was changed")
        try:
            self._apply(row, at)
        except (KeyError, ValueError, TypeError) as error:
            self._report.check("I8", False, f"{at} cannot be read: {error!r}")

    def _apply(self, row: Row[Any], at: str) -> None:
        movements = orjson.loads(row.movements)
        decision = orjson.loads(row.decision)
        facts = orjson.loads(row.facts)
        member = self._members.setdefault(row.member_id, _Replayed()) if row.member_id else None
        self._move(movements, member, at)
        self._count(row, decision)
        for key in _keys_of(row, facts):
            self._keys.expect(key, row)
        if member is None:
            return
        version = member.version + (1 if row.accepted else 0)
        continues = (version, member.last_sequence) == (row.member_version, row.member_previous)
        self._report.check("members", continues, f"{at} does not continue member {row.member_id}")
        member.version, member.last_sequence = version, row.sequence
        member.after = orjson.loads(row.after)
        if row.kind == "enrol":
            member.cards, member.enrolled_at_us = [facts["card"]], row.effective_at_us
        self._check_balances(member, at)

    def _move(self, movements: Any, member: _Replayed | None, at: str) -> None:
        for source, target, points in movements["transfers"]:
            self._report.check("I9", points > 0, f"{at} moves {points} points")
            for account, change in ((source, -points), (target, points)):
                if account in self._accounts:
                    self._accounts[account] += change
                else:
                    assert member is not None, "a member's account without a member"
                    member.balances[account] += change
        for day, points in movements["lots"]:
            assert member is not None, "a lot without a member"
            member.lots[day] = member.lots.get(day, 0) + points

    def _check_balances(self, member: _Replayed, at: str) -> None:
        points = member.balances["points"]
        lots = sum(member.lots.values())
        right = (
            points == lots == member.after["points"] and min(member.lots.values(), default=0) >= 0
        )
        self._report.check("I2", right, f"{at}: points {points}, lots {lots}, told {member.after}")
        available = points - member.after["held"]
        self._report.check("I3", available >= 0, f"{at}: {available} points are available")

    def _count(self, row: Row[Any], decision: Any) -> None:
        counters = self._counters
        if not row.accepted:
            counters["refusals"] += 1
            return
        counters["member_changes"] += 1 if row.member_id else 0
        counters["members"] += 1 if row.kind == "enrol" else 0
        if decision["result"] == "captured":
            counters["captures"] += 1
            counters["same_basket_redemptions"] += (
                1 if decision["points_redeemed_from_basket"] else 0
            )

    def _compare_bucket(self) -> None:
        row, at = self._row, f"bucket {self._row.bucket}"
        ends = (row.sequence, row.chain_head, row.last_time_us)
        self._report.check(
            "I8",
            ends == (self._sequence, self._head, self._time_us),
            f"{at}: its journal ends at {self._sequence}, the bucket row says {row.sequence}",
        )
        members = sum(sum(member.balances.values()) for member in self._members.values())
        total = members + sum(self._accounts.values())
        self._report.check("I1", total == 0, f"{at}: the accounts sum to {total}")
        for name, replayed in {**self._accounts, **self._counters}.items():
            stored = getattr(row, name)
            self._report.check(
                "I1", stored == replayed, f"{at}: {name} is {stored}, the journal says {replayed}"
            )

    async def _compare_members(self, snapshot: AsyncConnection) -> None:
        table = schema.member
        rows = await snapshot.stream(select(table).where(table.c.bucket == self._row.bucket))
        seen = 0
        async for row in rows:
            seen += 1
            member = self._members.get(row.member_id)
            right = member is not None and _is_state_of(row, member)
            self._report.check(
                "members", right, f"member {row.member_id} differs from what the journal says"
            )
        self._report.check(
            "members",
            seen == len(self._members),
            f"bucket {self._row.bucket} has {seen} member rows, "
            f"its journal knows {len(self._members)}",
        )


def _is_state_of(row: Row[Any], member: _Replayed) -> bool:
    after = member.after
    lots = [[day, points] for day, points in sorted(member.lots.items()) if points]
    return (
        row.version == member.version
        and row.last_sequence == member.last_sequence
        and row.enrolled_at_us == member.enrolled_at_us
        and orjson.loads(row.cards) == member.cards
        and orjson.loads(row.lots) == lots
        and all(getattr(row, a.value) == member.balances[a.value] for a in MEMBER_ACCOUNTS)
        and (row.held, row.status, row.tier, row.language)
        == (after["held"], after["status"], after["tier"], after["language"])
    )


def _keys_of(row: Row[Any], facts: dict[str, Any]) -> list[tuple[Key, str | None]]:
    """The keys that a journal row has taken, with whose card a card is."""
    keys: list[tuple[Key, str | None]] = [(operation_key(row.operation_id), None)]
    if row.kind == "capture" and row.accepted:
        receipt = receipt_key(
            terminal_id=row.terminal_id,
            business_date=facts["business_date"],
            receipt_number=facts["receipt_number"],
        )
        keys.append((receipt, None))
    elif row.kind == "enrol":
        keys.append((card_key(facts["card"]), row.member_id))
    elif row.kind == "abandon":
        keys.append((operation_key(facts["target_id"]), None))
    return keys


class _KeySums:
    """Compares locator rows with the keys that the journal implies, without holding either."""

    def __init__(self) -> None:
        self._sums: Counter[int] = Counter()
        self._expected = 0

    def expect(self, key: tuple[Key, str | None], row: Row[Any]) -> None:
        named, member_id = key
        self._expected += 1
        self._sums[named.bucket] += _key_number(*named, row.bucket, row.sequence, member_id)

    async def compare(self, snapshot: AsyncConnection, report: Report) -> None:
        table = schema.locator
        seen = 0
        for row in (await snapshot.execute(select(schema.bucket.c.bucket))).all():
            rows = await snapshot.stream(select(table).where(table.c.bucket == row.bucket))
            async for found in rows:
                seen += 1
                self._sums[found.bucket] -= _key_number(*found)
            report.check(
                "I5",
                self._sums[row.bucket] == 0,
                f"the keys in bucket {row.bucket} are not those of the journal",
            )
        report.check(
            "I5",
            seen == self._expected,
            f"{seen} keys are stored, the journal has {self._expected}",
        )
        report.rows["I5"] += seen


def _key_number(*columns: Any) -> int:
    """A hash of one locator row as a number: sums of them are equal for the same rows in any
    order.
    """
    return int.from_bytes(hashlib.sha256(repr(columns).encode()).digest(), "big")


async def _ordered(snapshot: AsyncConnection, table: Table, bucket: int) -> AsyncIterator[Row[Any]]:
    rows = await snapshot.stream(
        select(table).where(table.c.bucket == bucket).order_by(table.c.sequence)
    )
    async for row in rows:
        yield row
