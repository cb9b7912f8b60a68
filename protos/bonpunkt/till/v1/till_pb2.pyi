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
    REASON_CARD_TAKEN: _ClassVar[Reason]
    REASON_RECEIPT_UNKNOWN: _ClassVar[Reason]
    REASON_RESERVATION_UNKNOWN: _ClassVar[Reason]
    REASON_CARD_NOT_ACCEPTED: _ClassVar[Reason]
    REASON_REDEMPTION_BELOW_MINIMUM: _ClassVar[Reason]
    REASON_REDEMPTION_NOT_A_STEP: _ClassVar[Reason]
    REASON_EXCEEDS_SHARE: _ClassVar[Reason]
    REASON_EXCEEDS_AVAILABLE: _ClassVar[Reason]
    REASON_RESERVATION_ENDED: _ClassVar[Reason]
    REASON_RECEIPT_VOIDED: _ClassVar[Reason]
    REASON_RECEIPT_RETURNED: _ClassVar[Reason]
    REASON_VOID_TOO_LATE: _ClassVar[Reason]
    REASON_EXCEEDS_RETURNABLE: _ClassVar[Reason]
    REASON_RECEIPT_TOO_OLD: _ClassVar[Reason]
    REASON_MEMBER_ERASED: _ClassVar[Reason]
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
REASON_CARD_TAKEN: Reason
REASON_RECEIPT_UNKNOWN: Reason
REASON_RESERVATION_UNKNOWN: Reason
REASON_CARD_NOT_ACCEPTED: Reason
REASON_REDEMPTION_BELOW_MINIMUM: Reason
REASON_REDEMPTION_NOT_A_STEP: Reason
REASON_EXCEEDS_SHARE: Reason
REASON_EXCEEDS_AVAILABLE: Reason
REASON_RESERVATION_ENDED: Reason
REASON_RECEIPT_VOIDED: Reason
REASON_RECEIPT_RETURNED: Reason
REASON_VOID_TOO_LATE: Reason
REASON_EXCEEDS_RETURNABLE: Reason
REASON_RECEIPT_TOO_OLD: Reason
REASON_MEMBER_ERASED: Reason

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
    __slots__ = ("id", "occurred_at", "timeout_ms", "identify", "quote", "capture", "status", "abandon", "reserve", "release", "void_receipt", "return_items", "enrol")
    ID_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    IDENTIFY_FIELD_NUMBER: _ClassVar[int]
    QUOTE_FIELD_NUMBER: _ClassVar[int]
    CAPTURE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ABANDON_FIELD_NUMBER: _ClassVar[int]
    RESERVE_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    VOID_RECEIPT_FIELD_NUMBER: _ClassVar[int]
    RETURN_ITEMS_FIELD_NUMBER: _ClassVar[int]
    ENROL_FIELD_NUMBER: _ClassVar[int]
    id: str
    occurred_at: _timestamp_pb2.Timestamp
    timeout_ms: int
    identify: Identify
    quote: Quote
    capture: Capture
    status: Status
    abandon: Abandon
    reserve: Reserve
    release: Release
    void_receipt: Void
    return_items: Return
    enrol: Enrol
    def __init__(self, id: _Optional[str] = ..., occurred_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., timeout_ms: _Optional[int] = ..., identify: _Optional[_Union[Identify, _Mapping]] = ..., quote: _Optional[_Union[Quote, _Mapping]] = ..., capture: _Optional[_Union[Capture, _Mapping]] = ..., status: _Optional[_Union[Status, _Mapping]] = ..., abandon: _Optional[_Union[Abandon, _Mapping]] = ..., reserve: _Optional[_Union[Reserve, _Mapping]] = ..., release: _Optional[_Union[Release, _Mapping]] = ..., void_receipt: _Optional[_Union[Void, _Mapping]] = ..., return_items: _Optional[_Union[Return, _Mapping]] = ..., enrol: _Optional[_Union[Enrol, _Mapping]] = ...) -> None: ...

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
    __slots__ = ("card", "basket", "redeem_points", "redeem_maximum", "reservation_id")
    CARD_FIELD_NUMBER: _ClassVar[int]
    BASKET_FIELD_NUMBER: _ClassVar[int]
    REDEEM_POINTS_FIELD_NUMBER: _ClassVar[int]
    REDEEM_MAXIMUM_FIELD_NUMBER: _ClassVar[int]
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    card: str
    basket: Basket
    redeem_points: int
    redeem_maximum: bool
    reservation_id: str
    def __init__(self, card: _Optional[str] = ..., basket: _Optional[_Union[Basket, _Mapping]] = ..., redeem_points: _Optional[int] = ..., redeem_maximum: _Optional[bool] = ..., reservation_id: _Optional[str] = ...) -> None: ...

