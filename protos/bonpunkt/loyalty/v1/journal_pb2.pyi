import datetime

from bonpunkt.loyalty.v1 import feed_pb2 as _feed_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ListRecentRequest(_message.Message):
    __slots__ = ("page_size",)
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    def __init__(self, page_size: _Optional[int] = ...) -> None: ...

class ListRecentResponse(_message.Message):
    __slots__ = ("entries",)
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[_feed_pb2.JournalEntry]
    def __init__(self, entries: _Optional[_Iterable[_Union[_feed_pb2.JournalEntry, _Mapping]]] = ...) -> None: ...

class ListForMemberRequest(_message.Message):
    __slots__ = ("member_id", "page_size", "page_token")
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    member_id: str
    page_size: int
    page_token: str
    def __init__(self, member_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListForMemberResponse(_message.Message):
    __slots__ = ("entries", "next_page_token")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[_feed_pb2.JournalEntry]
    next_page_token: str
    def __init__(self, entries: _Optional[_Iterable[_Union[_feed_pb2.JournalEntry, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetEntryRequest(_message.Message):
    __slots__ = ("bucket", "sequence")
    BUCKET_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    bucket: int
    sequence: int
    def __init__(self, bucket: _Optional[int] = ..., sequence: _Optional[int] = ...) -> None: ...

class GetEntryResponse(_message.Message):
    __slots__ = ("entry", "decision_json", "movements_json", "facts_json", "basket_json", "receipt_number", "business_date", "programme_json")
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    DECISION_JSON_FIELD_NUMBER: _ClassVar[int]
    MOVEMENTS_JSON_FIELD_NUMBER: _ClassVar[int]
    FACTS_JSON_FIELD_NUMBER: _ClassVar[int]
    BASKET_JSON_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_NUMBER_FIELD_NUMBER: _ClassVar[int]
    BUSINESS_DATE_FIELD_NUMBER: _ClassVar[int]
    PROGRAMME_JSON_FIELD_NUMBER: _ClassVar[int]
    entry: _feed_pb2.JournalEntry
    decision_json: str
    movements_json: str
    facts_json: str
    basket_json: str
    receipt_number: str
    business_date: str
    programme_json: str
    def __init__(self, entry: _Optional[_Union[_feed_pb2.JournalEntry, _Mapping]] = ..., decision_json: _Optional[str] = ..., movements_json: _Optional[str] = ..., facts_json: _Optional[str] = ..., basket_json: _Optional[str] = ..., receipt_number: _Optional[str] = ..., business_date: _Optional[str] = ..., programme_json: _Optional[str] = ...) -> None: ...

class GetOverviewRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetOverviewResponse(_message.Message):
    __slots__ = ("members", "journal_entries", "captures", "liability_points", "issued_points", "redeemed_points", "expired_points", "same_basket_redemptions", "programme_name", "programme_version", "currency", "value_points", "value_minor", "time_zone", "epoch", "member_changes", "refusals", "adjust_limit_points")
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    JOURNAL_ENTRIES_FIELD_NUMBER: _ClassVar[int]
    CAPTURES_FIELD_NUMBER: _ClassVar[int]
    LIABILITY_POINTS_FIELD_NUMBER: _ClassVar[int]
    ISSUED_POINTS_FIELD_NUMBER: _ClassVar[int]
    REDEEMED_POINTS_FIELD_NUMBER: _ClassVar[int]
    EXPIRED_POINTS_FIELD_NUMBER: _ClassVar[int]
    SAME_BASKET_REDEMPTIONS_FIELD_NUMBER: _ClassVar[int]
    PROGRAMME_NAME_FIELD_NUMBER: _ClassVar[int]
    PROGRAMME_VERSION_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    VALUE_POINTS_FIELD_NUMBER: _ClassVar[int]
    VALUE_MINOR_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    MEMBER_CHANGES_FIELD_NUMBER: _ClassVar[int]
    REFUSALS_FIELD_NUMBER: _ClassVar[int]
    ADJUST_LIMIT_POINTS_FIELD_NUMBER: _ClassVar[int]
    members: int
    journal_entries: int
    captures: int
    liability_points: int
    issued_points: int
    redeemed_points: int
    expired_points: int
    same_basket_redemptions: int
    programme_name: str
    programme_version: int
    currency: str
    value_points: int
    value_minor: int
    time_zone: str
    epoch: int
    member_changes: int
    refusals: int
    adjust_limit_points: int
    def __init__(self, members: _Optional[int] = ..., journal_entries: _Optional[int] = ..., captures: _Optional[int] = ..., liability_points: _Optional[int] = ..., issued_points: _Optional[int] = ..., redeemed_points: _Optional[int] = ..., expired_points: _Optional[int] = ..., same_basket_redemptions: _Optional[int] = ..., programme_name: _Optional[str] = ..., programme_version: _Optional[int] = ..., currency: _Optional[str] = ..., value_points: _Optional[int] = ..., value_minor: _Optional[int] = ..., time_zone: _Optional[str] = ..., epoch: _Optional[int] = ..., member_changes: _Optional[int] = ..., refusals: _Optional[int] = ..., adjust_limit_points: _Optional[int] = ...) -> None: ...

class GetStatementRequest(_message.Message):
    __slots__ = ("member_id", "from_date", "to_date")
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    FROM_DATE_FIELD_NUMBER: _ClassVar[int]
    TO_DATE_FIELD_NUMBER: _ClassVar[int]
    member_id: str
    from_date: str
    to_date: str
    def __init__(self, member_id: _Optional[str] = ..., from_date: _Optional[str] = ..., to_date: _Optional[str] = ...) -> None: ...

class GetStatementResponse(_message.Message):
    __slots__ = ("opening", "lines", "closing", "time_zone")
    OPENING_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    CLOSING_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    opening: Balances
    lines: _containers.RepeatedCompositeFieldContainer[StatementLine]
    closing: Balances
    time_zone: str
    def __init__(self, opening: _Optional[_Union[Balances, _Mapping]] = ..., lines: _Optional[_Iterable[_Union[StatementLine, _Mapping]]] = ..., closing: _Optional[_Union[Balances, _Mapping]] = ..., time_zone: _Optional[str] = ...) -> None: ...

class Balances(_message.Message):
    __slots__ = ("points", "pending", "receivable")
    POINTS_FIELD_NUMBER: _ClassVar[int]
    PENDING_FIELD_NUMBER: _ClassVar[int]
    RECEIVABLE_FIELD_NUMBER: _ClassVar[int]
    points: int
    pending: int
    receivable: int
    def __init__(self, points: _Optional[int] = ..., pending: _Optional[int] = ..., receivable: _Optional[int] = ...) -> None: ...

class StatementLine(_message.Message):
    __slots__ = ("bucket", "sequence", "operation_id", "kind", "effective_at", "store_id", "terminal_id", "receipt_number", "change", "balance")
    BUCKET_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    OPERATION_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_AT_FIELD_NUMBER: _ClassVar[int]
    STORE_ID_FIELD_NUMBER: _ClassVar[int]
    TERMINAL_ID_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_NUMBER_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    BALANCE_FIELD_NUMBER: _ClassVar[int]
    bucket: int
    sequence: int
    operation_id: str
    kind: str
    effective_at: _timestamp_pb2.Timestamp
    store_id: str
    terminal_id: str
    receipt_number: str
    change: Balances
    balance: Balances
    def __init__(self, bucket: _Optional[int] = ..., sequence: _Optional[int] = ..., operation_id: _Optional[str] = ..., kind: _Optional[str] = ..., effective_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., store_id: _Optional[str] = ..., terminal_id: _Optional[str] = ..., receipt_number: _Optional[str] = ..., change: _Optional[_Union[Balances, _Mapping]] = ..., balance: _Optional[_Union[Balances, _Mapping]] = ...) -> None: ...

class GetEndOfDayRequest(_message.Message):
    __slots__ = ("terminal_id", "business_date")
    TERMINAL_ID_FIELD_NUMBER: _ClassVar[int]
    BUSINESS_DATE_FIELD_NUMBER: _ClassVar[int]
    terminal_id: str
    business_date: str
    def __init__(self, terminal_id: _Optional[str] = ..., business_date: _Optional[str] = ...) -> None: ...

class GetEndOfDayResponse(_message.Message):
    __slots__ = ("terminals",)
    TERMINALS_FIELD_NUMBER: _ClassVar[int]
    terminals: _containers.RepeatedCompositeFieldContainer[TerminalDay]
    def __init__(self, terminals: _Optional[_Iterable[_Union[TerminalDay, _Mapping]]] = ...) -> None: ...

class TerminalDay(_message.Message):
    __slots__ = ("terminal_id", "store_id", "captures", "basket_minor", "points_earned", "points_redeemed", "discount_minor", "voids", "voided_basket_minor", "returns", "refund_minor", "refund_money_minor", "points_restored", "points_taken_back", "enrolments", "refusals", "voided_discount_minor")
    TERMINAL_ID_FIELD_NUMBER: _ClassVar[int]
    STORE_ID_FIELD_NUMBER: _ClassVar[int]
    CAPTURES_FIELD_NUMBER: _ClassVar[int]
    BASKET_MINOR_FIELD_NUMBER: _ClassVar[int]
    POINTS_EARNED_FIELD_NUMBER: _ClassVar[int]
    POINTS_REDEEMED_FIELD_NUMBER: _ClassVar[int]
    DISCOUNT_MINOR_FIELD_NUMBER: _ClassVar[int]
    VOIDS_FIELD_NUMBER: _ClassVar[int]
    VOIDED_BASKET_MINOR_FIELD_NUMBER: _ClassVar[int]
    RETURNS_FIELD_NUMBER: _ClassVar[int]
    REFUND_MINOR_FIELD_NUMBER: _ClassVar[int]
    REFUND_MONEY_MINOR_FIELD_NUMBER: _ClassVar[int]
    POINTS_RESTORED_FIELD_NUMBER: _ClassVar[int]
    POINTS_TAKEN_BACK_FIELD_NUMBER: _ClassVar[int]
    ENROLMENTS_FIELD_NUMBER: _ClassVar[int]
    REFUSALS_FIELD_NUMBER: _ClassVar[int]
    VOIDED_DISCOUNT_MINOR_FIELD_NUMBER: _ClassVar[int]
    terminal_id: str
    store_id: str
    captures: int
    basket_minor: int
    points_earned: int
    points_redeemed: int
    discount_minor: int
    voids: int
    voided_basket_minor: int
    returns: int
    refund_minor: int
    refund_money_minor: int
    points_restored: int
    points_taken_back: int
    enrolments: int
    refusals: int
    voided_discount_minor: int
    def __init__(self, terminal_id: _Optional[str] = ..., store_id: _Optional[str] = ..., captures: _Optional[int] = ..., basket_minor: _Optional[int] = ..., points_earned: _Optional[int] = ..., points_redeemed: _Optional[int] = ..., discount_minor: _Optional[int] = ..., voids: _Optional[int] = ..., voided_basket_minor: _Optional[int] = ..., returns: _Optional[int] = ..., refund_minor: _Optional[int] = ..., refund_money_minor: _Optional[int] = ..., points_restored: _Optional[int] = ..., points_taken_back: _Optional[int] = ..., enrolments: _Optional[int] = ..., refusals: _Optional[int] = ..., voided_discount_minor: _Optional[int] = ...) -> None: ...
