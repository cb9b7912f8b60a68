"""Tables of the notifier's database. docs/webhooks.md tells what receivers see of them.

Times are UTC in microseconds since 1970, so that both databases keep and compare them alike.
"""

from enum import IntEnum

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    ForeignKey,
    FromClause,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Sequence,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    literal_column,
)

metadata = MetaData()

# Of deliveries, on PostgreSQL, where several processes take in at once. Numbers of one bucket still
# ascend in the order of intake: they are drawn after the bucket's cursor was locked.
numbers = Sequence("delivery_number", metadata=metadata)


class State(IntEnum):
    """Of a delivery; the numbers are those of `bonpunkt.notifier.v1.Delivery.State`."""

    PENDING = 1
    DELIVERED = 2
    DEAD = 3


# Which ledger is followed. One row at most, written with the first message of the feed.
ledger = Table(
    "ledger",
    metadata,
    Column("only", SmallInteger, primary_key=True, autoincrement=False),  # always 1
    Column("epoch", BigInteger, nullable=False),
    Column("bucket_count", Integer, nullable=False),
)

# The last journal entry taken in of each bucket, and its chain hash: a witness outside loyalty.
cursor = Table(
    "cursor",
    metadata,
    Column("bucket", SmallInteger, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, nullable=False),
    Column("chain_hash", LargeBinary(32), nullable=False),
)

# The processes that share the work of this database, each until it counts as gone.
worker = Table(
    "worker",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("until_us", BigInteger, nullable=False),  # by the database's clock
)

# Who does what: a bucket's intake and sending by its number, or the relay (-1). What nobody does
# has no row. Only processes that share the work look here.
duty = Table(
    "duty",
    metadata,
    Column("duty", SmallInteger, primary_key=True, autoincrement=False),
    Column("worker", String(64), nullable=False),
)

endpoint = Table(
    "endpoint",
    metadata,
    Column("endpoint_id", Integer, primary_key=True, autoincrement=False),
    Column("name", String(64), nullable=False, unique=True),
    Column("key", String(16), nullable=False, unique=True),  # random, part of delivery ids
    Column("url", Text, nullable=False),
    Column("event_types", Text, nullable=False),  # separated by blanks; empty means every one
    Column("secrets", Text, nullable=False),  # separated by blanks, the current one first
    Column("enabled", Boolean, nullable=False),
    Column("disabled_reason", Text, nullable=False),
    Column("failing_since_us", BigInteger),  # only failures since then; null while it is well
    Column("added_at_us", BigInteger, nullable=False),
)

# How many deliveries of an endpoint are in which state: kept by the transactions that change them,
# because counting millions of rows for a page that refreshes itself would cost more than sending.
figures = Table(
    "figures",
    metadata,
    Column(
        "endpoint_id",
        Integer,
        ForeignKey("endpoint.endpoint_id"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("pending", BigInteger, nullable=False),
    Column("delivered", BigInteger, nullable=False),
    Column("dead", BigInteger, nullable=False),
)

# A member change that at least one endpoint asked for, with the bytes that every attempt sends.
event = Table(
    "event",
    metadata,
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("bucket", SmallInteger, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("member_version", BigInteger, nullable=False),
    Column("event_type", String(64), nullable=False),
    Column("body", LargeBinary, nullable=False),
)

# One event to one endpoint. `number` counts up in the order of intake, which is the order of a
# member's versions. Without foreign keys: endpoints and events are never deleted, and the check
# would cost more than the row.
delivery = Table(
    "delivery",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("endpoint_id", Integer, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("bucket", SmallInteger, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("member_id", String(36), nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("attempts", Integer, nullable=False),  # in all
    Column("tries", Integer, nullable=False),  # since it was put in line: place in the schedule
    Column("created_at_us", BigInteger, nullable=False),
    Column("next_attempt_us", BigInteger, nullable=False),  # has a meaning while pending
    Column("last_attempt_us", BigInteger),
    Column("last_status", SmallInteger, nullable=False),
    Column("last_error", Text, nullable=False),
    UniqueConstraint("endpoint_id", "epoch", "bucket", "sequence", name="delivery_once"),
)


# The partial indexes hold what is not delivered, so they stay small. A query is served by one only
# if it says the same words. The second conditions are always true: each keeps planners from taking
# one index for another's work, which they do while they know no statistics.


def is_waiting(of: FromClause) -> ColumnElement[bool]:
    """Pending: for `delivery_due`, by the time of the next attempt."""
    return (of.c.state == literal_column("1")) & (of.c.next_attempt_us > literal_column("0"))


def is_in_line(of: FromClause) -> ColumnElement[bool]:
    """Pending: for `delivery_turn`, by member."""
    return (of.c.state == literal_column("1")) & (of.c.number > literal_column("0"))


def is_open(of: FromClause) -> ColumnElement[bool]:
    """Pending or dead: for `delivery_open`, by state."""
    return (of.c.state != literal_column("2")) & (of.c.attempts >= literal_column("0"))


def _partial_index(name: str, *columns: str, where: ColumnElement[bool]) -> None:
    keys = [delivery.c[each] for each in columns]
    Index(name, *keys, postgresql_where=where, sqlite_where=where)


_partial_index("delivery_due", "endpoint_id", "next_attempt_us", where=is_waiting(delivery))
_partial_index("delivery_turn", "endpoint_id", "member_id", "number", where=is_in_line(delivery))
_partial_index("delivery_open", "state", "number", where=is_open(delivery))
Index("delivery_of_member", delivery.c.member_id, delivery.c.number)

# Attempts that failed. The one that succeeded is told by the delivery itself: most succeed at once
# and have no row here.
attempt = Table(
    "attempt",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("attempt", Integer, primary_key=True, autoincrement=False),  # counted from 1
    Column("at_us", BigInteger, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("error", Text, nullable=False),
)

# The notifier's own acts and those of staff, chained by hash so that no change goes unnoticed.
audit = Table(
    "audit",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("at_us", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
)
