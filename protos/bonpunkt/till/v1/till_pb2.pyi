import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Limit(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LIMIT_UNSPECIFIED: _ClassVar[Limit]
    LIMIT_POINTS: _ClassVar[Limit]
    LIMIT_SHARE_OF_BASKET: _ClassVar[Limit]
    LIMIT_MINIMUM: _ClassVar[Limit]

class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REASON_UNSPECIFIED: _ClassVar[Reason]
    REASON_MALFORMED: _ClassVar[Reason]
    REASON_MALFORMED_ID: _ClassVar[Reason]
    REASON_BASKET_EMPTY: _ClassVar[Reason]
    REASON_BASKET_TOTAL_OVERFLOWS: _ClassVar[Reason]
    REASON_BASKET_TOTAL_NEGATIVE: _ClassVar[Reason]
    REASON_BASKET_TOTAL_DIFFERS: _ClassVar[Reason]
    REASON_CURRENCY_WRONG: _ClassVar[Reason]
    REASON_KEY_REUSED: _ClassVar[Reason]
    REASON_ABANDONED: _ClassVar[Reason]
    REASON_RECEIPT_REUSED: _ClassVar[Reason]
    REASON_CARD_NOT_ACCEPTED: _ClassVar[Reason]
    REASON_REDEMPTION_BELOW_MINIMUM: _ClassVar[Reason]
    REASON_REDEMPTION_NOT_A_STEP: _ClassVar[Reason]
    REASON_EXCEEDS_SHARE: _ClassVar[Reason]
    REASON_EXCEEDS_AVAILABLE: _ClassVar[Reason]
LIMIT_UNSPECIFIED: Limit
LIMIT_POINTS: Limit
LIMIT_SHARE_OF_BASKET: Limit
LIMIT_MINIMUM: Limit
REASON_UNSPECIFIED: Reason
REASON_MALFORMED: Reason
REASON_MALFORMED_ID: Reason
REASON_BASKET_EMPTY: Reason
REASON_BASKET_TOTAL_OVERFLOWS: Reason
REASON_BASKET_TOTAL_NEGATIVE: Reason
REASON_BASKET_TOTAL_DIFFERS: Reason
REASON_CURRENCY_WRONG: Reason
REASON_KEY_REUSED: Reason
REASON_ABANDONED: Reason
REASON_RECEIPT_REUSED: Reason
REASON_CARD_NOT_ACCEPTED: Reason
REASON_REDEMPTION_BELOW_MINIMUM: Reason
REASON_REDEMPTION_NOT_A_STEP: Reason
REASON_EXCEEDS_SHARE: Reason
REASON_EXCEEDS_AVAILABLE: Reason

class OpenRequest(_message.Message):
    __slots__ = ("operations",)
    OPERATIONS_FIELD_NUMBER: _ClassVar[int]
    operations: _containers.RepeatedCompositeFieldContainer[Operation]
    def __init__(self, operations: _Optional[_Iterable[_Union[Operation, _Mapping]]] = ...) -> None: ...

class OpenResponse(_message.Message):
    __slots__ = ("decisions",)
    DECISIONS_FIELD_NUMBER: _ClassVar[int]
    decisions: _containers.RepeatedCompositeFieldContainer[Decision]
    def __init__(self, decisions: _Optional[_Iterable[_Union[Decision, _Mapping]]] = ...) -> None: ...

class SubmitRequest(_message.Message):
    __slots__ = ("operations",)
    OPERATIONS_FIELD_NUMBER: _ClassVar[int]
    operations: _containers.RepeatedCompositeFieldContainer[Operation]
    def __init__(self, operations: _Optional[_Iterable[_Union[Operation, _Mapping]]] = ...) -> None: ...

class SubmitResponse(_message.Message):
    __slots__ = ("decisions",)
    DECISIONS_FIELD_NUMBER: _ClassVar[int]
    decisions: _containers.RepeatedCompositeFieldContainer[Decision]
    def __init__(self, decisions: _Optional[_Iterable[_Union[Decision, _Mapping]]] = ...) -> None: ...

class Operation(_message.Message):
    __slots__ = ("id", "occurred_at", "timeout_ms", "identify", "quote", "capture", "status", "abandon")
    ID_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    IDENTIFY_FIELD_NUMBER: _ClassVar[int]
    QUOTE_FIELD_NUMBER: _ClassVar[int]
    CAPTURE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ABANDON_FIELD_NUMBER: _ClassVar[int]
    id: str
    occurred_at: _timestamp_pb2.Timestamp
    timeout_ms: int
    identify: Identify
    quote: Quote
    capture: Capture
    status: Status
    abandon: Abandon
    def __init__(self, id: _Optional[str] = ..., occurred_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., timeout_ms: _Optional[int] = ..., identify: _Optional[_Union[Identify, _Mapping]] = ..., quote: _Optional[_Union[Quote, _Mapping]] = ..., capture: _Optional[_Union[Capture, _Mapping]] = ..., status: _Optional[_Union[Status, _Mapping]] = ..., abandon: _Optional[_Union[Abandon, _Mapping]] = ...) -> None: ...

class Identify(_message.Message):
    __slots__ = ("card",)
    CARD_FIELD_NUMBER: _ClassVar[int]
    card: str
    def __init__(self, card: _Optional[str] = ...) -> None: ...

class Quote(_message.Message):
    __slots__ = ("card", "basket")
    CARD_FIELD_NUMBER: _ClassVar[int]
    BASKET_FIELD_NUMBER: _ClassVar[int]
    card: str
    basket: Basket
    def __init__(self, card: _Optional[str] = ..., basket: _Optional[_Union[Basket, _Mapping]] = ...) -> None: ...

class Capture(_message.Message):
    __slots__ = ("card", "basket", "redeem_points", "redeem_maximum")
    CARD_FIELD_NUMBER: _ClassVar[int]
    BASKET_FIELD_NUMBER: _ClassVar[int]
    REDEEM_POINTS_FIELD_NUMBER: _ClassVar[int]
    REDEEM_MAXIMUM_FIELD_NUMBER: _ClassVar[int]
    card: str
    basket: Basket
    redeem_points: int
    redeem_maximum: bool
    def __init__(self, card: _Optional[str] = ..., basket: _Optional[_Union[Basket, _Mapping]] = ..., redeem_points: _Optional[int] = ..., redeem_maximum: _Optional[bool] = ...) -> None: ...

class Status(_message.Message):
    __slots__ = ("operation_id",)
    OPERATION_ID_FIELD_NUMBER: _ClassVar[int]
    operation_id: str
    def __init__(self, operation_id: _Optional[str] = ...) -> None: ...

class Abandon(_message.Message):
    __slots__ = ("operation_id",)
    OPERATION_ID_FIELD_NUMBER: _ClassVar[int]
    operation_id: str
    def __init__(self, operation_id: _Optional[str] = ...) -> None: ...

class Basket(_message.Message):
    __slots__ = ("basket_id", "receipt_number", "business_date", "cashier", "currency", "total_minor", "line_items")
    BASKET_ID_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_NUMBER_FIELD_NUMBER: _ClassVar[int]
    BUSINESS_DATE_FIELD_NUMBER: _ClassVar[int]
    CASHIER_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    TOTAL_MINOR_FIELD_NUMBER: _ClassVar[int]
    LINE_ITEMS_FIELD_NUMBER: _ClassVar[int]
    basket_id: str
    receipt_number: str
    business_date: str
    cashier: str
    currency: str
    total_minor: int
    line_items: _containers.RepeatedCompositeFieldContainer[LineItem]
    def __init__(self, basket_id: _Optional[str] = ..., receipt_number: _Optional[str] = ..., business_date: _Optional[str] = ..., cashier: _Optional[str] = ..., currency: _Optional[str] = ..., total_minor: _Optional[int] = ..., line_items: _Optional[_Iterable[_Union[LineItem, _Mapping]]] = ...) -> None: ...

class LineItem(_message.Message):
    __slots__ = ("line_id", "article_number", "text", "category", "brand", "quantity_milli", "total_minor", "vat_rate_key")
    LINE_ID_FIELD_NUMBER: _ClassVar[int]
    ARTICLE_NUMBER_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    BRAND_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_MILLI_FIELD_NUMBER: _ClassVar[int]
    TOTAL_MINOR_FIELD_NUMBER: _ClassVar[int]
    VAT_RATE_KEY_FIELD_NUMBER: _ClassVar[int]
    line_id: str
    article_number: str
    text: str
    category: str
    brand: str
    quantity_milli: int
    total_minor: int
    vat_rate_key: str
    def __init__(self, line_id: _Optional[str] = ..., article_number: _Optional[str] = ..., text: _Optional[str] = ..., category: _Optional[str] = ..., brand: _Optional[str] = ..., quantity_milli: _Optional[int] = ..., total_minor: _Optional[int] = ..., vat_rate_key: _Optional[str] = ...) -> None: ...

class Decision(_message.Message):
    __slots__ = ("operation_id", "effective_at", "identified", "quoted", "captured", "status_found", "abandoned", "refused", "undecided")
    OPERATION_ID_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_AT_FIELD_NUMBER: _ClassVar[int]
    IDENTIFIED_FIELD_NUMBER: _ClassVar[int]
    QUOTED_FIELD_NUMBER: _ClassVar[int]
    CAPTURED_FIELD_NUMBER: _ClassVar[int]
    STATUS_FOUND_FIELD_NUMBER: _ClassVar[int]
    ABANDONED_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    UNDECIDED_FIELD_NUMBER: _ClassVar[int]
    operation_id: str
    effective_at: _timestamp_pb2.Timestamp
    identified: Identified
    quoted: Quoted
    captured: Captured
    status_found: StatusFound
    abandoned: Abandoned
    refused: Refused
    undecided: Undecided
    def __init__(self, operation_id: _Optional[str] = ..., effective_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., identified: _Optional[_Union[Identified, _Mapping]] = ..., quoted: _Optional[_Union[Quoted, _Mapping]] = ..., captured: _Optional[_Union[Captured, _Mapping]] = ..., status_found: _Optional[_Union[StatusFound, _Mapping]] = ..., abandoned: _Optional[_Union[Abandoned, _Mapping]] = ..., refused: _Optional[_Union[Refused, _Mapping]] = ..., undecided: _Optional[_Union[Undecided, _Mapping]] = ...) -> None: ...

class MemberSummary(_message.Message):
    __slots__ = ("member_id", "member_version", "points", "available", "language")
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    MEMBER_VERSION_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    member_id: str
    member_version: int
    points: int
    available: int
    language: str
    def __init__(self, member_id: _Optional[str] = ..., member_version: _Optional[int] = ..., points: _Optional[int] = ..., available: _Optional[int] = ..., language: _Optional[str] = ...) -> None: ...

class Identified(_message.Message):
    __slots__ = ("member",)
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    member: MemberSummary
    def __init__(self, member: _Optional[_Union[MemberSummary, _Mapping]] = ...) -> None: ...

class Quoted(_message.Message):
    __slots__ = ("member", "points_earned", "points_redeemable", "discount_minor", "points_earned_at_maximum", "limit", "points_minimum", "points_step")
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    POINTS_EARNED_FIELD_NUMBER: _ClassVar[int]
    POINTS_REDEEMABLE_FIELD_NUMBER: _ClassVar[int]
    DISCOUNT_MINOR_FIELD_NUMBER: _ClassVar[int]
    POINTS_EARNED_AT_MAXIMUM_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    POINTS_MINIMUM_FIELD_NUMBER: _ClassVar[int]
    POINTS_STEP_FIELD_NUMBER: _ClassVar[int]
    member: MemberSummary
    points_earned: int
    points_redeemable: int
    discount_minor: int
    points_earned_at_maximum: int
    limit: Limit
    points_minimum: int
    points_step: int
    def __init__(self, member: _Optional[_Union[MemberSummary, _Mapping]] = ..., points_earned: _Optional[int] = ..., points_redeemable: _Optional[int] = ..., discount_minor: _Optional[int] = ..., points_earned_at_maximum: _Optional[int] = ..., limit: _Optional[_Union[Limit, str]] = ..., points_minimum: _Optional[int] = ..., points_step: _Optional[int] = ...) -> None: ...

class Captured(_message.Message):
    __slots__ = ("member", "points_earned", "points_redeemed", "points_redeemed_from_basket", "discount_minor", "line_discounts", "vat_discounts", "receipt_lines")
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    POINTS_EARNED_FIELD_NUMBER: _ClassVar[int]
    POINTS_REDEEMED_FIELD_NUMBER: _ClassVar[int]
    POINTS_REDEEMED_FROM_BASKET_FIELD_NUMBER: _ClassVar[int]
    DISCOUNT_MINOR_FIELD_NUMBER: _ClassVar[int]
    LINE_DISCOUNTS_FIELD_NUMBER: _ClassVar[int]
    VAT_DISCOUNTS_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_LINES_FIELD_NUMBER: _ClassVar[int]
    member: MemberSummary
    points_earned: int
    points_redeemed: int
    points_redeemed_from_basket: int
    discount_minor: int
    line_discounts: _containers.RepeatedCompositeFieldContainer[LineDiscount]
    vat_discounts: _containers.RepeatedCompositeFieldContainer[VatDiscount]
    receipt_lines: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, member: _Optional[_Union[MemberSummary, _Mapping]] = ..., points_earned: _Optional[int] = ..., points_redeemed: _Optional[int] = ..., points_redeemed_from_basket: _Optional[int] = ..., discount_minor: _Optional[int] = ..., line_discounts: _Optional[_Iterable[_Union[LineDiscount, _Mapping]]] = ..., vat_discounts: _Optional[_Iterable[_Union[VatDiscount, _Mapping]]] = ..., receipt_lines: _Optional[_Iterable[str]] = ...) -> None: ...

