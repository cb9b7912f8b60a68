"""The invariants of DESIGN §3, looked at in the rows themselves after every step.

Only what is new in the journal is read; what it says is added up here and compared with the tables.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Row, and_, or_, select

from services.loyalty import schema
from services.loyalty.chain import GENESIS, row_hash
from services.loyalty.domain.ledger import MEMBER_ACCOUNTS, PROGRAMME_ACCOUNTS
from tests.loyalty.ledgers import Ledger

MEMBERS = tuple(account.value for account in MEMBER_ACCOUNTS)
PROGRAMMES = tuple(account.value for account in PROGRAMME_ACCOUNTS)


class Rows:
    """What the journal rows so far add up to."""

    def __init__(self) -> None:
        self.sequences: Counter[int] = Counter()
        self.heads: defaultdict[int, bytes] = defaultdict(lambda: GENESIS)
        self.operations: set[str] = set()
        self.ended: set[str] = set()
        self.accounts: defaultdict[int | str, Counter[str]] = defaultdict(Counter)
        self.lots: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.redeemable: dict[tuple[int, int], Counter[str]] = {}  # of receipts, not yet reversed
        self.legs: Counter[str] = Counter()  # by operation: 1 if the second is missing

    async def read(self, ledger: Ledger) -> list[Row[Any]]:
        """Checks everything after a step; answers the members' rows."""
        async with ledger.engine.connect() as connection:
            await connection.execution_options(read_only=True)
            buckets = list(await connection.execute(select(schema.bucket)))
            members = list(await connection.execute(select(schema.member)))
            changed = [row for row in buckets if row.sequence != self.sequences[row.bucket]]
            if changed:
                journal = schema.journal.c
                news = or_(
                    *[
                        and_(
                            journal.bucket == row.bucket,
                            journal.sequence > self.sequences[row.bucket],
                        )
                        for row in changed
                    ]
                )
                found = select(schema.journal).where(news)
                ordered = found.order_by(journal.effective_at_us, journal.bucket, journal.sequence)
                for row in await connection.execute(ordered):
                    self._add(row)
        self._compare(buckets, members)
        return members

    def books(self) -> Counter[str]:
        """Every account over all buckets and members."""
        books: Counter[str] = Counter()
        for accounts in self.accounts.values():
            books.update(accounts)
        return books

    def _add(self, row: Row[Any]) -> None:
        fields = dict(row._mapping)
        name = f"journal {row.bucket}/{row.sequence}"
        self.sequences[row.bucket] += 1
        assert row.sequence == self.sequences[row.bucket], f"I8: a gap before {name}"
        self.heads[row.bucket] = row_hash(self.heads[row.bucket], fields)
        assert row.chain_hash == self.heads[row.bucket], f"I8: {name} is not chained"
        assert row.operation_id not in self.operations, f"I5: {name} is a second effect"
        self.operations.add(row.operation_id)
        movements = orjson.loads(row.movements)
        assert row.accepted or not any(movements.values()), f"{name} is refused, and moves points"
        for reservation_id in movements.get("ended", ()):
            assert reservation_id not in self.ended, f"I4: {name} ends a reservation again"
            self.ended.add(reservation_id)
        for source, target, points in movements["transfers"]:
            assert points > 0, f"{name} moves points backwards"
            self._of(row, source)[source] -= points
            self._of(row, target)[target] += points
        for day, points in movements["lots"]:
            self.lots[row.member_id][day] += points
        self._count_legs(row, movements)
        self._reverse(row, orjson.loads(row.decision), movements, name)

    def _of(self, row: Row[Any], account: str) -> Counter[str]:
        return self.accounts[row.member_id if account in MEMBERS else row.bucket]

    def _count_legs(self, row: Row[Any], movements: Mapping[str, Any]) -> None:
        """Each row that needs a second one counts up, each second one down."""
        decision = orjson.loads(row.decision)
        touches = {
            account for source, target, _ in movements["transfers"] for account in (source, target)
        }
        if row.kind in ("merge", "void", "return") and "in_transit" in touches:
            self.legs[row.operation_id] += 1
        if row.kind in ("merged", "leg") and touches:
            self.legs[decision["main_id"]] -= 1

    def _reverse(
        self, row: Row[Any], decision: Mapping[str, Any], movements: Mapping[str, Any], name: str
    ) -> None:
        """Of a receipt no more comes back than it had moved (I10)."""
        if row.kind == "capture" and row.accepted:
            self.redeemable[row.bucket, row.sequence] = Counter(
                redeemed=decision["points_redeemed"], earned=decision["points_earned"]
            )
        if row.kind in ("void", "return") and row.accepted:
            left = self.redeemable[tuple(orjson.loads(row.facts)["receipt"])]
            left["redeemed"] -= decision["points_restored"]
            left["earned"] -= decision["points_taken_back"] + decision["points_owed"]
            left["earned"] -= decision["points_let_go"]
            assert min(left.values()) >= 0, f"I10: {name} takes back more than there was: {left}"

    def _compare(self, buckets: Sequence[Row[Any]], members: Sequence[Row[Any]]) -> None:
        assert not any(self.legs.values()), f"I9: a leg is missing: {self.legs}"
        sums: Counter[int] = Counter()
        for row in buckets:
            for account in PROGRAMMES:
                balance = getattr(row, account)
                assert balance == self.accounts[row.bucket][account], (row.bucket, account)
                sums[row.bucket] += balance
            assert row.sequence == self.sequences[row.bucket], f"I8: bucket {row.bucket}"
            assert row.chain_head == self.heads[row.bucket], f"I8: bucket {row.bucket}"
        for row in members:
            for account in MEMBERS:
                balance = getattr(row, account)
                assert balance == self.accounts[row.member_id][account], (row.member_id, account)
                sums[row.bucket] += balance
            lots = dict(orjson.loads(row.lots))
            assert lots == +self.lots[row.member_id], f"I2: lots of {row.member_id}"
            assert row.points == sum(lots.values()), f"I2: points of {row.member_id}"
            open_ = orjson.loads(row.more).get("reservations", ())
            assert row.held == sum(held for _, _, held, _, _ in open_), f"I3: {row.member_id}"
            assert row.points - row.held >= 0, f"I3: available of {row.member_id}"
            assert not {each[0] for each in open_} & self.ended, f"I4: {row.member_id}"
        assert not any(sums.values()), f"I1: {+sums} {-sums}"
        in_transit = sum(row.in_transit for row in buckets)
        assert in_transit == 0, f"I1: {in_transit} points in transit"
