"""With a lane for each bucket, every statement of a checkout is of one table and one bucket.

Read from the server's own log, so from what was sent, not from what the code means to send.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

import psycopg
import pytest

from bonpunkt.till import operations
from services.loyalty import store_distributed
from services.loyalty.answers import Recent
from services.loyalty.domain.command import Command
from services.loyalty.keys import BUCKET_COUNT, Key, member_bucket, operation_key
from services.loyalty.store import Located, StoreLostError, open_store
from services.loyalty.store_distributed import DistributedStore
from services.loyalty.store_postgresql import Statement
from tests.loyalty.commands import (
    a_basket_of,
    a_merge,
    a_release,
    a_reserve,
    a_return,
    a_settling,
    a_till_enrolment,
    a_void,
    an_adjustment,
)
from tests.loyalty.emitted import Emitted, listening
from tests.loyalty.ledgers import (
    Ledger,
    a_capture,
    an_abandon,
    an_enrolment,
    member_id_in,
    opened,
    read,
)
from tests.servers.postgres import Cluster

CARD = "2900000000018"
HOME = 7  # the bucket of the member, unlike that of the card
# What a till sends; besides, what the ledger does by itself on the same tables.
AT_THE_TILL = {"identify", "quote", "reserve", "capture", "release", "void", "return"}
AT_THE_TILL |= {"status", "abandon", "enrol"}
Emissions = Mapping[str, Sequence[Emitted]]


@pytest.fixture(scope="module")
async def emitted(
    postgres_cluster: Cluster, make_postgres_database: Callable[[], str]
) -> AsyncIterator[Emissions]:
    """What each operation sent, for one member in bucket HOME; without what only begins and ends
    transactions, and what the driver asks the catalogue about types, once for each connection.
    """
    url = make_postgres_database()
    async with opened(url, lanes=BUCKET_COUNT):
        pass  # migrated
    with listening(postgres_cluster, url) as heard:
        async with opened(url, lanes=BUCKET_COUNT) as ledger:
            heard.taken()
            found: dict[str, list[Emitted]] = {}
            async for operation in _a_day_at_the_till(ledger):
                sent = [each for each in heard.taken() if not each.is_frame]
                found.setdefault(operation, []).extend(sent)
            yield found
            await ledger.verified()


async def _a_day_at_the_till(ledger: Ledger) -> AsyncIterator[str]:
    """Says what it has just done; each time the writers have finished."""

    async def done(name: str, work: Awaitable[Any]) -> str:
        await work
        return name

    async def submit(name: str, *commands: Command) -> str:
        for answer in await ledger.answers(*commands):
            assert answer.cause is None, (name, answer)
        return name

    member_id, other_id = member_id_in(HOME), member_id_in(HOME + 1)
    yield await submit("enrol", an_enrolment(CARD, member_id=member_id))
    yield await submit("enrol", a_till_enrolment("2900000000025"))
    yield await submit("adjust", an_adjustment(member_id, 1_000))
    yield await done("identify", ledger.ask(read(operations.identify(CARD))))
    yield await done("quote", ledger.ask(read(operations.quote(CARD, a_basket_of(2_000)))))
    reserve = a_reserve(CARD, 2_000, redeem=100)
    yield await submit("reserve", reserve)
    yield await submit("release", a_release(reserve.operation_id))
    captures = [a_capture(CARD, 2_000, redeem="maximum") for _ in range(3)]
    yield await submit("capture", *captures)
    yield await submit("void", a_void(captures[0].operation_id))
    yield await submit("return", a_return(captures[1].operation_id, ("1", 0)))
    yield await done("status", ledger.status(captures[0].operation_id))
    yield await done("status", ledger.status(operations.new_id()))
    yield await submit("abandon", an_abandon(captures[0].operation_id))
    yield await submit("abandon", an_abandon(operations.new_id()))
    yield await submit("settle", a_settling(member_id))
    # a repeat that the process has forgotten: the key is taken, the journal answers
    for writer in ledger.writer._writers:  # type: ignore[union-attr]
        writer._recent = Recent()
    yield await submit("repeat", captures[2])
    yield await submit("enrol", an_enrolment("2900000000032", member_id=other_id))
    yield await submit("merge", a_merge(member_id, other_id))
    yield await submit("capture of a merged member's card", a_capture("2900000000032", 2_000))


def test_every_operation_of_a_till_was_heard(emitted: Emissions) -> None:
    assert set(emitted) >= AT_THE_TILL
    assert [name for name, sent in emitted.items() if not sent] == []


def test_every_statement_carries_the_equality_of_one_bucket(emitted: Emissions) -> None:
    for name, sent in emitted.items():
        for each in sent:
            assert 0 <= each.bucket < BUCKET_COUNT, (name, each)


def test_every_statement_that_the_store_has_was_heard(emitted: Emissions) -> None:
    """Else one of them could be of any form."""
    sent = {each.sql for some in emitted.values() for each in some}

    statements = {
        name: " ".join(value.sql.split())
        for name, value in vars(store_distributed).items()
        if isinstance(value, Statement)
    }
    assert len(statements) == 14
    assert {name for name, sql in statements.items() if sql not in sent} == set()
    assert sent == set(statements.values())


@pytest.mark.parametrize(
    "name", ["identify", "quote", "reserve", "capture", "release", "void", "return", "status"]
)
def test_only_keys_are_elsewhere_than_the_member(emitted: Emissions, name: str) -> None:
    """DESIGN §3 and §4: a locator's bucket is that of its key, so it may lie on another node, and
    makes that commit a two-phase one. Everything else is in the one bucket that was locked.
    """
    elsewhere = {each.table for each in emitted[name] if each.bucket != HOME}

    assert elsewhere <= {"locator"}
    assert HOME in {each.bucket for each in emitted[name]}


def test_a_locator_goes_to_the_bucket_of_its_key(emitted: Emissions) -> None:
    captured = [each for each in emitted["capture"] if each.table == "locator"]
    inserted = [each for each in captured if each.sql.startswith("INSERT")]

    operation_keys = [each for each in inserted if each.parameters[1] == "1"]
    for each in operation_keys:
        key = bytes.fromhex((each.parameters[2] or "").removeprefix("\\x"))
        assert each.bucket == operation_key(key.hex()).bucket
    assert len(operation_keys) >= 3


def test_a_bucket_is_locked_before_anything_of_it_is_read(emitted: Emissions) -> None:
    """And several of them, as for a merge, in ascending order."""
    sent = emitted["merge"]
    locks = [each.bucket for each in sent if each.sql.endswith("FOR UPDATE")]

    assert locks == sorted(locks)
    assert {HOME, HOME + 1} <= set(locks)
    members_read = [
        place for place, each in enumerate(sent) if each.sql.startswith("SELECT member")
    ]
    last_lock = max(place for place, each in enumerate(sent) if each.sql.endswith("FOR UPDATE"))
    assert members_read
    assert min(members_read) > last_lock


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a.b FROM a WHERE a.bucket = ANY ($1::SMALLINT[])",
        "SELECT a.b FROM a WHERE a.bucket = $1::SMALLINT OR a.x = $2::BIGINT",
        "SELECT a.b FROM a WHERE a.bucket = $1::SMALLINT AND a.bucket = $2::SMALLINT",
        "SELECT a.b FROM a JOIN b ON a.x = b.x WHERE a.bucket = $1::SMALLINT",
        "SELECT a.b FROM a WHERE a.x = $1::BIGINT",
        "UPDATE a SET b=$1::BIGINT FROM unnest($2) AS new WHERE a.bucket = $3::SMALLINT",
        "INSERT INTO a (bucket, b) SELECT new.bucket, new.b FROM unnest($1) AS new",
        "INSERT INTO a (b, bucket) VALUES ($1::BIGINT, $2::SMALLINT)",
        "WITH c AS (INSERT INTO a (bucket, b) VALUES ($1::SMALLINT, $2::BIGINT)) SELECT c.b FROM c",
    ],
)
def test_what_citus_would_plan_or_refuse_is_noticed(sql: str) -> None:
    with pytest.raises(AssertionError, match="not a statement of one table and one bucket"):
        _ = Emitted(sql, ("1", "1", "1")).bucket


@pytest.mark.parametrize(
    ("lanes", "distributed"), [(1, False), (BUCKET_COUNT - 1, False), (BUCKET_COUNT, True)]
)
async def test_as_many_lanes_as_buckets_choose_these_statements(
    postgres_ledger_url: str, lanes: int, distributed: bool
) -> None:
    store = await open_store(postgres_ledger_url, lanes=lanes)

    assert isinstance(store, DistributedStore) is distributed
    await store.close()


async def test_a_key_whose_row_is_not_visible_yet_is_asked_for_again(
    postgres_ledger_url: str,
) -> None:
    """On two nodes a commit shows on one before the other: no answer is made of half of it."""
    async with opened(postgres_ledger_url, lanes=BUCKET_COUNT) as ledger:
        half = operations.new_id()
        key = operation_key(half)
        with psycopg.connect(postgres_ledger_url, autocommit=True) as connection:
            connection.execute(
                "INSERT INTO locator VALUES (%s, %s, %s, %s, 99, NULL)", [*key, HOME]
            )
        with pytest.raises(StoreLostError, match=f"{HOME}/99 is not committed yet"):
            await ledger.store.reader.decided([key])
        asked = asyncio.create_task(ledger.status(half))
        with psycopg.connect(postgres_ledger_url, autocommit=True) as connection:
            connection.execute("DELETE FROM locator WHERE sequence = 99")

        assert (await asked).answer is None


async def test_kinds_are_told_apart_that_share_a_bucket_and_a_key(postgres_ledger_url: str) -> None:
    """The end of a reservation has the key of the operation that made it, in another kind."""
    async with opened(postgres_ledger_url, lanes=BUCKET_COUNT) as ledger:
        asked, beside = Key(3, 1, b"\1" * 16), Key(3, 1, b"\2" * 16)
        other_kind = Key(3, 4, b"\2" * 16)
        with psycopg.connect(postgres_ledger_url, autocommit=True) as connection:
            for key in (Key(3, 4, b"\1" * 16), beside, other_kind, Key(4, 1, b"\1" * 16)):
                connection.execute("INSERT INTO locator VALUES (%s, %s, %s, 5, 6, NULL)", list(key))

        found = await ledger.store.owners([asked, other_kind])

        assert found == {other_kind: Located(5, 6, None)}
        with psycopg.connect(postgres_ledger_url, autocommit=True) as connection:
            connection.execute("DELETE FROM locator")


async def test_two_processes_decide_one_id_once(postgres_ledger_url: str) -> None:
    """As with other statements: the key is unique, whichever node it is on."""
    async with (
        opened(postgres_ledger_url, lanes=BUCKET_COUNT) as first,
        opened(postgres_ledger_url, lanes=BUCKET_COUNT) as second,
    ):
        enrolments = await first.enrolled(*(f"card-{n}" for n in range(24)))
        captures: list[Command] = [a_capture(e.card, 2_000) for e in enrolments]

        ones, others = await asyncio.gather(
            first.answers(*captures), second.answers(*reversed(captures))
        )

        assert ones == others[::-1]
        assert len(await first.journal("capture")) == len(captures)
        assert {member_bucket(e.member_id) for e in enrolments} != {HOME}
        await first.verified()
