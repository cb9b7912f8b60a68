"""Tables of the identity vault in the ledger's database. Nothing in them can be read without the
key store, which is a database of its own: services/loyalty/identity/keystore.py.
"""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Index,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

from services.loyalty.schema import BIG, ID, metadata

# A person's data as one sealed document. `version` counts its changes and is bound into the seal.
identity = Table(
    "identity",
    metadata,
    Column("bucket", SmallInteger, primary_key=True, autoincrement=False),
    Column("member_id", ID, primary_key=True),
    Column("version", BIG, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("changed_at_us", BIG, nullable=False),
)

# Every consent ever given or withdrawn, in order; none is changed. `consent_id` makes a repeated
# call one consent.
identity_consent = Table(
    "identity_consent",
    metadata,
    Column("bucket", SmallInteger, primary_key=True, autoincrement=False),
    Column("member_id", ID, primary_key=True),
    Column("sequence", BIG, primary_key=True, autoincrement=False),
    Column("consent_id", ID, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    UniqueConstraint("bucket", "member_id", "consent_id", name="identity_consent_once"),
)

# Blind indexes: keyed hashes of what a person is looked up by. The bucket is that of the hash.
identity_index = Table(
    "identity_index",
    metadata,
    Column("bucket", SmallInteger, primary_key=True, autoincrement=False),
    Column("kind", SmallInteger, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary(32), primary_key=True),
    Column("member_id", ID, primary_key=True),
    Column("master_version", BIG, nullable=False),  # of the master key that the hash is keyed by
    Index("identity_index_by_member", "member_id"),
    Index("identity_index_by_master", "master_version", "member_id"),
)

# Whom there was: that somebody was erased, when, why and by whom. No personal data.
identity_tombstone = Table(
    "identity_tombstone",
    metadata,
    Column("bucket", SmallInteger, primary_key=True, autoincrement=False),
    Column("member_id", ID, primary_key=True),
    Column("operation_id", ID, nullable=False),
    Column("erased_at_us", BIG, nullable=False),
    Column("ground", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Index("identity_tombstone_by_time", "erased_at_us"),
)

# One row: which key store belongs to this ledger, so that another one is refused at the start.
identity_key_store = Table(
    "identity_key_store",
    metadata,
    Column("only_row", SmallInteger, primary_key=True, autoincrement=False),
    Column("store_id", ID, nullable=False),
    CheckConstraint("only_row = 1", name="identity_key_store_is_one_row"),
)

IDENTITY_TABLES = (
    identity,
    identity_consent,
    identity_index,
    identity_tombstone,
    identity_key_store,
)
