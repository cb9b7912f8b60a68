"""Tables of the office. Instants are microseconds since 1970 in UTC, on both databases alike."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
)

from services.loyalty.schema import ID, metadata

# Which tills may speak. `audit_sequence` is that of the act that changed the row last: the highest
# of all rows is the version of the list, and followers poll it.
terminal = Table(
    "terminal",
    metadata,
    Column("terminal_id", Text, primary_key=True),
    Column("store_id", Text, nullable=False),
    Column("secret_sha256", LargeBinary(32), nullable=False),
    Column("added_at_us", BigInteger, nullable=False),
    Column("blocked_at_us", BigInteger),
    Column("audit_sequence", BigInteger, nullable=False, index=True),
)

staff = Table(
    "staff",
    metadata,
    Column("name", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("password_hash", Text, nullable=False),  # Argon2id, with its parameters and salt
    Column("added_at_us", BigInteger, nullable=False),
    CheckConstraint("role IN ('clerk', 'manager')", name="staff_role_is_known"),
)

# Sessions that may still be alive. The token itself is with the browser only.
staff_session = Table(
    "staff_session",
    metadata,
    Column("token_sha256", LargeBinary(32), primary_key=True),
    Column("name", Text, ForeignKey("staff.name"), nullable=False, index=True),
    Column("started_at_us", BigInteger, nullable=False),
    Column("used_at_us", BigInteger, nullable=False),
)

# Attempts to sign in that failed or are under way; each row is deleted when its time is over.
# `browser` is empty unless the browser has signed in under this name before.
sign_in_attempt = Table(
    "sign_in_attempt",
    metadata,
    Column("attempt_id", LargeBinary(16), primary_key=True),
    Column("name_sha256", LargeBinary(32), nullable=False),
    Column("browser", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Index("sign_in_attempt_by_name", "name_sha256", "browser", "at_us"),
    Index("sign_in_attempt_by_time", "at_us"),
)

# Adjustments that needed a second person. `outcome` says how far it came: empty while it waits,
# "approved" until the ledger has answered, then "booked" or "refused"; or "declined".
adjustment = Table(
    "adjustment",
    metadata,
    Column("operation_id", ID, primary_key=True),  # also of the ledger's operation
    Column("member_id", ID, nullable=False),
    Column("points", BigInteger, nullable=False),
    Column("reason_code", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("asked_at_us", BigInteger, nullable=False),
    Column("decided_by", Text),
    Column("decided_at_us", BigInteger),
    Column("outcome", Text, index=True),
    CheckConstraint(
        "(outcome IS NULL) = (decided_by IS NULL) AND (outcome IS NULL) = (decided_at_us IS NULL)",
        name="adjustment_is_decided_whole",
    ),
    CheckConstraint(
        "outcome IN ('approved', 'booked', 'refused', 'declined')",
        name="adjustment_outcome_is_known",
    ),
)

# Who did what, gap-free. `hash` chains each entry to the one before:
# services/loyalty/office/audit.py.
audit = Table(
    "audit",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("at_us", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
)

# One row: the end of the audit chain, and the lock of the office.
audit_head = Table(
    "audit_head",
    metadata,
    Column("only_row", SmallInteger, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    CheckConstraint("only_row = 1", name="audit_head_is_one_row"),
)

# At most one row: where the audit begins once its oldest entries have been deleted after their
# retention; `hash` is that of the last one deleted.
audit_base = Table(
    "audit_base",
    metadata,
    Column("only_row", SmallInteger, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    CheckConstraint("only_row = 1", name="audit_base_is_one_row"),
)
