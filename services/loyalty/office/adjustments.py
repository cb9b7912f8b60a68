"""Four eyes: adjustments that wait until another person than the one who asked has decided.

A row is marked "approved" before the ledger is asked to book it, under the operation id of the
adjustment: whatever breaks in between, approving once more books it once, and nobody can decline
what may be booked already.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Any, NamedTuple

from sqlalchemy import Row, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.loyalty.office.audit import append_audit, lock_audit, reading
from services.loyalty.office.instants import Clock, micros
from services.loyalty.office.schema import adjustment


class Outcome(Enum):
    APPROVED = "approved"  # the ledger has not answered yet
    BOOKED = "booked"
    REFUSED = "refused"  # approved, and refused by the ledger
    DECLINED = "declined"


class Wish(NamedTuple):
    """What is asked for; the same under the same operation id, or it is another request."""

    operation_id: str
    member_id: str
    points: int
    reason_code: str
    reason: str


class Adjustment(NamedTuple):
    """`outcome` None: nobody has decided, and `decided_by` is empty."""

    wish: Wish
    asked_by: str
    asked_at_us: int
    decided_by: str
    outcome: Outcome | None


class Waiting:
    """The adjustments that needed a second person, and what became of them."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine, self._reading, self._clock = engine, reading(engine), clock

    async def find(self, operation_id: str) -> Adjustment | None:
        async with self._reading.connect() as connection:
            return await _find(connection, operation_id)

    async def undecided(self) -> Sequence[Adjustment]:
        """Oldest first; among them those whose booking was interrupted."""
        table = adjustment
        is_open = or_(table.c.outcome.is_(None), table.c.outcome == Outcome.APPROVED.value)
        async with self._reading.connect() as connection:
            rows = await connection.execute(
                select(table).where(is_open).order_by(table.c.asked_at_us, table.c.operation_id)
            )
            return [_adjustment(row) for row in rows]

    async def ask(self, wish: Wish, *, actor: str) -> Adjustment:
        """Puts the wish in line; the one that stands under this id if there is one already."""
        async with self._engine.begin() as connection:
            await lock_audit(connection)
            standing = await _find(connection, wish.operation_id)
            if standing is not None:
                return standing
            now = self._clock()
            await connection.execute(
                insert(adjustment).values(**wish._asdict(), asked_by=actor, asked_at_us=micros(now))
            )
            await append_audit(
                connection,
                at=now,
                actor=actor,
                action="adjustment.ask",
                subject=wish.member_id,
                detail=f"{wish.points:+} points, {wish.reason_code}: {wish.reason}",
            )
        return Adjustment(wish, actor, micros(now), "", None)

    async def decide(
        self, operation_id: str, *, actor: str, approve: bool
    ) -> tuple[Adjustment | None, str]:
        """The adjustment as it stands afterwards, and why it could not be decided so.

        Deciding the same again changes nothing. None if nothing was ever asked under this id.
        """
        outcome = Outcome.APPROVED if approve else Outcome.DECLINED
        async with self._engine.begin() as connection:
            await lock_audit(connection)
            found = await _find(connection, operation_id)
            if found is None:
                return None, ""
            problem = objection(found, actor=actor, approve=approve)
            if problem or found.outcome is not None:
                return found, problem
            now = self._clock()
            await connection.execute(
                update(adjustment)
                .where(adjustment.c.operation_id == operation_id)
                .values(decided_by=actor, decided_at_us=micros(now), outcome=outcome.value)
            )
            await append_audit(
                connection,
                at=now,
                actor=actor,
                action="adjustment.approve" if approve else "adjustment.decline",
                subject=found.wish.member_id,
                detail=f"{found.wish.points:+} points, asked by {found.asked_by}",
            )
        return found._replace(decided_by=actor, outcome=outcome), ""

    async def close(self, approved: Adjustment, *, refusal: str) -> None:
        """Writes down what the ledger made of an approved adjustment; no refusal: it is booked."""
        outcome = Outcome.REFUSED if refusal else Outcome.BOOKED
        async with self._engine.begin() as connection:
            await lock_audit(connection)
            closed = await connection.execute(
                update(adjustment)
                .where(
                    adjustment.c.operation_id == approved.wish.operation_id,
                    adjustment.c.outcome == Outcome.APPROVED.value,
                )
                .values(outcome=outcome.value)
            )
            if refusal and closed.rowcount:
                await append_audit(
                    connection,
                    at=self._clock(),
                    actor=approved.decided_by,
                    action="adjustment.refused",
                    subject=approved.wish.member_id,
                    detail=f"{approved.wish.points:+} points: {refusal}",
                )


def objection(found: Adjustment, *, actor: str, approve: bool) -> str:
    """Why this person cannot decide so, as field and remedy; empty if they can."""
    if person(actor) == person(found.asked_by):
        return "asked_by: another person than the one who asked has to decide"
    if not approve and found.outcome in (Outcome.APPROVED, Outcome.BOOKED):
        return f"operation_id: {found.decided_by} has approved it; take it back by another one"
    if not approve and found.outcome is Outcome.DECLINED:
        return ""
    return closure(found)


def closure(found: Adjustment) -> str:
    """Why nothing will be booked under this id any more, as field and remedy; empty if it may."""
    match found.outcome:
        case Outcome.DECLINED:
            return f"operation_id: {found.decided_by} declined it; ask again under a new id"
        case Outcome.REFUSED:
            return (
                f"operation_id: {found.decided_by} approved it, but the ledger refused; "
                "ask again under a new id"
            )
    return ""


def person(actor: str) -> str:
    """Who is behind an actor: anna is the same person at the admin page and at a command line."""
    return (actor.partition(":")[2] or actor).casefold()


async def _find(connection: AsyncConnection, operation_id: str) -> Adjustment | None:
    found = await connection.execute(
        select(adjustment).where(adjustment.c.operation_id == operation_id)
    )
    row = found.one_or_none()
    return _adjustment(row) if row is not None else None


def _adjustment(row: Row[Any]) -> Adjustment:
    return Adjustment(
        wish=Wish(
            str(row.operation_id), str(row.member_id), row.points, row.reason_code, row.reason
        ),
        asked_by=row.asked_by,
        asked_at_us=row.asked_at_us,
        decided_by=row.decided_by or "",
        outcome=Outcome(row.outcome) if row.outcome is not None else None,
    )
