"""The rows of a cohort as PostgreSQL's COPY takes them, and the tables made ready for many."""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from services.loyalty import schema
from services.loyalty.store import Batch, JsonRow

FILLED = (schema.journal, schema.locator, schema.basket, schema.member, schema.reversal)
NAMES = [table.name for table in FILLED]
COLUMNS = {table.name: [column.name for column in table.columns] for table in FILLED}

# Sorting the keys of a big table takes this for itself. Seeding is the only one at work.
SORT_MEMORY = "512MB"
_KEYS = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE contype = 'p' AND conrelid = ANY ($1::text[]::regclass[]) ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of some tables in COPY's text form, and the bucket rows as they are after them."""

    journal_rows: int
    texts: Mapping[str, bytes]
    buckets: Sequence[JsonRow]


def chunk_of(batch: Batch) -> Chunk:
    rows: Mapping[str, Iterable[Sequence[Any]]] = {
        "journal": _values(batch.journal, "journal"),
        "locator": [(*key, *located) for key, located in batch.locators],
        "basket": _values(batch.baskets, "basket"),
        "member": _values(batch.new_members, "member"),
    }
    texts = {table: text_of(found) for table, found in rows.items()}
    return Chunk(len(batch.journal), texts, batch.buckets)


async def empty_without_keys(connection: asyncpg.Connection) -> Sequence[tuple[str, str, str]]:
    """Takes the primary keys from the tables, which are empty; answers table, name and definition
    of each.

    Putting every row of 20 million in its place in an index, one after the other, takes longer than
    sorting all of them in the end. Emptied in this very transaction, a table takes rows that no
    vacuum has to look at again (FREEZE).
    """
    keys = [tuple(row) for row in await connection.fetch(_KEYS, NAMES)]
    await connection.execute(f"TRUNCATE {', '.join(NAMES)}")
    for table, name, _ in keys:
        await connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    return keys


async def copy(connection: asyncpg.Connection, chunk: Chunk) -> None:
    for table, text in chunk.texts.items():
        source, columns = io.BytesIO(text), COLUMNS[table]
        await connection.copy_to_table(
            table, source=source, columns=columns, format="text", freeze=True
        )


async def make_key(connection: asyncpg.Connection, key: tuple[str, str, str]) -> None:
    """Makes a primary key as it was."""
    table, name, definition = key
    await connection.execute(f"SET LOCAL maintenance_work_mem = '{SORT_MEMORY}'")
    await connection.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")


def _values(rows: Iterable[JsonRow], table: str) -> list[list[Any]]:
    columns = COLUMNS[table]
    return [[row[name] for name in columns] for row in rows]


def text_of(rows: Iterable[Sequence[Any]]) -> bytes:
    """Fields divided by tabs, each row with a newline at its end."""
    text_by = _TEXT_BY
    lines = ["\t".join([text_by[type(value)](value) for value in row]) for row in rows]
    return "\n".join([*lines, ""]).encode()


def _escaped(text: str) -> str:
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    if text.isprintable():
        return text
    return text.replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


_TEXT_BY: Mapping[type, Any] = {
    int: str,
    str: _escaped,
    bytes: lambda value: f"\\\\x{value.hex()}",
    bool: lambda value: "t" if value else "f",
    type(None): lambda _: "\\N",
}
