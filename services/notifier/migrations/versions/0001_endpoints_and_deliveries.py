"""Endpoints, deliveries, the cursor of the feed, and the audit chain."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    _create_intake()
    _create_endpoint()
    _create_delivery()
    op.create_table(
        "audit",
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
    )


def _create_intake() -> None:
    op.create_table(
        "ledger",
        sa.Column("only", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("bucket_count", sa.Integer, nullable=False),
    )
    op.create_table(
        "cursor",
        sa.Column("bucket", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("chain_hash", sa.LargeBinary(32), nullable=False),
    )
    op.create_table(
        "event",
        sa.Column("epoch", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("bucket", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("member_version", sa.BigInteger, nullable=False),
        sa.Column("event_type", sa.String(64), nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )


def _create_endpoint() -> None:
    op.create_table(
        "endpoint",
        sa.Column("endpoint_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", sa.String(64), nullable=False, unique=True),
        sa.Column("key", sa.String(16), nullable=False, unique=True),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("event_types", sa.Text, nullable=False),
        sa.Column("secrets", sa.Text, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("disabled_reason", sa.Text, nullable=False),
        sa.Column("failing_since_us", sa.BigInteger),
        sa.Column("added_at_us", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "figures",
        sa.Column(
            "endpoint_id",
            sa.Integer,
            sa.ForeignKey("endpoint.endpoint_id"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("pending", sa.BigInteger, nullable=False),
        sa.Column("delivered", sa.BigInteger, nullable=False),
        sa.Column("dead", sa.BigInteger, nullable=False),
    )


def _create_delivery() -> None:
    op.create_table(
        "delivery",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("endpoint_id", sa.Integer, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("bucket", sa.SmallInteger, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("member_id", sa.String(36), nullable=False),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("created_at_us", sa.BigInteger, nullable=False),
        sa.Column("next_attempt_us", sa.BigInteger, nullable=False),
        sa.Column("last_attempt_us", sa.BigInteger),
        sa.Column("last_status", sa.SmallInteger, nullable=False),
        sa.Column("last_error", sa.Text, nullable=False),
        sa.UniqueConstraint("endpoint_id", "epoch", "bucket", "sequence", name="delivery_once"),
    )
    _create_index(
        "delivery_due",
        ["endpoint_id", "next_attempt_us"],
        where="state = 1 AND next_attempt_us > 0",
    )
    _create_index(
        "delivery_turn",
        ["endpoint_id", "member_id", "number"],
        where="state = 1 AND number > 0",
    )
    _create_index("delivery_open", ["state", "number"], where="state != 2 AND attempts >= 0")
    op.create_index("delivery_of_member", "delivery", ["member_id", "number"])
    op.create_table(
        "attempt",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("attempt", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("status", sa.SmallInteger, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
    )


def _create_index(name: str, columns: list[str], *, where: str) -> None:
    op.create_index(
        name, "delivery", columns, postgresql_where=sa.text(where), sqlite_where=sa.text(where)
    )
