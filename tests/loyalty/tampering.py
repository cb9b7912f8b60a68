"""The rows of a ledger in the hands of somebody who may change them."""

import json
import random
import re
import sqlite3
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy.engine import make_url

from bonpunkt.till import operations
from services.loyalty import schema
from services.loyalty.chain import row_hash
from services.loyalty.keys import BUCKET_COUNT
from services.loyalty.verify import Report, verify

TABLES = {
    table.name: table for table in (*schema.CHECKOUT_TABLES, schema.programme, schema.installation)
}
CHECKOUT = tuple(table.name for table in schema.CHECKOUT_TABLES)

Value = Any
Found = dict[str, Value]
Rows = dict[str, list[Found]]


class Tampered:
    """`lately` are all rows as they were before the last commit."""

    def __init__(self, url: str, connection: Any, lately: Rows) -> None:
        self.url, self.lately = url, lately
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

    def all_rows(self) -> Rows:
        return {name: self.rows(name) for name in TABLES}

    def some(self, table: str, where: str = "1 = 1", *, seed: object = 0) -> Found:
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

    def replace(self, table: str, rows: Sequence[Found]) -> None:
        """The table holds these rows from now on, and no others."""
        now = {tuple(key(table, row)): row for row in self.rows(table)}
        then = {tuple(key(table, row)): row for row in rows}
        for place, row in now.items():
            if then.get(place) != row:
                self.delete(table, row)
        for place, row in then.items():
            if now.get(place) != row:
                self.insert(table, row)

    def forge(self, row: Found, **changes: Value) -> None:
        """Changes a journal row and puts the chain right behind it, as whoever can compute a hash
        can.
        """
        bucket, sequence = row["bucket"], row["sequence"]
        earlier = self.rows("journal", f"bucket = {bucket} AND sequence < {sequence}")
        head = earlier[-1]["chain_hash"] if earlier else bytes(32)
        for later in self.rows("journal", f"bucket = {bucket} AND sequence >= {sequence}"):
            if later["sequence"] == sequence:
                later.update(changes)
            later["accepted"] = bool(later["accepted"])
            head = later["chain_hash"] = row_hash(head, later)
            self.delete("journal", later)
            self.insert("journal", later)
        (locked,) = self.rows("bucket", f"bucket = {bucket}")
        self.change("bucket", locked, chain_head=head)

    async def report(self) -> Report:
        return await verify(self.url)

    async def problems(self) -> list[str]:
        """What verify says; it has to say something."""
        report = await self.report()
        assert not report.ok
        assert report.problems
        return report.problems


def connected(url: str) -> Any:
    """A connection that commits each statement, by a driver that is not the service's."""
    if url.startswith("sqlite"):
        return sqlite3.connect(make_url(url).database or "", isolation_level=None)
    return psycopg.connect(url, autocommit=True)


def plain(value: Value) -> Value:
    return str(value) if isinstance(value, UUID) else value


def key(table: str, row: Found) -> list[Value]:
    return [row[column.name] for column in TABLES[table].primary_key.columns]


def by_key(table: str) -> str:
    return " AND ".join(f"{column.name} = ?" for column in TABLES[table].primary_key.columns)


def others(table: str, column: str, row: Found) -> list[Value]:
    """Other values that may stand in the place of this one, of every sort that its type has. The
    database may refuse some.
    """
    value, column_type = row[column], TABLES[table].c[column].type.python_type
    if column in ("bucket", "home_bucket"):
        return _other_buckets(table, column, value)
    if (table, column) == ("programme", "effective_from_us"):
        return [1, -1] if value == 0 else [0, value + 10**15]  # see NOT_PROVABLE_FROM_ROWS
    if (table, column) == ("installation", "value"):
        return [str(int(value) + 1), "0", f"-{value}", "one", ""]
    if table == "locator" and column == "kind":
        return [kind for kind in (1, 2, 3, 4, 5) if kind != value]
    nothing = [None] if TABLES[table].c[column].nullable and value is not None else []
    if column_type is bool:
        return [not value]
    if value is None:
        return [{bytes: bytes(32), int: 1}.get(column_type, operations.new_id())]
    if column_type is int:
        return [value + 1, value - 1, value + 10**9, -value - 1, *nothing]
    if column_type is bytes:
        flipped = bytes([value[0] ^ 1]) + value[1:]
        return [flipped, value[:-1] + bytes([value[-1] ^ 128]), value[:-1], b"", *nothing]
    if column.endswith("_id") and len(value) == 36:
        return [operations.new_id(), *nothing]
    return [*_other_texts(value), *nothing]


def _other_buckets(table: str, column: str, value: int) -> list[Value]:
    if table == "bucket":
        return [value + BUCKET_COUNT, -1]  # all others are taken
    within = [(value + step) % BUCKET_COUNT for step in (1, 7, BUCKET_COUNT - 1)]
    return within if column == "home_bucket" else [*within, BUCKET_COUNT, -1]


def _other_texts(text: str) -> list[Value]:
    """One digit is another, something stands where nothing stood, or something else."""
    changed = [f"{text}x"]
    places = [place for place, sign in enumerate(text) if sign.isdecimal()]
    for place in places[:1] + places[-1:]:
        digit = (int(text[place]) + 1) % 10
        changed.append(f"{text[:place]}{digit}{text[place + 1 :]}")
    if text:
        changed.append("")
    if text[:1] in ("{", "["):
        changed += [_respaced(text), _added(text), "{}" if text != "{}" else "[]", "null"]
    return changed


def _respaced(text: str) -> str:
    """The same JSON, in other characters."""
    return json.dumps(json.loads(text), ensure_ascii=False, indent=1) + " "


def _added(text: str) -> str:
    """Well-formed JSON with something more in it."""
    found = json.loads(text)
    if isinstance(found, dict):
        return json.dumps({**found, "more_of": 1}, separators=(",", ":"))
    return json.dumps([*found, *(found[:1] or ["more"])], separators=(",", ":"))


def names(table: str, row: Found, problems: Sequence[str]) -> bool:
    """Whether the problems name the row that was changed."""
    named = _name(table, row)
    return any(re.search(rf"(^|: | ){re.escape(named)}(?![\w/-])", told) for told in problems)


def _name(table: str, row: Found) -> str:
    match table:
        case "bucket":
            return f"bucket {row['bucket']}"
        case "member":
            return f"member {row['member_id']} in bucket {row['bucket']}"
        case "locator":
            kinds = {1: "operation", 2: "receipt", 3: "card", 4: "reservation"}
            return f"locator: {kinds.get(row['kind'], row['kind'])} key {row['key'].hex()}"
        case "programme":
            return f"programme version {row['version']}"
        case "installation":
            return f"installation {row['name']}"
        case _:
            return f"{table} {row['bucket']}/{row['sequence']}"
