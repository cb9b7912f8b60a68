"""The hash chain of a bucket: SHA-256(previous hash ‖ fixed encoding of the row).

The encoding is five lines of UTF-8 joined by a newline: a JSON array of the row's short columns
(ids and times as the journal shows them, hashes in hex), then the texts `decision`, `movements`,
`facts` and `after` as stored. JSON never holds a raw newline, so no two rows encode alike. Whoever
can read the table can recompute the chain.
"""

import hashlib
from typing import Any

import orjson

GENESIS = bytes(32)
ENCODING_VERSION = 1


def row_hash(previous: bytes, row: dict[str, Any]) -> bytes:
    """Hash of the journal row with the columns of `schema.journal`, chained to `previous` (32
    bytes).
    """
    short = orjson.dumps(
        [
            ENCODING_VERSION,
            row["bucket"],
            row["sequence"],
            row["operation_id"],
            row["kind"],
            row["accepted"],
            row["member_id"],
            row["member_version"],
            row["member_previous"],
            row["terminal_id"],
            row["store_id"],
            row["actor"],
            row["effective_at_us"],
            row["occurred_at_us"],
            row["fingerprint"].hex(),
            row["basket_hash"].hex() if row["basket_hash"] is not None else None,
        ]
    )
    texts = "\n".join(("", row["decision"], row["movements"], row["facts"], row["after"]))
    return hashlib.sha256(previous + short + texts.encode()).digest()


def basket_hash(row: dict[str, Any]) -> bytes:
    """Hash of a basket row: a JSON array of its short columns, a newline, its line items as
    stored.
    """
    short = orjson.dumps(
        [
            row["basket_id"],
            row["receipt_number"],
            row["business_date"],
            row["cashier"],
            row["total_minor"],
        ]
    )
    return hashlib.sha256(short + b"\n" + row["line_items"].encode()).digest()
