"""Our own statements, one transaction for each request: Bonpunkt without group commit.

pgbench sends, for each checkout, exactly the statements that the ledger's writer sends for a batch
of one: whose card it is; BEGIN; lock the bucket row; read the member; write journal, locator,
basket, member and bucket row; COMMIT. Tables, indexes, row sizes, prepared statements and session
settings are those of the ledger; N connections do it at once, each waiting for the bucket rows
that others have locked. The rows are those of one recorded checkout of middling size with keys,
sequences, versions and balances of their own.

It is the fairest baseline, because it leaves out all that the ledger does besides: no gRPC, no
rules, no hashing, no Python at all.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg

from bonpunkt.till.v1 import till_pb2 as pb
from loadtests.drafts import Drafted, Ledger
from loadtests.pgbench import Script
from services.loyalty import rows_postgresql as rows
from services.loyalty import schema
from services.loyalty import store_postgresql as sql
from services.loyalty.keys import BUCKET_COUNT, KeyKind
from services.loyalty.store import BUCKET_COLUMNS, MEMBER_COLUMNS, Batch, open_store

MEMBERS = 100_000
LOOKED_AT = 101  # checkouts, to find one of middling size

# What a member with a number is known by; pgbench can compute with numbers only.
_BUCKET = f"(:number % {BUCKET_COUNT})::SMALLINT"
_CARD = "int8send(:number::BIGINT)"
_NEW_KEY = "uuid_send(gen_random_uuid())"
# Columns of a row that differ from checkout to checkout; `:name` is what was read by that name.
_CHANGES: Mapping[str, Mapping[str, str]] = {
    "journal": {
        "bucket": ":home_bucket",
        "sequence": ":sequence::BIGINT + 1",
        "operation_id": "gen_random_uuid()",
        "member_id": ":member_id",
        "member_version": ":version::BIGINT + 1",
        "member_previous": ":last_sequence",
    },
    "locator": {
        "bucket": f"(random() * {BUCKET_COUNT - 1})::SMALLINT",
        "key": _NEW_KEY,
        "home_bucket": ":home_bucket",
        "sequence": ":sequence::BIGINT + 1",
    },
    "basket": {"bucket": ":home_bucket", "sequence": ":sequence::BIGINT + 1"},
    "member": {
        "bucket": ":home_bucket",
        "member_id": ":member_id",
        "version": ":version::BIGINT + 1",
        "points": ":points::BIGINT + 1",
        "last_sequence": ":sequence::BIGINT + 1",
    },
    "bucket": {
        "bucket": ":home_bucket",
        "sequence": ":sequence::BIGINT + 1",
        "issued": ":issued::BIGINT - 1",
        "captures": ":captures::BIGINT + 1",
        **{name: f":{name}" for name in ("redeemed", "expired", "adjusted", "forfeited", "loss")},
        **{name: f":{name}" for name in ("in_transit", "members", "member_changes", "refusals")},
        "same_basket_redemptions": ":same_basket_redemptions",
    },
}
# How each table's rows are handed over, and their columns in that order.
_FORMS: Mapping[str, tuple[rows.Rows, Sequence[str]]] = {
    "journal": (rows.JOURNAL, schema.journal.columns.keys()),
    "locator": (rows.LOCATORS, schema.locator.columns.keys()),
    "basket": (rows.BASKETS, schema.basket.columns.keys()),
    "member": (rows.MEMBERS, MEMBER_COLUMNS),
    "bucket": (rows.BUCKETS, BUCKET_COLUMNS),
}


async def prepare(url: str, baskets: Sequence[pb.Basket], *, members: int = MEMBERS) -> Script:
    """Makes a ledger with so many members in an empty database; what its clients repeat."""
    store = await open_store(url)
    try:
        ledger = await Ledger.made(store)
        cards = await ledger.enrol(LOOKED_AT)
        drafted = list(ledger.captures(cards, baskets, size=1))
    finally:
        await store.close()
    typical = sorted(drafted, key=_size)[len(drafted) // 2].rows
    _add_members(url, typical.changed_members[0], count=members)
    return script(typical, members=members)


def script(typical: Batch, *, members: int) -> Script:
    """The checkout `typical`, to be repeated for members by chance."""
    variables: dict[str, str] = {"number_max": str(members)}

    def array_of(table: str, found: Sequence[Mapping[str, Any]]) -> str:
        made = [_row(table, each, variables) for each in found]
        return f"ARRAY[{', '.join(made)}]"

    locators = [{**key._asdict(), **at._asdict()} for key, at in typical.locators]
    written = {
        "journal": array_of("journal", typical.journal),
        "locator": array_of("locator", locators),
        "basket": array_of("basket", typical.baskets),
        "member": array_of("member", typical.changed_members),
        "bucket": array_of("bucket", typical.buckets),
    }
    card = {
        "wanted_bucket": f"ARRAY[{_BUCKET}]",
        "wanted_kind": f"ARRAY[{KeyKind.CARD:d}::SMALLINT]",
        "wanted_key": f"ARRAY[{_CARD}]",
    }
    member = {
        "wanted_bucket": "ARRAY[:home_bucket::SMALLINT]",
        "wanted_member_id": "ARRAY[:member_id::UUID]",
    }
    lines = [
        r"\set number random(1, :number_max)",
        rf"{_filled(sql._OWNERS, card)} \gset",
        "BEGIN;",
        rf"{_filled(sql._LOCK, {'buckets': 'ARRAY[:home_bucket::SMALLINT]'})} \gset",
        rf"{_filled(sql._MEMBERS, member)} \gset",
        f"{_filled(sql._WRITE, written)};",
        "COMMIT;",
    ]
    # whoever waits for a bucket row longer than the writer would has not failed here
    settings = {name: to for name, to in sql.SESSION.items() if not name.endswith("_timeout")}
    return Script("\n".join(lines) + "\n", variables, settings)


def _filled(statement: sql.Statement, values: Mapping[str, str]) -> str:
    """The statement with SQL in place of its parameters."""
    text = statement.sql
    for number in range(len(statement.order), 0, -1):  # $12 before $1
        text = text.replace(f"${number}::", f"{values[statement.order[number - 1]]}::")
    assert "$" not in text, text
    return text


def _row(table: str, found: Mapping[str, Any], variables: dict[str, str]) -> str:
    """A row in SQL: what differs, as an expression; texts and hashes as the client sends them."""
    (form, columns), changes = _FORMS[table], _CHANGES[table]
    values = []
    for name in columns:
        value, variable = found.get(name), f"{table}_{name}"
        if name in changes:
            values.append(changes[name])
        elif value is None:
            values.append("NULL")
        elif isinstance(value, str | bytes) and value:
            variables[variable] = rf"\x{value.hex()}" if isinstance(value, bytes) else value
            values.append(f":{variable}")
        else:
            values.append(f"'{value}'")
    return f"ROW({', '.join(values)})::{form.type_name}"


def _add_members(url: str, typical: Mapping[str, Any], *, count: int) -> None:
    """Members with the numbers 1 to `count`, each with a card."""
    own = {"bucket": f"n %% {BUCKET_COUNT}", "member_id": "md5(n::TEXT)::UUID"}
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            f"INSERT INTO member ({', '.join(MEMBER_COLUMNS)}) "
            f"SELECT {', '.join(own.get(name, f'%({name})s') for name in MEMBER_COLUMNS)} "
            f"FROM generate_series(1, {count}) AS n",
            dict(typical),
        )
        connection.execute(
            "INSERT INTO locator (bucket, kind, key, home_bucket, sequence, member_id) "
            f"SELECT n % {BUCKET_COUNT}, {KeyKind.CARD:d}, int8send(n), n % {BUCKET_COUNT}, 0, "
            f"md5(n::TEXT)::UUID FROM generate_series(1, {count}::BIGINT) AS n"
        )
        connection.execute("VACUUM ANALYZE")


def _size(drafted: Drafted) -> int:
    """Of what is written, as a till's basket makes it: in characters."""
    batch = drafted.rows
    return sum(
        len(str(value)) for row in (*batch.journal, *batch.baskets) for value in row.values()
    )
