"""What is older than its class allows goes, to the day; all else stays, and the books balance."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Table, insert, select, update

from bonpunkt.till import operations
from services.loyalty import retention, schema
from services.loyalty.identity.schema import identity_tombstone
from services.loyalty.office.audit import append_audit, verify_audit
from services.loyalty.office.instants import micros
from services.loyalty.office.schema import (
    audit,
    audit_base,
    audit_head,
    sign_in_attempt,
    staff,
    staff_session,
)
from services.loyalty.retention import Retention
from tests.loyalty.ledgers import NOON, Ledger, a_capture

CARD, OTHER_CARD = "2900000000018", "2900000000025"
DAY = timedelta(days=1)
INSTANT = timedelta(microseconds=1)
DAYS = 30
FOR_EVER = Retention(baskets_days=0, tombstones_days=0, sessions_days=0, audit_days=0)
ALL = Retention(baskets_days=DAYS, tombstones_days=DAYS, sessions_days=DAYS, audit_days=DAYS)
# The last instant at which something is kept for one more run, and the first at which it is not.
KEPT, OVER = NOON - DAYS * DAY, NOON - DAYS * DAY - INSTANT


@pytest.fixture
async def ledger(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """With slices of two rows, and without what other tests left in the office's tables."""
    monkeypatch.setattr(retention, "SLICE", 2)
    async with ledger.engine.begin() as connection:
        for table in (staff_session, staff, sign_in_attempt, audit, audit_head, audit_base):
            await connection.execute(table.delete())
    return ledger


async def run(ledger: Ledger, which: Retention = ALL) -> dict[str, int]:
    deleted = await retention.run(ledger.engine, which, ledger_now_us=micros(NOON), now=NOON)
    return {name: count for name, count in deleted.items() if count}


async def count(ledger: Ledger, table: Table) -> int:
    return len(await ledger.rows(table))


async def captured(ledger: Ledger, card: str, at: Sequence[datetime]) -> None:
    await ledger.enrolled(card)
    for moment in at:
        ledger.clock.at = moment
        await ledger.decision(a_capture(card))


# --- baskets --------------------------------------------------------------------------------


async def test_old_baskets_go_and_the_journal_stays(ledger: Ledger) -> None:
    ledger.clock.at = NOON - 100 * DAY
    await captured(ledger, CARD, [OVER] * 5 + [KEPT] * 3)
    await captured(ledger, OTHER_CARD, [KEPT])
    entries = await count(ledger, schema.journal)

    assert await run(ledger) == {"basket": 5}

    assert await count(ledger, schema.basket) == 4
    assert await count(ledger, schema.journal) == entries
    assert await run(ledger) == {}


async def test_baskets_grow_old_by_the_ledgers_clock(ledger: Ledger) -> None:
    """The demo lives in recorded time: what it rang up a minute ago is years old by the wall."""
    ledger.clock.at = NOON
    await captured(ledger, CARD, [NOON])

    deleted = await retention.run(
        ledger.engine, ALL, ledger_now_us=micros(NOON), now=NOON + 10_000 * DAY
    )

    assert deleted["basket"] == 0
    assert await count(ledger, schema.basket) == 1


# --- what else grows old --------------------------------------------------------------------


async def add_tombstones(ledger: Ledger, at: Sequence[datetime]) -> None:
    async with ledger.engine.begin() as connection:
        for moment in at:
            await connection.execute(
                insert(identity_tombstone).values(
                    bucket=0,
                    member_id=operations.new_id(),
                    operation_id=operations.new_id(),
                    erased_at_us=micros(moment),
                    ground="request",
                    actor="staff:mia",
                )
            )


async def add_sessions(ledger: Ledger, at: Sequence[datetime]) -> None:
    async with ledger.engine.begin() as connection:
        await connection.execute(
            insert(staff).values(name="mia", role="clerk", password_hash="", added_at_us=0)
        )
        for number, moment in enumerate(at):
            await connection.execute(
                insert(staff_session).values(
                    token_sha256=bytes([number]) * 32,
                    name="mia",
                    started_at_us=micros(moment),
                    used_at_us=micros(moment),
                )
            )
            await connection.execute(
                insert(sign_in_attempt).values(
                    attempt_id=bytes([number]) * 16,
                    name_sha256=bytes(32),
                    browser="",
                    at_us=micros(moment),
                )
            )


