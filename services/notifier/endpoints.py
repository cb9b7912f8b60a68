"""Who is told, and what became of it: endpoints, lists of deliveries, figures."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, Update, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier import audit
from services.notifier.audit import Act
from services.notifier.database import ACTS_LOCK, Database
from services.notifier.schema import (
    State,
    attempt,
    cursor,
    delivery,
    endpoint,
    event,
    figures,
    is_open,
    is_waiting,
)
from services.notifier.store import count, delivery_id

KEY_BYTES = 6  # 2^48: enough that no receiver ever meets two endpoints with one key

BY_STAFF = "by staff"
ANSWERED_GONE = "answered 410"
KEPT_FAILING = "kept failing"


@dataclass(frozen=True, slots=True)
class Endpoint:
    endpoint_id: int
    name: str
    key: str
    url: str
    event_types: tuple[str, ...]
    secrets: tuple[str, ...]
    enabled: bool
    disabled_reason: str
    failing_since_us: int | None
    added_at_us: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery as people see it."""

    number: int
    delivery_id: str
    endpoint: str
    event_type: str
    member_id: str
    member_version: int
    state: State
    attempts: int
    created_at_us: int
    next_attempt_us: int
    last_attempt_us: int | None
    last_status: int
    last_error: str
    bucket: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Figures:
    endpoint: str
    pending: int
    delivered: int
    dead: int


class Endpoints:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self,
        *,
        name: str,
        url: str,
        event_types: Sequence[str],
        secret: str,
        actor: str,
        now_us: int,
    ) -> Endpoint | None:
        """A new endpoint, enabled; None if the name is taken."""
        try:
            async with self._database.writing(lock=ACTS_LOCK) as connection:
                highest = await connection.scalar(select(func.max(endpoint.c.endpoint_id)))
                added = Endpoint(
                    endpoint_id=(highest or 0) + 1,
                    name=name,
                    key=secrets.token_hex(KEY_BYTES),
                    url=url,
                    event_types=tuple(event_types),
                    secrets=(secret,),
                    enabled=True,
                    disabled_reason="",
                    failing_since_us=None,
                    added_at_us=now_us,
                )
                await connection.execute(insert(endpoint), _endpoint_row(added))
                nothing = {"pending": 0, "delivered": 0, "dead": 0}
                await connection.execute(
                    insert(figures), {"endpoint_id": added.endpoint_id, **nothing}
                )
                act = Act(now_us, actor, "endpoint.add", subject=name, detail=url)
                await audit.append(connection, act)
        except IntegrityError:
            return None
        return added

    async def all(self) -> list[Endpoint]:
        """In the order of their names."""
        async with self._database.reading() as connection:
            rows = await connection.execute(select(endpoint).order_by(endpoint.c.name))
            return [_endpoint(row) for row in rows]

    async def disable(self, name: str, *, reason: str, actor: str, now_us: int) -> Endpoint | None:
        """Stops sending; None if there is no such endpoint. Repeating changes nothing."""
        async with self._database.writing(lock=ACTS_LOCK) as connection:
            found = await _by_name(connection, name)
            if found is None or not found.enabled:
                return found
            values = {"enabled": False, "disabled_reason": reason}
            await connection.execute(_of(found).values(values))
            act = Act(now_us, actor, "endpoint.disable", subject=name, detail=reason)
            await audit.append(connection, act)
            return await _by_name(connection, name)

    async def enable(self, name: str, *, actor: str, now_us: int) -> Endpoint | None:
        """Starts sending again, at once, also what was waiting for its next attempt."""
        async with self._database.writing(lock=ACTS_LOCK) as connection:
            found = await _by_name(connection, name)
            if found is None or found.enabled:
                return found
            values = {"enabled": True, "disabled_reason": "", "failing_since_us": None}
            await connection.execute(_of(found).values(values))
            await connection.execute(_due_at_once(found, now_us=now_us))
            await audit.append(connection, Act(now_us, actor, "endpoint.enable", subject=name))
            return await _by_name(connection, name)

    async def mark_failing(self, endpoint_id: int, *, since_us: int | None) -> None:
        """Since when nothing has succeeded; None once something has. Kept over restarts."""
        statement = update(endpoint).where(endpoint.c.endpoint_id == endpoint_id)
        async with self._database.writing() as connection:
            await connection.execute(statement.values(failing_since_us=since_us))

    async def deliveries(
        self,
        *,
        member_id: str,
        endpoint_name: str,
        state: State | None,
        before: int | None,
        limit: int,
    ) -> list[Delivery]:
        """Newest first, from below the number `before`; empty texts narrow nothing."""
        statement = _listed().order_by(delivery.c.number.desc()).limit(limit)
        if member_id:
            statement = statement.where(delivery.c.member_id == member_id)
        if endpoint_name:
            statement = statement.where(endpoint.c.name == endpoint_name)
        if state is not None:
            statement = statement.where(delivery.c.state == state.value)
        if state in (State.PENDING, State.DEAD):
            statement = statement.where(is_open(delivery))
        if before is not None:
            statement = statement.where(delivery.c.number < before)
        async with self._database.reading() as connection:
            return [_delivery(row) for row in await connection.execute(statement)]

    async def redeliver(
        self, *, key: str, epoch: int, bucket: int, sequence: int, actor: str, now_us: int
    ) -> Delivery | None:
        """Puts a delivery back in line, at the beginning of the schedule; None if there is none."""
        statement = _listed().where(
            endpoint.c.key == key,
            delivery.c.epoch == epoch,
            delivery.c.bucket == bucket,
            delivery.c.sequence == sequence,
        )
        async with self._database.writing(lock=ACTS_LOCK) as connection:
            locked = statement.with_for_update(of=delivery)
            row = (await connection.execute(locked)).one_or_none()
            if row is None:
                return None
            await _put_back(connection, row, now_us=now_us)
            found = _delivery(row)
            act = Act(now_us, actor, "delivery.redeliver", subject=found.delivery_id)
            await audit.append(connection, act)
            return _delivery((await connection.execute(statement)).one())

    async def figures(self) -> tuple[list[Figures], int]:
        """Of each endpoint, by name; and how many journal entries were taken in."""
        statement = (
            select(endpoint.c.name, figures.c.pending, figures.c.delivered, figures.c.dead)
            .join(figures, figures.c.endpoint_id == endpoint.c.endpoint_id)
            .order_by(endpoint.c.name)
        )
        async with self._database.reading() as connection:
            found = [Figures(*row) for row in await connection.execute(statement)]
            # Sequences have no gap and begin at 1: the last one is the count.
            taken_in = await connection.scalar(select(func.sum(cursor.c.sequence)))
        return found, int(taken_in or 0)


