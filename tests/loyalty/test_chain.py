"""The chain can be recomputed by whoever can read the table: SHA-256 over documented bytes."""

import hashlib
import json
from typing import Any

import pytest

from services.loyalty.chain import GENESIS, basket_hash, row_hash

ROW: dict[str, Any] = {
    "bucket": 3,
    "sequence": 17,
    "operation_id": "0198c6f4-0000-7000-8000-000000000001",
    "kind": "capture",
    "accepted": True,
    "member_id": "0198c6f4-0000-7000-8000-000000000002",
    "member_version": 4,
    "member_previous": 12,
    "terminal_id": "till-1",
    "store_id": "Käsetheke",
    "actor": "",
    "effective_at_us": 1_795_172_400_000_000,
    "occurred_at_us": None,
    "fingerprint": bytes(range(32)),
    "basket_hash": None,
    "decision": '{"result":"captured"}',
    "movements": '{"transfers":[]}',
    "facts": '{"tier":"base"}',
    "after": '{"points":5}',
}
BASKET: dict[str, Any] = {
    "basket_id": "0198c6f4-0000-7000-8000-000000000003",
    "receipt_number": "R-1",
    "business_date": "2026-11-20",
    "cashier": "7",
    "total_minor": 2000,
    "line_items": '[["1","","Käse","","",1000,2000,"DE_7"]]',
}


def test_a_row_hashes_as_the_documentation_says() -> None:
    """Here with the standard library's JSON: an auditor needs none of ours."""
    short = [1, 3, 17, ROW["operation_id"], "capture", True, ROW["member_id"], 4, 12]
    short += ["till-1", "Käsetheke", "", 1_795_172_400_000_000, None]
    short += [bytes(range(32)).hex(), None]
    lines = [json.dumps(short, separators=(",", ":"), ensure_ascii=False)]
    lines += [ROW["decision"], ROW["movements"], ROW["facts"], ROW["after"]]

    by_hand = hashlib.sha256(GENESIS + "\n".join(lines).encode()).digest()

    assert row_hash(GENESIS, ROW) == by_hand


def test_a_basket_hashes_as_the_documentation_says() -> None:
    short = [BASKET["basket_id"], "R-1", "2026-11-20", "7", 2000]
    lines = [json.dumps(short, separators=(",", ":")), BASKET["line_items"]]

    assert basket_hash(BASKET) == hashlib.sha256("\n".join(lines).encode()).digest()


@pytest.mark.parametrize("column", ROW)
def test_every_column_of_a_row_is_covered(column: str) -> None:
    value = ROW[column]
    other: Any = value + 1 if isinstance(value, int) else bytes(32)
    if isinstance(value, str):
        other = value + "x"
    if value is True:
        other = False

    changed = {**ROW, column: bytes(32) if column == "basket_hash" else other}
    if column == "occurred_at_us":
        changed[column] = 0

    assert row_hash(GENESIS, changed) != row_hash(GENESIS, ROW)


@pytest.mark.parametrize("column", BASKET)
def test_every_column_of_a_basket_is_covered(column: str) -> None:
    value = BASKET[column]
    changed = {**BASKET, column: value + (1 if isinstance(value, int) else "x")}

    assert basket_hash(changed) != basket_hash(BASKET)


def test_a_row_is_bound_to_the_row_before_it() -> None:
    assert row_hash(bytes(31) + b"\1", ROW) != row_hash(GENESIS, ROW)


def test_texts_cannot_move_between_columns() -> None:
    moved = {**ROW, "terminal_id": "till-", "store_id": "1Käsetheke"}

    assert row_hash(GENESIS, moved) != row_hash(GENESIS, ROW)
