import datetime

from bonpunkt.loyalty.v1 import feed_pb2 as _feed_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EnrolMembersRequest(_message.Message):
    __slots__ = ("enrolments",)
    ENROLMENTS_FIELD_NUMBER: _ClassVar[int]
    enrolments: _containers.RepeatedCompositeFieldContainer[Enrolment]
    def __init__(self, enrolments: _Optional[_Iterable[_Union[Enrolment, _Mapping]]] = ...) -> None: ...

class Enrolment(_message.Message):
    __slots__ = ("operation_id", "member_id", "card", "language")
    OPERATION_ID_FIELD_NUMBER: _ClassVar[int]
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    CARD_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    operation_id: str
    member_id: str
    card: str
    language: str
    def __init__(self, operation_id: _Optional[str] = ..., member_id: _Optional[str] = ..., card: _Optional[str] = ..., language: _Optional[str] = ...) -> None: ...

class EnrolMembersResponse(_message.Message):
    __slots__ = ("outcomes",)
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    outcomes: _containers.RepeatedCompositeFieldContainer[EnrolmentOutcome]
    def __init__(self, outcomes: _Optional[_Iterable[_Union[EnrolmentOutcome, _Mapping]]] = ...) -> None: ...

class EnrolmentOutcome(_message.Message):
    __slots__ = ("operation_id", "accepted", "reason", "remedy")
    OPERATION_ID_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REMEDY_FIELD_NUMBER: _ClassVar[int]
    operation_id: str
    accepted: bool
    reason: str
    remedy: str
    def __init__(self, operation_id: _Optional[str] = ..., accepted: _Optional[bool] = ..., reason: _Optional[str] = ..., remedy: _Optional[str] = ...) -> None: ...

class GetMemberRequest(_message.Message):
    __slots__ = ("card", "member_id")
    CARD_FIELD_NUMBER: _ClassVar[int]
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    card: str
    member_id: str
    def __init__(self, card: _Optional[str] = ..., member_id: _Optional[str] = ...) -> None: ...

class GetMemberResponse(_message.Message):
    __slots__ = ("member_id", "bucket", "member_version", "state", "cards", "lots", "enrolled_at")
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    BUCKET_FIELD_NUMBER: _ClassVar[int]
    MEMBER_VERSION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CARDS_FIELD_NUMBER: _ClassVar[int]
    LOTS_FIELD_NUMBER: _ClassVar[int]
    ENROLLED_AT_FIELD_NUMBER: _ClassVar[int]
    member_id: str
    bucket: int
    member_version: int
    state: _feed_pb2.MemberState
    cards: _containers.RepeatedScalarFieldContainer[str]
    lots: _containers.RepeatedCompositeFieldContainer[Lot]
    enrolled_at: _timestamp_pb2.Timestamp
    def __init__(self, member_id: _Optional[str] = ..., bucket: _Optional[int] = ..., member_version: _Optional[int] = ..., state: _Optional[_Union[_feed_pb2.MemberState, _Mapping]] = ..., cards: _Optional[_Iterable[str]] = ..., lots: _Optional[_Iterable[_Union[Lot, _Mapping]]] = ..., enrolled_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Lot(_message.Message):
    __slots__ = ("expires_on", "points")
    EXPIRES_ON_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    expires_on: str
    points: int
    def __init__(self, expires_on: _Optional[str] = ..., points: _Optional[int] = ...) -> None: ...

class BlockMemberRequest(_message.Message):
    __slots__ = ("operation_id", "member_id", "reason")
    OPERATION_ID_FIELD_NUMBER: _ClassVar[int]
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    operation_id: str
    member_id: str
    reason: str
    def __init__(self, operation_id: _Optional[str] = ..., member_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class BlockMemberResponse(_message.Message):
    __slots__ = ("state", "member_version")
    STATE_FIELD_NUMBER: _ClassVar[int]
    MEMBER_VERSION_FIELD_NUMBER: _ClassVar[int]
    state: _feed_pb2.MemberState
    member_version: int
    def __init__(self, state: _Optional[_Union[_feed_pb2.MemberState, _Mapping]] = ..., member_version: _Optional[int] = ...) -> None: ...

class UnblockMemberRequest(_message.Message):
    __slots__ = ("operation_id", "member_id", "reason")
    OPERATION_ID_FIELD_NUMBER: _ClassVar[int]
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    operation_id: str
    member_id: str
    reason: str
    def __init__(self, operation_id: _Optional[str] = ..., member_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class UnblockMemberResponse(_message.Message):
    __slots__ = ("state", "member_version")
    STATE_FIELD_NUMBER: _ClassVar[int]
    MEMBER_VERSION_FIELD_NUMBER: _ClassVar[int]
    state: _feed_pb2.MemberState
    member_version: int
    def __init__(self, state: _Optional[_Union[_feed_pb2.MemberState, _Mapping]] = ..., member_version: _Optional[int] = ...) -> None: ...