class Reserve(_message.Message):
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

class Release(_message.Message):
    __slots__ = ("reservation_id",)
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    reservation_id: str
    def __init__(self, reservation_id: _Optional[str] = ...) -> None: ...

class Void(_message.Message):
    __slots__ = ("receipt", "business_date", "cashier")
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    BUSINESS_DATE_FIELD_NUMBER: _ClassVar[int]
    CASHIER_FIELD_NUMBER: _ClassVar[int]
    receipt: ReceiptReference
    business_date: str
    cashier: str
    def __init__(self, receipt: _Optional[_Union[ReceiptReference, _Mapping]] = ..., business_date: _Optional[str] = ..., cashier: _Optional[str] = ...) -> None: ...

class Return(_message.Message):
    __slots__ = ("receipt", "lines", "receipt_number", "business_date", "cashier")
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_NUMBER_FIELD_NUMBER: _ClassVar[int]
    BUSINESS_DATE_FIELD_NUMBER: _ClassVar[int]
    CASHIER_FIELD_NUMBER: _ClassVar[int]
    receipt: ReceiptReference
    lines: _containers.RepeatedCompositeFieldContainer[ReturnLine]
    receipt_number: str
    business_date: str
    cashier: str
    def __init__(self, receipt: _Optional[_Union[ReceiptReference, _Mapping]] = ..., lines: _Optional[_Iterable[_Union[ReturnLine, _Mapping]]] = ..., receipt_number: _Optional[str] = ..., business_date: _Optional[str] = ..., cashier: _Optional[str] = ...) -> None: ...

class ReturnLine(_message.Message):
    __slots__ = ("line_id", "quantity_milli")
    LINE_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_MILLI_FIELD_NUMBER: _ClassVar[int]
    line_id: str
    quantity_milli: int
    def __init__(self, line_id: _Optional[str] = ..., quantity_milli: _Optional[int] = ...) -> None: ...

class ReceiptReference(_message.Message):
    __slots__ = ("terminal_id", "business_date", "receipt_number", "capture_id")
    TERMINAL_ID_FIELD_NUMBER: _ClassVar[int]
    BUSINESS_DATE_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_NUMBER_FIELD_NUMBER: _ClassVar[int]
    CAPTURE_ID_FIELD_NUMBER: _ClassVar[int]
    terminal_id: str
    business_date: str
    receipt_number: str
    capture_id: str
    def __init__(self, terminal_id: _Optional[str] = ..., business_date: _Optional[str] = ..., receipt_number: _Optional[str] = ..., capture_id: _Optional[str] = ...) -> None: ...

class Enrol(_message.Message):
    __slots__ = ("card", "language")
    CARD_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    card: str
    language: str
    def __init__(self, card: _Optional[str] = ..., language: _Optional[str] = ...) -> None: ...

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
    __slots__ = ("operation_id", "effective_at", "identified", "quoted", "captured", "status_found", "abandoned", "reservation", "released", "voided", "returned", "enrolled", "refused", "undecided")
    OPERATION_ID_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_AT_FIELD_NUMBER: _ClassVar[int]
    IDENTIFIED_FIELD_NUMBER: _ClassVar[int]
    QUOTED_FIELD_NUMBER: _ClassVar[int]
    CAPTURED_FIELD_NUMBER: _ClassVar[int]
    STATUS_FOUND_FIELD_NUMBER: _ClassVar[int]
    ABANDONED_FIELD_NUMBER: _ClassVar[int]
    RESERVATION_FIELD_NUMBER: _ClassVar[int]
    RELEASED_FIELD_NUMBER: _ClassVar[int]
    VOIDED_FIELD_NUMBER: _ClassVar[int]
    RETURNED_FIELD_NUMBER: _ClassVar[int]
    ENROLLED_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    UNDECIDED_FIELD_NUMBER: _ClassVar[int]
    operation_id: str
    effective_at: _timestamp_pb2.Timestamp
    identified: Identified
    quoted: Quoted
    captured: Captured
    status_found: StatusFound
    abandoned: Abandoned
    reservation: Reserved
    released: Released
    voided: Voided
    returned: Returned
    enrolled: Enrolled
    refused: Refused
    undecided: Undecided
    def __init__(self, operation_id: _Optional[str] = ..., effective_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., identified: _Optional[_Union[Identified, _Mapping]] = ..., quoted: _Optional[_Union[Quoted, _Mapping]] = ..., captured: _Optional[_Union[Captured, _Mapping]] = ..., status_found: _Optional[_Union[StatusFound, _Mapping]] = ..., abandoned: _Optional[_Union[Abandoned, _Mapping]] = ..., reservation: _Optional[_Union[Reserved, _Mapping]] = ..., released: _Optional[_Union[Released, _Mapping]] = ..., voided: _Optional[_Union[Voided, _Mapping]] = ..., returned: _Optional[_Union[Returned, _Mapping]] = ..., enrolled: _Optional[_Union[Enrolled, _Mapping]] = ..., refused: _Optional[_Union[Refused, _Mapping]] = ..., undecided: _Optional[_Union[Undecided, _Mapping]] = ...) -> None: ...

