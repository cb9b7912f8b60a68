"""Recomputes the invariants of the ledger (DESIGN §3) from its rows, in one snapshot.

Reads the database directly and alone: what the service believes does not count. Nothing is
written. Each bucket is replayed from its first row, so memory holds one bucket's members at a
time; the locator is compared by sums of hashes, and row by row only in buckets whose sum differs.
A row that cannot even be read is a finding like any other.
"""

import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Row, Select, Table, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from services.loyalty import schema
from services.loyalty.chain import GENESIS, basket_hash, row_hash
from services.loyalty.domain.ledger import MEMBER_ACCOUNTS, PROGRAMME_ACCOUNTS
from services.loyalty.keys import (
    Key,
    KeyKind,
    card_key,
    member_bucket,
    operation_key,
    receipt_key,
)
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
    """Checks the ledger behind a database URL. `progress` hears of buckets done and in all.

    Raises FileNotFoundError where there is no SQLite file.
    """
    engine = _engine(normal_url(url))
    try:
        return await _verify(engine, progress)
    finally:
        await engine.dispose()


def _engine(url: str) -> AsyncEngine:
    """Reads in one snapshot, writes nothing, and makes no file where there is none."""
    if not url.startswith("sqlite"):
        engine = create_async_engine(url, isolation_level="REPEATABLE READ")
        return engine.execution_options(postgresql_readonly=True)
    path = make_url(url).database
    if not path or not Path(path).is_file():
        raise FileNotFoundError(f"there is no ledger at {path}")
    return sqlite_engine(url).execution_options(read_only=True)


async def _verify(engine: AsyncEngine, progress: Progress) -> Report:
    report = Report()
    keys = _KeySums()
    async with engine.connect() as snapshot:
        buckets = (await snapshot.execute(select(schema.bucket).order_by("bucket"))).all()
        await _check_buckets(snapshot, [row.bucket for row in buckets], report)
        for done, row in enumerate(buckets):
            progress(done, len(buckets))
            try:
                await _Bucket(row, report, keys).replay(snapshot)
            except Exception as error:  # such as text where a number belongs
                report.check("I8", False, f"bucket {row.bucket} cannot be read: {error!r}")
        in_transit = await snapshot.scalar(select(func.sum(schema.bucket.c.in_transit)))
        report.check("I1", not in_transit, f"in_transit is {in_transit} over all buckets")
        await keys.compare(snapshot, report)
        for problem in await verify_audit(snapshot):
            report.check("audit", False, problem)
        report.rows["audit"] += 1
        progress(len(buckets), len(buckets))
    return report


