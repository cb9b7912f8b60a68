from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CommitRequest(_message.Message):
    __slots__ = ("operations",)
    OPERATIONS_FIELD_NUMBER: _ClassVar[int]
    operations: _containers.RepeatedCompositeFieldContainer[TillOperation]
    def __init__(self, operations: _Optional[_Iterable[_Union[TillOperation, _Mapping]]] = ...) -> None: ...

class CommitResponse(_message.Message):
    __slots__ = ("decisions",)
    DECISIONS_FIELD_NUMBER: _ClassVar[int]
    decisions: _containers.RepeatedCompositeFieldContainer[TillDecision]
    def __init__(self, decisions: _Optional[_Iterable[_Union[TillDecision, _Mapping]]] = ...) -> None: ...

class TillOperation(_message.Message):
    __slots__ = ("token", "terminal_id", "store_id", "operation", "timeout_ms")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    TERMINAL_ID_FIELD_NUMBER: _ClassVar[int]
    STORE_ID_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    token: int
    terminal_id: str
    store_id: str
    operation: bytes
    timeout_ms: int
    def __init__(self, token: _Optional[int] = ..., terminal_id: _Optional[str] = ..., store_id: _Optional[str] = ..., operation: _Optional[bytes] = ..., timeout_ms: _Optional[int] = ...) -> None: ...

class TillDecision(_message.Message):
    __slots__ = ("token", "decision")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    token: int
    decision: bytes
    def __init__(self, token: _Optional[int] = ..., decision: _Optional[bytes] = ...) -> None: ...

class TillRequest(_message.Message):
    __slots__ = ("operations",)
    OPERATIONS_FIELD_NUMBER: _ClassVar[int]
    operations: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, operations: _Optional[_Iterable[bytes]] = ...) -> None: ...

class TillResponse(_message.Message):
    __slots__ = ("decisions",)
    DECISIONS_FIELD_NUMBER: _ClassVar[int]
    decisions: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, decisions: _Optional[_Iterable[bytes]] = ...) -> None: ...

class OperationHead(_message.Message):
    __slots__ = ("id", "timeout_ms")
    ID_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    id: str
    timeout_ms: int
    def __init__(self, id: _Optional[str] = ..., timeout_ms: _Optional[int] = ...) -> None: ...
