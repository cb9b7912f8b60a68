"""The rows of a ledger in the hands of somebody who may change them."""

import random
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from bonpunkt.till import operations
from services.loyalty import schema
from services.loyalty.keys import BUCKET_COUNT
from services.loyalty.verify import Report, verify

TABLES = {table.name: table for table in schema.CHECKOUT_TABLES}

Value = Any
Found = dict[str, Value]


class Tampered:
    """The rows of a ledger in the hands of somebody who may change them."""

    def __init__(self, url: str, connection: Any) -> None:
        self.url = url
        self._connection = connection
        self._mark = "?" if url.startswith("sqlite") else "%s"

    def execute(self, statement: str, *values: Value) -> Any:
        return self._connection.execute(statement.replace("?", self._mark), values)

    def rows(self, table: str, where: str = "1 = 1") -> list[Found]:
        """In the order of their keys."""
        names = [column.name for column in TABLES[table].columns]
        keys = ", ".join(column.name for column in TABLES[table].primary_key.columns)
        rows = self.execute(f"SELECT {', '.join(names)} FROM {table} WHERE {where} ORDER BY {keys}")
        return [dict(zip(names, map(plain, row), strict=True)) for row in rows.fetchall()]

    def some(self, table: str, where: str = "1 = 1", *, seed: int = 0) -> Found:
        return random.Random(f"{table} {where} {seed}").choice(self.rows(table, where))

    def change(self, table: str, row: Found, **values: Value) -> None:
        changes = ", ".join(f"{name} = ?" for name in values)
        self.execute(
            f"UPDATE {table} SET {changes} WHERE {by_key(table)}",
            *values.values(),
            *key(table, row),
        )

    def delete(self, table: str, row: Found) -> None:
        self.execute(f"DELETE FROM {table} WHERE {by_key(table)}", *key(table, row))

    def insert(self, table: str, row: Found) -> None:
        marks = ", ".join("?" for _ in row)
        self.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", *row.values())

    async def report(self) -> Report:
        return await verify(self.url)

    async def problems(self) -> list[str]:
        """What verify says; it has to say something."""
        report = await self.report()
        assert not report.ok
        assert report.problems
        return report.problems


def plain(value: Value) -> Value:
    return str(value) if isinstance(value, UUID) else value


def key(table: str, row: Found) -> list[Value]:
    return [row[column.name] for column in TABLES[table].primary_key.columns]


def by_key(table: str) -> str:
    return " AND ".join(f"{column.name} = ?" for column in TABLES[table].primary_key.columns)


def other(table: str, column: str, value: Value, seed: int) -> Value:
    """Another value that the database takes in its place."""
    if table == "bucket" and column == "bucket":
        return value + BUCKET_COUNT  # all others are taken
    if column in ("bucket", "home_bucket"):
        return (value + 1 + seed % (BUCKET_COUNT - 1)) % BUCKET_COUNT
    if column == "kind" and table == "locator":
        return value % 3 + 1
    if isinstance(value, bool) or column == "accepted":
        return not value
    if isinstance(value, int):
        return value - 1 if column in ("issued", "receivable") else value + 1
    if isinstance(value, bytes):
        return bytes([value[0] ^ 1 << seed % 8]) + value[1:]
    if value is None:
        column_type = TABLES[table].c[column].type.python_type
        return {bytes: bytes(32), int: 1}.get(column_type, operations.new_id())
    if column.endswith("_id") and len(value) == 36:
        return operations.new_id()
    return _other_text(value)


def _other_text(text: str) -> str:
    """One digit is another, or something stands where nothing stood."""
    for place in range(len(text) - 1, -1, -1):
        if text[place].isdecimal():
            return f"{text[:place]}{(int(text[place]) + 1) % 10}{text[place + 1 :]}"
    return text + "x"


def names(table: str, row: Found, problems: Sequence[str]) -> bool:
    """Whether the problems name the row that was changed."""
    if table == "bucket":
        named = f"bucket {row['bucket']}"
    elif table == "member":
        named = f"member {row['member_id']} in bucket {row['bucket']} "
    elif table == "locator":
        named = f"key {row['key'].hex()} "
    else:
        named = f"{table} {row['bucket']}/{row['sequence']} "
    return any(named in f"{problem} " for problem in problems)
