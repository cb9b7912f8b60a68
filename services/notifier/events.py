"""Journal entries as events: absolute state, no differences, no personal data.

The same entry always gives the same bytes: they are made from the entry alone, without a clock.
docs/webhooks.md describes the body to receivers.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import orjson
from google.protobuf.timestamp_pb2 import Timestamp
from marshmallow import Schema, fields, validate

from bonpunkt.loyalty.v1.feed_pb2 import JournalEntry

BODY_BYTES_MAX = 20_000  # the advice of Standard Webhooks

_OTHER = "member.changed"  # also of every kind of operation that this version does not know yet
_KINDS = {
    "member.enrolled": ("enrol",),
    "member.points_changed": (
        *("reserve", "release", "timeout", "capture", "void", "return"),
        *("adjust", "merge", "activate", "expire"),
    ),
    "member.points_expiring": ("announce",),
    "member.tier_changed": ("tier",),
    "member.blocked": ("block",),
    "member.unblocked": ("unblock",),
    "member.merged": ("merged",),
    "member.erased": ("erase",),
    _OTHER: ("cards",),
}
_TYPES = {kind: event_type for event_type, kinds in _KINDS.items() for kind in kinds}
TYPES = tuple(sorted(_KINDS))


class _ExpiringSchema(Schema):
    points = fields.Integer(required=True, validate=validate.Range(min=1))
    on = fields.String(required=True)


class _NoticeSchema(Schema):
    points = fields.Integer(required=True, validate=validate.Range(min=1))
    on = fields.String(required=True)
    days_ahead = fields.Integer(required=True)


class _OperationSchema(Schema):
    id = fields.String(required=True)
    kind = fields.String(required=True)
    points_earned = fields.Integer(required=True)
    points_redeemed = fields.Integer(required=True)


class _DataSchema(Schema):
    member_id = fields.String(required=True)
    epoch = fields.Integer(required=True)
    member_version = fields.Integer(required=True)
    status = fields.String(required=True)
    points = fields.Integer(required=True)
    available = fields.Integer(required=True)
    pending = fields.Integer(required=True)
    tier = fields.String(required=True)
    expiring = fields.Nested(_ExpiringSchema, required=True, allow_none=True)
    language = fields.String(required=True)
    operation = fields.Nested(_OperationSchema, required=True)
    store_id = fields.String(required=True)
    effective_at = fields.String(required=True)
    notice = fields.Nested(_NoticeSchema)  # of member.points_expiring
    merged_into = fields.String()  # of whoever is merged


class EventSchema(Schema):
    """The body of a webhook: `type`, `timestamp` and `data`, as Standard Webhooks advises."""

    type = fields.String(required=True, validate=validate.OneOf(TYPES))
    timestamp = fields.String(required=True)
    data = fields.Nested(_DataSchema, required=True)


_SCHEMA = EventSchema()


@dataclass(frozen=True, slots=True)
class Event:
    """A member change, ready to be sent to any number of endpoints."""

    epoch: int
    bucket: int
    sequence: int
    member_id: str
    member_version: int
    event_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """A journal entry as far as the notifier keeps it."""

    bucket: int
    sequence: int
    chain_hash: bytes
    event: Event | None  # none if the entry changed no member


def entry_from_journal(entry: JournalEntry, *, epoch: int) -> Entry:
    event = event_from_entry(entry, epoch=epoch) if is_event(entry) else None
    return Entry(entry.bucket, entry.sequence, entry.chain_hash, event)


def is_event(entry: JournalEntry) -> bool:
    """Whether the entry changed a member: refusals and abandoned ids are nobody's news."""
    return entry.accepted and bool(entry.member_id)


def event_from_entry(entry: JournalEntry, *, epoch: int) -> Event:
    assert is_event(entry), "refusals and entries without a member are no events"
    event_type = _TYPES.get(entry.kind, _OTHER)
    return Event(
        epoch=epoch,
        bucket=entry.bucket,
        sequence=entry.sequence,
        member_id=entry.member_id,
        member_version=entry.member_version,
        event_type=event_type,
        body=orjson.dumps(_SCHEMA.dump(_document(entry, event_type=event_type, epoch=epoch))),
    )


def _document(entry: JournalEntry, *, event_type: str, epoch: int) -> dict[str, object]:
    state = entry.state
    effective_at = _iso(entry.effective_at)
    expiring = {"points": state.expiring_points, "on": state.expiring_on}
    return {
        "type": event_type,
        "timestamp": effective_at,
        "data": {
            "member_id": entry.member_id,
            "epoch": epoch,
            "member_version": entry.member_version,
            "status": state.status,
            "points": state.points,
            "available": state.available,
            "pending": state.pending,
            "tier": state.tier,
            "expiring": expiring if state.expiring_points else None,
            "language": state.language,
            "operation": {
                "id": entry.operation_id,
                "kind": entry.kind,
                "points_earned": entry.points_earned,
                "points_redeemed": entry.points_redeemed,
            },
            "store_id": entry.store_id,
            "effective_at": effective_at,
            **_news(entry),
        },
    }


def _news(entry: JournalEntry) -> dict[str, object]:
    """What only some events tell."""
    if entry.HasField("expiry_notice"):
        notice = entry.expiry_notice
        return {
            "notice": {
                "points": notice.points,
                "on": notice.expires_on,
                "days_ahead": notice.days_ahead,
            }
        }
    return {"merged_into": entry.state.merged_into} if entry.state.merged_into else {}


def _iso(moment: Timestamp) -> str:
    """UTC with milliseconds, as in 2026-05-04T12:30:00.125Z; what is finer is cut off."""
    whole = datetime.fromtimestamp(moment.seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{moment.nanos // 1_000_000:03d}Z"
