"""identity vault: sealed persons, consents, blind indexes, tombstones; where the audit begins"""

import sqlalchemy as sa
from alembic import op

revision = "0003_identity"
down_revision = "0002_reservations_and_reversals"
branch_labels = None
depends_on = None

ID = sa.String(36).with_variant(sa.Uuid(as_uuid=False), "postgresql")


def upgrade() -> None:
    op.create_table(
        "identity",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("member_id", ID, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("changed_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "member_id"),
    )
    op.create_table(
        "identity_consent",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("member_id", ID, nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("consent_id", ID, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "member_id", "sequence"),
        sa.UniqueConstraint("bucket", "member_id", "consent_id", name="identity_consent_once"),
    )
    op.create_table(
        "identity_index",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("member_id", ID, nullable=False),
        sa.Column("master_version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "kind", "digest", "member_id"),
    )
    op.create_index("identity_index_by_member", "identity_index", ["member_id"])
    op.create_index("identity_index_by_master", "identity_index", ["master_version", "member_id"])
    op.create_table(
        "identity_tombstone",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("member_id", ID, nullable=False),
        sa.Column("operation_id", ID, nullable=False),
        sa.Column("erased_at_us", sa.BigInteger(), nullable=False),
        sa.Column("ground", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "member_id"),
    )
    op.create_index("identity_tombstone_by_time", "identity_tombstone", ["erased_at_us"])
    op.create_table(
        "identity_key_store",
        sa.Column("only_row", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("store_id", ID, nullable=False),
        sa.CheckConstraint("only_row = 1", name="identity_key_store_is_one_row"),
        sa.PrimaryKeyConstraint("only_row"),
    )
    op.create_table(
        "audit_base",
        sa.Column("only_row", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.CheckConstraint("only_row = 1", name="audit_base_is_one_row"),
        sa.PrimaryKeyConstraint("only_row"),
    )
