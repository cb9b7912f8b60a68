"""The locator against the keys that the journal has taken (I5), without holding either: each side
is a sum of hashes by bucket, and only where sums differ are rows compared one by one.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.loyalty import schema
from services.loyalty.domain.card import card_digest
from services.loyalty.keys import (
    Key,
    KeyKind,
    bucket_of,
    operation_key,
    receipt_key,
    reservation_key,
)
from services.loyalty.verifying.report import Report
from services.loyalty.verifying.rows import Told, journal_rows, named, read, streamed

_DIGEST = re.compile(r"[0-9a-f]{32}")

Taken = tuple[Key, str | None]  # with whose card a card is


def digest_of(card: str) -> str:
    """Of a card in a row's facts, which are the digest; the rows of the first release have the
    number.
    """
    return card if _DIGEST.fullmatch(card) else card_digest(card).hex()


def keys_taken(told: Told) -> Iterator[Taken]:
    """The keys that a journal row has taken."""
    row, facts = told.row, told.facts
    yield operation_key(row["operation_id"]), None
    if not row["accepted"]:
        return
    kind = row["kind"]
    if kind in ("capture", "return"):
        receipt = receipt_key(
            terminal_id=row["terminal_id"],
            business_date=facts["business_date"],
            receipt_number=facts["receipt_number"],
        )
        yield receipt, None
    elif kind in ("enrol", "cards") and "card" in facts:
        yield _card_key(bytes.fromhex(digest_of(facts["card"]))), row["member_id"]
    elif kind == "abandon":
        yield operation_key(facts["target_id"]), None
    for reservation_id in told.movements.get("ended", ()):
        yield reservation_key(reservation_id), None


def _card_key(digest: bytes) -> Key:
    return Key(bucket_of(bytes((KeyKind.CARD,)) + digest), int(KeyKind.CARD), digest)


class KeySums:
    def __init__(self) -> None:
        self._sums: Counter[int] = Counter()

    def expect(self, told: Told) -> None:
        place = told.row["bucket"], told.row["sequence"]
        for key, member_id in keys_taken(told):
            self._sums[key.bucket] += _number(*key, *place, member_id)

    async def compare(self, snapshot: AsyncConnection, report: Report) -> None:
        async for found in streamed(snapshot, select(schema.locator)):
            report.rows["I5"] += 1
            self._sums[found.bucket] -= _number(*found)
        differing = {bucket for bucket, difference in self._sums.items() if difference}
        for bucket in sorted(differing, key=str):
            report.check("I5", False, "the keys in bucket {} are not those of the journal", bucket)
        if differing:
            await _name_keys(snapshot, differing, report)


def _number(*columns: Any) -> int:
    """A hash of one locator row as a number: sums of them are equal for the same rows in any
    order.
    """
    return int.from_bytes(hashlib.sha256(repr(columns).encode()).digest(), "big")


async def _name_keys(snapshot: AsyncConnection, differing: set[int], report: Report) -> None:
    """Names the keys of these buckets that the locator and the journal do not share."""
    expected: dict[Key, tuple[Any, ...]] = {}
    for bucket in await snapshot.scalars(select(schema.bucket.c.bucket)):
        async for row in journal_rows(snapshot, bucket):
            try:
                taken = list(keys_taken(read(row)))
            except Exception:  # noqa: S112  the replay has named this row
                continue
            at = named("journal", bucket, row["sequence"])
            for key, member_id in taken:
                if key.bucket in differing:
                    report.check("I5", key not in expected, "{} takes {} again", at, shown(key))
                    expected[key] = (bucket, row["sequence"], member_id)
    table = schema.locator
    async for found in streamed(snapshot, select(table).where(table.c.bucket.in_(differing))):
        key = Key(found.bucket, found.kind, found.key)
        leads_to = (found.home_bucket, found.sequence, found.member_id)
        report.check(
            "I5",
            expected.pop(key, None) == leads_to,
            "locator: {} in bucket {} leads to {}: no row has taken it so",
            shown(key),
            key.bucket,
            leads_to,
        )
    for key, (bucket, sequence, _) in expected.items():
        report.check(
            "I5", False, "locator: {} of journal {}/{} is missing", shown(key), bucket, sequence
        )


def shown(key: Key) -> str:
    """What a problem calls a key."""
    kinds = {kind.value: kind.name.lower() for kind in KeyKind}
    shown: Any = key.key  # SQLite keeps text in a column of bytes if somebody puts it there
    text = shown.hex() if isinstance(shown, bytes) else repr(shown)
    return f"{kinds.get(key.kind, key.kind)} key {text}"