class MemberSummary(_message.Message):
    __slots__ = ("member_id", "member_version", "points", "available", "language", "pending", "tier")
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    MEMBER_VERSION_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    PENDING_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    member_id: str
    member_version: int
    points: int
    available: int
    language: str
    pending: int
    tier: str
    def __init__(self, member_id: _Optional[str] = ..., member_version: _Optional[int] = ..., points: _Optional[int] = ..., available: _Optional[int] = ..., language: _Optional[str] = ..., pending: _Optional[int] = ..., tier: _Optional[str] = ...) -> None: ...

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
    __slots__ = ("member", "points_earned", "points_redeemed", "points_redeemed_from_basket", "discount_minor", "line_discounts", "vat_discounts", "receipt_lines", "points_pending", "points_settled")
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    POINTS_EARNED_FIELD_NUMBER: _ClassVar[int]
    POINTS_REDEEMED_FIELD_NUMBER: _ClassVar[int]
    POINTS_REDEEMED_FROM_BASKET_FIELD_NUMBER: _ClassVar[int]
    DISCOUNT_MINOR_FIELD_NUMBER: _ClassVar[int]
    LINE_DISCOUNTS_FIELD_NUMBER: _ClassVar[int]
    VAT_DISCOUNTS_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_LINES_FIELD_NUMBER: _ClassVar[int]
    POINTS_PENDING_FIELD_NUMBER: _ClassVar[int]
    POINTS_SETTLED_FIELD_NUMBER: _ClassVar[int]
    member: MemberSummary
    points_earned: int
    points_redeemed: int
    points_redeemed_from_basket: int
    discount_minor: int
    line_discounts: _containers.RepeatedCompositeFieldContainer[LineDiscount]
    vat_discounts: _containers.RepeatedCompositeFieldContainer[VatDiscount]
    receipt_lines: _containers.RepeatedScalarFieldContainer[str]
    points_pending: int
    points_settled: int
    def __init__(self, member: _Optional[_Union[MemberSummary, _Mapping]] = ..., points_earned: _Optional[int] = ..., points_redeemed: _Optional[int] = ..., points_redeemed_from_basket: _Optional[int] = ..., discount_minor: _Optional[int] = ..., line_discounts: _Optional[_Iterable[_Union[LineDiscount, _Mapping]]] = ..., vat_discounts: _Optional[_Iterable[_Union[VatDiscount, _Mapping]]] = ..., receipt_lines: _Optional[_Iterable[str]] = ..., points_pending: _Optional[int] = ..., points_settled: _Optional[int] = ...) -> None: ...

