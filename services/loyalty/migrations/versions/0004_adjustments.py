"""adjustments that wait for a second person"""

import sqlalchemy as sa
from alembic import op

revision = "0004_adjustments"
down_revision = "0003_identity"
branch_labels = None
depends_on = None

ID = sa.String(36).with_variant(sa.Uuid(as_uuid=False), "postgresql")


def upgrade() -> None:
    op.create_table(
        "adjustment",
        sa.Column("operation_id", ID, nullable=False),
        sa.Column("member_id", ID, nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("reason_code", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("asked_at_us", sa.BigInteger(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at_us", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(outcome IS NULL) = (decided_by IS NULL) "
            "AND (outcome IS NULL) = (decided_at_us IS NULL)",
            name="adjustment_is_decided_whole",
        ),
        sa.CheckConstraint(
            "outcome IN ('approved', 'booked', 'refused', 'declined')",
            name="adjustment_outcome_is_known",
        ),
        sa.PrimaryKeyConstraint("operation_id"),
    )
    with op.batch_alter_table("adjustment", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_adjustment_outcome"), ["outcome"], unique=False)