class LineDiscount(_message.Message):
    __slots__ = ("line_id", "discount_minor")
    LINE_ID_FIELD_NUMBER: _ClassVar[int]
    DISCOUNT_MINOR_FIELD_NUMBER: _ClassVar[int]
    line_id: str
    discount_minor: int
    def __init__(self, line_id: _Optional[str] = ..., discount_minor: _Optional[int] = ...) -> None: ...

class VatDiscount(_message.Message):
    __slots__ = ("vat_rate_key", "discount_minor", "gross_minor", "gross_after_minor")
    VAT_RATE_KEY_FIELD_NUMBER: _ClassVar[int]
    DISCOUNT_MINOR_FIELD_NUMBER: _ClassVar[int]
    GROSS_MINOR_FIELD_NUMBER: _ClassVar[int]
    GROSS_AFTER_MINOR_FIELD_NUMBER: _ClassVar[int]
    vat_rate_key: str
    discount_minor: int
    gross_minor: int
    gross_after_minor: int
    def __init__(self, vat_rate_key: _Optional[str] = ..., discount_minor: _Optional[int] = ..., gross_minor: _Optional[int] = ..., gross_after_minor: _Optional[int] = ...) -> None: ...

class StatusFound(_message.Message):
    __slots__ = ("state", "decision")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[StatusFound.State]
        STATE_UNKNOWN: _ClassVar[StatusFound.State]
        STATE_DECIDED: _ClassVar[StatusFound.State]
        STATE_ABANDONED: _ClassVar[StatusFound.State]
    STATE_UNSPECIFIED: StatusFound.State
    STATE_UNKNOWN: StatusFound.State
    STATE_DECIDED: StatusFound.State
    STATE_ABANDONED: StatusFound.State
    STATE_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    state: StatusFound.State
    decision: Decision
    def __init__(self, state: _Optional[_Union[StatusFound.State, str]] = ..., decision: _Optional[_Union[Decision, _Mapping]] = ...) -> None: ...

