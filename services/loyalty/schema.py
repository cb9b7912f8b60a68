"""Tables of the ledger. docs/ledger.md tells what each row means.

`bucket` comes first in every primary key, so that the tables can be distributed by it. Times are
UTC in microseconds since 1970, so that both databases keep, compare and hash them alike; points
are whole; JSON is text in the order in which it was hashed. Nothing here is ever deleted but
baskets after their retention.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    Uuid,
    and_,
)

metadata = MetaData()

BIG = BigInteger()
# A UUID in canonical text: `uuid` in PostgreSQL, 36 characters in SQLite.
ID = String(36).with_variant(Uuid(as_uuid=False), "postgresql")

# Facts about this installation: "bucket_count", "epoch". Written when the database is created;
# only `bonpunkt restore` changes the epoch.
installation = Table(
    "installation",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

# Every version of the programme that was ever in force, word for word.
programme = Table(
    "programme",
    metadata,
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("effective_from_us", BIG, nullable=False),
    Column("document", Text, nullable=False),
    Column("document_hash", LargeBinary(32), nullable=False),
)

# One row is at once lock, sequence, chain head, last time seen and the programme's accounts in
# this bucket.
bucket = Table(
    "bucket",
    metadata,
    Column("bucket", SmallInteger, primary_key=True, autoincrement=False),
    Column("sequence", BIG, nullable=False),
    Column("chain_head", LargeBinary(32), nullable=False),
    Column("last_time_us", BIG, nullable=False),
    Column("issued", BIG, nullable=False),
    Column("redeemed", BIG, nullable=False),
    Column("expired", BIG, nullable=False),
    Column("adjusted", BIG, nullable=False),
    Column("forfeited", BIG, nullable=False),
    Column("loss", BIG, nullable=False),
    Column("in_transit", BIG, nullable=False),
    # What the overview counts, so that nobody has to scan the journal for it.
    Column("members", BIG, nullable=False),
    Column("member_changes", BIG, nullable=False),
    Column("captures", BIG, nullable=False),
    Column("refusals", BIG, nullable=False),
    Column("same_basket_redemptions", BIG, nullable=False),
    CheckConstraint("issued <= 0", name="bucket_issued_is_never_positive"),
)

# State of each member after the journal row `last_sequence`; the journal can rebuild it.
member = Table(
    "member",
    metadata,
    Column("bucket", SmallInteger, primary_key=True, autoincrement=False),
    Column("member_id", ID, primary_key=True),
    Column("version", BIG, nullable=False),
    Column("status", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("tier", Text, nullable=False),
    Column("points", BIG, nullable=False),
    Column("pending", BIG, nullable=False),
    Column("receivable", BIG, nullable=False),
    Column("held", BIG, nullable=False),
    Column("lots", Text, nullable=False),  # [["2029-11-30", 120], …], soonest expiry first
    Column("cards", Text, nullable=False),  # ["2900000000018"]
    Column("enrolled_at_us", BIG, nullable=False),
    Column("last_sequence", BIG, nullable=False),
    # Nothing that time does to the member happens before this.
    Column("due_at_us", BIG, nullable=False, server_default="0"),
    # Waiting points, reservations, standing among the tiers …: record.more_of tells the keys.
    Column("more", Text, nullable=False, server_default="{}"),
    CheckConstraint("points >= held AND held >= 0", name="member_available_is_never_negative"),
)

# Finds the journal row of a key: operation ids, receipts, cards (digests), ends of reservations.
# Its own bucket is that of the key.
locator = Table(
    "locator",
    metadata,
    Column("bucket", SmallInteger, primary_key=True, autoincrement=False),
    Column("kind", SmallInteger, primary_key=True, autoincrement=False),
    Column("key", LargeBinary, primary_key=True),
    Column("home_bucket", SmallInteger, nullable=False),
    Column("sequence", BIG, nullable=False),
    Column("member_id", ID),  # for cards: whose it is
)

# One row per operation, for ever. (bucket, sequence) has no gap; `chain_hash` covers the row and
# the hash before it.
journal = Table(
    "journal",
    metadata,
    Column("bucket", SmallInteger, primary_key=True, autoincrement=False),
    Column("sequence", BIG, primary_key=True, autoincrement=False),
    Column("operation_id", ID, nullable=False),
    Column("kind", Text, nullable=False),
    Column("accepted", Boolean, nullable=False),
    Column("member_id", ID),
    Column("member_version", BIG, nullable=False),
    Column("member_previous", BIG, nullable=False),  # sequence of the member's row before; 0: none
    Column("terminal_id", Text, nullable=False),
    Column("store_id", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("effective_at_us", BIG, nullable=False),
    Column("occurred_at_us", BIG),
    Column("fingerprint", LargeBinary(32), nullable=False),
    Column("basket_hash", LargeBinary(32)),
    Column("decision", Text, nullable=False),
    Column("movements", Text, nullable=False),
    Column("facts", Text, nullable=False),
    Column("after", Text, nullable=False),
    Column("chain_hash", LargeBinary(32), nullable=False),
)

# Line items of a captured basket, deletable after their retention; the journal keeps their hash.
basket = Table(
    "basket",
    metadata,
    Column("bucket", SmallInteger, primary_key=True, autoincrement=False),
    Column("sequence", BIG, primary_key=True, autoincrement=False),
    Column("basket_id", Text, nullable=False),
    Column("receipt_number", Text, nullable=False),
    Column("business_date", Text, nullable=False),
    Column("cashier", Text, nullable=False),
    Column("total_minor", BIG, nullable=False),
    # [[line_id, article_number, text, category, brand, quantity_milli, total_minor, vat_rate_key],
    # …]
    Column("line_items", Text, nullable=False),
)

# What was taken back of a captured receipt so far; (bucket, sequence) is that of its journal row.
reversal = Table(
    "reversal",
    metadata,
    Column("bucket", SmallInteger, primary_key=True, autoincrement=False),
    Column("sequence", BIG, primary_key=True, autoincrement=False),
    Column("so_far", Text, nullable=False),  # domain/original.Reversal as JSON
)

# How far a job has come, and who is at it: another process may take over after `lease_until_us`.
job = Table(
    "job",
    metadata,
    Column("name", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("lease_until_us", BIG, nullable=False),
    Column("started_at_us", BIG, nullable=False),  # by the ledger's clock, like the next one
    Column("finished_at_us", BIG),  # null: under way, or broken off
    Column("bucket", SmallInteger, nullable=False),  # where it goes on
    Column("after_member_id", Text, nullable=False),
    Column("looked_at", BIG, nullable=False),
    Column("settled", BIG, nullable=False),
)

# What leads from a locator to its journal row and, if it is a card's, to the card's member; and
# from a journal row to its basket.
located = and_(
    journal.c.bucket == locator.c.home_bucket,
    journal.c.sequence == locator.c.sequence,
)
owned = and_(
    member.c.bucket == locator.c.home_bucket,
    member.c.member_id == locator.c.member_id,
)
rung_up = and_(
    basket.c.bucket == journal.c.bucket,
    basket.c.sequence == journal.c.sequence,
)

CHECKOUT_TABLES = (bucket, member, locator, journal, basket, reversal)
__all__ = [
    "CHECKOUT_TABLES",
    "basket",
    "bucket",
    "installation",
    "job",
    "journal",
    "located",
    "locator",
    "member",
    "metadata",
    "owned",
    "programme",
    "reversal",
    "rung_up",
]
