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
    __slots__ = ("operation_id", "member_id", "card", "language", "opening_points")
    OPERATION_ID_FIELD_NUMBER: _ClassVar[int]
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    CARD_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    OPENING_POINTS_FIELD_NUMBER: _ClassVar[int]
    operation_id: str
    member_id: str
    card: str
    language: str
    opening_points: int
    def __init__(self, operation_id: _Optional[str] = ..., member_id: _Optional[str] = ..., card: _Optional[str] = ..., language: _Optional[str] = ..., opening_points: _Optional[int] = ...) -> None: ...

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
    __slots__ = ("member_id", "bucket", "member_version", "state", "cards", "lots", "enrolled_at", "pending_lots", "reservations", "tier_until", "qualifying_points", "next_tier", "next_tier_from_points")
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    BUCKET_FIELD_NUMBER: _ClassVar[int]
    MEMBER_VERSION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CARDS_FIELD_NUMBER: _ClassVar[int]
    LOTS_FIELD_NUMBER: _ClassVar[int]
    ENROLLED_AT_FIELD_NUMBER: _ClassVar[int]
    PENDING_LOTS_FIELD_NUMBER: _ClassVar[int]
    RESERVATIONS_FIELD_NUMBER: _ClassVar[int]
    TIER_UNTIL_FIELD_NUMBER: _ClassVar[int]
    QUALIFYING_POINTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_TIER_FIELD_NUMBER: _ClassVar[int]
    NEXT_TIER_FROM_POINTS_FIELD_NUMBER: _ClassVar[int]
    member_id: str
    bucket: int
    member_version: int
    state: _feed_pb2.MemberState
    cards: _containers.RepeatedScalarFieldContainer[str]
    lots: _containers.RepeatedCompositeFieldContainer[Lot]
    enrolled_at: _timestamp_pb2.Timestamp
    pending_lots: _containers.RepeatedCompositeFieldContainer[PendingLot]
    reservations: _containers.RepeatedCompositeFieldContainer[Reservation]
    tier_until: str
    qualifying_points: int
    next_tier: str
    next_tier_from_points: int
    def __init__(self, member_id: _Optional[str] = ..., bucket: _Optional[int] = ..., member_version: _Optional[int] = ..., state: _Optional[_Union[_feed_pb2.MemberState, _Mapping]] = ..., cards: _Optional[_Iterable[str]] = ..., lots: _Optional[_Iterable[_Union[Lot, _Mapping]]] = ..., enrolled_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., pending_lots: _Optional[_Iterable[_Union[PendingLot, _Mapping]]] = ..., reservations: _Optional[_Iterable[_Union[Reservation, _Mapping]]] = ..., tier_until: _Optional[str] = ..., qualifying_points: _Optional[int] = ..., next_tier: _Optional[str] = ..., next_tier_from_points: _Optional[int] = ...) -> None: ...

class PendingLot(_message.Message):
    __slots__ = ("activates_on", "expires_on", "points")
    ACTIVATES_ON_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_ON_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    activates_on: str
    expires_on: str
    points: int
    def __init__(self, activates_on: _Optional[str] = ..., expires_on: _Optional[str] = ..., points: _Optional[int] = ...) -> None: ...