class Abandoned(_message.Message):
    __slots__ = ("abandoned", "decision")
    ABANDONED_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    abandoned: bool
    decision: Decision
    def __init__(self, abandoned: _Optional[bool] = ..., decision: _Optional[_Union[Decision, _Mapping]] = ...) -> None: ...

class Refused(_message.Message):
    __slots__ = ("reason", "field", "remedy", "points_maximum")
    REASON_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    REMEDY_FIELD_NUMBER: _ClassVar[int]
    POINTS_MAXIMUM_FIELD_NUMBER: _ClassVar[int]
    reason: Reason
    field: str
    remedy: str
    points_maximum: int
    def __init__(self, reason: _Optional[_Union[Reason, str]] = ..., field: _Optional[str] = ..., remedy: _Optional[str] = ..., points_maximum: _Optional[int] = ...) -> None: ...

class Undecided(_message.Message):
    __slots__ = ("cause", "remedy")
    class Cause(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        CAUSE_UNSPECIFIED: _ClassVar[Undecided.Cause]
        CAUSE_OVERLOADED: _ClassVar[Undecided.Cause]
        CAUSE_UNAVAILABLE: _ClassVar[Undecided.Cause]
        CAUSE_EXPIRED: _ClassVar[Undecided.Cause]
        CAUSE_ANSWER_LOST: _ClassVar[Undecided.Cause]
    CAUSE_UNSPECIFIED: Undecided.Cause
    CAUSE_OVERLOADED: Undecided.Cause
    CAUSE_UNAVAILABLE: Undecided.Cause
    CAUSE_EXPIRED: Undecided.Cause
    CAUSE_ANSWER_LOST: Undecided.Cause
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    REMEDY_FIELD_NUMBER: _ClassVar[int]
    cause: Undecided.Cause
    remedy: str
    def __init__(self, cause: _Optional[_Union[Undecided.Cause, str]] = ..., remedy: _Optional[str] = ...) -> None: ...
