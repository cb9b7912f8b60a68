"""The ledger can be distributed by bucket: every key on the checkout path starts with it."""

from collections.abc import Iterator

from sqlalchemy import Index, PrimaryKeyConstraint, Table, UniqueConstraint

import services.loyalty.office.schema  # noqa: F401  its tables join the ledger's metadata
from services.loyalty.identity.schema import IDENTITY_TABLES
from services.loyalty.schema import CHECKOUT_TABLES, metadata

# Tables that no checkout writes. Small, and the same on every node of a distributed database.
INSTALLATION = {"installation", "programme", "job"}
OFFICE = {
    "adjustment",
    "terminal",
    "staff",
    "staff_session",
    "sign_in_attempt",
    "audit",
    "audit_head",
    "audit_base",
}


def _keys(table: Table) -> Iterator[tuple[str, list[str]]]:
    """Primary key, unique constraints and unique indexes of a table, with their columns."""
    for constraint in table.constraints:
        if isinstance(constraint, PrimaryKeyConstraint | UniqueConstraint):
            yield f"{table.name}: {constraint}", [column.name for column in constraint.columns]
    for index in table.indexes:
        if isinstance(index, Index) and index.unique:
            yield f"{table.name}: {index.name}", [column.name for column in index.columns]


def test_every_table_is_of_the_checkout_path_or_named_here() -> None:
    checkout = {table.name for table in CHECKOUT_TABLES}

    vault = {table.name for table in IDENTITY_TABLES}

    assert set(metadata.tables) == checkout | INSTALLATION | OFFICE | vault


def test_every_key_of_the_checkout_path_starts_with_the_bucket() -> None:
    wrong = [
        f"{name} {columns}"
        for table in CHECKOUT_TABLES
        for name, columns in _keys(table)
        if columns[:1] != ["bucket"]
    ]
    assert wrong == []


def test_every_table_of_the_checkout_path_has_a_primary_key() -> None:
    assert [table.name for table in CHECKOUT_TABLES if not table.primary_key.columns] == []


def test_no_foreign_key_leaves_the_bucket() -> None:
    """A reference into another bucket could not be checked on the node that holds the row."""
    wrong = [
        f"{table.name}: {[column.name for column in key.columns]}"
        for table in CHECKOUT_TABLES
        for key in table.foreign_key_constraints
        if [column.name for column in key.columns][:1] != ["bucket"]
    ]
    assert wrong == []