class Reserved(_message.Message):
    __slots__ = ("member", "points", "points_held", "points_promised", "discount_minor", "line_discounts", "vat_discounts", "expires_at")
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    POINTS_HELD_FIELD_NUMBER: _ClassVar[int]
    POINTS_PROMISED_FIELD_NUMBER: _ClassVar[int]
    DISCOUNT_MINOR_FIELD_NUMBER: _ClassVar[int]
    LINE_DISCOUNTS_FIELD_NUMBER: _ClassVar[int]
    VAT_DISCOUNTS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    member: MemberSummary
    points: int
    points_held: int
    points_promised: int
    discount_minor: int
    line_discounts: _containers.RepeatedCompositeFieldContainer[LineDiscount]
    vat_discounts: _containers.RepeatedCompositeFieldContainer[VatDiscount]
    expires_at: _timestamp_pb2.Timestamp
    def __init__(self, member: _Optional[_Union[MemberSummary, _Mapping]] = ..., points: _Optional[int] = ..., points_held: _Optional[int] = ..., points_promised: _Optional[int] = ..., discount_minor: _Optional[int] = ..., line_discounts: _Optional[_Iterable[_Union[LineDiscount, _Mapping]]] = ..., vat_discounts: _Optional[_Iterable[_Union[VatDiscount, _Mapping]]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Released(_message.Message):
    __slots__ = ("member", "points_held")
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    POINTS_HELD_FIELD_NUMBER: _ClassVar[int]
    member: MemberSummary
    points_held: int
    def __init__(self, member: _Optional[_Union[MemberSummary, _Mapping]] = ..., points_held: _Optional[int] = ...) -> None: ...

class Voided(_message.Message):
    __slots__ = ("member", "points_restored", "points_taken_back", "points_owed", "points_let_go")
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    POINTS_RESTORED_FIELD_NUMBER: _ClassVar[int]
    POINTS_TAKEN_BACK_FIELD_NUMBER: _ClassVar[int]
    POINTS_OWED_FIELD_NUMBER: _ClassVar[int]
    POINTS_LET_GO_FIELD_NUMBER: _ClassVar[int]
    member: MemberSummary
    points_restored: int
    points_taken_back: int
    points_owed: int
    points_let_go: int
    def __init__(self, member: _Optional[_Union[MemberSummary, _Mapping]] = ..., points_restored: _Optional[int] = ..., points_taken_back: _Optional[int] = ..., points_owed: _Optional[int] = ..., points_let_go: _Optional[int] = ...) -> None: ...

class Returned(_message.Message):
    __slots__ = ("member", "refund_minor", "discount_minor", "refund_money_minor", "line_refunds", "vat_refunds", "points_restored", "points_taken_back", "points_owed", "points_let_go", "complete")
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    REFUND_MINOR_FIELD_NUMBER: _ClassVar[int]
    DISCOUNT_MINOR_FIELD_NUMBER: _ClassVar[int]
    REFUND_MONEY_MINOR_FIELD_NUMBER: _ClassVar[int]
    LINE_REFUNDS_FIELD_NUMBER: _ClassVar[int]
    VAT_REFUNDS_FIELD_NUMBER: _ClassVar[int]
    POINTS_RESTORED_FIELD_NUMBER: _ClassVar[int]
    POINTS_TAKEN_BACK_FIELD_NUMBER: _ClassVar[int]
    POINTS_OWED_FIELD_NUMBER: _ClassVar[int]
    POINTS_LET_GO_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    member: MemberSummary
    refund_minor: int
    discount_minor: int
    refund_money_minor: int
    line_refunds: _containers.RepeatedCompositeFieldContainer[LineRefund]
    vat_refunds: _containers.RepeatedCompositeFieldContainer[VatRefund]
    points_restored: int
    points_taken_back: int
    points_owed: int
    points_let_go: int
    complete: bool
    def __init__(self, member: _Optional[_Union[MemberSummary, _Mapping]] = ..., refund_minor: _Optional[int] = ..., discount_minor: _Optional[int] = ..., refund_money_minor: _Optional[int] = ..., line_refunds: _Optional[_Iterable[_Union[LineRefund, _Mapping]]] = ..., vat_refunds: _Optional[_Iterable[_Union[VatRefund, _Mapping]]] = ..., points_restored: _Optional[int] = ..., points_taken_back: _Optional[int] = ..., points_owed: _Optional[int] = ..., points_let_go: _Optional[int] = ..., complete: _Optional[bool] = ...) -> None: ...

class LineRefund(_message.Message):
    __slots__ = ("line_id", "quantity_milli", "refund_minor", "discount_minor")
    LINE_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_MILLI_FIELD_NUMBER: _ClassVar[int]
    REFUND_MINOR_FIELD_NUMBER: _ClassVar[int]
    DISCOUNT_MINOR_FIELD_NUMBER: _ClassVar[int]
    line_id: str
    quantity_milli: int
    refund_minor: int
    discount_minor: int
    def __init__(self, line_id: _Optional[str] = ..., quantity_milli: _Optional[int] = ..., refund_minor: _Optional[int] = ..., discount_minor: _Optional[int] = ...) -> None: ...

class VatRefund(_message.Message):
    __slots__ = ("vat_rate_key", "refund_minor", "discount_minor", "refund_money_minor")
    VAT_RATE_KEY_FIELD_NUMBER: _ClassVar[int]
    REFUND_MINOR_FIELD_NUMBER: _ClassVar[int]
    DISCOUNT_MINOR_FIELD_NUMBER: _ClassVar[int]
    REFUND_MONEY_MINOR_FIELD_NUMBER: _ClassVar[int]
    vat_rate_key: str
    refund_minor: int
    discount_minor: int
    refund_money_minor: int
    def __init__(self, vat_rate_key: _Optional[str] = ..., refund_minor: _Optional[int] = ..., discount_minor: _Optional[int] = ..., refund_money_minor: _Optional[int] = ...) -> None: ...

class Enrolled(_message.Message):
    __slots__ = ("member",)
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    member: MemberSummary
    def __init__(self, member: _Optional[_Union[MemberSummary, _Mapping]] = ...) -> None: ...

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
