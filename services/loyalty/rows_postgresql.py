"""Rows as the checkout path hands them to PostgreSQL: for each table an array of rows.

An array for each column costs the driver twice as much as one for all of them, and the server a
third more (decision 0030).

An array of rows needs a row type. Its name carries its columns: so a release always finds the one
that it knows, beside those of the releases before and after it, whatever a migration adds to the
table while tills are served.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from operator import itemgetter
from sys import intern
from typing import Any

from asyncpg.protocol import protocol
from sqlalchemy import (
    Connection,
    FromClause,
    Insert,
    Table,
    bindparam,
    column,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import UserDefinedType

from services.loyalty import schema
from services.loyalty.store import BUCKET_COLUMNS, MEMBER_COLUMNS

# The driver asks three abstract base classes whether an element of an array is an array itself, and
# that takes longer than encoding it. Here every array is a list and no element is one, which a
# single question tells.
protocol.IterableABC = protocol.SizedABC = list
protocol.MappingABC = dict

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


class _ArrayOf(UserDefinedType[Any]):
    """The SQL type of an array of rows; `name` is that of the row type."""

    cache_ok = True
    render_bind_cast = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: Any) -> str:
        return f"{self.name}[]"


class Rows:
    """Some columns of a table, as a statement takes rows of them: in one parameter, which has the
    table's name.
    """

    def __init__(self, table: Table, columns: Sequence[str]) -> None:
        self.table = table
        self._columns = {name: table.c[name].type for name in columns}
        self._definition = ", ".join(
            f"{name} {type_.compile(dialect=_DIALECT)}" for name, type_ in self._columns.items()
        )
        digest = sha256(self._definition.encode()).hexdigest()
        self.type_name = f"{table.name}_row_{digest[:8]}"
        # SQLAlchemy's names are a subclass of str, with which a look-up in a dict takes three times
        # as long as with the very names that the rows were made with.
        self._tuple_of = itemgetter(*[intern(str(name)) for name in columns])

    def source(self) -> FromClause:
        """What a statement reads them from: `unnest(:journal) AS journal_new(a, b, …)`."""
        rows = bindparam(self.table.name, type_=_ArrayOf(self.type_name))
        columns = [column(name, type_) for name, type_ in self._columns.items()]
        unnested = func.unnest(rows).table_valued(*columns)
        return unnested.render_derived(name=f"{self.table.name}_new")

    def inserted(self) -> Insert:
        """The statement that inserts them."""
        source = self.source()
        new = select(*[source.c[name] for name in self._columns])
        return insert(self.table).from_select(list(self._columns), new)

    def values(self, rows: Iterable[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
        """The rows as the driver takes them."""
        return list(map(self._tuple_of, rows))

    def make_type(self, connection: Connection) -> None:
        """Makes the row type, unless it is there."""
        found = connection.scalar(select(func.to_regtype(self.type_name)))
        if found is None:
            connection.execute(text(f"CREATE TYPE {self.type_name} AS ({self._definition})"))


JOURNAL = Rows(schema.journal, [column.name for column in schema.journal.columns])
LOCATORS = Rows(schema.locator, [column.name for column in schema.locator.columns])
BASKETS = Rows(schema.basket, [column.name for column in schema.basket.columns])
MEMBERS = Rows(schema.member, MEMBER_COLUMNS)
REVERSALS = Rows(schema.reversal, [column.name for column in schema.reversal.columns])
BUCKETS = Rows(schema.bucket, BUCKET_COLUMNS)


def make_types(connection: Connection) -> None:
    """Makes what this release needs besides its tables; the caller sees that nobody else does."""
    for rows in (JOURNAL, LOCATORS, BASKETS, MEMBERS, REVERSALS, BUCKETS):
        rows.make_type(connection)
