"""What PostgreSQL tells of the ledger's tables: their size, their keys, how they are read and
written.
"""

from dataclasses import dataclass

import psycopg

from services.loyalty.schema import CHECKOUT_TABLES

NAMES = [table.name for table in CHECKOUT_TABLES if table.name != "reversal"]
_SIZES = """
    SELECT t.relname, greatest(t.reltuples, 1), pg_table_size(t.oid), pg_relation_size(i.oid),
        (bt_metap(i.relname)).level + 1
    FROM pg_class t
    JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype = 'p'
    JOIN pg_class i ON i.oid = k.conindid
    WHERE t.relname = ANY (%s) ORDER BY 1
"""
_COUNTERS = """
    SELECT relname, n_tup_upd, n_tup_hot_upd, heap_blks_read, idx_blks_read
    FROM pg_stat_user_tables JOIN pg_statio_user_tables USING (relid, relname)
    WHERE relname = ANY (%s) ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class Table:
    """One table with its primary key, its only index. Blocks are those of 8 KiB that were not in
    PostgreSQL's own cache, since the counters were last set to 0.
    """

    rows: int
    bytes: int
    bytes_per_row: float
    key_bytes: int
    key_bytes_per_row: float
    key_levels: int
    updates: int
    hot_update_share: float | None  # None without updates
    blocks_read: int
    key_blocks_read: int


def look(url: str) -> dict[str, Table]:
    """Sizes and counters of the tables of the checkout path. Whoever wrote should have
    disconnected, since a connection tells what it did a while later.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        counters = connection.execute(_COUNTERS, [NAMES]).fetchall()  # ANALYZE reads blocks, too
        connection.execute(f"ANALYZE {', '.join(NAMES)}")
        connection.execute("CREATE EXTENSION IF NOT EXISTS pageinspect")
        sizes = connection.execute(_SIZES, [NAMES]).fetchall()
    return {
        name: _table(*size, *counts)
        for (name, *size), (_, *counts) in zip(sizes, counters, strict=True)
    }


def forget(url: str) -> None:
    """Sets the counters to 0."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_stat_reset()")


def _table(
    rows: float,
    size: int,
    key_size: int,
    levels: int,
    updates: int,
    hot: int,
    blocks_read: int,
    key_blocks_read: int,
) -> Table:
    return Table(
        rows=round(rows),
        bytes=size,
        bytes_per_row=round(size / rows, 1),
        key_bytes=key_size,
        key_bytes_per_row=round(key_size / rows, 1),
        key_levels=levels,
        updates=updates,
        hot_update_share=round(hot / updates, 4) if updates else None,
        blocks_read=blocks_read,
        key_blocks_read=key_blocks_read,
    )
