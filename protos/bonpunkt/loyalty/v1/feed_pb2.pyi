import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FollowRequest(_message.Message):
    __slots__ = ("epoch", "after")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    after: _containers.RepeatedCompositeFieldContainer[Position]
    def __init__(self, epoch: _Optional[int] = ..., after: _Optional[_Iterable[_Union[Position, _Mapping]]] = ...) -> None: ...

class Position(_message.Message):
    __slots__ = ("bucket", "sequence")
    BUCKET_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    bucket: int
    sequence: int
    def __init__(self, bucket: _Optional[int] = ..., sequence: _Optional[int] = ...) -> None: ...

class FollowResponse(_message.Message):
    __slots__ = ("epoch", "bucket_count", "entries")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    BUCKET_COUNT_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    bucket_count: int
    entries: _containers.RepeatedCompositeFieldContainer[JournalEntry]
    def __init__(self, epoch: _Optional[int] = ..., bucket_count: _Optional[int] = ..., entries: _Optional[_Iterable[_Union[JournalEntry, _Mapping]]] = ...) -> None: ...

class JournalEntry(_message.Message):
    __slots__ = ("bucket", "sequence", "operation_id", "kind", "accepted", "member_id", "member_version", "state", "points_earned", "points_redeemed", "points_expired", "terminal_id", "store_id", "actor", "effective_at", "occurred_at", "chain_hash", "expiry_notice")
    BUCKET_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    OPERATION_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    MEMBER_VERSION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    POINTS_EARNED_FIELD_NUMBER: _ClassVar[int]
    POINTS_REDEEMED_FIELD_NUMBER: _ClassVar[int]
    POINTS_EXPIRED_FIELD_NUMBER: _ClassVar[int]
    TERMINAL_ID_FIELD_NUMBER: _ClassVar[int]
    STORE_ID_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_AT_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_FIELD_NUMBER: _ClassVar[int]
    CHAIN_HASH_FIELD_NUMBER: _ClassVar[int]
    EXPIRY_NOTICE_FIELD_NUMBER: _ClassVar[int]
    bucket: int
    sequence: int
    operation_id: str
    kind: str
    accepted: bool
    member_id: str
    member_version: int
    state: MemberState
    points_earned: int
    points_redeemed: int
    points_expired: int
    terminal_id: str
    store_id: str
    actor: str
    effective_at: _timestamp_pb2.Timestamp
    occurred_at: _timestamp_pb2.Timestamp
    chain_hash: bytes
    expiry_notice: ExpiryNotice
    def __init__(self, bucket: _Optional[int] = ..., sequence: _Optional[int] = ..., operation_id: _Optional[str] = ..., kind: _Optional[str] = ..., accepted: _Optional[bool] = ..., member_id: _Optional[str] = ..., member_version: _Optional[int] = ..., state: _Optional[_Union[MemberState, _Mapping]] = ..., points_earned: _Optional[int] = ..., points_redeemed: _Optional[int] = ..., points_expired: _Optional[int] = ..., terminal_id: _Optional[str] = ..., store_id: _Optional[str] = ..., actor: _Optional[str] = ..., effective_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., occurred_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., chain_hash: _Optional[bytes] = ..., expiry_notice: _Optional[_Union[ExpiryNotice, _Mapping]] = ...) -> None: ...

class ExpiryNotice(_message.Message):
    __slots__ = ("points", "expires_on", "days_ahead")
    POINTS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_ON_FIELD_NUMBER: _ClassVar[int]
    DAYS_AHEAD_FIELD_NUMBER: _ClassVar[int]
    points: int
    expires_on: str
    days_ahead: int
    def __init__(self, points: _Optional[int] = ..., expires_on: _Optional[str] = ..., days_ahead: _Optional[int] = ...) -> None: ...

class MemberState(_message.Message):
    __slots__ = ("points", "available", "pending", "receivable", "held", "status", "tier", "expiring_points", "expiring_on", "language", "merged_into")
    POINTS_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    PENDING_FIELD_NUMBER: _ClassVar[int]
    RECEIVABLE_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    EXPIRING_POINTS_FIELD_NUMBER: _ClassVar[int]
    EXPIRING_ON_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    MERGED_INTO_FIELD_NUMBER: _ClassVar[int]
    points: int
    available: int
    pending: int
    receivable: int
    held: int
    status: str
    tier: str
    expiring_points: int
    expiring_on: str
    language: str
    merged_into: str
    def __init__(self, points: _Optional[int] = ..., available: _Optional[int] = ..., pending: _Optional[int] = ..., receivable: _Optional[int] = ..., held: _Optional[int] = ..., status: _Optional[str] = ..., tier: _Optional[str] = ..., expiring_points: _Optional[int] = ..., expiring_on: _Optional[str] = ..., language: _Optional[str] = ..., merged_into: _Optional[str] = ...) -> None: ...
