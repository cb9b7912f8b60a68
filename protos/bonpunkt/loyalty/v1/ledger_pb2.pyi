from bonpunkt.till.v1 import till_pb2 as _till_pb2
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
    __slots__ = ("token", "terminal_id", "store_id", "operation")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    TERMINAL_ID_FIELD_NUMBER: _ClassVar[int]
    STORE_ID_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    token: int
    terminal_id: str
    store_id: str
    operation: _till_pb2.Operation
    def __init__(self, token: _Optional[int] = ..., terminal_id: _Optional[str] = ..., store_id: _Optional[str] = ..., operation: _Optional[_Union[_till_pb2.Operation, _Mapping]] = ...) -> None: ...

class TillDecision(_message.Message):
    __slots__ = ("token", "decision")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    token: int
    decision: _till_pb2.Decision
    def __init__(self, token: _Optional[int] = ..., decision: _Optional[_Union[_till_pb2.Decision, _Mapping]] = ...) -> None: ...
