"""The SQL that a PostgreSQL server was really sent, as its own log tells it, with parameters."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from services.loyalty.schema import metadata
from tests.servers.postgres import Cluster

_ENTRY = re.compile(r"^\d{4}-\d\d-\d\d [^\n]*? (LOG|DETAIL):  (.*)", re.DOTALL)
_STATEMENT = re.compile(r"(?:execute [^:]+|statement): (.*)", re.DOTALL)
_PARAMETER = re.compile(r"\$(\d+) = (NULL|'(?:[^']|'')*')")

# What Citus routes to one node without planning it ("fast path"): a statement of one distributed
# table whose distribution column is compared once, by `=` and AND, with one parameter; or an INSERT
# of rows. In Citus's source: src/backend/distributed/planner/fast_path_router_planner.c.
_COMPARED = r"\1\.\w+ = (?:\$\d+::\w+|ANY \(\$\d+::\w+\[\]\))"
_WHERE = rf"WHERE \1\.bucket = \$(\d+)::SMALLINT((?: AND {_COMPARED})*)"
_ONE_BUCKET = (
    re.compile(rf"SELECT [\w., ]+ FROM (\w+) {_WHERE}(?: FOR UPDATE)?"),
    re.compile(rf"UPDATE (\w+) SET (?:\w+=\$\d+::\w+(?:, )?)+ {_WHERE}"),
    re.compile(
        r"INSERT INTO (\w+) \(bucket(?:, \w+)+\) VALUES \(\$(\d+)::SMALLINT((?:, \$\d+::\w+)+)\)"
        r"(?: ON CONFLICT \(bucket, \w+\) DO UPDATE SET \w+ = excluded\.\w+)?"
    ),
)
_TRANSACTIONS = ("BEGIN;", "COMMIT;", "ROLLBACK;")
# What a new connection is told, and what the driver asks: it looks up types that it does not know,
# with jit off meanwhile. No table of the ledger is read.
_OF_A_CONNECTION = re.compile(
    r"SELECT (?:current_setting\('jit'\) AS cur, )?set_config\('jit', .*\)(?: AS new)?"
    r"|SELECT set_config\(name, 'lz4', false\) FROM pg_settings WHERE .*"
    r"|WITH RECURSIVE typeinfo_tree.*",
)
_LEDGERS = re.compile(rf"\b(?:FROM|JOIN|INTO|UPDATE) (?:{'|'.join(metadata.tables)})\b")


@dataclass(frozen=True, slots=True)
class Emitted:
    """A statement, in one line, and its parameters as the server writes them; None is NULL."""

    sql: str
    parameters: tuple[str | None, ...] = ()

    @property
    def is_frame(self) -> bool:
        """Whether it only begins or ends a transaction, or is a connection's own."""
        if self.sql in _TRANSACTIONS:
            return True
        return bool(_OF_A_CONNECTION.fullmatch(self.sql)) and not _LEDGERS.search(self.sql)

    @property
    def table(self) -> str:
        return self._parts()[0]

    @property
    def bucket(self) -> int:
        """The one that it is sent to."""
        value = self.parameters[int(self._parts()[1]) - 1]
        assert value is not None
        return int(value)

    def _parts(self) -> tuple[str, str]:
        for form in _ONE_BUCKET:
            found = form.fullmatch(self.sql)
            if found is not None and ".bucket" not in found[3]:
                return found[1], found[2]
        raise AssertionError(f"not a statement of one table and one bucket: {self.sql}")


@dataclass(slots=True)
class Listening:
    """What one database's sessions send from now on, while nobody else's are logged."""

    cluster: Cluster
    _read: int = field(default=0)

    def taken(self) -> list[Emitted]:
        """Everything since the last time."""
        with self.cluster.log.open("rb") as log:
            log.seek(self._read)
            new = log.read()
        self._read += len(new)
        return list(_statements(new.decode()))


@contextmanager
def listening(cluster: Cluster, url: str) -> Iterator[Listening]:
    """Sessions that begin from here on have every statement logged."""
    _set(cluster, url, "SET log_statement = 'all'")
    try:
        heard = Listening(cluster)
        heard.taken()
        yield heard
    finally:
        _set(cluster, url, "RESET log_statement")


def _set(cluster: Cluster, url: str, setting: str) -> None:
    name = sql.Identifier(url.rpartition("/")[2])
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER DATABASE {} ").format(name) + sql.SQL(setting))


def _statements(log: str) -> Iterator[Emitted]:
    """A statement and the DETAIL that follows it are written at once, so nothing is in between."""
    last: str | None = None
    for entry in re.split(r"\n(?=\d{4}-\d\d-\d\d )", log):
        found = _ENTRY.match(entry.strip())
        if found is None:
            continue
        kind, words = found[1], found[2]
        if kind == "DETAIL" and last is not None and words.startswith("parameters: "):
            yield Emitted(last, tuple(_values(words)))
            last = None
            continue
        if last is not None:
            yield Emitted(last)
            last = None
        statement = _STATEMENT.match(words)
        if statement is not None:
            last = " ".join(statement[1].split())
    if last is not None:
        yield Emitted(last)


def _values(words: str) -> Iterator[str | None]:
    for _, value in _PARAMETER.findall(words):
        yield None if value == "NULL" else value[1:-1].replace("''", "'")