async def _by_name(connection: AsyncConnection, name: str) -> Endpoint | None:
    rows = await connection.execute(select(endpoint).where(endpoint.c.name == name))
    row = rows.one_or_none()
    return None if row is None else _endpoint(row)


def _of(found: Endpoint) -> Update:
    return update(endpoint).where(endpoint.c.endpoint_id == found.endpoint_id)


def _due_at_once(of: Endpoint, *, now_us: int) -> Update:
    """What waits is locked in the order in which attempts are recorded."""
    waiting = (
        select(delivery.c.number)
        .where(
            delivery.c.endpoint_id == of.endpoint_id,
            is_waiting(delivery),
            delivery.c.next_attempt_us > now_us,
        )
        .order_by(delivery.c.number)
        .with_for_update()
    )
    return update(delivery).where(delivery.c.number.in_(waiting)).values(next_attempt_us=now_us)


async def _put_back(connection: AsyncConnection, row: Row[Any], *, now_us: int) -> None:
    """Back to pending. The success that the row told of moves to the list of attempts."""
    if row.state == State.DELIVERED:
        done = {
            "number": row.number,
            "attempt": row.attempts,
            "at_us": row.last_attempt_us,
            "status": row.last_status,
            "error": "",
        }
        await connection.execute(insert(attempt), done)
    values = {"state": State.PENDING.value, "tries": 0, "next_attempt_us": now_us}
    await connection.execute(update(delivery).where(delivery.c.number == row.number).values(values))
    if row.state != State.PENDING:
        change = {State(row.state): -1, State.PENDING: 1}
        await count(connection, {row.endpoint_id: change})


def _listed() -> Select[Any]:
    return (
        select(
            delivery,
            endpoint.c.name.label("endpoint"),
            endpoint.c.key,
            event.c.event_type,
            event.c.member_version,
        )
        .join(endpoint, endpoint.c.endpoint_id == delivery.c.endpoint_id)
        .join(
            event,
            (event.c.epoch == delivery.c.epoch)
            & (event.c.bucket == delivery.c.bucket)
            & (event.c.sequence == delivery.c.sequence),
        )
    )


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        number=row.number,
        delivery_id=delivery_id(
            key=row.key, epoch=row.epoch, bucket=row.bucket, sequence=row.sequence
        ),
        endpoint=row.endpoint,
        event_type=row.event_type,
        member_id=row.member_id,
        member_version=row.member_version,
        state=State(row.state),
        attempts=row.attempts,
        created_at_us=row.created_at_us,
        next_attempt_us=row.next_attempt_us,
        last_attempt_us=row.last_attempt_us,
        last_status=row.last_status,
        last_error=row.last_error,
        bucket=row.bucket,
        sequence=row.sequence,
    )


def _endpoint(row: Row[Any]) -> Endpoint:
    return Endpoint(
        endpoint_id=row.endpoint_id,
        name=row.name,
        key=row.key,
        url=row.url,
        event_types=tuple(row.event_types.split()),
        secrets=tuple(row.secrets.split()),
        enabled=row.enabled,
        disabled_reason=row.disabled_reason,
        failing_since_us=row.failing_since_us,
        added_at_us=row.added_at_us,
    )


def _endpoint_row(added: Endpoint) -> dict[str, object]:
    return {
        "endpoint_id": added.endpoint_id,
        "name": added.name,
        "key": added.key,
        "url": added.url,
        "event_types": " ".join(added.event_types),
        "secrets": " ".join(added.secrets),
        "enabled": added.enabled,
        "disabled_reason": added.disabled_reason,
        "failing_since_us": added.failing_since_us,
        "added_at_us": added.added_at_us,
    }
