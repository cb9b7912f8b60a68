from bonpunkt.loyalty.v1 import feed_pb2 as _feed_pb2
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
    __slots__ = ("members", "journal_entries", "captures", "liability_points", "issued_points", "redeemed_points", "expired_points", "same_basket_redemptions", "programme_name", "programme_version", "currency", "value_points", "value_minor", "time_zone", "epoch", "member_changes", "refusals")
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
    def __init__(self, members: _Optional[int] = ..., journal_entries: _Optional[int] = ..., captures: _Optional[int] = ..., liability_points: _Optional[int] = ..., issued_points: _Optional[int] = ..., redeemed_points: _Optional[int] = ..., expired_points: _Optional[int] = ..., same_basket_redemptions: _Optional[int] = ..., programme_name: _Optional[str] = ..., programme_version: _Optional[int] = ..., currency: _Optional[str] = ..., value_points: _Optional[int] = ..., value_minor: _Optional[int] = ..., time_zone: _Optional[str] = ..., epoch: _Optional[int] = ..., member_changes: _Optional[int] = ..., refusals: _Optional[int] = ...) -> None: ...
