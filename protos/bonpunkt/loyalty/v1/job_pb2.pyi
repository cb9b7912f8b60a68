from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class RunNightlyRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RunNightlyResponse(_message.Message):
    __slots__ = ("buckets_done", "bucket_count", "members_looked_at", "members_settled", "rows_deleted", "finished")
    BUCKETS_DONE_FIELD_NUMBER: _ClassVar[int]
    BUCKET_COUNT_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_LOOKED_AT_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_SETTLED_FIELD_NUMBER: _ClassVar[int]
    ROWS_DELETED_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    buckets_done: int
    bucket_count: int
    members_looked_at: int
    members_settled: int
    rows_deleted: int
    finished: bool
    def __init__(self, buckets_done: _Optional[int] = ..., bucket_count: _Optional[int] = ..., members_looked_at: _Optional[int] = ..., members_settled: _Optional[int] = ..., rows_deleted: _Optional[int] = ..., finished: _Optional[bool] = ...) -> None: ...
