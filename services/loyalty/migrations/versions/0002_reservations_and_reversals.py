"""reservations, waiting points and tiers on the member row; reversals; jobs; cards as digests"""

import sqlalchemy as sa
from alembic import op

from services.loyalty.keys import KeyKind, card_key

revision = "0002_reservations_and_reversals"
down_revision = "0001"
branch_labels = None
depends_on = None

LOCATOR = sa.table(
    "locator",
    sa.column("bucket", sa.SmallInteger()),
    sa.column("kind", sa.SmallInteger()),
    sa.column("key", sa.LargeBinary()),
)


def upgrade() -> None:
    op.add_column(
        "member", sa.Column("due_at_us", sa.BigInteger(), nullable=False, server_default="0")
    )
    op.add_column("member", sa.Column("more", sa.Text(), nullable=False, server_default="{}"))
    op.create_table(
        "reversal",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("so_far", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "sequence"),
    )
    op.create_table(
        "job",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("lease_until_us", sa.BigInteger(), nullable=False),
        sa.Column("started_at_us", sa.BigInteger(), nullable=False),
        sa.Column("finished_at_us", sa.BigInteger(), nullable=True),
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("after_member_id", sa.Text(), nullable=False),
        sa.Column("looked_at", sa.BigInteger(), nullable=False),
        sa.Column("settled", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    _digest_cards()


def _digest_cards() -> None:
    """Card numbers leave the locator, which keeps its rows for ever, and digests take their
    place.
    """
    connection = op.get_bind()
    cards = connection.execute(
        sa.select(LOCATOR.c.bucket, LOCATOR.c.key).where(LOCATOR.c.kind == int(KeyKind.CARD))
    ).all()
    for bucket, number in cards:
        key = card_key(bytes(number).decode())
        connection.execute(
            sa.update(LOCATOR)
            .where(
                LOCATOR.c.bucket == bucket,
                LOCATOR.c.kind == int(KeyKind.CARD),
                LOCATOR.c.key == number,
            )
            .values(bucket=key.bucket, key=key.key)
        )
