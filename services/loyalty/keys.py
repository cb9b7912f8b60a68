"""Keys that must stay unique for ever, and the bucket in which everything of an id lives."""

import hashlib
from enum import IntEnum
from typing import Final, NamedTuple
from uuid import UUID

from services.loyalty.domain.card import card_digest

BUCKET_COUNT = 32


class KeyKind(IntEnum):
    OPERATION = 1
    RECEIPT = 2
    CARD = 3
    RESERVATION = 4  # taken by whatever ends it, so that it ends once


# As plain numbers: each key would turn a member of the enum into one twice.
_OPERATION: Final[int] = KeyKind.OPERATION.value
_RECEIPT: Final[int] = KeyKind.RECEIPT.value
_CARD: Final[int] = KeyKind.CARD.value
_RESERVATION: Final[int] = KeyKind.RESERVATION.value


class Key(NamedTuple):
    """A row of the locator: unique over all buckets, because its bucket follows from kind and
    key.
    """

    bucket: int
    kind: int
    key: bytes


def bucket_of(identity: bytes) -> int:
    """SHA-256 of the id, modulo the number of buckets, which divides what a byte can be."""
    return hashlib.sha256(identity).digest()[-1] % BUCKET_COUNT


def member_bucket(member_id: str) -> int:
    return bucket_of(UUID(member_id).bytes)


def operation_key(operation_id: str) -> Key:
    return _key(_OPERATION, bytes.fromhex(operation_id.replace("-", "")))


def receipt_key(*, terminal_id: str, business_date: str, receipt_number: str) -> Key:
    """A till numbers its receipts anew each day at the earliest, so the three together name one."""
    named = "\n".join((terminal_id, business_date, receipt_number)).encode()
    return _key(_RECEIPT, hashlib.sha256(named).digest()[:16])


def card_key(card: str) -> Key:
    return _key(_CARD, card_digest(card))


def reservation_key(reservation_id: str) -> Key:
    """Of the end of the reservation that the operation `reservation_id` made."""
    return _key(_RESERVATION, bytes.fromhex(reservation_id.replace("-", "")))


def _key(kind: int, key: bytes) -> Key:
    return Key(bucket_of(bytes((kind,)) + key), kind, key)