async def test_old_tombstones_and_sessions_go(ledger: Ledger) -> None:
    await add_tombstones(ledger, [OVER, OVER, OVER, KEPT])
    await add_sessions(ledger, [OVER, OVER, KEPT])

    assert await run(ledger) == {
        "identity_tombstone": 3,
        "staff_session": 2,
        "sign_in_attempt": 2,
    }

    assert await count(ledger, identity_tombstone) == 1
    assert await count(ledger, staff_session) == await count(ledger, sign_in_attempt) == 1


async def add_acts(ledger: Ledger, at: Sequence[datetime]) -> None:
    async with ledger.engine.begin() as connection:
        for moment in at:
            await append_audit(
                connection, at=moment, actor="staff:mia", action="test", subject=str(moment)
            )


async def audit_problems(ledger: Ledger) -> list[str]:
    async with ledger.engine.connect() as connection:
        return await verify_audit(connection)


async def test_the_audit_verifies_after_its_oldest_entries_are_gone(ledger: Ledger) -> None:
    await add_acts(ledger, [OVER] * 5 + [KEPT] * 2)

    assert await run(ledger) == {"audit": 5}

    assert [row.sequence for row in await ledger.rows(audit)] == [6, 7]
    assert await audit_problems(ledger) == []
    await add_acts(ledger, [NOON])
    assert await audit_problems(ledger) == []
    assert await run(ledger) == {}


async def test_the_newest_entry_of_the_audit_always_stays(ledger: Ledger) -> None:
    await add_acts(ledger, [OVER] * 3)

    assert await run(ledger) == {"audit": 2}

    assert await audit_problems(ledger) == []


async def test_the_audit_ends_at_the_first_entry_that_is_kept(ledger: Ledger) -> None:
    """A clock that was set back must not tear a hole into the chain."""
    await add_acts(ledger, [OVER, KEPT, OVER, NOON])

    assert await run(ledger) == {"audit": 1}

    assert await audit_problems(ledger) == []


@pytest.mark.parametrize("changes", [{"sequence": 1}, {"hash": bytes(32)}])
async def test_a_changed_beginning_of_the_audit_is_found(
    ledger: Ledger, changes: dict[str, object]
) -> None:
    await add_acts(ledger, [OVER] * 2 + [NOON] * 2)
    await run(ledger)
    async with ledger.engine.begin() as connection:
        await connection.execute(update(audit_base).values(**changes))

    assert await audit_problems(ledger)

    async with ledger.engine.begin() as connection:
        for table in (audit, audit_head, audit_base):
            await connection.execute(table.delete())


# --- for ever -------------------------------------------------------------------------------


async def test_nothing_goes_where_everything_is_kept_for_ever(ledger: Ledger) -> None:
    ledger.clock.at = NOON - 10_000 * DAY
    await captured(ledger, CARD, [ledger.clock.at])
    await add_tombstones(ledger, [ledger.clock.at])
    await add_sessions(ledger, [ledger.clock.at])
    await add_acts(ledger, [ledger.clock.at] * 2)

    assert await run(ledger, FOR_EVER) == {}
    assert await run(ledger) == {
        "basket": 1,
        "identity_tombstone": 1,
        "staff_session": 1,
        "sign_in_attempt": 1,
        "audit": 1,
    }


async def test_nothing_else_is_touched(ledger: Ledger) -> None:
    """Members, balances, keys: the whole ledger but its baskets."""
    ledger.clock.at = NOON - 100 * DAY
    await captured(ledger, CARD, [OVER])
    kept = [table for table in schema.CHECKOUT_TABLES if table is not schema.basket]
    before = [await ledger.rows(table) for table in kept]

    await run(ledger)

    assert [await ledger.rows(table) for table in kept] == before
    async with ledger.engine.connect() as connection:
        assert list(await connection.scalars(select(schema.basket.c.sequence))) == []
