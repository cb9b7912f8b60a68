"""What is kept survives, once each, on both databases."""

import asyncio
import re
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, event, func, insert, select
from sqlalchemy.exc import IntegrityError

from services.notifier import migrations, schema
from services.notifier.database import AlreadyRunningError, Database, NotMigratedError
from services.notifier.delivery import Answer, Dead, Delivered, Outcome, Retry
from services.notifier.endpoints import Endpoint
from services.notifier.events import event_from_entry
from services.notifier.schema import State
from services.notifier.store import Due, Head, MovedMeanwhileError, Place, Result, Taken
from tests.notifier.feed import BUCKETS, entry
from tests.notifier.rig import HOUR_US, Rig, rig, taken

NOW_US = 1_777_897_800_000_000
ANNA, BERT = (str(uuid.UUID(int=each)) for each in (1, 2))


async def take_in(
    notifier: Rig, place: Place, members: Sequence[str], *, now_us: int = NOW_US
) -> Place:
    """The next versions of these members, all of bucket 0."""
    begin = place.heads[0].sequence + 1
    entries = [
        entry(sequence=sequence, member_id=member, member_version=sequence)
        for sequence, member in enumerate(members, begin)
    ]
    found = taken(entries, place)
    await notifier.store.take_in(found, now_us=now_us)
    return Place(place.epoch, {**place.heads, **found.heads})


@pytest.fixture
async def place(notifier: Rig) -> Place:
    return await notifier.store.adopt(epoch=1, bucket_count=BUCKETS)


@pytest.fixture
async def email(notifier: Rig) -> Endpoint:
    return await notifier.add("email", "https://email.example/")


async def due(notifier: Rig, of: Endpoint, *, now_us: int = NOW_US, limit: int = 100) -> list[Due]:
    return await notifier.store.due(of.endpoint_id, key=of.key, now_us=now_us, limit=limit)


def result(of: Due, endpoint: Endpoint, outcome: Outcome) -> Result:
    is_delivered = isinstance(outcome, Delivered)
    return Result(
        number=of.number,
        endpoint_id=endpoint.endpoint_id,
        at_us=NOW_US,
        answer=Answer(204) if is_delivered else Answer(500, "answered 500"),
        outcome=outcome,
    )


async def test_the_migrations_make_the_tables_of_the_schema(notifier: Rig) -> None:
    async with notifier.database.writing() as connection:
        differences = await connection.run_sync(
            lambda each: compare_metadata(MigrationContext.configure(each), schema.metadata)
        )

    assert differences == []


async def test_migrating_again_changes_nothing(notifier: Rig, email: Endpoint) -> None:
    await notifier.database.migrate()
    await notifier.database.check_migrated()

    assert await notifier.endpoints.all() == [email]


async def test_processes_that_start_at_once_migrate_one_after_the_other(database_url: str) -> None:
    databases = [Database(database_url) for _ in range(3)]

    await asyncio.gather(*(each.migrate() for each in databases))

    await databases[0].check_migrated()
    for each in databases:
        await each.close()


async def test_numbers_of_deliveries_go_on_after_those_of_the_first_version(
    postgres_url: str,
) -> None:
    database = Database(postgres_url)
    async with database.writing() as connection:
        await connection.run_sync(_upgrade_to_the_first_version)
        values = {column.name: 0 for column in schema.delivery.c} | {
            "number": 41,
            "member_id": ANNA,
            "last_attempt_us": None,
            "last_error": "",
        }
        await connection.execute(insert(schema.delivery), values)
    await database.migrate()
    await database.close()

    async with rig(postgres_url) as notifier:
        email = await notifier.add("email", "https://email.example/")
        await notifier.change(1, 2)
        found = await due(notifier, email, now_us=notifier.clock())
    assert sorted(each.number for each in found) == [42, 43]


