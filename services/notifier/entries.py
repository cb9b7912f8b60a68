"""Journal entries as Redis carries them: fields of a stream's entry, sealed by who wrote them.

docs/redis.md describes them to whoever reads along.
"""

import hashlib
import hmac
from collections.abc import Mapping

from services.notifier.events import Entry, Event

Fields = Mapping[bytes, bytes]

_CHAIN_HASH, _SEAL = b"chain_hash", b"seal"
_TYPE, _BODY = b"type", b"body"
_MEMBER, _VERSION = b"member_id", b"member_version"
_OF_EVENTS = (_TYPE, _MEMBER, _VERSION, _BODY)


class ForeignEntryError(Exception):
    """Nobody who knows the seal's key has written this entry at this place."""


def seal_key(service_token: str) -> bytes:
    """All processes of one installation know it, and nobody else does."""
    return hashlib.sha256(b"bonpunkt:redis:" + service_token.encode()).digest()


def fields_of(entry: Entry, *, epoch: int, key: bytes) -> dict[bytes, bytes]:
    """What is written. An entry that changed no member has a hash and a seal only."""
    fields = {_CHAIN_HASH: entry.chain_hash.hex().encode()}
    if entry.event is not None:
        fields |= {
            _TYPE: entry.event.event_type.encode(),
            _MEMBER: entry.event.member_id.encode(),
            _VERSION: b"%d" % entry.event.member_version,
            _BODY: entry.event.body,
        }
    place = (epoch, entry.bucket, entry.sequence)
    return {**fields, _SEAL: _seal(fields, place=place, key=key)}


def entry_from(fields: Fields, *, epoch: int, bucket: int, sequence: int, key: bytes) -> Entry:
    """What was written; ForeignEntryError for everything else."""
    place = (epoch, bucket, sequence)
    if not hmac.compare_digest(fields.get(_SEAL, b""), _seal(fields, place=place, key=key)):
        raise ForeignEntryError(f"entry {sequence} of bucket {bucket} is not ours")
    return Entry(
        bucket=bucket,
        sequence=sequence,
        chain_hash=bytes.fromhex(fields[_CHAIN_HASH].decode()),
        event=_event(fields, epoch=epoch, bucket=bucket, sequence=sequence),
    )


def _event(fields: Fields, *, epoch: int, bucket: int, sequence: int) -> Event | None:
    if _TYPE not in fields:
        return None
    return Event(
        epoch=epoch,
        bucket=bucket,
        sequence=sequence,
        member_id=fields[_MEMBER].decode(),
        member_version=int(fields[_VERSION]),
        event_type=fields[_TYPE].decode(),
        body=fields[_BODY],
    )


def _seal(fields: Fields, *, place: tuple[int, int, int], key: bytes) -> bytes:
    """HMAC-SHA256 in hex over epoch, bucket, sequence and each field with its length.

    Redis has no say in members' points: a copied, changed or made-up entry is found out.
    """
    parts = [b"%d.%d.%d" % place]
    for name in (_CHAIN_HASH, *_OF_EVENTS):
        value = fields.get(name)
        parts.append(b"-" if value is None else b"%d:%b" % (len(value), value))
    return hmac.digest(key, b"|".join(parts), hashlib.sha256).hex().encode()
