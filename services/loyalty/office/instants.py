"""Instants as the database keeps them: microseconds since 1970 in UTC."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

Clock = Callable[[], datetime]  # answers the time, aware, in UTC

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(at: datetime) -> int:
    """Exact, unlike `timestamp()`, which answers a float."""
    assert at.tzinfo is not None, "a time without a zone is no instant"
    return (at - _EPOCH) // _MICROSECOND


def timestamp(at_us: int) -> Timestamp:
    return Timestamp(seconds=at_us // 1_000_000, nanos=at_us % 1_000_000 * 1000)
