"""The audit trail shows every tampering."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import Update, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from services.loyalty.office.audit import append_audit, newest_audit, verify_audit
from services.loyalty.office.schema import audit, audit_head
from tests.loyalty.office.conftest import Clock


async def record(engine: AsyncEngine, clock: Clock, *subjects: str) -> None:
    for subject in subjects:
        async with engine.begin() as connection:
            await append_audit(
                connection,
                at=clock(),
                actor="cli:root",
                action="test.act",
                subject=subject,
                detail="why",
            )


async def problems(engine: AsyncEngine) -> list[str]:
    async with engine.connect() as connection:
        return await verify_audit(connection)


async def tamper(engine: AsyncEngine, statement: Any) -> None:
    async with engine.begin() as connection:
        await connection.execute(statement)


async def test_an_untouched_trail_verifies(engine: AsyncEngine, clock: Clock) -> None:
    assert await problems(engine) == []
    await record(engine, clock, "a", "b", "c")

    assert await problems(engine) == []


def _changes() -> list[tuple[str, Update]]:
    second = update(audit).where(audit.c.sequence == 2)
    return [
        ("actor", second.values(actor="cli:mallory")),
        ("action", second.values(action="test.other")),
        ("subject", second.values(subject="x")),
        ("detail", second.values(detail="because")),
        ("at_us", second.values(at_us=audit.c.at_us + 1)),
        ("hash", second.values(hash=bytes(32))),
        ("text moved between fields", second.values(action="test.actb", subject="")),
    ]


@pytest.mark.parametrize(
    "statement", [pytest.param(change, id=name) for name, change in _changes()]
)
async def test_a_changed_entry_is_found(
    engine: AsyncEngine, clock: Clock, statement: Update
) -> None:
    await record(engine, clock, "a", "b", "c")

    await tamper(engine, statement)

    assert "audit entry 2 does not hash to what was recorded" in await problems(engine)


@pytest.mark.parametrize("sequence", [1, 2, 3])
async def test_a_missing_entry_is_found(engine: AsyncEngine, clock: Clock, sequence: int) -> None:
    await record(engine, clock, "a", "b", "c")

    await tamper(engine, delete(audit).where(audit.c.sequence == sequence))

    assert await problems(engine) != []


async def test_an_inserted_entry_is_found(engine: AsyncEngine, clock: Clock) -> None:
    await record(engine, clock, "a")
    async with engine.connect() as connection:
        (row,) = await newest_audit(connection, 1)

    await tamper(engine, insert(audit).values(dict(row._mapping) | {"sequence": 2}))

    assert len(await problems(engine)) == 2, "its hash and the head"


async def test_a_head_that_was_set_back_is_found(engine: AsyncEngine, clock: Clock) -> None:
    await record(engine, clock, "a", "b")

    await tamper(engine, update(audit_head).values(sequence=1))

    assert await problems(engine) == ["the audit ends at entry 2, its head says 1"]


async def test_sequences_have_no_gap_when_many_write_at_once(
    engine: AsyncEngine, clock: Clock
) -> None:
    await asyncio.gather(*(record(engine, clock, f"{n}") for n in range(20)))

    async with engine.connect() as connection:
        found = list(await connection.scalars(select(audit.c.sequence).order_by("sequence")))
    assert found == list(range(1, 21))
    assert await problems(engine) == []


async def test_what_was_rolled_back_leaves_no_entry(engine: AsyncEngine, clock: Clock) -> None:
    await record(engine, clock, "a")
    async with engine.connect() as connection:
        await append_audit(
            connection, at=clock(), actor="cli:root", action="test.act", subject="lost"
        )
        await connection.rollback()

    await record(engine, clock, "b")

    async with engine.connect() as connection:
        assert [(e.sequence, e.subject) for e in await newest_audit(connection, 9)] == [
            (2, "b"),
            (1, "a"),
        ]
    assert await problems(engine) == []


async def test_control_characters_forge_no_second_line(engine: AsyncEngine, clock: Clock) -> None:
    await record(engine, clock, "a\n2026-11-20 cli:root\0terminal.add\u2028x")

    async with engine.connect() as connection:
        (entry,) = await newest_audit(connection, 1)
    assert entry.subject == "a 2026-11-20 cli:root terminal.add x"
    assert await problems(engine) == []
