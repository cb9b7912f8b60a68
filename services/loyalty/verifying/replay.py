"""One bucket replayed from its first row, and what comes out of it compared with its state rows."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.loyalty import schema
from services.loyalty.chain import GENESIS, basket_hash, row_hash
from services.loyalty.domain.card import card_digest
from services.loyalty.domain.ledger import PROGRAMME_ACCOUNTS
from services.loyalty.record import cards_json
from services.loyalty.store import COUNTERS
from services.loyalty.verifying.crossing import Crossing
from services.loyalty.verifying.keys import KeySums
from services.loyalty.verifying.member import BALANCES, Replayed, effect_of_time
from services.loyalty.verifying.report import Report
from services.loyalty.verifying.reversals import (
    Claim,
    check_receipt,
    claim_of,
    receipt_from,
    reversals_of,
)
from services.loyalty.verifying.rows import (
    Json,
    Told,
    in_order,
    journal_rows,
    named,
    read,
    streamed,
)
from services.loyalty.verifying.rules import Rules
from services.loyalty.verifying.transfers import result_expected, transfers_decided

BASKET = [column.name for column in schema.basket.columns]
NOBODY = dict.fromkeys(BALANCES, 0)


class BucketReplay:
    """Holds the members of the bucket, and what was claimed of its receipts."""

    def __init__(
        self, row: Row[Any], report: Report, keys: KeySums, rules: Rules, crossing: Crossing
    ) -> None:
        self._row, self._number = row, row.bucket
        self._report, self._keys, self._rules, self._crossing = report, keys, rules, crossing
        self._members: dict[str, Replayed] = {}
        self._claims: dict[int, list[Claim]] = {}
        self._accounts = {account.value: 0 for account in PROGRAMME_ACCOUNTS}
        self._counters = dict.fromkeys(COUNTERS, 0)
        self._sequence, self._head, self._time_us = 0, GENESIS, 0

    async def run(self, snapshot: AsyncConnection) -> None:
        baskets = _Baskets(in_order(snapshot, schema.basket, self._number), self._report)
        async for row in journal_rows(snapshot, self._number):
            self._take(row, await baskets.of(row["sequence"]))
        await baskets.of(None)
        self._compare_bucket()
        await self._compare_receipts(snapshot)
        await self._compare_members(snapshot)

    def _take(self, row: Json, basket: Row[Any] | None) -> None:
        at = named("journal", self._number, row["sequence"])
        try:
            self._check_chain(row, basket, at)
            self._apply(read(row))
        except Exception as error:  # whatever a changed row holds is told, and the next one is read
            self._report.check("I8", False, "{} cannot be read: {!r}", at, error)

    def _check_chain(self, row: Json, basket: Row[Any] | None, at: str) -> None:
        previous, head, time_us = self._sequence, self._head, self._time_us
        self._sequence, self._head = row["sequence"], row["chain_hash"]
        self._time_us = row["effective_at_us"]
        check = self._report.check
        whole = row["sequence"] == previous + 1
        check("I8", whole, "{} follows {}: rows are missing", at, previous)
        right = row_hash(head, row) == row["chain_hash"]
        check("I8", right, "{} does not hash to its chain_hash", at)
        onward = row["effective_at_us"] >= time_us
        check("I8", onward, "{} is earlier than the row before it", at)
        if basket is not None:
            right = row["basket_hash"] == basket_hash(dict(zip(BASKET, basket, strict=True)))
            at = named("basket", self._number, row["sequence"])
            check("I8", right, "{} is not what its journal row has the hash of", at)

    def _apply(self, told: Told) -> None:
        row, check = told.row, self._report.check
        member_id = row["member_id"]
        self._keys.expect(told)
        self._rules.named_by(told)
        result = told.decision["result"]
        check("I9", result == result_expected(told), "{} was decided as {}", told.at, result)
        member = None
        if member_id is not None:
            member = self._members.get(member_id)
            if member is None:
                member = self._members[member_id] = Replayed(member_id)
                check("members", row["kind"] == "enrol", "{} is of nobody enrolled", told.at)
        decided = transfers_decided(told, member.balances if member is not None else NOBODY)
        whole = told.movements["transfers"] == decided
        check("I9", whole, "{} moves other points than it decided: {}", told.at, decided)
        self._crossing.note(told, member)
        self._count(told)
        self._move(told)
        if member is None:
            check("I2", _moves_nobody(told), "{} moves points of a member, and names none", told.at)
            return
        if row["accepted"] and row["kind"] in ("void", "return"):
            self._claim(told, member)
        effect = effect_of_time(told)
        right = effect is None or effect == row["operation_id"]
        check("I5", right, "{} has not the id of what time did", told.at)
        member.take(told, self._report)

    def _move(self, told: Told) -> None:
        for source, target, points in told.movements["transfers"]:
            forward = type(points) is int and points > 0
            self._report.check("I1", forward, "{} moves {} points", told.at, points)
            if source not in BALANCES:
                self._accounts[source] -= points
            if target not in BALANCES:
                self._accounts[target] += points

    def _claim(self, told: Told, member: Replayed) -> None:
        bucket, sequence = told.facts["receipt"]
        claim = claim_of(told, member)
        if bucket == self._number:
            self._claims.setdefault(sequence, []).append(claim)
        else:
            self._crossing.claims.setdefault((bucket, sequence), []).append(claim)

    def _count(self, told: Told) -> None:
        row, counters = told.row, self._counters
        if not row["accepted"]:
            counters["refusals"] += 1
            return
        counters["member_changes"] += 1 if row["member_id"] else 0
        counters["members"] += 1 if row["kind"] == "enrol" else 0
        if told.decision["result"] == "captured":
            counters["captures"] += 1
            from_basket = told.decision["points_redeemed_from_basket"]
            counters["same_basket_redemptions"] += 1 if from_basket else 0

    def _compare_bucket(self) -> None:
        row, at, check = self._row, f"bucket {self._number}", self._report.check
        ends = (row.sequence, row.chain_head, row.last_time_us)
        check(
            "I8",
            ends == (self._sequence, self._head, self._time_us),
            "{}: its journal ends with {} at {}, the bucket row says {} at {}",
            at,
            named("journal", self._number, self._sequence),
            self._time_us,
            named("journal", self._number, row.sequence),
            row.last_time_us,
        )
        members = sum(sum(member.balances.values()) for member in self._members.values())
        total = members + sum(self._accounts.values())
        check("I1", total == 0, "{}: the accounts sum to {}", at, total)
        for name, replayed in {**self._accounts, **self._counters}.items():
            stored = getattr(row, name)
            told = "{}: {} is {}, the journal says {}"
            check("I1", stored == replayed, told, at, name, stored, replayed)

    async def _compare_receipts(self, snapshot: AsyncConnection) -> None:
        """Those of members who were merged are left for when all buckets are read."""
        check = self._report.check
        async for row in streamed(snapshot, reversals_of(self._number)):
            at = named("reversal", self._number, row.sequence)
            try:
                receipt = receipt_from(self._number, row, self._claims.pop(row.sequence, ()))
                owner = self._members.get(receipt.member_id) if receipt is not None else None
                if receipt is None or owner is None:
                    check("I10", False, "{} is of no captured receipt", at)
                elif owner.is_merged:
                    self._crossing.receipts[self._number, row.sequence] = receipt
                else:
                    check("I10", bool(receipt.claims), "{}: nothing was taken back of it", at)
                    check_receipt(receipt, receipt.claims, (owner.member_id,), self._report)
            except Exception as error:
                check("I10", False, "{} cannot be read: {!r}", at, error)
        for sequence, claims in self._claims.items():
            at = named("reversal", self._number, sequence)
            check("I10", False, "{} is missing, {} took back of it", at, claims[0].at)

    async def _compare_members(self, snapshot: AsyncConnection) -> None:
        table = schema.member
        in_bucket = select(table).where(table.c.bucket == self._number)
        async for row in streamed(snapshot, in_bucket):
            at = f"member {row.member_id} in bucket {self._number}"
            member = self._members.pop(row.member_id, None)
            try:
                right = (
                    member is not None
                    and member.is_state_of(row)
                    and self._has_cards(row, member, at)
                )
            except Exception:  # what cannot be read differs
                right = False
            self._report.check("members", right, "{} differs from what the journal says", at)
        for member_id in self._members:
            at = f"member {member_id} in bucket {self._number}"
            self._report.check("members", False, "{} is missing", at)

    def _has_cards(self, row: Row[Any], member: Replayed, at: str) -> bool:
        """Cards that a merge brought can be compared once all buckets are read."""
        numbers = orjson.loads(row.cards)
        stored = [card_digest(number).hex() for number in numbers]
        if any(sign[0] in "+-" for sign in member.cards):
            self._crossing.holders.append((at, stored, member.cards))
        elif stored != member.cards:
            return False
        return bool(row.cards == cards_json(tuple(numbers)))


class _Baskets:
    """The baskets of a bucket beside its journal rows; some may be gone, none may be too many."""

    def __init__(self, rows: AsyncIterator[Row[Any]], report: Report) -> None:
        self._rows, self._report = rows, report
        self._next: Row[Any] | None = None
        self._begun = False

    async def of(self, sequence: int | None) -> Row[Any] | None:
        """The basket of the journal row `sequence`, if it has one; None: there is no more row."""
        if not self._begun:
            self._begun, self._next = True, await anext(self._rows, None)
        while (basket := self._next) is not None:
            if sequence is not None and basket.sequence > sequence:
                return None
            self._next = await anext(self._rows, None)
            if basket.sequence == sequence:
                return basket
            at = named("basket", basket.bucket, basket.sequence)
            self._report.check("I8", False, "{} has no journal row", at)
        return None


def _moves_nobody(told: Told) -> bool:
    movements = told.movements
    touched = {
        account for source, target, _ in movements["transfers"] for account in (source, target)
    }
    return (
        touched.isdisjoint(BALANCES)
        and not movements["lots"]
        and not movements.get("pending")
        and not movements.get("ended")
        and told.after == {}
    )