async def _check_buckets(snapshot: AsyncConnection, found: list[int], report: Report) -> None:
    """Every bucket that was ever made is there, and no row lies outside of them."""
    table = schema.installation
    count = await snapshot.scalar(select(table.c.value).where(table.c.name == "bucket_count"))
    right = count == str(len(found))
    report.check("I8", right, f"{len(found)} buckets are there, the installation has {count}")
    for bucket in sorted({*found} ^ {*range(len(found))}):
        there = "is none of them" if bucket in found else "is missing"
        report.check("I8", False, f"bucket {bucket} {there}")
    for rows in schema.CHECKOUT_TABLES[1:]:
        outside = await snapshot.scalar(
            select(func.count()).select_from(rows).where(rows.c.bucket.not_in(found))
        )
        report.check("I8", not outside, f"{outside} rows of {rows.name} are in no bucket")


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
        try:
            self._check_chain(row, basket, at)
            self._apply(row, at)
        except Exception as error:  # whatever a changed row holds is told, and the next one is read
            self._report.check("I8", False, f"{at} cannot be read: {error!r}")

    def _check_chain(self, row: Row[Any], basket: Row[Any] | None, at: str) -> None:
        previous, head, time_us = self._sequence, self._head, self._time_us
        self._sequence, self._head = row.sequence, row.chain_hash
        self._time_us = row.effective_at_us
        whole = row.sequence == previous + 1
        self._report.check("I8", whole, f"{at} follows {previous}: rows are missing")
        expected = row_hash(head, row._asdict())
        self._report.check(
            "I8", expected == row.chain_hash, f"{at} does not hash to its chain_hash"
        )
        onward = row.effective_at_us >= time_us
        self._report.check("I8", onward, f"{at} is earlier than the row before it")
        if basket is not None:
            right = row.basket_hash == basket_hash(basket._asdict())
            self._report.check("I8", right, f"basket {row.bucket}/{row.sequence} was changed")

    def _apply(self, row: Row[Any], at: str) -> None:
        movements = orjson.loads(row.movements)
        decision = orjson.loads(row.decision)
        facts = orjson.loads(row.facts)
        member = self._members.setdefault(row.member_id, _Replayed()) if row.member_id else None
        self._move(movements, member, at)
        whole = movements["transfers"] == _legs(decision)
        self._report.check("I9", whole, f"{at} moves other points than it decided")
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
        lots = sum(member.lots.values())
        told = {account: member.after[account] for account in member.balances}
        right = (
            member.balances == told
            and lots == told["points"]
            and min(member.lots.values(), default=0) >= 0
        )
        self._report.check(
            "I2", right, f"{at}: accounts {member.balances}, lots {lots}, told {member.after}"
        )
        available = member.balances["points"] - member.after["held"]
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
        seen = 0
        in_bucket = select(table).where(table.c.bucket == self._row.bucket)
        async for row in _streamed(snapshot, in_bucket):
            seen += 1
            member = self._members.get(row.member_id)
            right = member is not None and _is_state_of(row, member)
            self._report.check(
                "members",
                right,
                f"member {row.member_id} in bucket {row.bucket} differs from what the journal says",
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
    try:
        stored_cards, stored_lots = orjson.loads(row.cards), orjson.loads(row.lots)
    except ValueError:
        return False
    return (
        row.bucket == member_bucket(row.member_id)
        and row.version == member.version
        and row.last_sequence == member.last_sequence
        and row.enrolled_at_us == member.enrolled_at_us
        and stored_cards == member.cards
        and stored_lots == lots
        and all(getattr(row, a.value) == member.balances[a.value] for a in MEMBER_ACCOUNTS)
        and (row.held, row.status, row.tier, row.language)
        == (after["held"], after["status"], after["tier"], after["language"])
    )


def _legs(decision: dict[str, Any]) -> list[list[Any]]:
    """The transfers that a decision consists of; a leg of no points is none."""
    legs = [
        ["issued", "points", decision.get("points_earned", 0)],
        ["points", "redeemed", decision.get("points_redeemed", 0)],
        ["points", "expired", decision.get("points_expired", 0)],
    ]
    return [leg for leg in legs if leg[2]]


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

    def expect(self, key: tuple[Key, str | None], row: Row[Any]) -> None:
        named, member_id = key
        self._sums[named.bucket] += _key_number(*named, row.bucket, row.sequence, member_id)

    async def compare(self, snapshot: AsyncConnection, report: Report) -> None:
        async for found in _streamed(snapshot, select(schema.locator)):
            report.rows["I5"] += 1
            self._sums[found.bucket] -= _key_number(*found)
        differing = sorted(bucket for bucket, difference in self._sums.items() if difference)
        for bucket in differing:
            report.check("I5", False, f"the keys in bucket {bucket} are not those of the journal")
        if differing:
            await _name_keys(snapshot, set(differing), report)


async def _name_keys(snapshot: AsyncConnection, buckets: set[int], report: Report) -> None:
    """Names the keys of these buckets that the locator and the journal do not share."""
    expected: dict[Key, tuple[Any, ...]] = {}
    async for row in _streamed(snapshot, select(schema.journal)):
        try:
            keys = _keys_of(row, orjson.loads(row.facts))
        except Exception:  # noqa: S112  the replay has named this row
            continue
        for key, member_id in keys:
            if key.bucket in buckets:
                at = f"journal {row.bucket}/{row.sequence}"
                report.check("I5", key not in expected, f"{at} takes {_named(key)} again")
                expected[key] = (row.bucket, row.sequence, member_id)
    table = schema.locator
    async for found in _streamed(snapshot, select(table).where(table.c.bucket.in_(buckets))):
        key = Key(found.bucket, found.kind, found.key)
        leads_to = (found.home_bucket, found.sequence, found.member_id)
        report.check(
            "I5",
            expected.pop(key, None) == leads_to,
            f"{_named(key)} in bucket {key.bucket} leads to {leads_to}: no row has taken it so",
        )
    for key, (bucket, sequence, _) in expected.items():
        report.check("I5", False, f"{_named(key)} of journal {bucket}/{sequence} is missing")


def _named(key: Key) -> str:
    kinds = {kind.value: kind.name.lower() for kind in KeyKind}
    shown: Any = key.key  # SQLite keeps text in a column of bytes if somebody puts it there
    text = shown.hex() if isinstance(shown, bytes) else repr(shown)
    return f"{kinds.get(key.kind, key.kind)} key {text}"


def _key_number(*columns: Any) -> int:
    """A hash of one locator row as a number: sums of them are equal for the same rows in any
    order.
    """
    return int.from_bytes(hashlib.sha256(repr(columns).encode()).digest(), "big")


def _ordered(snapshot: AsyncConnection, table: Table, bucket: int) -> AsyncIterator[Row[Any]]:
    in_bucket = select(table).where(table.c.bucket == bucket)
    return _streamed(snapshot, in_bucket.order_by(table.c.sequence))


async def _streamed(snapshot: AsyncConnection, statement: Select[Any]) -> AsyncIterator[Row[Any]]:
    rows = await snapshot.stream(statement)
    async for row in rows:
        yield row
