"""Several processes share the work of one database: who they are, and who does what."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "worker",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("until_us", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "duty",
        sa.Column("duty", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("worker", sa.String(64), nullable=False),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE SEQUENCE delivery_number")
        next_number = "SELECT coalesce(max(number), 0) + 1 FROM delivery"
        op.execute(f"SELECT setval('delivery_number', ({next_number}), false)")