class Reservation(_message.Message):
    __slots__ = ("reservation_id", "basket_id", "points_held", "points_promised", "expires_at")
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    BASKET_ID_FIELD_NUMBER: _ClassVar[int]
    POINTS_HELD_FIELD_NUMBER: _ClassVar[int]
    POINTS_PROMISED_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    reservation_id: str
    basket_id: str
    points_held: int
    points_promised: int
    expires_at: _timestamp_pb2.Timestamp
    def __init__(self, reservation_id: _Optional[str] = ..., basket_id: _Optional[str] = ..., points_held: _Optional[int] = ..., points_promised: _Optional[int] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

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

class AdjustPointsRequest(_message.Message):
    __slots__ = ("operation_id", "member_id", "points", "reason_code", "reason")
    OPERATION_ID_FIELD_NUMBER: _ClassVar[int]
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    operation_id: str
    member_id: str
    points: int
    reason_code: str
    reason: str
    def __init__(self, operation_id: _Optional[str] = ..., member_id: _Optional[str] = ..., points: _Optional[int] = ..., reason_code: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class AdjustPointsResponse(_message.Message):
    __slots__ = ("booked", "state", "member_version")
    BOOKED_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    MEMBER_VERSION_FIELD_NUMBER: _ClassVar[int]
    booked: bool
    state: _feed_pb2.MemberState
    member_version: int
    def __init__(self, booked: _Optional[bool] = ..., state: _Optional[_Union[_feed_pb2.MemberState, _Mapping]] = ..., member_version: _Optional[int] = ...) -> None: ...

class ListAdjustmentsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListAdjustmentsResponse(_message.Message):
    __slots__ = ("adjustments",)
    ADJUSTMENTS_FIELD_NUMBER: _ClassVar[int]
    adjustments: _containers.RepeatedCompositeFieldContainer[WaitingAdjustment]
    def __init__(self, adjustments: _Optional[_Iterable[_Union[WaitingAdjustment, _Mapping]]] = ...) -> None: ...

class WaitingAdjustment(_message.Message):
    __slots__ = ("operation_id", "member_id", "points", "reason_code", "reason", "asked_by", "asked_at", "approved_by")
    OPERATION_ID_FIELD_NUMBER: _ClassVar[int]
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ASKED_BY_FIELD_NUMBER: _ClassVar[int]
    ASKED_AT_FIELD_NUMBER: _ClassVar[int]
    APPROVED_BY_FIELD_NUMBER: _ClassVar[int]
    operation_id: str
    member_id: str
    points: int
    reason_code: str
    reason: str
    asked_by: str
    asked_at: _timestamp_pb2.Timestamp
    approved_by: str
    def __init__(self, operation_id: _Optional[str] = ..., member_id: _Optional[str] = ..., points: _Optional[int] = ..., reason_code: _Optional[str] = ..., reason: _Optional[str] = ..., asked_by: _Optional[str] = ..., asked_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., approved_by: _Optional[str] = ...) -> None: ...

class DecideAdjustmentRequest(_message.Message):
    __slots__ = ("operation_id", "approve")
    OPERATION_ID_FIELD_NUMBER: _ClassVar[int]
    APPROVE_FIELD_NUMBER: _ClassVar[int]
    operation_id: str
    approve: bool
    def __init__(self, operation_id: _Optional[str] = ..., approve: _Optional[bool] = ...) -> None: ...

class DecideAdjustmentResponse(_message.Message):
    __slots__ = ("booked", "state", "member_version")
    BOOKED_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    MEMBER_VERSION_FIELD_NUMBER: _ClassVar[int]
    booked: bool
    state: _feed_pb2.MemberState
    member_version: int
    def __init__(self, booked: _Optional[bool] = ..., state: _Optional[_Union[_feed_pb2.MemberState, _Mapping]] = ..., member_version: _Optional[int] = ...) -> None: ...

class MergeMembersRequest(_message.Message):
    __slots__ = ("operation_id", "survivor_id", "merged_id", "reason")
    OPERATION_ID_FIELD_NUMBER: _ClassVar[int]
    SURVIVOR_ID_FIELD_NUMBER: _ClassVar[int]
    MERGED_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    operation_id: str
    survivor_id: str
    merged_id: str
    reason: str
    def __init__(self, operation_id: _Optional[str] = ..., survivor_id: _Optional[str] = ..., merged_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class MergeMembersResponse(_message.Message):
    __slots__ = ("state", "member_version")
    STATE_FIELD_NUMBER: _ClassVar[int]
    MEMBER_VERSION_FIELD_NUMBER: _ClassVar[int]
    state: _feed_pb2.MemberState
    member_version: int
    def __init__(self, state: _Optional[_Union[_feed_pb2.MemberState, _Mapping]] = ..., member_version: _Optional[int] = ...) -> None: ...

class ChangeCardsRequest(_message.Message):
    __slots__ = ("operation_id", "member_id", "lost_card", "new_card", "reason")
    OPERATION_ID_FIELD_NUMBER: _ClassVar[int]
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    LOST_CARD_FIELD_NUMBER: _ClassVar[int]
    NEW_CARD_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    operation_id: str
    member_id: str
    lost_card: str
    new_card: str
    reason: str
    def __init__(self, operation_id: _Optional[str] = ..., member_id: _Optional[str] = ..., lost_card: _Optional[str] = ..., new_card: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class ChangeCardsResponse(_message.Message):
    __slots__ = ("state", "member_version")
    STATE_FIELD_NUMBER: _ClassVar[int]
    MEMBER_VERSION_FIELD_NUMBER: _ClassVar[int]
    state: _feed_pb2.MemberState
    member_version: int
    def __init__(self, state: _Optional[_Union[_feed_pb2.MemberState, _Mapping]] = ..., member_version: _Optional[int] = ...) -> None: ...
