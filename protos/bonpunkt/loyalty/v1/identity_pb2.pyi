import datetime

from bonpunkt.loyalty.v1 import feed_pb2 as _feed_pb2
from bonpunkt.loyalty.v1 import member_pb2 as _member_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ErasureGround(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERASURE_GROUND_UNSPECIFIED: _ClassVar[ErasureGround]
    ERASURE_GROUND_REQUEST: _ClassVar[ErasureGround]
    ERASURE_GROUND_CONSENT_WITHDRAWN: _ClassVar[ErasureGround]
    ERASURE_GROUND_OBJECTION: _ClassVar[ErasureGround]
    ERASURE_GROUND_NO_LONGER_NEEDED: _ClassVar[ErasureGround]
    ERASURE_GROUND_UNLAWFUL: _ClassVar[ErasureGround]
    ERASURE_GROUND_LEGAL_DUTY: _ClassVar[ErasureGround]
ERASURE_GROUND_UNSPECIFIED: ErasureGround
ERASURE_GROUND_REQUEST: ErasureGround
ERASURE_GROUND_CONSENT_WITHDRAWN: ErasureGround
ERASURE_GROUND_OBJECTION: ErasureGround
ERASURE_GROUND_NO_LONGER_NEEDED: ErasureGround
ERASURE_GROUND_UNLAWFUL: ErasureGround
ERASURE_GROUND_LEGAL_DUTY: ErasureGround

class Profile(_message.Message):
    __slots__ = ("given_name", "surname", "email", "phone", "birthday", "language")
    GIVEN_NAME_FIELD_NUMBER: _ClassVar[int]
    SURNAME_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    PHONE_FIELD_NUMBER: _ClassVar[int]
    BIRTHDAY_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    given_name: str
    surname: str
    email: str
    phone: str
    birthday: str
    language: str
    def __init__(self, given_name: _Optional[str] = ..., surname: _Optional[str] = ..., email: _Optional[str] = ..., phone: _Optional[str] = ..., birthday: _Optional[str] = ..., language: _Optional[str] = ...) -> None: ...

class Consent(_message.Message):
    __slots__ = ("consent_id", "purpose", "given", "text_version", "channel", "at", "recorded_at")
    CONSENT_ID_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    GIVEN_FIELD_NUMBER: _ClassVar[int]
    TEXT_VERSION_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    RECORDED_AT_FIELD_NUMBER: _ClassVar[int]
    consent_id: str
    purpose: str
    given: bool
    text_version: str
    channel: str
    at: _timestamp_pb2.Timestamp
    recorded_at: _timestamp_pb2.Timestamp
    def __init__(self, consent_id: _Optional[str] = ..., purpose: _Optional[str] = ..., given: _Optional[bool] = ..., text_version: _Optional[str] = ..., channel: _Optional[str] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., recorded_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Tombstone(_message.Message):
    __slots__ = ("operation_id", "erased_at", "ground", "actor")
    OPERATION_ID_FIELD_NUMBER: _ClassVar[int]
    ERASED_AT_FIELD_NUMBER: _ClassVar[int]
    GROUND_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    operation_id: str
    erased_at: _timestamp_pb2.Timestamp
    ground: ErasureGround
    actor: str
    def __init__(self, operation_id: _Optional[str] = ..., erased_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ground: _Optional[_Union[ErasureGround, str]] = ..., actor: _Optional[str] = ...) -> None: ...

class PutIdentityRequest(_message.Message):
    __slots__ = ("member_id", "profile", "if_version")
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    IF_VERSION_FIELD_NUMBER: _ClassVar[int]
    member_id: str
    profile: Profile
    if_version: int
    def __init__(self, member_id: _Optional[str] = ..., profile: _Optional[_Union[Profile, _Mapping]] = ..., if_version: _Optional[int] = ...) -> None: ...

class PutIdentityResponse(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: int
    def __init__(self, version: _Optional[int] = ...) -> None: ...

class GetIdentityRequest(_message.Message):
    __slots__ = ("member_id",)
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    member_id: str
    def __init__(self, member_id: _Optional[str] = ...) -> None: ...

class GetIdentityResponse(_message.Message):
    __slots__ = ("member_id", "profile", "version", "consents", "erased")
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CONSENTS_FIELD_NUMBER: _ClassVar[int]
    ERASED_FIELD_NUMBER: _ClassVar[int]
    member_id: str
    profile: Profile
    version: int
    consents: _containers.RepeatedCompositeFieldContainer[Consent]
    erased: Tombstone
    def __init__(self, member_id: _Optional[str] = ..., profile: _Optional[_Union[Profile, _Mapping]] = ..., version: _Optional[int] = ..., consents: _Optional[_Iterable[_Union[Consent, _Mapping]]] = ..., erased: _Optional[_Union[Tombstone, _Mapping]] = ...) -> None: ...

class FindMembersRequest(_message.Message):
    __slots__ = ("email", "phone", "name")
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    PHONE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    email: str
    phone: str
    name: Name
    def __init__(self, email: _Optional[str] = ..., phone: _Optional[str] = ..., name: _Optional[_Union[Name, _Mapping]] = ...) -> None: ...

class Name(_message.Message):
    __slots__ = ("surname", "given_name")
    SURNAME_FIELD_NUMBER: _ClassVar[int]
    GIVEN_NAME_FIELD_NUMBER: _ClassVar[int]
    surname: str
    given_name: str
    def __init__(self, surname: _Optional[str] = ..., given_name: _Optional[str] = ...) -> None: ...

class FindMembersResponse(_message.Message):
    __slots__ = ("members", "more")
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    members: _containers.RepeatedCompositeFieldContainer[FoundMember]
    more: bool
    def __init__(self, members: _Optional[_Iterable[_Union[FoundMember, _Mapping]]] = ..., more: _Optional[bool] = ...) -> None: ...

class FoundMember(_message.Message):
    __slots__ = ("member_id", "profile")
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    member_id: str
    profile: Profile
    def __init__(self, member_id: _Optional[str] = ..., profile: _Optional[_Union[Profile, _Mapping]] = ...) -> None: ...

class SetConsentRequest(_message.Message):
    __slots__ = ("member_id", "consent")
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    CONSENT_FIELD_NUMBER: _ClassVar[int]
    member_id: str
    consent: Consent
    def __init__(self, member_id: _Optional[str] = ..., consent: _Optional[_Union[Consent, _Mapping]] = ...) -> None: ...

class SetConsentResponse(_message.Message):
    __slots__ = ("consent",)
    CONSENT_FIELD_NUMBER: _ClassVar[int]
    consent: Consent
    def __init__(self, consent: _Optional[_Union[Consent, _Mapping]] = ...) -> None: ...

class GetContactRequest(_message.Message):
    __slots__ = ("member_id",)
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    member_id: str
    def __init__(self, member_id: _Optional[str] = ...) -> None: ...

class GetContactResponse(_message.Message):
    __slots__ = ("erased", "given_name", "surname", "email", "phone", "language", "consents")
    ERASED_FIELD_NUMBER: _ClassVar[int]
    GIVEN_NAME_FIELD_NUMBER: _ClassVar[int]
    SURNAME_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    PHONE_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    CONSENTS_FIELD_NUMBER: _ClassVar[int]
    erased: bool
    given_name: str
    surname: str
    email: str
    phone: str
    language: str
    consents: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, erased: _Optional[bool] = ..., given_name: _Optional[str] = ..., surname: _Optional[str] = ..., email: _Optional[str] = ..., phone: _Optional[str] = ..., language: _Optional[str] = ..., consents: _Optional[_Iterable[str]] = ...) -> None: ...

class ExportMemberRequest(_message.Message):
    __slots__ = ("card", "member_id")
    CARD_FIELD_NUMBER: _ClassVar[int]
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    card: str
    member_id: str
    def __init__(self, card: _Optional[str] = ..., member_id: _Optional[str] = ...) -> None: ...

class ExportMemberResponse(_message.Message):
    __slots__ = ("member", "entries")
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    member: ExportedMember
    entries: _containers.RepeatedCompositeFieldContainer[ExportedEntry]
    def __init__(self, member: _Optional[_Union[ExportedMember, _Mapping]] = ..., entries: _Optional[_Iterable[_Union[ExportedEntry, _Mapping]]] = ...) -> None: ...

class ExportedMember(_message.Message):
    __slots__ = ("exported_at", "account", "identity")
    EXPORTED_AT_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    exported_at: _timestamp_pb2.Timestamp
    account: _member_pb2.GetMemberResponse
    identity: GetIdentityResponse
    def __init__(self, exported_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., account: _Optional[_Union[_member_pb2.GetMemberResponse, _Mapping]] = ..., identity: _Optional[_Union[GetIdentityResponse, _Mapping]] = ...) -> None: ...

class ExportedEntry(_message.Message):
    __slots__ = ("entry", "decision_json", "movements_json", "facts_json", "basket")
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    DECISION_JSON_FIELD_NUMBER: _ClassVar[int]
    MOVEMENTS_JSON_FIELD_NUMBER: _ClassVar[int]
    FACTS_JSON_FIELD_NUMBER: _ClassVar[int]
    BASKET_FIELD_NUMBER: _ClassVar[int]
    entry: _feed_pb2.JournalEntry
    decision_json: str
    movements_json: str
    facts_json: str
    basket: ExportedBasket
    def __init__(self, entry: _Optional[_Union[_feed_pb2.JournalEntry, _Mapping]] = ..., decision_json: _Optional[str] = ..., movements_json: _Optional[str] = ..., facts_json: _Optional[str] = ..., basket: _Optional[_Union[ExportedBasket, _Mapping]] = ...) -> None: ...

class ExportedBasket(_message.Message):
    __slots__ = ("basket_id", "receipt_number", "business_date", "total_minor", "line_items_json")
    BASKET_ID_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_NUMBER_FIELD_NUMBER: _ClassVar[int]
    BUSINESS_DATE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_MINOR_FIELD_NUMBER: _ClassVar[int]
    LINE_ITEMS_JSON_FIELD_NUMBER: _ClassVar[int]
    basket_id: str
    receipt_number: str
    business_date: str
    total_minor: int
    line_items_json: str
    def __init__(self, basket_id: _Optional[str] = ..., receipt_number: _Optional[str] = ..., business_date: _Optional[str] = ..., total_minor: _Optional[int] = ..., line_items_json: _Optional[str] = ...) -> None: ...

class EraseMemberRequest(_message.Message):
    __slots__ = ("operation_id", "member_id", "ground")
    OPERATION_ID_FIELD_NUMBER: _ClassVar[int]
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    GROUND_FIELD_NUMBER: _ClassVar[int]
    operation_id: str
    member_id: str
    ground: ErasureGround
    def __init__(self, operation_id: _Optional[str] = ..., member_id: _Optional[str] = ..., ground: _Optional[_Union[ErasureGround, str]] = ...) -> None: ...

class EraseMemberResponse(_message.Message):
    __slots__ = ("tombstone", "points_forfeited")
    TOMBSTONE_FIELD_NUMBER: _ClassVar[int]
    POINTS_FORFEITED_FIELD_NUMBER: _ClassVar[int]
    tombstone: Tombstone
    points_forfeited: int
    def __init__(self, tombstone: _Optional[_Union[Tombstone, _Mapping]] = ..., points_forfeited: _Optional[int] = ...) -> None: ...

class RepeatErasuresRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RepeatErasuresResponse(_message.Message):
    __slots__ = ("done", "total", "repeated_here")
    DONE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    REPEATED_HERE_FIELD_NUMBER: _ClassVar[int]
    done: int
    total: int
    repeated_here: int
    def __init__(self, done: _Optional[int] = ..., total: _Optional[int] = ..., repeated_here: _Optional[int] = ...) -> None: ...

class RotateKeysRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RotateKeysResponse(_message.Message):
    __slots__ = ("master_version", "keys_done", "keys_total", "indexes_done", "indexes_total", "failed")
    MASTER_VERSION_FIELD_NUMBER: _ClassVar[int]
    KEYS_DONE_FIELD_NUMBER: _ClassVar[int]
    KEYS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    INDEXES_DONE_FIELD_NUMBER: _ClassVar[int]
    INDEXES_TOTAL_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    master_version: int
    keys_done: int
    keys_total: int
    indexes_done: int
    indexes_total: int
    failed: int
    def __init__(self, master_version: _Optional[int] = ..., keys_done: _Optional[int] = ..., keys_total: _Optional[int] = ..., indexes_done: _Optional[int] = ..., indexes_total: _Optional[int] = ..., failed: _Optional[int] = ...) -> None: ...

class ListMasterKeysRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListMasterKeysResponse(_message.Message):
    __slots__ = ("master_keys",)
    MASTER_KEYS_FIELD_NUMBER: _ClassVar[int]
    master_keys: _containers.RepeatedCompositeFieldContainer[MasterKeyUse]
    def __init__(self, master_keys: _Optional[_Iterable[_Union[MasterKeyUse, _Mapping]]] = ...) -> None: ...

class MasterKeyUse(_message.Message):
    __slots__ = ("version", "data_keys", "indexes")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DATA_KEYS_FIELD_NUMBER: _ClassVar[int]
    INDEXES_FIELD_NUMBER: _ClassVar[int]
    version: int
    data_keys: int
    indexes: int
    def __init__(self, version: _Optional[int] = ..., data_keys: _Optional[int] = ..., indexes: _Optional[int] = ...) -> None: ...