def _upgrade_to_the_first_version(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["connection"] = connection
    command.upgrade(config, "0001")


async def test_tables_of_another_version_are_refused_if_migration_is_off(database_url: str) -> None:
    database = Database(database_url)

    with pytest.raises(NotMigratedError, match="at None"):
        await database.check_migrated()

    await database.close()


async def test_a_second_process_is_kept_out_until_the_first_has_gone(
    notifier: Rig, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.notifier.database.TAKE_OVER_S", 0.2)
    second = Database(database_url)
    async with notifier.database.held(shared=False, lost=lambda: None):
        with pytest.raises(AlreadyRunningError):
            async with second.held(shared=False, lost=lambda: None):
                pass

    async with second.held(shared=False, lost=lambda: None):
        pass
    await second.close()


async def test_processes_that_share_the_work_keep_out_those_that_do_not(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.notifier.database.TAKE_OVER_S", 0.2)
    databases = [Database(postgres_url) for _ in range(3)]
    async with (
        databases[0].held(shared=True, lost=lambda: None),
        databases[1].held(shared=True, lost=lambda: None),
    ):
        with pytest.raises(AlreadyRunningError):
            async with databases[2].held(shared=False, lost=lambda: None):
                pass
    for each in databases:
        await each.close()


async def test_a_file_has_one_process_even_if_it_would_share_the_work(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.notifier.database.TAKE_OVER_S", 0.2)
    first, second = Database(sqlite_url), Database(sqlite_url)
    async with first.held(shared=True, lost=lambda: None):
        with pytest.raises(AlreadyRunningError):
            async with second.held(shared=True, lost=lambda: None):
                pass
    await first.close()
    await second.close()


async def test_the_place_is_nowhere_before_the_first_message(notifier: Rig) -> None:
    assert await notifier.store.place() == Place(epoch=0, heads={})


async def test_cursor_and_deliveries_are_stored_together(
    notifier: Rig, place: Place, email: Endpoint
) -> None:
    after = await take_in(notifier, place, [ANNA, BERT])

    assert await notifier.store.place() == after
    assert after.heads[0].sequence == 2
    assert await notifier.count(State.PENDING, email) == 2


async def test_nothing_is_stored_if_the_end_of_the_transaction_fails(
    notifier: Rig, place: Place, email: Endpoint
) -> None:
    """As when the process is killed before the commit: the cursor stays with the deliveries."""
    found = taken([entry(), entry(sequence=2)], place)
    doubled = Taken(found.heads_before, found.heads, [*found.events, found.events[-1]])

    with pytest.raises(IntegrityError):
        await notifier.store.take_in(doubled, now_us=NOW_US)

    assert await notifier.store.place() == place
    assert await notifier.count(State.PENDING) == 0


async def test_the_same_entries_are_not_taken_in_twice(
    notifier: Rig, place: Place, email: Endpoint
) -> None:
    """Also by another process that read the same place: the second sees that the cursor moved."""
    found = taken([entry()], place)
    await notifier.store.take_in(found, now_us=NOW_US)

    with pytest.raises(MovedMeanwhileError):
        await notifier.store.take_in(found, now_us=NOW_US)

    assert await notifier.count(State.PENDING) == 1


async def test_a_delivery_is_unique_even_if_the_cursor_were_wrong(
    notifier: Rig, place: Place, email: Endpoint
) -> None:
    await take_in(notifier, place, [ANNA])
    again = event_from_entry(entry(), epoch=1)
    wrong = Taken({0: Head(1, bytes(32))}, {0: Head(2, bytes(32))}, [again])

    with pytest.raises(IntegrityError):
        await notifier.store.take_in(wrong, now_us=NOW_US)


async def test_endpoints_get_what_they_asked_for_also_while_disabled(
    notifier: Rig, place: Place
) -> None:
    everything = await notifier.add("crm", "https://crm.example/")
    blocks = await notifier.add("fraud", "https://f.example/", "member.blocked", "member.unblocked")
    off = await notifier.add("email", "https://email.example/")
    await notifier.endpoints.disable("email", reason="by staff", actor="demo", now_us=NOW_US)
    entries = [entry(), entry(sequence=2, kind="block"), entry(sequence=3, accepted=False)]

    woken = await notifier.store.take_in(taken(entries, place), now_us=NOW_US)

    counts = [await notifier.count(State.PENDING, each) for each in (everything, blocks, off)]
    assert counts == [2, 1, 2]
    assert woken == {each.endpoint_id for each in (everything, blocks, off)}


async def test_an_event_that_nobody_asked_for_is_not_kept(notifier: Rig, place: Place) -> None:
    await notifier.add("fraud", "https://fraud.example/", "member.blocked")

    after = await take_in(notifier, place, [ANNA])

    async with notifier.database.reading() as connection:
        assert await connection.scalar(select(func.count()).select_from(schema.event)) == 0
    assert after.heads[0].sequence == 1


async def test_of_a_member_only_the_earliest_pending_version_is_due(
    notifier: Rig, place: Place, email: Endpoint
) -> None:
    await take_in(notifier, place, [ANNA, BERT, ANNA, ANNA])
    first = await due(notifier, email)

    await notifier.store.record([result(first[0], email, Delivered())])
    second = await due(notifier, email)

    assert [each.member_id for each in first] == [ANNA, BERT]
    assert [(each.number, each.member_id) for each in second] == [(2, BERT), (3, ANNA)]


async def test_a_waiting_version_holds_back_the_later_ones(
    notifier: Rig, place: Place, email: Endpoint
) -> None:
    await take_in(notifier, place, [ANNA, ANNA])
    (first,) = await due(notifier, email)
    await notifier.store.record([result(first, email, Retry(wait_s=300))])

    before = await due(notifier, email, now_us=NOW_US + 300_000_000 - 1)
    after = await due(notifier, email, now_us=NOW_US + 300_000_000)

    assert before == []
    assert [(each.number, each.tries) for each in after] == [(first.number, 1)]
    next_us = await notifier.store.next_due_us(email.endpoint_id, after_us=NOW_US)
    assert next_us == NOW_US + 300_000_000


async def test_a_dead_version_lets_the_later_ones_pass(
    notifier: Rig, place: Place, email: Endpoint
) -> None:
    await take_in(notifier, place, [ANNA, ANNA])
    (first,) = await due(notifier, email)

    await notifier.store.record([result(first, email, Dead())])

    assert [each.number for each in await due(notifier, email)] == [first.number + 1]
    assert await notifier.count(State.DEAD, email) == 1


async def test_one_endpoint_does_not_hold_back_another(
    notifier: Rig, place: Place, email: Endpoint
) -> None:
    crm = await notifier.add("crm", "https://crm.example/")
    await take_in(notifier, place, [ANNA, ANNA])
    (to_email,) = await due(notifier, email)

    await notifier.store.record([result(to_email, email, Delivered())])

    assert [each.delivery_id[-4:] for each in await due(notifier, email)] == ["_0_2"]
    assert [each.delivery_id[-4:] for each in await due(notifier, crm)] == ["_0_1"]


async def test_what_waits_longest_is_due_first_and_no_more_than_asked_for(
    notifier: Rig, place: Place, email: Endpoint
) -> None:
    place = await take_in(notifier, place, [BERT], now_us=NOW_US - HOUR_US)
    await take_in(notifier, place, [ANNA])

    assert [each.member_id for each in await due(notifier, email, limit=1)] == [BERT]
    assert len(await due(notifier, email, limit=2)) == 2


async def test_many_results_of_all_sorts_are_recorded_at_once(
    notifier: Rig, place: Place, email: Endpoint
) -> None:
    members = [str(uuid.UUID(int=each)) for each in range(600)]
    await take_in(notifier, place, members)
    found = await due(notifier, email, limit=600)
    outcomes: list[Outcome] = [Delivered(), Retry(wait_s=60), Dead()]

    await notifier.store.record(
        [result(each, email, outcomes[place % 3]) for place, each in enumerate(found)]
    )

    counts = [await notifier.count(state, email) for state in State]
    assert counts == [200, 200, 200]
    async with notifier.database.reading() as connection:
        failed = await connection.scalar(select(func.count()).select_from(schema.attempt))
    assert failed == 400


async def test_what_two_processes_sent_is_recorded_once(
    notifier: Rig, place: Place, email: Endpoint, database_url: str
) -> None:
    """Held for dead, a process may still be sending what another one has taken over."""
    await take_in(notifier, place, [ANNA, BERT])
    delivered, dead = await due(notifier, email)
    async with rig(database_url) as other:
        await notifier.store.record(
            [result(delivered, email, Delivered()), result(dead, email, Dead())]
        )
        await other.store.record(
            [result(dead, email, Delivered()), result(delivered, email, Retry(wait_s=5))]
        )

    counts = [await notifier.count(state, email) for state in State]
    assert counts == [0, 1, 1]


async def test_two_processes_that_fail_at_the_same_delivery_have_made_two_attempts(
    notifier: Rig, place: Place, email: Endpoint, database_url: str
) -> None:
    await take_in(notifier, place, [ANNA])
    (first,) = await due(notifier, email)
    async with rig(database_url) as other:
        for each in (notifier, other):
            await each.store.record([result(first, email, Retry(wait_s=0))])

    (again,) = await due(notifier, email)
    assert again.tries == 2
    async with notifier.database.reading() as connection:
        attempts = await connection.scalars(select(schema.attempt.c.attempt).order_by("attempt"))
        assert attempts.all() == [1, 2]


async def test_several_processes_take_in_several_buckets_at_once(
    notifier: Rig, place: Place, email: Endpoint, database_url: str
) -> None:
    """Every delivery has a number of its own; those of a member ascend with the versions."""
    rounds = 5

    async def take_in_all(of: Rig, bucket: int) -> None:
        member = str(uuid.UUID(int=bucket))
        for sequence in range(1, rounds + 1):
            each = entry(
                bucket=bucket, sequence=sequence, member_id=member, member_version=sequence
            )
            await of.store.take_in(taken([each], await of.store.place()), now_us=NOW_US)

    async with rig(database_url) as other:
        halves = [(each % 2, each) for each in range(BUCKETS)]
        await asyncio.gather(*(take_in_all([notifier, other][half], b) for half, b in halves))

    async with notifier.database.reading() as connection:
        numbered = select(schema.delivery.c.bucket, schema.delivery.c.sequence)
        rows = (await connection.execute(numbered.order_by(schema.delivery.c.number))).all()
    assert len(rows) == BUCKETS * rounds
    for bucket in range(BUCKETS):
        assert [row.sequence for row in rows if row.bucket == bucket] == [1, 2, 3, 4, 5]


async def test_only_deliveries_of_the_buckets_asked_for_are_due(
    notifier: Rig, email: Endpoint
) -> None:
    await notifier.change(*range(BUCKETS))

    async def due_in(*buckets: int) -> list[int]:
        found = await notifier.store.due(
            email.endpoint_id, key=email.key, now_us=notifier.clock(), limit=9, buckets=buckets
        )
        return sorted(each.bucket for each in found)

    assert await due_in(1, 3) == [1, 3]
    assert await due_in() == []
    next_us = notifier.store.next_due_us(email.endpoint_id, after_us=0, buckets=[])
    assert await next_us is None


async def test_a_delivery_put_back_in_line_begins_its_schedule_anew_and_keeps_its_past(
    notifier: Rig, place: Place, email: Endpoint
) -> None:
    await take_in(notifier, place, [ANNA])
    (first,) = await due(notifier, email)
    await notifier.store.record([result(first, email, Delivered())])

    await notifier.endpoints.redeliver(
        key=email.key, epoch=1, bucket=0, sequence=1, actor="demo", now_us=NOW_US
    )
    (again,) = await due(notifier, email)

    assert (again.delivery_id, again.body) == (first.delivery_id, first.body)
    assert again.tries == 0
    assert await notifier.count(State.DELIVERED, email) == 0
    async with notifier.database.reading() as connection:
        past = (await connection.execute(select(schema.attempt))).one()
    assert (past.attempt, past.status, past.error) == (1, 204, "")


async def test_enabling_makes_everything_that_waits_due_at_once(
    notifier: Rig, place: Place, email: Endpoint
) -> None:
    await take_in(notifier, place, [ANNA])
    (first,) = await due(notifier, email)
    await notifier.store.record([result(first, email, Retry(wait_s=86_400))])
    await notifier.endpoints.disable("email", reason="by staff", actor="demo", now_us=NOW_US)

    enabled = await notifier.endpoints.enable("email", actor="demo", now_us=NOW_US + 1)

    assert enabled is not None
    assert (enabled.enabled, enabled.disabled_reason) == (True, "")
    assert len(await due(notifier, email, now_us=NOW_US + 1)) == 1


async def test_a_long_backlog_is_searched_through_the_partial_indexes(
    notifier: Rig, place: Place, email: Endpoint
) -> None:
    """In PostgreSQL also before anything was analysed: an empty table's plan would be ruinous."""
    await take_in(notifier, place, [ANNA])
    with statements_of(notifier) as seen:
        await due(notifier, email)
        await notifier.store.next_due_us(email.endpoint_id, after_us=NOW_US)
        await notifier.endpoints.deliveries(
            member_id="", endpoint_name="", state=State.DEAD, before=None, limit=50
        )

    plans = [await plan(notifier, each) for each in seen]

    used = [re.findall(r"delivery_(?:due|turn|open|once|of_member)", each) for each in plans]
    assert [set(each) for each in used] == [
        {"delivery_due", "delivery_turn"},
        {"delivery_due"},
        {"delivery_open"},
    ]


@contextmanager
def statements_of(notifier: Rig) -> Iterator[list[tuple[str, Any]]]:
    """The statements that readers execute in the block, with their parameters."""
    seen: list[tuple[str, Any]] = []

    def note(_: object, __: object, statement: str, parameters: object, *___: object) -> None:
        if statement.startswith("SELECT"):
            seen.append((statement, parameters))

    engine = notifier.database.readers.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


async def plan(notifier: Rig, statement: tuple[str, Any]) -> str:
    explain = "EXPLAIN QUERY PLAN " if notifier.database.is_sqlite else "EXPLAIN "
    async with notifier.database.reading() as connection:
        rows = await connection.exec_driver_sql(explain + statement[0], statement[1])
        return "\n".join(str(row[-1]) for row in rows)
